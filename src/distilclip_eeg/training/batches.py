"""Stored recordings -> batches, balanced by class, data set and patient.

Row `k` of batch number `n` of a seed is always the same window, whatever came before: a
run that was killed goes on with the very batches it would have seen, and of several
processes each makes its own rows.

Shapes: B batch, T samples, S seconds, K classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Literal, TypedDict

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Crop, StoredRecording
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import (
    Findings,
    Side,
    course_of,
    kind_of,
    measure,
    semiology_of,
)
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.model.captions import caption
from distilclip_eeg.training.augment import augment, roughen
from distilclip_eeg.training.made_ahead import made_ahead

DRAWS: Final = 2  # raised whenever a seed draws other windows than before
SEIZURE_SHARE: Final = 0.5
SPLICE_SHARE: Final = 0.35  # windows glued from two recordings of one data set
BLEND_SHARE: Final = 0.15  # windows with another recording's background added
SIMULATED_AUGMENTED: Final = 0.5  # of simulated windows; real ones always are
PATTERN_SHARE: Final = 0.35  # of quiet simulated windows hold a hard negative
MIN_SEEN_S: Final = 4.0  # of the seizure or background that a window was drawn for
CROSSFADE_S: Final = 0.25


class Batch(TypedDict):
    """What the model and the losses read."""

    eeg: Tensor  # (B, 18, T) microvolts
    usable: Tensor  # (B, 18, S) 1 or 0
    window_labels: Tensor  # (B, K) part of the labelled seconds in each class
    second_labels: Tensor  # (B, S, K)
    second_valid: Tensor  # (B, S) labelled, and at least one lead usable
    captions: list[str]  # B


class Batches:
    """Endless batches from some recordings.

    Parameters
    ----------
    recordings
        Of the training part only; empty to learn from simulated ones alone.
    simulated
        Simulated recordings.
    simulated_share
        Of the windows of a batch; all of them without real recordings.
    lose_leads, gain_spread
        See `augment`.
    class_names_only
        Captions name the class, whatever else is known of a window.
    rank, n_ranks
        Which rows of each batch to make: `rank`, `rank + n_ranks` and so on.
    """

    def __init__(
        self,
        recordings: Sequence[StoredRecording],
        signal: SignalConfig,
        *,
        seed: int,
        batch_size: int,
        augmented: bool = True,
        simulated: Sequence[StoredRecording] = (),
        simulated_share: float = 0.0,
        lose_leads: bool = True,
        gain_spread: float = 0.35,
        class_names_only: bool = False,
        rank: int = 0,
        n_ranks: int = 1,
    ) -> None:
        self._rank, self._n_ranks = rank, n_ranks
        self._real = _Pools(recordings) if recordings or not simulated else None
        self._simulated = _Pools(simulated) if simulated else None
        self._simulated_share = simulated_share if simulated else 0.0
        self._window_s = signal.window_s
        self._sfreq = round(signal.sfreq)
        self._seed, self._size, self._augmented = seed, batch_size, augmented
        self._change = partial(augment, lose_leads=lose_leads, gain_spread=gain_spread)
        self._bare = class_names_only

    def batch(self, number: int) -> Batch:
        """Return this rank's rows of batch `number`."""
        windows = [
            self._window(
                np.random.default_rng((self._seed, number, k)),
                ictal=k < SEIZURE_SHARE * self._size,
            )
            for k in range(self._rank, self._size, self._n_ranks)
        ]
        return collate([crop for crop, _ in windows], [text for _, text in windows])

    def follow(self, first: int) -> Iterator[Batch]:
        """Yield batches from number `first` on, the next one made meanwhile."""
        return made_ahead(self.batch, first)

    def _window(self, rng: Generator, *, ictal: bool) -> tuple[Crop, str]:
        simulated = self._real is None or rng.random() < self._simulated_share
        pools = self._simulated if simulated else self._real
        assert pools is not None
        recording = _draw(pools.seizures if ictal else pools.quiet, rng)
        crop = self._cut(recording, rng, ictal=ictal)
        if simulated:  # has onsets after quiet EEG, artefacts and bad contacts already
            if self._augmented and self._real is not None:
                roughen(crop.eeg, rng, self._sfreq)
            changed = self._augmented and rng.random() < SIMULATED_AUGMENTED
        else:
            crop, changed = self._mixed(crop, recording, pools, rng), self._augmented
        mirrored = changed and self._change(crop.eeg, crop.usable, rng, self._sfreq)
        if self._bare:
            return crop, class_of(crop)
        return crop, describe(crop, self._sfreq, mirrored=mirrored)

    def _mixed(
        self, crop: Crop, recording: StoredRecording, pools: _Pools, rng: Generator
    ) -> Crop:
        if rng.random() < SPLICE_SHARE:
            other = _draw(pools.quiet_like(recording), rng)
            crop = splice(crop, self._cut(other, rng, ictal=False), rng, self._sfreq)
        if rng.random() < BLEND_SHARE:
            other = _draw(pools.quiet, rng)
            blend(crop, self._cut(other, rng, ictal=False), rng)
        return crop

    def _cut(self, recording: StoredRecording, rng: Generator, *, ictal: bool) -> Crop:
        latest = max(0, recording.n_seconds - self._window_s)
        spans = _ictal_spans(recording) if ictal else _quiet_spans(recording)
        if not ictal and recording.patterns and rng.random() < PATTERN_SHARE:
            spans = [(onset, end) for onset, end, _ in recording.patterns]
        start, end = spans[rng.integers(len(spans))]
        seen = min(MIN_SEEN_S, end - start)
        low, high = start + seen - self._window_s, end - seen
        return recording.crop(
            float(np.clip(rng.uniform(low, high), 0, latest)), self._window_s
        )


