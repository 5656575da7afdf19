"""What a user calls data -> windows to set the ranges of an 8-bit network by.

Every second window of a recording with seizures lies in one: ranges must hold where it
matters. Drawn by a seed, so that the same call gives the same windows. Knows no torch
and no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import StoredRecording, condition
from distilclip_eeg.errors import CorpusError, DistilClipError
from distilclip_eeg.evaluation.material import Material, Task, open_data

PER_RECORDING: Final = 4  # windows; more of one person would say little new
SIMULATED_S: Final = 600.0  # of each simulated recording that has to be drawn
NOT_TRAINED_ON: Final = "simulated:30000-30015"  # nor tested: see docs/results


@dataclass(frozen=True, eq=False)
class DrawnWindows:
    """W windows of several data sets, in random order.

    Attributes
    ----------
    eeg, usable
        (W, 18, T) microvolts and (W, 18, S) 1 where a second can be trusted.
    source
        What they were drawn from, for the record.
    skipped
        Recording -> why none was drawn from it, though it was its turn.
    """

    eeg: NDArray[np.float32]
    usable: NDArray[np.float32]
    source: str
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.eeg)

    def every(self, step: int, first: int = 0) -> DrawnWindows:
        """Take each `step`-th window, from the one at `first`."""
        return DrawnWindows(
            self.eeg[first::step], self.usable[first::step], self.source
        )


def draw_windows(
    data: Sequence[str],
    signal: SignalConfig,
    n_windows: int,
    *,
    folds: Sequence[int] | None = None,
    seed: int = 0,
) -> DrawnWindows:
    """Draw windows, as many from each of `data`.

    Parameters
    ----------
    data
        As `evaluate` takes them: folders with a manifest, stores, `simulated:1-9`.
    folds
        Of recordings that have one; others, such as simulated ones, are all taken.

    Raises
    ------
    CorpusError
        If there is no such data, or too little of it.
    """
    rng = np.random.default_rng(seed)
    drawn: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
    given, skipped = [], dict[str, str]()
    for i, name in enumerate(data):
        found = open_data(name, signal, duration_s=SIMULATED_S)
        given.append(found.given)
        tasks = [
            t for t in found.tasks if None in (folds, t.fold) or t.fold in (folds or ())
        ]
        wanted = (i + 1) * n_windows // len(data)
        drawn += _from_tasks(tasks, wanted - len(drawn), signal, rng, skipped)
    if len(drawn) < n_windows:
        raise CorpusError(
            f"{' and '.join(given)}: found {len(drawn)} windows with a usable lead, "
            f"expected {n_windows}: give more recordings, or ask for fewer windows"
        )
    order = rng.permutation(n_windows)
    return DrawnWindows(
        np.stack([drawn[i][0] for i in order]),
        np.stack([drawn[i][1] for i in order]).astype(np.float32),
        _named(given, folds),
        skipped,
    )


def _named(given: Sequence[str], folds: Sequence[int] | None) -> str:
    text = " and ".join(given)
    return text if folds is None else f"{text}; folds {', '.join(map(str, folds))}"


def _from_tasks(
    tasks: Sequence[Task],
    n_windows: int,
    signal: SignalConfig,
    rng: np.random.Generator,
    skipped: dict[str, str],
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Go over the recordings in random order until there are enough windows."""
    drawn: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
    if not tasks:
        return drawn
    each = max(PER_RECORDING, -(-n_windows // len(tasks)))
    for task in rng.permutation(np.array(tasks, object)):
        try:
            material = task.load()
            windows = _from_recording(material, each, signal, rng)
        except DistilClipError as error:
            skipped[task.name] = str(error)  # others take its place
            continue
        drawn += windows
        if len(drawn) >= n_windows:
            break
    return drawn[:n_windows]


def _from_recording(
    material: Material, n_windows: int, signal: SignalConfig, rng: np.random.Generator
) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    length_s, rate = signal.window_s, round(signal.sfreq)
    last = material.n_seconds - length_s
    if last < 0:
        return []
    starts = []
    for i in range(n_windows):
        low, high = 0.0, float(last)
        if material.seizures and i % 2:
            seizure = material.seizures[rng.integers(len(material.seizures))]
            low, high = seizure.onset_s, max(seizure.onset_s, seizure.end_s - length_s)
        starts.append(int(np.clip(rng.uniform(low, high), 0, last)))
    if isinstance(material.source, StoredRecording):
        crops = [material.source.crop(start, length_s) for start in starts]
        windows = [(crop.eeg, crop.usable) for crop in crops]
    else:
        whole = condition(material.source, signal)
        windows = [
            (
                whole.leads[:, s * rate : (s + length_s) * rate],
                whole.usable[:, s : s + length_s],
            )
            for s in starts
        ]
    return [(eeg, usable) for eeg, usable in windows if usable.any()]
