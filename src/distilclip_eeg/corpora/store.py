"""Recordings -> their conditioned signal on disk, continuous, ready to be cut.

One int16 file and one file of usable seconds per recording, memory-mapped on reading,
and an index. Windows of any length and hop are cut when they are asked for, so nothing
is stored twice. Knows neither models nor splits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.signal import Conditioned, Conditioner
from distilclip_eeg.errors import CorpusError, DistilClipError

UV_PER_STEP: Final = 0.1  # int16 then reaches +-3.2 mV
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Crop:
    """A window cut from a recording; past its ends nothing is usable.

    Attributes
    ----------
    eeg
        (18, T) float32 microvolts.
    usable
        (18, S) bool.
    ictal
        (S,) float32, the part of each second that lies in a seizure.
    labelled
        (S,) bool, whether experts looked at the second.
    """

    eeg: NDArray[np.float32]
    usable: NDArray[np.bool_]
    ictal: NDArray[np.float32]
    labelled: NDArray[np.bool_]


class StoredRecording:
    """One recording of a store; the signal stays on disk."""

    def __init__(self, folder: Path, entry: dict[str, Any], sfreq: int) -> None:
        self.name: str = entry["name"]
        self.dataset: str = entry["dataset"]
        self.patient: str = entry["patient"]
        self.kind: str = entry["kind"]
        self.fold: int | None = entry["fold"]
        self.n_seconds: int = entry["n_seconds"]
        self.labelled_s: tuple[float, float] = tuple(entry["labelled_s"])
        self.seizures: list[tuple[float, float, str]] = sorted(
            (onset, onset + duration, kind) for onset, duration, kind in entry["events"]
        )
        self._sfreq = sfreq
        self._signal = np.load(folder / f"{entry['file']}.signal.npy", mmap_mode="r")
        self._usable = np.load(folder / f"{entry['file']}.usable.npy")

    def crop(self, start_s: float, length_s: int) -> Crop:
        """Cut `length_s` whole seconds from `start_s`, which may be negative."""
        n_leads, n_times = self._signal.shape
        n = length_s * self._sfreq
        first = round(start_s * self._sfreq)
        low, high = max(0, first), min(n_times, first + n)
        eeg = np.zeros((n_leads, n), np.float32)
        if high > low:
            eeg[:, low - first : high - first] = self._signal[:, low:high]
        seconds = first / self._sfreq + np.arange(length_s)
        usable = self._usable_at(np.floor(seconds)) & self._usable_at(np.ceil(seconds))
        return Crop(
            eeg * np.float32(UV_PER_STEP),
            usable,
            overlap_per_second(seconds, self.seizures),
            (seconds >= self.labelled_s[0]) & (seconds + 1 <= self.labelled_s[1]),
        )

    def _usable_at(self, seconds: NDArray[np.floating]) -> NDArray[np.bool_]:
        index = seconds.astype(np.intp)
        inside = (index >= 0) & (index < self.n_seconds)
        return self._usable[:, np.where(inside, index, 0)] & inside  # type: ignore[no-any-return]


class Store:
    """A folder that `prepare` wrote.

    Raises
    ------
    CorpusError
        If the folder is no store, or was made with other signal settings.
    """

    def __init__(self, folder: Path, signal: SignalConfig) -> None:
        index = folder / "index.json"
        if not index.is_file():
            raise CorpusError(f"{folder}: no index.json; make the store with prepare")
        content = json.loads(index.read_text())
        made_with = (content["format_version"], content["signal"])
        if made_with != (FORMAT_VERSION, _settings(signal)):
            raise CorpusError(
                f"{folder}: made with other signal settings ({content['signal']}); "
                f"expected {_settings(signal)}: prepare it again"
            )
        sfreq = round(signal.sfreq)
        self.skipped: dict[str, str] = content["skipped"]
        self.recordings = [
            StoredRecording(folder, entry, sfreq) for entry in content["recordings"]
        ]


def prepare(
    recordings: Sequence[CorpusRecording],
    folder: Path,
    signal: SignalConfig,
    *,
    workers: int = 1,
    on_done: Callable[[str], None] = lambda name: None,
) -> Store:
    """Condition every recording once.

    A recording that cannot be read is listed with its reason under `skipped`. The index
    is written last: what was killed half-way is no store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").unlink(missing_ok=True)  # would speak of other signals
    entries, skipped = [], {}
    work = partial(_store_one, folder=folder, signal=signal)
    with ProcessPoolExecutor(workers) as pool:
        for recording, outcome in zip(
            recordings, pool.map(work, enumerate(recordings)), strict=True
        ):
            if isinstance(outcome, str):
                skipped[recording.name] = outcome
            else:
                entries.append(outcome)
            on_done(recording.name)
    content = {
        "format_version": FORMAT_VERSION,
        "signal": _settings(signal),
        "recordings": entries,
        "skipped": skipped,
    }
    temporary = folder / ".index.json"
    temporary.write_text(json.dumps(content, indent=1))
    os.replace(temporary, folder / "index.json")
    return Store(folder, signal)


