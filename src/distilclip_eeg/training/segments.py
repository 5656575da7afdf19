"""A fixed list of segments -> balanced batches of exactly these.

Not a second outside the segments is seen: nothing is shifted, spliced or blended, as
`batches.Batches` does. Batch number `n` of a seed is always the same batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Crop
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.protocols import Segment
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES, second_shares
from distilclip_eeg.evaluation.windows import WINDOW_S
from distilclip_eeg.training.augment import augment, lose_seconds
from distilclip_eeg.training.batches import Batch, collate, describe
from distilclip_eeg.training.made_ahead import made_ahead

SEIZURE_SHARE: Final = 0.5
AUGMENTED: Final = 0.5  # of the windows; the others are as they were recorded


class SegmentBatches:
    """Endless batches; every segment of a class comes once before one comes again.

    Half of a batch are seizures; types of seizures take turns, so that each comes as
    often, however rare it is.

    Parameters
    ----------
    classes
        Background first; the labels of all segments.
    lose_leads, gain_spread, class_names_only
        See `batches.Batches`.
    lose_seconds
        How often some seconds of a segment are hidden, see `augment.lose_seconds`;
        what the segment is called stays.

    Raises
    ------
    CorpusError
        If a class is absent, or segments are not as long as the model's windows.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        signal: SignalConfig,
        *,
        seed: int,
        batch_size: int,
        augmented: bool = True,
        classes: Sequence[str] = CLASSES,
        lose_leads: bool = True,
        gain_spread: float = 0.35,
        lose_seconds: float = 0.0,
        class_names_only: bool = False,
    ) -> None:
        self._names = tuple(classes)
        self._classes = [[s for s in segments if s.label == name] for name in classes]
        if not all(self._classes):
            counts = zip(classes[::-1], self._classes[::-1], strict=True)
            said = " and ".join(f"{len(of)} {name}" for name, of in counts)
            few = "both" if len(classes) == 2 else "some of each"
            raise CorpusError(f"found {said} segments, expected {few} to train on")
        if signal.window_s != WINDOW_S:
            raise CorpusError(
                f"found signal.window_s {signal.window_s}, expected {WINDOW_S} as "
                "segments have"
            )
        self.names = [segment.name for segment in segments]
        self._sfreq = round(signal.sfreq)
        self._seed, self._size, self._augmented = seed, batch_size, augmented
        self._change = partial(augment, lose_leads=lose_leads, gain_spread=gain_spread)
        self._lose_seconds = lose_seconds
        self._bare = class_names_only

    def segments(self, number: int) -> list[Segment]:
        """Return what batch `number` is made of, seizures first."""
        n_ictal = round(SEIZURE_SHARE * self._size)
        n_quiet = self._size - n_ictal
        n_types = len(self._classes) - 1
        places = range(number * n_ictal, (number + 1) * n_ictal)
        ictal = [(1 + k % n_types, k // n_types) for k in places]
        quiet = [(0, k) for k in range(number * n_quiet, (number + 1) * n_quiet)]
        return [*self._whose_turn(ictal), *self._whose_turn(quiet)]

    def batch(self, number: int) -> Batch:
        """Return batch `number`; a window has the class of its segment, whole.

        The class is what is asked of it, also where a seizure fills but half of it.
        """
        crops, captions = [], []
        chosen = self.segments(number)
        for place, segment in enumerate(chosen):
            crop = segment.recording.crop(segment.start_s, WINDOW_S)
            said = self._caption(crop, (self._seed, number, place))
            captions.append(segment.label if self._bare else said)
            crops.append(crop)
        two = self._names == CLASSES
        shares = None if two else [self._shares(s) for s in chosen]
        batch = collate(crops, captions, shares)
        batch["window_labels"] = self._called(chosen)
        return batch

    def _called(self, chosen: Sequence[Segment]) -> Tensor:
        """(B, K) one where a segment has the class."""
        places = torch.tensor([self._names.index(s.label) for s in chosen])
        return one_hot(places, len(self._names)).float()

    def _shares(self, segment: Segment) -> NDArray[np.float32]:
        return second_shares(segment.recording, segment.start_s, WINDOW_S, self._names)

    def follow(self, first: int) -> Iterator[Batch]:
        """Yield batches from number `first` on, the next one made meanwhile."""
        return made_ahead(self.batch, first)

    def _whose_turn(self, turns: Sequence[tuple[int, int]]) -> Iterator[Segment]:
        """For each class and turn its segment, reshuffled every time round."""
        laps = [(k, *divmod(turn, len(self._classes[k]))) for k, turn in turns]
        orders = {
            (k, lap): np.random.default_rng((self._seed, k, lap)).permutation(
                len(self._classes[k])
            )
            for k, lap in {(k, lap) for k, lap, _ in laps}
        }
        return (self._classes[k][orders[k, lap][place]] for k, lap, place in laps)

    def _caption(self, crop: Crop, chance: tuple[int, ...]) -> str:
        """Change a window in place, or not, and say what it shows then."""
        rng = np.random.default_rng(chance)
        changed = self._augmented and rng.random() < AUGMENTED
        mirrored = changed and self._change(crop.eeg, crop.usable, rng, self._sfreq)
        said = describe(crop, self._sfreq, mirrored=mirrored)
        if rng.random() < self._lose_seconds:
            lose_seconds(crop.usable, rng)
        return said
