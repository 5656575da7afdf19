"""Recordings -> their conditioned signal on disk, continuous, ready to be cut.

One int16 file and one file of usable seconds per recording, memory-mapped on reading,
and an index. Windows of any length and hop are cut when they are asked for, so nothing
is stored twice. Knows neither models nor splits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.index import INDEX, Index, read_index, write_index
from distilclip_eeg.corpora.workers import made_by_workers
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.arrays import NotArraysError, read_array
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.findings import Lobe, Side, place_of_leads
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.signal import Conditioned, Conditioner
from distilclip_eeg.eeg.whole_files import (
    Waiting,
    claimed_folder,
    remove_partial,
    written_whole,
)
from distilclip_eeg.errors import CorpusError, DistilClipError

MOST_GAPS_S: Final = 2 * 86_400.0  # a gap takes as much of a store as EEG does
UV_PER_STEP: Final = 0.1  # int16 then reaches +-3.2 mV


class Marked(NamedTuple):
    """One seizure of a stored recording, seconds from its start, and what is known."""

    onset_s: float
    end_s: float
    event_type: str = "sz"
    side: Side = "unknown"
    lobe: Lobe = "unknown"


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
    start_s
        Where it begins in its recording.
    seizure
        The one that fills most of it, None without any.
    """

    eeg: NDArray[np.float32]
    usable: NDArray[np.bool_]
    ictal: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    start_s: float = 0.0
    seizure: Marked | None = None


class StoredRecording:
    """One recording of a store; the signal stays on disk."""

    def __init__(self, folder: Path, entry: dict[str, Any], sfreq: int) -> None:
        self.name: str = entry["name"]
        self.dataset: str = entry["dataset"]
        self.patient: str = entry["patient"]
        self.kind: str = entry["kind"]
        self.fold: int | None = entry["fold"]
        self.session: str = entry["session"]
        self.split: str | None = entry["split"]
        self.n_seconds: int = entry["n_seconds"]
        self.labelled_s: tuple[float, float] = tuple(entry["labelled_s"])
        self.seizures = sorted(Marked(**seizure) for seizure in entry["seizures"])
        self.patterns: list[tuple[float, float, str]] = [
            (p["onset_s"], p["end_s"], p["name"]) for p in entry["patterns"]
        ]  # what looks like a seizure and is none, where a data set says so
        self._sfreq = sfreq
        self._signal = _stored(folder / f"{entry['file']}.signal.npy", mapped=True)
        self._usable = _stored(folder / f"{entry['file']}.usable.npy")
        seconds = (len(LEADS), self.n_seconds)
        if self._usable.shape != seconds or self._signal.shape != (
            len(LEADS),
            self.n_seconds * sfreq,
        ):
            raise CorpusError(
                f"{folder}: found signals of {self.name} of another length than its "
                f"index says ({self.n_seconds} s): prepare the store again"
            )

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
            overlap_per_second(seconds, [s[:2] for s in self.seizures]),
            (seconds >= self.labelled_s[0]) & (seconds + 1 <= self.labelled_s[1]),
            first / self._sfreq,
            self._longest_within(first / self._sfreq, length_s),
        )

    def _longest_within(self, start_s: float, length_s: int) -> Marked | None:
        def seen_s(seizure: Marked) -> float:
            return min(seizure.end_s, start_s + length_s) - max(
                seizure.onset_s, start_s
            )

        most = max(self.seizures, key=seen_s, default=None)
        return most if most is not None and seen_s(most) > 0 else None

    def _usable_at(self, seconds: NDArray[np.floating]) -> NDArray[np.bool_]:
        index = seconds.astype(np.intp)
        inside = (index >= 0) & (index < self.n_seconds)
        return self._usable[:, np.where(inside, index, 0)] & inside


class Store:
    """A folder that `prepare` wrote.

    Raises
    ------
    CorpusError
        If the folder is no store, or was made with other signal settings.
    """

    def __init__(self, folder: Path, signal: SignalConfig) -> None:
        index = read_index(folder)
        if index.signal != settings_of(signal):
            raise CorpusError(
                f"{folder}: made with other signal settings ({index.signal}); "
                f"expected {settings_of(signal)}: prepare it again"
            )
        sfreq = round(signal.sfreq)
        self.skipped = index.skipped
        self.recordings = [
            StoredRecording(folder, entry, sfreq) for entry in index.entries
        ]


