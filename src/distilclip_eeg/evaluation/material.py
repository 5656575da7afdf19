"""What a user calls data -> recordings to be scored, one at a time, with their truth.

A folder with manifest.tsv, a store, `DATASET:FOLDER` for a data set that has a catalog,
`spliced:FOLDER` for the seizures of a manifest after real background, or
`simulated:FIRST-LAST` for seeds. The last two are made when their turn comes. Knows no
model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.datasets import CATALOGS, open_catalog
from distilclip_eeg.corpora.index import INDEX
from distilclip_eeg.corpora.manifest import MANIFEST, read_manifest
from distilclip_eeg.corpora.simulate import (
    DATASET,
    simulate,
    simulated_name,
    write_simulated,
)
from distilclip_eeg.corpora.spliced import spliced_clip
from distilclip_eeg.corpora.store import (
    Marked,
    Store,
    StoredRecording,
    marked,
    overlap_per_second,
)
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.recording import ArrayRecording, Recording
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.listening import per_second
from distilclip_eeg.evaluation.predictions import Pattern, Prediction, Stretch

HOUR_S: Final = 3600.0
SPLICED: Final = "spliced"
JOIN_S: Final = 10.0  # what a join is held to have raised begins within this time
BACKGROUNDS: Final = {"own": "own background", "others": "background of others"}
JOINS: Final = {whose: f"join, {name}" for whose, name in BACKGROUNDS.items()}
"""Whose background it is -> what a join within it is called among the patterns."""
LEFT_OUT: Final = ("missing", "unannotated", "unreadable", "too_few_leads")


@dataclass(frozen=True, slots=True)
class Material:
    """One recording, ready to be listened to, and what is true of it."""

    name: str
    dataset: str
    patient: str
    kind: str
    source: Recording | StoredRecording
    seizures: tuple[Marked, ...]
    patterns: tuple[Pattern, ...] = ()
    labelled_s: tuple[float, float] | None = None

    @property
    def n_seconds(self) -> int:
        if isinstance(self.source, StoredRecording):
            return self.source.n_seconds
        return int(np.ceil(self.source.duration_s - 1e-6))

    def predicted(self, stretches: tuple[Stretch, ...]) -> Prediction:
        """Put what a model says beside what is true."""
        seconds = np.arange(float(self.n_seconds))
        start_s, end_s = self.labelled_s or (0.0, float(self.n_seconds))
        return Prediction(
            name=self.name,
            dataset=self.dataset,
            patient=self.patient,
            kind=self.kind,
            log_odds=per_second(stretches, self.n_seconds),
            ictal=overlap_per_second(seconds, [s[:2] for s in self.seizures]),
            labelled=(seconds >= start_s) & (seconds + 1 <= end_s),
            seizures=self.seizures,
            patterns=self.patterns,
            stretches=stretches,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A recording whose turn has not come yet."""

    name: str
    patient: str
    fold: int | None
    load: Callable[[], Material]