class _Pools:
    """Recordings sorted by what can be drawn from them."""

    def __init__(self, recordings: Sequence[StoredRecording]) -> None:
        self.seizures = _by_patient([r for r in recordings if r.seizures])
        self.quiet = _by_patient([r for r in recordings if _quiet_spans(r)])
        if not self.seizures or not self.quiet:
            raise CorpusError(
                f"{len(recordings)} recordings with {len(self.seizures)} data sets of "
                f"seizures and {len(self.quiet)} of background; both are needed"
            )

    def quiet_like(self, recording: StoredRecording) -> dict[str, Patients]:
        """Return the background of the same patient, else of the same data set."""
        patients = self.quiet.get(recording.dataset)
        if patients is None:
            return self.quiet
        own = patients.get(recording.patient)
        return {recording.dataset: {recording.patient: own} if own else patients}


_MIRRORED: Final[dict[Side, Side]] = {"left": "right", "right": "left"}


def class_of(crop: Crop) -> Literal["background", "seizure"]:
    """Name the class of a window: a seizure that fills at least half of it."""
    ictal = crop.seizure is not None and float(crop.ictal.mean()) >= 0.5
    return "seizure" if ictal else "background"


def describe(crop: Crop, sfreq: int, *, mirrored: bool = False) -> str:
    """Caption a window: what is marked, and what its signal shows as it now is."""
    seizure = crop.seizure
    if seizure is None or class_of(crop) == "background":
        findings = Findings(state="background")
    else:
        onset_s, end_s, side = seizure.onset_s, seizure.end_s, seizure.side
        event = Event(onset_s, end_s - onset_s)
        findings = Findings(
            state="seizure",
            kind=kind_of(seizure.event_type),
            side=_MIRRORED.get(side, side) if mirrored else side,
            lobe=seizure.lobe,
            course=course_of(event, crop.start_s, crop.start_s + len(crop.ictal)),
            semiology=semiology_of(seizure.event_type),
        )
    return caption(findings, measure(crop.eeg, crop.usable, sfreq))


def splice(crop: Crop, quiet: Crop, rng: Generator, sfreq: int) -> Crop:
    """Let a window begin with another one, cross-faded: an onset after quiet EEG."""
    n_seconds = len(crop.ictal)
    at_s = rng.uniform(1, n_seconds - 2)
    times = np.arange(crop.eeg.shape[1]) / sfreq
    late = np.clip((times - at_s) / CROSSFADE_S, 0, 1).astype(np.float32)
    seconds = np.arange(n_seconds)
    after = np.clip(seconds + 1 - at_s, 0, 1).astype(np.float32)  # part of each second
    level = _level(crop.eeg, crop.usable) / max(_level(quiet.eeg, quiet.usable), 1.0)
    quiet_eeg = quiet.eeg * np.float32(np.clip(level, 0.4, 2.5) ** rng.uniform(0, 1))
    return replace(
        crop,
        eeg=crop.eeg * late + quiet_eeg * (1 - late),
        usable=np.where(after == 1, crop.usable, crop.usable & quiet.usable),
        ictal=crop.ictal * after + quiet.ictal * (1 - after),
        labelled=np.where(after == 1, crop.labelled, crop.labelled & quiet.labelled),
    )


