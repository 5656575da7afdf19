"""What a data set says of its recordings, the same words for every data set.

A catalog module (`manifest.py`, ...) turns a folder into these; nothing here reads a
signal or knows a layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from distilclip_eeg.eeg.annotations import Event

Kind = Literal["seizure", "background", "hard_negative"]


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
    """

    name: str
    path: Path
    dataset: str
    patient: str
    kind: Kind
    fold: int | None
    events: tuple[Event, ...]
    labelled_s: tuple[float, float] | None = None


def in_folds(
    recordings: Sequence[CorpusRecording], folds: Sequence[int]
) -> list[CorpusRecording]:
    """Return the recordings whose fold is one of `folds`."""
    return [r for r in recordings if r.fold in folds]
