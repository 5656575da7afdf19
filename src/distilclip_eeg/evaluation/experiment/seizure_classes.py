"""Marked seizures -> the class of each, and of each second.

A class has a name in words, which the text tower reads. Either all seizures are one
class, or each type is one, as far as it was chosen (`chosen_types.py`). Knows neither
splits nor models.

Shapes: S seconds, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.store import Marked, StoredRecording, overlap_per_second

BACKGROUND: Final = "background"
SEIZURE: Final = "seizure"
CLASSES: Final = (BACKGROUND, SEIZURE)
INVISIBLE: Final = "video-detected seizure without visible change"
"""By definition nothing of it shows on EEG: who finds it all knows the recording."""

TYPES: Final = {
    "sz_foc": "focal non-specific seizure",
    "sz_foc_a": "simple partial seizure",
    "sz_foc_ia": "complex partial seizure",
    "sz_foc_f2b": "focal to bilateral tonic-clonic seizure",
    "sz_gen": "generalised non-specific seizure",
    "sz_gen_nm": "absence seizure",
    "sz_gen_m_tonic": "tonic seizure",
    "sz_gen_m_clonic": "clonic seizure",
    "sz_gen_m_tonicClonic": "tonic-clonic seizure",
    "sz_gen_m_atonic": "atonic seizure",
    "sz_gen_nm_myoclonic": "myoclonic seizure",
    "sz_electrographic": "electrographic seizure",
    "sz_video": INVISIBLE,
}
"""HED-SCORE types as the catalogs write them -> classes; the last two are ours, for the
AUBMC data set, whose `normal` is the background of all others."""


def type_name(event_type: str) -> str | None:
    """Return a type in words: of `sz_foc_ia_m_tonic` those of `sz_foc_ia`.

    None where the type is not known: `sz`.
    """
    parts = event_type.split("_")
    wider = ("_".join(parts[:n]) for n in range(len(parts), 1, -1))
    return next((TYPES[name] for name in wider if name in TYPES), None)


def class_of(event_type: str, classes: Sequence[str]) -> str | None:
    """Return the class of a seizure; None if its type is left out."""
    if SEIZURE in classes:
        return SEIZURE
    name = type_name(event_type)
    return name if name in classes else None


def spans_of(
    recording: StoredRecording, classes: Sequence[str]
) -> dict[str | None, list[Marked]]:
    """Sort the seizures of a recording by class; under None those left out."""
    found: dict[str | None, list[Marked]] = {}
    for seizure in recording.seizures:
        found.setdefault(class_of(seizure.event_type, classes), []).append(seizure)
    return found


def second_shares(
    recording: StoredRecording, start_s: float, n_seconds: int, classes: Sequence[str]
) -> NDArray[np.float32]:
    """Return the part of each second in each class, (S, K), rows sum to 1.

    Where seizures of two classes overlap they share the time.
    """
    seconds = start_s + np.arange(n_seconds, dtype=float)
    shares = np.zeros((n_seconds, len(classes)), np.float32)
    for name, seizures in spans_of(recording, classes).items():
        if name is not None:
            spans = [seizure[:2] for seizure in seizures]
            shares[:, classes.index(name)] = overlap_per_second(seconds, spans)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    shares[:, classes.index(BACKGROUND)] = 1 - shares.sum(axis=1)
    return shares
