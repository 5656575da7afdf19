"""Patients -> the parts of a split, in which nobody is twice.

A split says of each *patient* to which part he or she belongs, and a recording goes
where its patient goes: there is no way to put one patient into two parts, and what a
data set or a file says otherwise is refused. The same person under two names (chb01 and
chb21) counts as one. Knows nothing of segments or of models.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.corpora.listing import read_lines
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError

TRAIN: Final = "train"
DEV: Final = "dev"
EVAL: Final = "eval"
COLUMNS: Final = ("patient", "part")


class OfPatient(Protocol):
    """What a split needs to know of a recording, stored or not."""

    @property
    def name(self) -> str: ...
    @property
    def patient(self) -> str: ...


class WithSeizures(OfPatient, Protocol):
    """A recording whose seizures can be counted."""

    @property
    def seizures(self) -> Sequence[Any]: ...


class InFold(OfPatient, Protocol):
    """A recording to which its data set gives a fold."""

    @property
    def fold(self) -> int | None: ...


class InPart(OfPatient, Protocol):
    """A recording to which its data set gives a part of the official split."""

    @property
    def split(self) -> str | None: ...


R = TypeVar("R", bound=OfPatient)


class Round(NamedTuple):
    """One training and one test.

    Attributes
    ----------
    validation
        Parts that are neither trained on nor tested; may be empty.
    """

    train: tuple[str, ...]
    test: str
    validation: tuple[str, ...] = ()


@dataclass(frozen=True)
class PatientSplit:
    """Which patient belongs to which part.

    Attributes
    ----------
    name
        How it was made, for whoever reads a table: `5 folds, seed 0`.
    part_of
        Patient -> part; never the same person in two parts.
    tested
        Parts that are tested, each by a model that saw none of the patients in it.
    validation
        Parts for choices: never trained on, never tested.

    Raises
    ------
    CorpusError
        If one person under two names stands in two parts, a tested part is empty, or
        nobody is left to train on.
    """

    name: str
    part_of: Mapping[str, str]
    tested: tuple[str, ...]
    validation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        persons: dict[str, str] = {}
        for patient, part in self.part_of.items():
            _place(persons, patient, part, f"split {self.name!r}")
        object.__setattr__(self, "part_of", MappingProxyType(persons))
        for part in self.tested:
            if part not in self.parts:
                raise CorpusError(f"split {self.name!r}: no patient in part {part!r}")
            if part in self.validation or not self._training_for(part):
                raise CorpusError(
                    f"split {self.name!r}: found parts {', '.join(self.parts)}, "
                    f"expected one to train on besides {part!r}"
                )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts that have patients, sorted."""
        return tuple(sorted(set(self.part_of.values())))

    def patients(self, part: str) -> tuple[str, ...]:
        """Return who belongs to a part, sorted."""
        return tuple(sorted(p for p, q in self.part_of.items() if q == part))

    def part(self, recording: OfPatient) -> str:
        """Return the part of a recording: that of its patient.

        Raises
        ------
        CorpusError
            If the split does not know the patient.
        """
        person = person_of(recording.patient)
        if person not in self.part_of:
            raise CorpusError(
                f"{recording.name}: found patient {person}, expected one of the "
                f"{len(self.part_of)} in split {self.name!r}"
            )
        return self.part_of[person]

    def select(self, recordings: Iterable[R], *parts: str) -> list[R]:
        """Return the recordings whose patients belong to `parts`.

        Raises
        ------
        CorpusError
            If the split does not know a patient: nothing is left out unnoticed.
        """
        return [r for r in recordings if self.part(r) in parts]

    def rounds(self) -> Iterator[Round]:
        """Go through the tested parts: train on the others, test on this one."""
        for part in self.tested:
            yield Round(self._training_for(part), part, self.validation)

    def _training_for(self, tested: str) -> tuple[str, ...]:
        kept_out = {tested, *self.validation}
        return tuple(part for part in self.parts if part not in kept_out)


def leave_one_out(recordings: Iterable[OfPatient]) -> PatientSplit:
    """Test each patient by a model of all others."""
    persons = sorted({person_of(r.patient) for r in recordings})
    return PatientSplit(
        "leave one patient out", {p: p for p in persons}, tuple(persons)
    )


