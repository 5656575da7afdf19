"""Types of seizures -> those that can be told apart under every protocol.

A type that few people have can be learned by heart and not tested on somebody new, so
it is no class: segments that touch one of its seizures are neither trained on nor
tested, and the table says so. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.corpora.splits import PatientSplit
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.protocols import TEST_SHARE, Segment, segments
from distilclip_eeg.evaluation.experiment.seizure_classes import (
    BACKGROUND,
    TYPES,
    type_name,
)
from distilclip_eeg.evaluation.windows import HOP_S, WINDOW_S

MIN_PATIENTS: Final = 2
UNTYPED: Final = "seizure of no stated type"


class LeftOut(NamedTuple):
    """A type that is no class: in words, how much there is of it, and why."""

    name: str
    patients: int
    seizures: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name}: left out, {self.reason} (seizures: {self.seizures}, "
            f"patients: {self.patients})"
        )


def choose_types(
    recordings: Sequence[StoredRecording], split: PatientSplit
) -> tuple[tuple[str, ...], list[LeftOut]]:
    """Choose the types of seizures that are classes, the same under all protocols.

    A type stays if its segments can be dealt out at random, whether they overlap or
    not, and if by patient it is tested somewhere and trained on for every part that is
    tested: two people at least, on both sides of the split.

    Returns
    -------
    The classes, background first, and the types that are none.

    Raises
    ------
    CorpusError
        If fewer than two types stay.
    """
    counts = _counts(recordings)
    names = [name for name in TYPES.values() if name in counts]
    reasons = {UNTYPED: "no class can be made of it"} if UNTYPED in counts else {}
    while True:  # a type left out takes segments along that touch another one
        new = _against(recordings, split, names)
        if not new:
            break
        reasons |= new
        names = [name for name in names if name not in new]
    left_out = [LeftOut(name, *counts[name], why) for name, why in reasons.items()]
    if len(names) < 2:
        said = "; ".join(map(str, left_out)) or "no seizure at all"
        raise CorpusError(
            f"found {len(names)} types of seizures to tell apart, expected two or "
            f"more: {said}"
        )
    return (BACKGROUND, *names), left_out


def _counts(recordings: Iterable[StoredRecording]) -> dict[str, tuple[int, int]]:
    """Type -> patients who have it, seizures."""
    found: dict[str, list[str]] = {}
    for recording in recordings:
        for seizure in recording.seizures:
            name = type_name(seizure.event_type) or UNTYPED
            found.setdefault(name, []).append(person_of(recording.patient))
    return {name: (len(set(of)), len(of)) for name, of in found.items()}


def _against(
    recordings: Sequence[StoredRecording], split: PatientSplit, names: Sequence[str]
) -> dict[str, str]:
    """Say what speaks against types as classes; those with nothing are not named."""
    classes = (BACKGROUND, *names)
    cuts = [segments(recordings, hop, classes) for hop in (HOP_S, WINDOW_S)]
    found = {}
    for name in names:
        of_type = [[s for s in cut if s.label == name] for cut in cuts]
        if reason := _one_sided(of_type[0], split) or _too_few(of_type):
            found[name] = reason
    return found


def _too_few(of_type: Sequence[Sequence[Segment]]) -> str:
    for segments_of in of_type:
        n = len(segments_of)
        if not 0 < round(TEST_SHARE * n) < n:
            return f"{n} segments are too few to deal a fifth of them to test"
    return ""


def _one_sided(found: Sequence[Segment], split: PatientSplit) -> str:
    """Say if new people cannot be tested on a type that others have taught."""
    people = {person_of(segment.recording.patient) for segment in found}
    if len(people) < MIN_PATIENTS:
        return f"segments of {len(people)} patient, expected {MIN_PATIENTS} or more"
    parts = {split.part_of[person] for person in people}
    if not parts & set(split.tested):
        return f"nobody with it is in a tested part (split: {split.name})"
    for each in split.rounds():
        if not parts & set(each.train):
            return f"nobody has it to train on when part {each.test} is tested"
    return ""
