"""Segments are cut as said; only the leaky protocols have a patient on both sides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import Clip, clips
from distilclip_eeg.corpora.splits import PatientSplit, k_fold, leave_one_out
from distilclip_eeg.corpora.store import Marked, StoredRecording
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.protocols import (
    LEAKY,
    PROTOCOLS,
    Protocol,
    Segment,
    Trial,
    cross_trials,
    patient_trials,
    random_trial,
    segments,
    split_by,
    trials,
)


def people(n: int, **changes: Any) -> list[StoredRecording]:
    return clips(
        *(
            Clip(f"p{k}/{j}", f"p{k}", (Marked(20.0 + k, 60.0),), **changes)
            for k in range(n)
            for j in range(2)
        )
    )


def seconds(of: tuple[Segment, ...]) -> set[tuple[str, int]]:
    return {(s.recording.name, s.start_s + k) for s in of for k in range(10)}


def patients(of: tuple[Segment, ...]) -> set[str]:
    return {s.recording.patient for s in of}


# ---- segments


def test_segments_less_than_half_ictal_are_left_out() -> None:
    found = segments(clips(Clip("a", "p", (Marked(23.0, 41.0),), n_seconds=64)))
    # ictal parts: 15 s: 2, 20: 7, 25: 10, 30: 10, 35: 6, 40: 1
    starts = [0, 5, 10, 20, 25, 30, 35, 45, 50]
    assert [s.start_s for s in found] == starts
    assert [s.start_s for s in found if s.ictal] == [20, 25, 30, 35]
    assert found[3].name == "a@20"


def test_segments_lie_wholly_where_experts_looked() -> None:
    found = segments(clips(Clip("a", "p", labelled_s=(7, 31))))
    assert [s.start_s for s in found] == [7, 12, 17]
    assert not segments(clips(Clip("short", "p", n_seconds=9)))


@settings(deadline=None)
@given(
    st.floats(0, 80), st.floats(0.5, 60), st.integers(0, 110), st.sampled_from([5, 10])
)
def test_labels_are_the_share_of_the_seizure(
    onset: float, length: float, n_seconds: int, hop_s: int
) -> None:
    clip = Clip("a", "p", (Marked(onset, onset + length),), n_seconds=n_seconds)
    found = {s.start_s: s.ictal for s in segments(clips(clip), hop_s)}
    for start in range(0, n_seconds - 9, hop_s):
        shared = max(0.0, min(start + 10, onset + length) - max(start, onset)) / 10
        if abs(shared - 0.5) > 1e-6 and (shared == 0 or shared > 1e-6):
            inside = start + 10 <= clip.labelled_s[1]
            expected = shared >= 0.5 if shared == 0 or shared > 0.5 else None
            assert found.get(start) == (expected if inside else None)


# ---- leaky protocols


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.booleans())
def test_random_segments_are_dealt_out_once(seed: int, disjoint: bool) -> None:
    recordings = people(3)
    trial = random_trial(recordings, seed, disjoint=disjoint)
    everything = segments(recordings, 10 if disjoint else 5)
    assert sorted(s.name for s in (*trial.train, *trial.test)) == sorted(
        s.name for s in everything
    )
    for ictal in (False, True):
        n = sum(s.ictal == ictal for s in everything)
        assert sum(s.ictal == ictal for s in trial.test) == round(0.2 * n)
    assert random_trial(recordings, seed, disjoint=disjoint) == trial


def test_the_paper_protocol_leaks_and_the_disjoint_one_shares_no_second() -> None:
    trial = random_trial(people(4), 0)
    assert seconds(trial.train) & seconds(trial.test)
    assert patients(trial.train) & patients(trial.test)
    trial = random_trial(people(4), 0, disjoint=True)
    assert not seconds(trial.train) & seconds(trial.test)
    assert patients(trial.train) & patients(trial.test)
    assert set(LEAKY) == {"paper", "paper_disjoint"}


def test_another_seed_is_another_split() -> None:
    assert random_trial(people(4), 0) != random_trial(people(4), 1)


# ---- honest protocols


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 7), st.integers(0, 99))
def test_nobody_is_on_both_sides(n: int, seed: int) -> None:
    recordings = people(n)
    for split in (leave_one_out(recordings), k_fold(recordings, 2, seed)):
        found = patient_trials(recordings, split)
        for trial in found:
            assert not patients(trial.train) & patients(trial.test)
        tested = [s.name for trial in found for s in trial.test]
        assert sorted(tested) == sorted(s.name for s in segments(recordings))


@pytest.mark.parametrize("protocol", ["patient", "cross"])
def test_a_trial_that_shares_a_patient_cannot_be_made(protocol: Protocol) -> None:
    found = tuple(segments(people(2)))
    with pytest.raises(CorpusError, match="patient p1"):
        Trial(protocol, "0", found[:-9], found[-9:])
    as_another = Clip("x", "chb21", (Marked(20, 60),)), Clip("y", "chb01")
    one, other = (tuple(segments(clips(clip))) for clip in as_another)
    with pytest.raises(CorpusError, match="chb01"):
        Trial(protocol, "0", one, other)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_segment_is_on_both_sides(protocol: Protocol) -> None:
    found = tuple(segments(people(2)))
    with pytest.raises(CorpusError, match="in training and in test"):
        Trial(protocol, "0", found, found[:1])


def test_parts_held_back_are_neither_trained_on_nor_tested() -> None:
    parts = {"p0": "train", "p1": "dev", "p2": "eval"}
    split = PatientSplit("official", parts, ("eval",), ("dev",))
    (trial,) = patient_trials(people(3), split)
    assert patients(trial.train) == {"p0"}
    assert patients(trial.test) == {"p2"}


def test_data_sets_are_crossed_both_ways() -> None:
    north = people(2)
    south = clips(Clip("s", "s", (Marked(20, 60),), dataset="south"))
    calm = clips(Clip("c", "c", dataset="calm"))
    found = cross_trials([*north, *south, *calm])
    assert [t.part for t in found] == ["north to south", "south to north"]
    assert patients(found[0].test) == {"s"}
    with pytest.raises(CorpusError, match="found 1 data sets"):
        cross_trials([*north, *calm])
    shared = clips(Clip("s", "p1", (Marked(20, 60),), dataset="south"))
    with pytest.raises(CorpusError, match="patient p1"):
        cross_trials([*north, *shared])


def test_one_class_cannot_be_learned() -> None:
    with pytest.raises(CorpusError, match="found 0 seizure and"):
        random_trial(clips(Clip("c", "c")), 0)


def test_protocols_by_name() -> None:
    recordings = people(3)
    split = leave_one_out(recordings)
    assert len(trials("patient", recordings, 0, split)) == 3
    assert trials("paper", recordings, 5) == [random_trial(recordings, 5)]
    assert trials("paper_disjoint", recordings, 5)[0].protocol == "paper_disjoint"
    with pytest.raises(CorpusError, match="no split by patient"):
        trials("patient", recordings, 0)


def test_splits_by_name() -> None:
    recordings = people(4)
    assert split_by(None, recordings).name == "leave one patient out"
    assert len(split_by("2", recordings).parts) == 2
    folded = clips(*(Clip(f"r{k}", f"p{k}", fold=k % 2) for k in range(4)))
    assert split_by(None, folded).name == "2 given folds"
    official = clips(Clip("a", "a", split="train"), Clip("b", "b", split="eval"))
    assert split_by(None, official).name == "official"
    with pytest.raises(CorpusError, match="found split 'half'"):
        split_by("half", recordings)
    with pytest.raises(CorpusError, match="found no fold"):
        split_by("folds", recordings)