def blend(crop: Crop, quiet: Crop, rng: Generator) -> None:
    """Add another recording's background, where it can be trusted, in place."""
    n_leads, n_seconds = quiet.usable.shape
    seconds = quiet.eeg.reshape(n_leads, n_seconds, -1) * quiet.usable[:, :, None]
    share = np.float32(rng.uniform(0.2, 0.8))
    crop.eeg[:] += share * seconds.reshape(crop.eeg.shape)


def collate(
    crops: Sequence[Crop],
    captions: list[str],
    shares: Sequence[NDArray[np.float32]] | None = None,
) -> Batch:
    """Stack windows.

    Parameters
    ----------
    shares
        For each window the part of each second in each class, (S, K); by default two
        classes, background and seizure.
    """
    ictal = torch.from_numpy(np.stack([c.ictal for c in crops]))  # (B, S)
    usable = np.stack([c.usable for c in crops])  # (B, 18, S)
    valid = torch.from_numpy(np.stack([c.labelled for c in crops]) & usable.any(1))
    weight = valid.float()
    n_valid = weight.sum(1).clamp(min=1)
    if shares is None:
        share = (ictal * weight).sum(1) / n_valid
        of_windows = torch.stack([1 - share, share], 1)
        of_seconds = torch.stack([1 - ictal, ictal], 2)
    else:
        of_seconds = torch.from_numpy(np.stack(shares))  # (B, S, K)
        of_windows = (of_seconds * weight[:, :, None]).sum(1) / n_valid[:, None]
        of_windows[:, 0] += 1 - of_windows.sum(1)  # without a valid second: background
    return {
        "eeg": torch.from_numpy(np.stack([c.eeg for c in crops])),
        "usable": torch.from_numpy(usable.astype(np.float32)),
        "window_labels": of_windows,
        "second_labels": of_seconds,
        "second_valid": valid,
        "captions": captions,
    }


def windows_of(recording: StoredRecording, signal: SignalConfig) -> Batch:
    """Cut a whole recording into its windows; the last one ends where it ends."""
    latest = max(0, recording.n_seconds - signal.window_s)
    starts = [*range(0, latest, signal.hop_s), latest]
    crops = [recording.crop(start, signal.window_s) for start in starts]
    return collate(crops, [])


Patients = dict[str, list[StoredRecording]]


def _by_patient(recordings: Sequence[StoredRecording]) -> dict[str, Patients]:
    pools: dict[str, Patients] = defaultdict(lambda: defaultdict(list))
    for recording in recordings:
        pools[recording.dataset][recording.patient].append(recording)
    return {dataset: dict(patients) for dataset, patients in pools.items()}


def _draw(pools: dict[str, Patients], rng: Generator) -> StoredRecording:
    """Draw a data set by the root of its patients, a patient, a recording."""
    names = sorted(pools)
    weight = np.array([np.sqrt(len(pools[name])) for name in names])
    patients = pools[names[rng.choice(len(names), p=weight / weight.sum())]]
    of_patient = patients[sorted(patients)[rng.integers(len(patients))]]
    return of_patient[rng.integers(len(of_patient))]


def _ictal_spans(recording: StoredRecording) -> list[tuple[float, float]]:
    return [seizure[:2] for seizure in recording.seizures]


def _quiet_spans(recording: StoredRecording) -> list[tuple[float, float]]:
    """Return the labelled stretches of at least 4 s without a seizure."""
    start, last = recording.labelled_s
    spans = []
    for onset, end in [*_ictal_spans(recording), (last, last)]:
        if onset - start >= MIN_SEEN_S:
            spans.append((start, onset))
        start = max(start, end)
    return spans


def _level(eeg: NDArray[np.float32], usable: NDArray[np.bool_]) -> float:
    leads = usable.any(1)
    return float(eeg[leads].std()) if leads.any() else 0.0