def overlap_per_second(
    seconds: NDArray[np.floating], seizures: Sequence[tuple[float, float, str]]
) -> NDArray[np.float32]:
    """Return the part of [s, s + 1) inside a seizure, for each of `seconds`."""
    inside, counted_to = np.zeros(len(seconds)), -np.inf
    for onset, end, _ in sorted(seizures):
        start = max(onset, counted_to)  # where two overlap, time counts once
        shared = np.minimum(seconds + 1, end) - np.maximum(seconds, start)
        inside += np.clip(shared, 0, 1)
        counted_to = max(counted_to, end)
    return np.minimum(inside, 1).astype(np.float32)


def _settings(signal: SignalConfig) -> dict[str, Any]:
    """Return what the stored samples depend on; windows are cut later."""
    return signal.model_dump(mode="json", exclude={"window_s", "hop_s"})


def _store_one(
    numbered: tuple[int, CorpusRecording], folder: Path, signal: SignalConfig
) -> dict[str, Any] | str:
    number, recording = numbered
    file = f"{number:06d}"
    try:
        seconds = condition(recording.path, signal)
    except DistilClipError as error:
        return str(error)
    steps = np.clip(np.rint(seconds.leads / UV_PER_STEP), -32767, 32767)
    _save(folder / f"{file}.signal.npy", steps.astype(np.int16))
    _save(folder / f"{file}.usable.npy", seconds.usable)
    return {
        "name": recording.name,
        "dataset": recording.dataset,
        "patient": recording.patient,
        "kind": recording.kind,
        "fold": recording.fold,
        "file": file,
        "n_seconds": seconds.n_seconds,
        "labelled_s": recording.labelled_s or (0.0, float(seconds.n_seconds)),
        "events": [_event(event) for event in recording.events],
    }


def _event(event: Event) -> tuple[float, float, str]:
    return event.onset, event.duration, event.event_type


def _save(path: Path, array: NDArray[Any]) -> None:
    temporary = path.with_name(f".{path.name}")
    np.save(temporary, array)
    os.replace(temporary, path)


def condition(path: Path, signal: SignalConfig) -> Conditioned:
    """Read one recording and condition all of it; gaps become unusable seconds."""
    recording = open_recording(path)
    montage = plan_montage(recording.ch_names)
    sfreq = round(signal.sfreq)
    n_seconds = int(np.ceil(recording.duration_s))
    leads = np.zeros((len(montage.paths), n_seconds * sfreq), np.float32)
    usable = np.zeros((len(montage.paths), n_seconds), bool)
    for number, segment in enumerate(recording.segments):
        conditioner = Conditioner(montage, recording.sfreq, signal)
        at = round(segment.onset_s)
        blocks = [
            conditioner.push(block) for block in recording.blocks(montage.picks, number)
        ]
        for part in [*blocks, conditioner.close()]:
            n = min(part.n_seconds, n_seconds - at)
            leads[:, at * sfreq : (at + n) * sfreq] = part.leads[:, : n * sfreq]
            usable[:, at : at + n] = part.usable[:, :n]
            at += n
    return Conditioned(leads, usable, {})