def k_fold(recordings: Iterable[WithSeizures], k: int, seed: int = 0) -> PatientSplit:
    """Deal patients out to `k` folds with about equally many seizures.

    Who has most seizures is dealt first, each to the fold that has fewest so far (then
    fewest patients); `seed` decides between equals.

    Raises
    ------
    CorpusError
        If there are fewer patients than folds, or fewer than two folds.
    """
    counts: dict[str, int] = defaultdict(int)
    for recording in recordings:
        counts[person_of(recording.patient)] += len(recording.seizures)
    if not 2 <= k <= len(counts):
        raise CorpusError(
            f"found {k} folds for {len(counts)} patients, expected 2 to {len(counts)}"
        )
    chance = random.Random(seed)
    order = sorted(counts)
    chance.shuffle(order)
    order.sort(key=lambda patient: -counts[patient])  # stable: equals stay shuffled
    loads = [[0, 0, fold] for fold in chance.sample(range(k), k)]
    part_of = {}
    for patient in order:
        load = min(loads)
        part_of[patient] = str(load[2])
        load[0] += counts[patient]
        load[1] += 1
    return PatientSplit(f"{k} folds, seed {seed}", part_of, tuple(map(str, range(k))))


def given_folds(recordings: Iterable[InFold]) -> PatientSplit:
    """Take the folds that a data set gives.

    Raises
    ------
    CorpusError
        If a recording has no fold, or a patient stands in two.
    """
    folds: dict[str, str] = {}
    for recording in recordings:
        if recording.fold is None:
            raise CorpusError(f"{recording.name}: found no fold, expected a number")
        _place(folds, recording.patient, str(recording.fold), recording.name)
    tested = sorted(set(folds.values()), key=int)
    return PatientSplit(f"{len(tested)} given folds", folds, tuple(tested))


def official(recordings: Iterable[InPart]) -> PatientSplit:
    """Take the official train, dev and eval of a data set.

    Raises
    ------
    CorpusError
        If a recording has no part, a patient stands in two, or nobody is in train or
        eval.
    """
    parts: dict[str, str] = {}
    for recording in recordings:
        if recording.split is None:
            raise CorpusError(
                f"{recording.name}: found no part of an official split, expected "
                f"{TRAIN}, {DEV} or {EVAL}"
            )
        _place(parts, recording.patient, recording.split, recording.name)
    validation = (DEV,) if DEV in parts.values() else ()
    return PatientSplit("official", parts, (EVAL,), validation)


def check_disjoint(train: Iterable[OfPatient], test: Iterable[OfPatient]) -> None:
    """Make sure that nobody is on both sides, as when two data sets are crossed.

    Raises
    ------
    CorpusError
        Naming patient and a recording on each side.
    """
    trained = {person_of(recording.patient): recording.name for recording in train}
    for recording in test:
        person = person_of(recording.patient)
        if person in trained:
            raise CorpusError(
                f"{recording.name}: found patient {person}, who is also in "
                f"{trained[person]} on the other side; expected each on one side only"
            )


def write_split(path: Path, split: PatientSplit) -> None:
    """Write a split as a table of patients and parts."""
    comments = [f"# name: {split.name}", f"# tested: {' '.join(split.tested)}"]
    if split.validation:
        comments.append(f"# validation: {' '.join(split.validation)}")
    rows = sorted(split.part_of.items(), key=lambda item: (item[1], item[0]))
    lines = [*comments, "\t".join(COLUMNS), *("\t".join(row) for row in rows)]
    with written_whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_split(path: Path) -> PatientSplit:
    """Read what `write_split` wrote, or somebody by hand.

    Raises
    ------
    CorpusError
        With file and line, if a row is not understood or puts a patient into a second
        part.
    """
    about: dict[str, str] = {}
    part_of: dict[str, str] = {}
    for number, line in read_lines(path):
        if line.startswith("#"):
            key, _, value = line.lstrip("# ").partition(":")
            about[key.strip()] = value.strip()
            continue
        fields = tuple(line.split("\t"))
        if fields == COLUMNS:
            continue
        if len(fields) != len(COLUMNS) or not all(fields):
            raise CorpusError(
                f"{path}:{number}: found {line[:60]!r}, expected a patient, a tab and "
                "a part"
            )
        _place(part_of, fields[0], fields[1], f"{path}:{number}")
    tested = tuple(about.get("tested", "").split()) or tuple(
        sorted(set(part_of.values()))
    )
    validation = tuple(about.get("validation", "").split())
    return PatientSplit(about.get("name", path.stem), part_of, tested, validation)


def _place(part_of: dict[str, str], patient: str, part: str, where: str) -> None:
    """Put a patient into a part, unless he or she is in another one already."""
    person = person_of(patient)
    known = part_of.setdefault(person, part)
    if known != part:
        also = f" (as {patient})" if person != patient else ""
        raise CorpusError(
            f"{where}: found patient {person}{also} in part {part!r}, who is in part "
            f"{known!r} already; expected each patient in one part"
        )
