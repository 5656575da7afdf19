"""Files and what is said of them -> a catalog in which nothing gets lost.

Each catalog module hands over its recordings one by one; here their headers are read
and what does not fit becomes a listed problem. Reads no signal, knows no layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from distilclip_eeg.corpora.catalog import (
    PROBLEMS,
    Catalog,
    CorpusRecording,
    Part,
    Problem,
    ProblemKind,
)
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.edf_header import is_edf, read_header
from distilclip_eeg.eeg.files import first_bytes, open_recording
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.texts import read_text
from distilclip_eeg.errors import (
    CorpusError,
    TooFewLeadsError,
    UnreadableRecordingError,
)

TOLERANCE_S = 1.0  # whole seconds are what most annotations are written in


@dataclass(frozen=True, slots=True)
class Extent:
    """What the header of a recording says.

    Attributes
    ----------
    start_time
        Of the first sample; None if absent or impossible.
    """

    duration_s: float
    start_time: datetime | None
    ch_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A seizure and the line that tells of it: `chb01/chb01-summary.txt:44`."""

    event: Event
    where: str

    @property
    def end_s(self) -> float:
        return self.event.onset + self.event.duration


class Listing:
    """Collects the recordings and problems of one data set."""

    def __init__(self, dataset: str, root: Path) -> None:
        self.dataset, self.root = dataset, root
        self._recordings: list[CorpusRecording] = []
        self._problems: list[Problem] = []

    def where(self, path: Path, line: int | None = None) -> str:
        """Name a file below the root, and a line of it."""
        inside = path.is_relative_to(self.root)
        name = (path.relative_to(self.root) if inside else path).as_posix()
        return name if line is None else f"{name}:{line}"

    def problem(self, kind: ProblemKind, where: str | Path, text: str) -> None:
        """List something that is not as it should be."""
        name = self.where(where) if isinstance(where, Path) else where
        self._problems.append(Problem(kind, name, text))

    def extent(self, path: Path) -> Extent | None:
        """Read the header of a recording that can be used; else list why it cannot."""
        try:
            extent = read_extent(path)
            plan_montage(extent.ch_names)
        except UnreadableRecordingError as error:
            self.problem("unreadable", path, _without_name(path, error))
        except TooFewLeadsError as error:
            self.problem("too_few_leads", path, _without_name(path, error))
        else:
            return extent
        return None

    def malformed(self, path: Path, error: CorpusError) -> None:
        """List an annotation file that cannot be understood."""
        where, _, text = str(error).partition(": ")
        name = where.removeprefix(f"{self.root}/")
        self.problem("unreadable", name, f"{text}; {path.name} is left out")

    def add(
        self,
        path: Path,
        extent: Extent,
        patient: str,
        seizures: Sequence[Placed],
        *,
        session: str = "",
        split: Part | None = None,
    ) -> None:
        """Take a recording with the seizures that fit into it.

        A seizure that begins past the end makes all labels of the file doubtful, so
        the file is left out; one that ends past the end is cut there.
        """
        whole = CorpusRecording(
            name=self.where(path),
            path=path,
            dataset=self.dataset,
            patient=patient,
            kind="seizure" if seizures else "background",
            fold=None,
            events=(),
            session=session,
            split=split,
            duration_s=extent.duration_s,
        )
        self.check(whole, sorted(seizures, key=lambda s: (s.event.onset, s.end_s)))

    def check(self, recording: CorpusRecording, seizures: Sequence[Placed]) -> None:
        """Take a recording whose events are still to be filled in."""
        duration_s = recording.duration_s
        assert duration_s is not None
        if outside := [s for s in seizures if s.event.onset >= duration_s]:
            for seizure in outside:
                self._past_end(recording, seizure, "begins", "the file is left out")
            return
        for seizure in seizures:
            if seizure.end_s > duration_s + TOLERANCE_S:
                self._past_end(recording, seizure, "ends", "cut there")
        events = tuple(
            replace(event, duration=min(event.duration, duration_s - event.onset))
            for event in (seizure.event for seizure in seizures)
        )
        self._recordings.append(replace(recording, events=events))

    def _past_end(
        self, recording: CorpusRecording, seizure: Placed, verb: str, outcome: str
    ) -> None:
        at_s = seizure.event.onset if verb == "begins" else seizure.end_s
        self.problem(
            "past_end",
            seizure.where,
            f"found a seizure that {verb} at {at_s:g} s, expected it within the "
            f"{recording.duration_s:g} s of {recording.name}: {outcome}",
        )

    def catalog(self, version: str = "", notes: Sequence[str] = ()) -> Catalog:
        """Return what was collected."""
        rank = {kind: position for position, kind in enumerate(PROBLEMS)}
        return Catalog(
            dataset=self.dataset,
            root=self.root,
            recordings=sorted(self._recordings, key=lambda r: r.name),
            problems=sorted(self._problems, key=lambda p: (rank[p.kind], *_place(p))),
            version=version,
            notes=tuple(notes),
        )


def read_extent(path: Path) -> Extent:
    """Read length, start and labels of a recording; of an EDF only its header.

    Raises
    ------
    UnreadableRecordingError
        If there is no such file or it is damaged.
    """
    if is_edf(first_bytes(path)):
        header = read_header(path)
        if not header.is_discontinuous:
            labels = [s.label for s in header.signals if not s.is_annotation]
            duration_s = header.n_records * header.record_s
            return Extent(duration_s, header.start_time, tuple(labels))
    recording = open_recording(path)
    return Extent(recording.duration_s, recording.start_time, recording.ch_names)


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Read the lines of a text file that are not empty, each with its number.

    Latin-1 where it is no UTF-8: lists typed by hand hold accents.

    Raises
    ------
    CorpusError
        If the file is not there or cannot be opened.
    """
    text = read_text(path)
    lines = enumerate((line.strip() for line in text.splitlines()), start=1)
    return [(number, line) for number, line in lines if line]


def _place(problem: Problem) -> tuple[str, int]:
    """File and line, so that line 9 stands before line 10."""
    file, _, line = problem.where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (problem.where, 0)


def _without_name(path: Path, error: Exception) -> str:
    return str(error).removeprefix(f"{path.name}: ").removeprefix(f"{path}: ")
