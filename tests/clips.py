"""Recordings without a signal: what protocols read of a stored recording, no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from distilclip_eeg.corpora.store import Marked, StoredRecording


@dataclass(frozen=True)
class Clip:
    """What protocols read of a stored recording; no signal."""

    name: str
    patient: str
    seizures: tuple[Marked, ...] = ()
    dataset: str = "north"
    n_seconds: int = 100
    labelled_s: tuple[float, float] = (0, 100)
    fold: int | None = None
    split: str | None = None
    kind: str = field(default="seizure")


def clips(*of: Clip) -> list[StoredRecording]:
    return cast(list[StoredRecording], list(of))
