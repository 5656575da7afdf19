"""What a data set says of its recordings, the same words for every data set.

A catalog module (`chbmit.py`, `tusz.py`, ...) turns a folder into these; nothing here
reads a signal or knows a layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import CorpusError, one_line

Kind = Literal["seizure", "background", "hard_negative"]
Part: TypeAlias = Literal["train", "dev", "eval"]
ProblemKind: TypeAlias = Literal[
    "missing", "unannotated", "orphan", "past_end", "unreadable", "too_few_leads",
    "contradiction", "duplicate", "not_counted",
]  # fmt: skip

PROBLEMS: Final[dict[ProblemKind, str]] = {
    "missing": "listed by the data set, not on disk",
    "unannotated": "recording that no annotation speaks of: not seizure-free, left out",
    "orphan": "annotation without its recording",
    "past_end": "seizure that lies past the end of its recording",
    "unreadable": "file that cannot be read: left out",
    "too_few_leads": "recording with too few of the 18 leads: left out",
    "contradiction": "two sources disagree; the line says which was believed",
    "duplicate": "the same thing twice: one is left out",
    "not_counted": "event that is no epileptic seizure",
}
"""What each kind of problem means; the order in which they are listed."""

SAME_PERSON: Final = {"chb21": "chb01"}
"""Names under which a data set lists one person twice; the second is used."""


@dataclass(frozen=True, slots=True)
class CorpusRecording:
    """One file of a data set and what is known about it.

    Attributes
    ----------
    name
        Path relative to the data set's root, with `/`.
    patient
        Who was recorded; never the same in two parts of a split.
    fold
        The part of a split by patient that the data set gives, or None.
    events
        Seizures that experts marked, seconds from the start of the file.
    labelled_s
        The stretch that experts looked at; None for the whole recording.
    session
        One stay or one day of a patient, as the data set names it; empty if unknown.
    split
        The part of the data set's official split, or None without one.
    duration_s
        By the header of the file; None if nobody looked.
    """

    name: str
    path: Path
    dataset: str
    patient: str
    kind: Kind
    fold: int | None
    events: tuple[Event, ...]
    labelled_s: tuple[float, float] | None = None
    session: str = ""
    split: Part | None = None
    duration_s: float | None = None

    @property
    def seizures(self) -> tuple[Event, ...]:
        """The same as `events`, under the name that a stored recording uses."""
        return self.events


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a data set that is not as it should be, and what came of it.

    Attributes
    ----------
    where
        File below the data set's root, with the line where there is one.
    text
        What was found, what was expected, what was done.
    """

    kind: ProblemKind
    where: str
    text: str

    def __str__(self) -> str:
        return one_line(f"{self.where}: {self.text}")


@dataclass(frozen=True, slots=True)
class Catalog:
    """A data set: the recordings that can be used, and all that cannot.

    Attributes
    ----------
    recordings
        Sorted by name. Every file of the data set stands here or in `problems`.
    problems
        In the order of `PROBLEMS`; some concern recordings that are used all the same.
    version
        Release of the data set as far as it says so; empty if it does not.
    notes
        One line each: what else is there to know.
    """

    dataset: str
    root: Path
    recordings: list[CorpusRecording]
    problems: list[Problem]
    version: str = ""
    notes: tuple[str, ...] = ()

    @property
    def patients(self) -> list[str]:
        """Who was recorded, sorted."""
        return sorted({recording.patient for recording in self.recordings})

    @property
    def seizures(self) -> list[Event]:
        """All seizures, recording after recording."""
        return [event for recording in self.recordings for event in recording.events]

    def count(self) -> dict[ProblemKind, int]:
        """How many problems there are of each kind that occurs."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in PROBLEMS if found[kind]}

    def required(self) -> list[CorpusRecording]:
        """Return the recordings, of which there must be one.

        Raises
        ------
        CorpusError
            If none can be used: how many problems there are, and the first of them.
        """
        if self.recordings:
            return self.recordings
        counts = [f"{n} {kind.replace('_', ' ')}" for kind, n in self.count().items()]
        first = f": {', '.join(counts)}; first: {self.problems[0]}" if counts else ""
        note = f" ({self.notes[0]})" if self.notes else ""
        raise CorpusError(
            f"{self.root}: found no recording of {self.dataset} that can be used"
            f"{first}{note}"
        )


def person_of(patient: str) -> str:
    """Return the name by which a patient is kept, the same for the same person."""
    return SAME_PERSON.get(patient, patient)


def in_folds(
    recordings: Sequence[CorpusRecording], folds: Sequence[int]
) -> list[CorpusRecording]:
    """Return the recordings whose fold is one of `folds`."""
    return [r for r in recordings if r.fold in folds]
