"""Splits over patients: nobody is ever in two parts, whatever is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.corpora.splits import (
    PatientSplit,
    check_disjoint,
    given_folds,
    k_fold,
    leave_one_out,
    official,
    read_split,
    write_split,
)
from distilclip_eeg.errors import CorpusError


@dataclass(frozen=True)
class Fake:
    """As much of a recording as splits ask for."""

    patient: str
    n_seizures: int = 0
    fold: int | None = None
    split: str | None = None
    name: str = "a.edf"

    @property
    def seizures(self) -> Sequence[int]:
        return range(self.n_seizures)


COHORT = [Fake(f"p{i:02d}", n) for i, n in enumerate((40, 20, 16, 12, 10, 8, 7, 7, 3))]

PATIENTS = st.sampled_from(
    ["chb01", "chb21", "chb02", "PN00", "aaaaaaac", "p10", "p11"]
)
RECORDINGS = st.lists(
    st.builds(
        Fake,
        patient=PATIENTS,
        n_seizures=st.integers(0, 9),
        fold=st.integers(0, 2),
        split=st.sampled_from(["train", "dev", "eval"]),
    ),
    min_size=1,
    max_size=25,
)


def assert_nobody_is_on_both_sides(split: PatientSplit, recordings: list[Fake]) -> None:
    alias = {"chb21": "chb01"}
    for turn in split.rounds():
        sides = [
            {alias.get(r.patient, r.patient) for r in split.select(recordings, *parts)}
            for parts in (turn.train, (turn.test,), turn.validation)
        ]
        assert sides[0]
        assert sides[1]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]


# That nobody is shared ---------------------------------------------------------------


@settings(deadline=None)
@given(RECORDINGS, st.integers(0, 6), st.integers(0, 5))
def test_no_way_of_splitting_shares_a_patient(
    recordings: list[Fake], k: int, seed: int
) -> None:
    makers: tuple[Callable[[], PatientSplit], ...] = (
        lambda: leave_one_out(recordings),
        lambda: k_fold(recordings, k, seed),
        lambda: given_folds(recordings),
        lambda: official(recordings),
    )
    for make in makers:
        try:
            split = make()
        except CorpusError:
            continue  # refused: nothing to share
        assert_nobody_is_on_both_sides(split, recordings)


@pytest.mark.parametrize("k", [2, 3, 9])
def test_every_patient_is_tested_once(k: int) -> None:
    split = k_fold(COHORT, k)
    tested = [p for turn in split.rounds() for p in split.patients(turn.test)]
    assert sorted(tested) == [fake.patient for fake in COHORT]


def test_one_person_under_two_names_cannot_be_parted() -> None:
    """chb21 is chb01, eighteen months later."""
    both = [Fake("chb01", 7), Fake("chb21", 4), Fake("chb02", 3)]
    assert leave_one_out(both).patients("chb01") == ("chb01",)
    assert len(leave_one_out(both).parts) == 2
    for seed in range(20):
        split = k_fold(both, 2, seed)
        assert split.part(both[0]) == split.part(both[1]) != split.part(both[2])
    with pytest.raises(CorpusError) as raised:
        PatientSplit("mine", {"chb01": "a", "chb21": "b"}, ("a",))
    assert str(raised.value) == (
        "split 'mine': found patient chb01 (as chb21) in part 'b', who is in part 'a' "
        "already; expected each patient in one part"
    )
    folds = [Fake("chb01", fold=0), Fake("chb21", fold=1), Fake("chb02", fold=1)]
    with pytest.raises(CorpusError, match=r"chb01 \(as chb21\) in part '1'"):
        given_folds(folds)


def test_a_data_set_that_shares_a_patient_is_refused() -> None:
    shared = [Fake("p1", split="train"), Fake("p1", split="eval", name="b.edf")]
    with pytest.raises(CorpusError, match=r"b\.edf: found patient p1 in part 'eval'"):
        official(shared)
    shared = [Fake("p1", fold=0), Fake("p2", fold=1), Fake("p1", fold=1)]
    with pytest.raises(CorpusError, match="found patient p1 in part '1'"):
        given_folds(shared)


def test_a_split_cannot_be_changed_afterwards() -> None:
    parts = {"p1": "a", "p2": "b"}
    split = PatientSplit("mine", parts, ("a",))
    parts["p1"] = "b"
    assert split.patients("a") == ("p1",)
    with pytest.raises(TypeError):
        split.part_of["p2"] = "a"  # type: ignore[index]
    with pytest.raises(AttributeError):
        split.part_of = {}  # type: ignore[misc]


def test_two_data_sets_with_one_patient_cannot_be_crossed() -> None:
    here, there = [Fake("chb01"), Fake("p2")], [Fake("PN00"), Fake("chb21", name="c")]
    check_disjoint(here, there[:1])
    with pytest.raises(
        CorpusError, match=r"c: found patient chb01, who is also in a\.e"
    ):
        check_disjoint(here, there)


def test_what_the_split_does_not_know_is_not_left_out_unnoticed() -> None:
    split = leave_one_out(COHORT)
    with pytest.raises(CorpusError, match="found patient p99, expected one of the 9"):
        split.select([*COHORT, Fake("p99")], "p00")


# Making ------------------------------------------------------------------------------


def test_leave_one_out() -> None:
    split = leave_one_out([*COHORT, *COHORT])
    assert split.name == "leave one patient out"
    turns = list(split.rounds())
    assert len(turns) == 9
    assert turns[0].test == "p00"
    assert len(turns[0].train) == 8
    assert [r.patient for r in split.select(COHORT, "p03")] == ["p03"]


@pytest.mark.parametrize("seed", range(5))
def test_folds_have_about_equally_many_seizures(seed: int) -> None:
    split = k_fold(COHORT, 3, seed)
    sums = [sum(r.n_seizures for r in split.select(COHORT, fold)) for fold in "012"]
    assert sum(sums) == 123
    assert max(sums) - min(sums) <= 3
    assert split.name == f"3 folds, seed {seed}"


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=30), st.integers(0, 3))
def test_folds_differ_by_at_most_one_patients_seizures(
    counts: list[int], seed: int
) -> None:
    cohort = [Fake(f"p{i}", n) for i, n in enumerate(counts)]
    split = k_fold(cohort, 2, seed)
    sums = [sum(r.n_seizures for r in split.select(cohort, fold)) for fold in "01"]
    assert abs(sums[0] - sums[1]) <= max(counts)


def test_patients_without_seizures_are_spread() -> None:
    cohort = [Fake(f"p{i}") for i in range(12)]
    split = k_fold(cohort, 4)
    assert [len(split.patients(fold)) for fold in split.parts] == [3] * 4


def test_the_seed_decides_and_order_does_not() -> None:
    one = k_fold(COHORT, 3, 1).part_of
    assert one == k_fold(list(reversed(COHORT)), 3, 1).part_of
    assert (
        len({tuple(sorted(k_fold(COHORT, 3, s).part_of.items())) for s in range(9)}) > 1
    )


@pytest.mark.parametrize("k", [0, 1, 10])
def test_impossible_numbers_of_folds(k: int) -> None:
    with pytest.raises(
        CorpusError, match=f"found {k} folds for 9 patients, expected 2 to"
    ):
        k_fold(COHORT, k)


def test_given_folds() -> None:
    folds = [Fake("p1", fold=10), Fake("p2", fold=2), Fake("p1", fold=10)]
    split = given_folds(folds)
    assert split.tested == ("2", "10")
    assert split.patients("10") == ("p1",)
    with pytest.raises(CorpusError, match=r"a\.edf: found no fold"):
        given_folds([*folds, Fake("p3")])


def test_official() -> None:
    cohort = [Fake("p1", split="train"), Fake("p2", split="eval")]
    (turn,) = official(cohort).rounds()
    assert turn == (("train",), "eval", ())
    (turn,) = official([*cohort, Fake("p3", split="dev")]).rounds()
    assert turn == (("train",), "eval", ("dev",))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("train", "dev"), "no patient in part 'eval'"),
        (("dev", "eval"), "expected one to train on besides 'eval'"),
        (("eval",), "expected one to train on besides 'eval'"),
        (("train", None), "found no part of an official split, expected train, dev"),
    ],
)
def test_official_without_a_part(parts: tuple[str | None, ...], said: str) -> None:
    cohort = [Fake(f"p{i}", split=part) for i, part in enumerate(parts)]
    with pytest.raises(CorpusError, match=said):
        official(cohort)


def test_one_patient_cannot_be_left_out_of_one() -> None:
    with pytest.raises(CorpusError, match="expected one to train on besides 'p1'"):
        leave_one_out([Fake("p1")])


# On disk -----------------------------------------------------------------------------


@settings(deadline=None)
@given(RECORDINGS)
def test_a_split_comes_back_from_disk(
    tmp_path_factory: pytest.TempPathFactory, recordings: list[Fake]
) -> None:
    path = tmp_path_factory.getbasetemp() / "split.tsv"
    for make in (leave_one_out, official):
        try:
            split = make(recordings)
        except CorpusError:
            continue
        write_split(path, split)
        assert read_split(path) == split


def test_a_split_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("patient\tpart\np1\ta\n\np2\tb\nchb21\tb\n")
    split = read_split(path)
    assert (split.name, split.tested) == ("mine", ("a", "b"))
    assert split.patients("b") == ("chb01", "p2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p1\ta\np2 b\n", ":2: found 'p2 b', expected a patient, a tab and a part"),
        ("p1\ta\tb\n", ":1: found"),
        (
            "p1\ta\np2\tb\np1\tb\n",
            ":3: found patient p1 in part 'b', who is in part 'a'",
        ),
        ("chb21\ta\np2\tb\nchb01\tb\n", ":3: found patient chb01 in part 'b'"),
        ("# tested: c\np1\ta\np2\tb\n", "split 'mine': no patient in part 'c'"),
        ("# tested: a\n# validation: a\np1\ta\np2\tb\n", "expected one to train on"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        read_split(path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