def prepare(
    recordings: Sequence[CorpusRecording],
    folder: Path,
    signal: SignalConfig,
    *,
    workers: int = 1,
    on_done: Callable[[str], None] = lambda name: None,
    waiting: Waiting | None = None,
) -> Store:
    """Condition every recording once.

    A recording that cannot be read is listed with its reason under `skipped`. The index
    is written last: what was killed half-way is no store, but what is done already and
    has not changed since is not done again.

    Parameters
    ----------
    waiting
        Wait for another process that prepares the same store; it is told once.

    Raises
    ------
    InUseError
        If another process prepares the same store, without `waiting`.
    """
    with claimed_folder(folder, waiting=waiting):
        remove_partial(folder)
        (folder / INDEX).unlink(missing_ok=True)  # would speak of other signals
        entries, skipped = [], {}
        work = partial(_store_one, folder=folder, signal=signal)
        done = made_by_workers(work, enumerate(recordings), workers)
        for recording, outcome in zip(recordings, done, strict=True):
            if isinstance(outcome, str):
                skipped[recording.name] = outcome
            else:
                entries.append(outcome)
            on_done(recording.name)
        write_index(folder, Index(settings_of(signal), entries, skipped))
        return Store(folder, signal)  # whoever waits for the folder makes it anew


def overlap_per_second(
    seconds: NDArray[np.floating], spans: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    """Return the part of [s, s + 1) inside one of `spans`, for each of `seconds`."""
    inside, counted_to = np.zeros(len(seconds)), -np.inf
    for onset, end in sorted(spans):
        start = max(onset, counted_to)  # where two overlap, time counts once
        shared = np.minimum(seconds + 1, end) - np.maximum(seconds, start)
        inside += np.clip(shared, 0, 1)
        counted_to = max(counted_to, end)
    return np.minimum(inside, 1).astype(np.float32)


def settings_of(signal: SignalConfig) -> dict[str, Any]:
    """Return what the stored samples depend on; windows are cut later."""
    return signal.model_dump(mode="json", exclude={"window_s", "hop_s"})


def _store_one(
    numbered: tuple[int, CorpusRecording], folder: Path, signal: SignalConfig
) -> dict[str, Any] | str:
    number, recording = numbered
    made_from = {**_source(recording), "signal": settings_of(signal)}
    kept = folder / f"{number:06d}.json"
    try:
        stored = _kept(kept, made_from)
        if stored is None:
            seconds = condition(open_recording(recording.path), signal)
            stored = store_signal(folder, number, seconds)
            write_entry(kept, {**made_from, **stored})
    except DistilClipError as error:
        return str(error)
    return {
        "name": recording.name,
        "dataset": recording.dataset,
        "patient": recording.patient,
        "kind": recording.kind,
        "fold": recording.fold,
        "session": recording.session,
        "split": recording.split,
        "labelled_s": recording.labelled_s or (0.0, float(stored["n_seconds"])),
        "seizures": [marked(event)._asdict() for event in recording.events],
        "patterns": [],
        **stored,
    }


def _source(recording: CorpusRecording) -> dict[str, Any]:
    """Tell whether a file is still the one that was stored."""
    try:
        status = recording.path.stat()
    except OSError:  # reading it will say why
        return {"name": recording.name}
    return {
        "name": recording.name,
        "bytes": status.st_size,
        "changed_ns": status.st_mtime_ns,
    }


def _kept(path: Path, made_from: dict[str, Any]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    if {key: content.get(key) for key in made_from} != made_from:
        return None
    return {key: content[key] for key in ("file", "n_seconds")}


def write_entry(path: Path, content: dict[str, Any]) -> None:
    """Note that the samples of one recording lie there, whole."""
    with written_whole(path) as unfinished:
        unfinished.write_text(json.dumps(content))


def store_signal(folder: Path, number: int, seconds: Conditioned) -> dict[str, Any]:
    """Write the samples of recording `number`; return their part of its entry."""
    file = f"{number:06d}"
    steps = np.clip(np.rint(seconds.leads / UV_PER_STEP), -32767, 32767)
    _save(folder / f"{file}.signal.npy", steps.astype(np.int16))
    _save(folder / f"{file}.usable.npy", seconds.usable)
    return {"file": file, "n_seconds": seconds.n_seconds}


def marked(event: Event) -> Marked:
    """Read side and lobe off the leads on which experts marked a seizure."""
    end_s = event.onset + event.duration
    place = place_of_leads(event.channels)
    return Marked(event.onset, end_s, event.event_type, *place)


def _stored(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    try:
        return read_array(path, mapped=mapped)
    except (OSError, NotArraysError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"{path}: cannot be read ({reason}), expected a stored signal: prepare the "
            "store again"
        ) from None


def _save(path: Path, array: NDArray[Any]) -> None:
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array)


def condition(recording: Recording, signal: SignalConfig) -> Conditioned:
    """Condition a whole recording; its gaps become unusable seconds.

    Raises
    ------
    CorpusError
        If its gaps are longer than two days.
    """
    recorded_s = sum(s.n_times for s in recording.segments) / recording.sfreq
    if recording.duration_s - recorded_s > MOST_GAPS_S:
        raise CorpusError(
            f"{recording.name}: found {recorded_s / 3600:.1f} h of EEG spread over "
            f"{recording.duration_s / 86_400:.0f} days, expected gaps of two days at "
            "most; split the file at its gaps"
        )
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
