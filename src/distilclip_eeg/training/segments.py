"""A fixed list of segments -> balanced batches of exactly these.

Not a second outside the segments is seen: nothing is shifted, spliced or blended, as
`batches.Batches` does. Batch number `n` of a seed is always the same batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Crop
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.protocols import Segment
from distilclip_eeg.evaluation.windows import WINDOW_S
from distilclip_eeg.training.augment import augment
from distilclip_eeg.training.batches import Batch, collate, describe, made_ahead

SEIZURE_SHARE: Final = 0.5
AUGMENTED: Final = 0.5  # of the windows; the others are as they were recorded


class SegmentBatches:
    """Endless batches; every segment of a class comes once before one comes again.

    Raises
    ------
    CorpusError
        If one class is absent, or segments are not as long as the model's windows.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        signal: SignalConfig,
        *,
        seed: int,
        batch_size: int,
        augmented: bool = True,
    ) -> None:
        self._classes = [[s for s in segments if s.ictal == k] for k in (False, True)]
        if not all(self._classes):
            n_quiet, n_ictal = map(len, self._classes)
            raise CorpusError(
                f"found {n_ictal} seizure and {n_quiet} background segments, expected "
                "both to train on"
            )
        if signal.window_s != WINDOW_S:
            raise CorpusError(
                f"found signal.window_s {signal.window_s}, expected {WINDOW_S} as "
                "segments have"
            )
        self.names = [segment.name for segment in segments]
        self._sfreq = round(signal.sfreq)
        self._seed, self._size, self._augmented = seed, batch_size, augmented

    def segments(self, number: int) -> list[Segment]:
        """Return what batch `number` is made of, seizures first."""
        n_ictal = round(SEIZURE_SHARE * self._size)
        return [
            *self._next(number, n_ictal, ictal=True),
            *self._next(number, self._size - n_ictal, ictal=False),
        ]

    def batch(self, number: int) -> Batch:
        """Return batch `number`."""
        crops, captions = [], []
        for place, segment in enumerate(self.segments(number)):
            crop = segment.recording.crop(segment.start_s, WINDOW_S)
            captions.append(self._caption(crop, (self._seed, number, place)))
            crops.append(crop)
        return collate(crops, captions)

    def follow(self, first: int) -> Iterator[Batch]:
        """Yield batches from number `first` on, the next one made meanwhile."""
        return made_ahead(self.batch, first)

    def _next(self, number: int, n: int, *, ictal: bool) -> Iterator[Segment]:
        """The `n` segments of a class whose turn it is, reshuffled every time round."""
        of_class = self._classes[ictal]
        turns = [divmod(k, len(of_class)) for k in range(number * n, (number + 1) * n)]
        orders = {
            lap: np.random.default_rng((self._seed, int(ictal), lap)).permutation(
                len(of_class)
            )
            for lap in {lap for lap, _ in turns}
        }
        return (of_class[orders[lap][place]] for lap, place in turns)

    def _caption(self, crop: Crop, chance: tuple[int, ...]) -> str:
        """Change a window in place, or not, and say what it shows then."""
        rng = np.random.default_rng(chance)
        changed = self._augmented and rng.random() < AUGMENTED
        mirrored = changed and augment(crop.eeg, crop.usable, rng, self._sfreq)
        return describe(crop, self._sfreq, mirrored=mirrored)