@dataclass(frozen=True, slots=True)
class Data:
    """All that is to be scored.

    Attributes
    ----------
    given
        What the user called it, without the place on this machine.
    skipped
        Recording -> why it is not among the tasks.
    spliced
        Whether each recording is background and then, from its splice on, a seizure;
        joins within the background are among the patterns.
    """

    given: str
    tasks: tuple[Task, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    seeds: tuple[int, int] | None = None
    spliced: bool = False


def open_data(
    data: str,
    signal: SignalConfig,
    folds: Sequence[int] | None = None,
    *,
    duration_s: float = HOUR_S,
    keep: Path | None = None,
) -> Data:
    """Find out what there is to score; signals are read later.

    Parameters
    ----------
    signal
        Of the model; a store must have been made with it.
    folds
        Take the recordings of these folds alone.
    duration_s
        Of each simulated recording.
    keep
        Write simulated recordings and their truth here.

    Raises
    ------
    CorpusError
        If there is no such data, it is laid out otherwise, a patient is in two folds,
        or nothing is left of it.
    """
    prefix, _, rest = data.partition(":")
    if prefix == DATASET and rest:
        found = _simulated(rest, duration_s, keep)
    elif prefix == SPLICED and rest:
        found = _spliced(Path(rest))
    elif prefix in CATALOGS and rest:
        found = _cataloged(prefix, Path(rest))
    else:
        found = _folder(Path(data), signal)
    tasks = [task for task in found.tasks if folds is None or task.fold in folds]
    if not tasks:
        chosen = f" in folds {', '.join(map(str, folds))}" if folds is not None else ""
        raise CorpusError(f"{data}: found no recording{chosen}, expected one or more")
    _check_folds(tasks)
    return replace(found, tasks=tuple(tasks))


def _folder(folder: Path, signal: SignalConfig) -> Data:
    if (folder / INDEX).is_file():
        store = Store(folder, signal)
        tasks = tuple(
            Task(r.name, r.patient, r.fold, partial(stored_material, r))
            for r in store.recordings
        )
        return Data(folder.resolve().name, tasks, dict(store.skipped))
    if (folder / MANIFEST).is_file():
        return _recorded(folder, read_manifest(folder))
    raise CorpusError(
        f"{folder}: found neither {MANIFEST} nor {INDEX}, expected a folder with one "
        f"of them, {DATASET}:FIRST-LAST, {SPLICED}:FOLDER, or one of "
        f"{' '.join(CATALOGS)} and :FOLDER"
    )


def _cataloged(dataset: str, root: Path) -> Data:
    catalog = open_catalog(dataset, root)
    skipped = {p.where: p.text for p in catalog.problems if p.kind in LEFT_OUT}
    return _recorded(root, catalog.required(), skipped)


def _recorded(
    root: Path,
    recordings: Iterable[CorpusRecording],
    skipped: dict[str, str] | None = None,
) -> Data:
    tasks = tuple(
        Task(r.name, r.patient, r.fold, partial(_read, r)) for r in recordings
    )
    return Data(root.resolve().name, tasks, skipped or {})


def _read(recording: CorpusRecording) -> Material:
    return Material(
        name=recording.name,
        dataset=recording.dataset,
        patient=recording.patient,
        kind=recording.kind,
        source=open_recording(recording.path),
        seizures=tuple(sorted(marked(event) for event in recording.events)),
        labelled_s=recording.labelled_s,
    )


def stored_material(recording: StoredRecording) -> Material:
    """Take a recording of a store."""
    return Material(
        name=recording.name,
        dataset=recording.dataset,
        patient=recording.patient,
        kind=recording.kind,
        source=recording,
        seizures=tuple(recording.seizures),
        patterns=tuple(recording.patterns),
        labelled_s=recording.labelled_s,
    )


def _spliced(root: Path) -> Data:
    recordings = read_manifest(root)
    tasks = tuple(
        Task(r.name, r.patient, r.fold, partial(_join, r, recordings))
        for r in recordings
        if r.events
    )
    return Data(f"{SPLICED}:{root.resolve().name}", tasks, spliced=True)


def _join(clip: CorpusRecording, recordings: Sequence[CorpusRecording]) -> Material:
    made = spliced_clip(clip, recordings)
    name = JOINS[made.background]
    return Material(
        name=clip.name,
        dataset=clip.dataset,
        patient=clip.patient,
        kind=clip.kind,
        source=made.recording,
        seizures=tuple(marked(event) for event in made.events),
        patterns=tuple((join_s, join_s + JOIN_S, name) for join_s in made.joins_s),
        labelled_s=made.labelled_s,
    )


def _simulated(seeds: str, duration_s: float, keep: Path | None) -> Data:
    first, dash, last = seeds.partition("-")
    try:
        low, high = int(first), int(last if dash else first)
    except ValueError:
        low, high = 0, -1
    if not 0 <= low <= high:
        raise ConfigError(
            f"found seeds {seeds!r}, expected FIRST-LAST such as 10000-10023"
        )
    tasks = tuple(
        Task(name, name, None, partial(_draw, seed, name, duration_s, keep))
        for seed in range(low, high + 1)
        if (name := simulated_name(seed, duration_s))
    )
    return Data(f"{DATASET}:{low}-{high}", tasks, seeds=(low, high))


def _draw(seed: int, name: str, duration_s: float, keep: Path | None) -> Material:
    drawn = simulate(seed, duration_s)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        write_simulated(drawn, keep / f"{name}_eeg.edf")
    return Material(
        name=name,
        dataset=DATASET,
        patient=name,
        kind="seizure" if drawn.seizures else "background",
        source=ArrayRecording(drawn.eeg, drawn.sfreq, drawn.ch_names, name=name),
        seizures=tuple(
            marked(planted.event)._replace(
                side=planted.plan.side, lobe=planted.plan.lobe
            )
            for planted in drawn.seizures
        ),
        patterns=tuple(
            (e.onset, e.onset + e.duration, e.event_type) for e in drawn.negatives
        ),
    )


def _check_folds(tasks: Sequence[Task]) -> None:
    folds: dict[str, int | None] = {}
    for task in tasks:
        if folds.setdefault(task.patient, task.fold) != task.fold:
            raise CorpusError(
                f"{task.name}: patient {task.patient} is in folds "
                f"{folds[task.patient]} and {task.fold}; expected in one"
            )
