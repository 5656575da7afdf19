"""A type is a class only if new people can be tested on what others taught."""

from __future__ import annotations

import pytest

from clips import Clip, clips
from distilclip_eeg.corpora.splits import PatientSplit, leave_one_out, official
from distilclip_eeg.corpora.store import Marked, StoredRecording
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.chosen_types import UNTYPED, choose_types
from distilclip_eeg.evaluation.experiment.protocols import PROTOCOLS, trials
from distilclip_eeg.evaluation.experiment.seizure_classes import TYPES

FOCAL, ABSENCE, TONIC = (TYPES[f"sz_{t}"] for t in ("foc_ia", "gen_nm", "gen_m_tonic"))


def people(*kinds: str, **changes: str) -> list[StoredRecording]:
    """One patient for each: types apart by spaces, a part of a split behind a slash."""
    found = []
    for number, each in enumerate(kinds):
        types, _, part = each.partition("/")
        for place, kind in enumerate(types.split()):
            seizure = Marked(20, 80, kind)
            name = f"p{number}/{place}"
            found.append(Clip(name, f"p{number}", (seizure,), split=part or None))
    return clips(*found)


def test_types_of_two_people_are_classes_in_a_fixed_order() -> None:
    recordings = people("sz_gen_nm", "sz_gen_nm", "sz_foc_ia", "sz_foc_ia")
    classes, left_out = choose_types(recordings, leave_one_out(recordings))
    assert classes == ("background", FOCAL, ABSENCE)
    assert not left_out


def test_a_type_of_one_person_is_named_and_left_out() -> None:
    recordings = people(
        "sz_gen_nm", "sz_gen_nm", "sz_foc_ia", "sz_foc_ia sz sz", "sz_gen_m_tonic"
    )
    split = leave_one_out(recordings)
    classes, left_out = choose_types(recordings, split)
    assert classes == ("background", FOCAL, ABSENCE)
    assert [tuple(each) for each in left_out] == [
        (UNTYPED, 1, 2, "no class can be made of it"),
        (TONIC, 1, 1, "segments of 1 patient, expected 2 or more"),
    ]
    assert str(left_out[1]) == (
        "tonic seizure: left out, segments of 1 patient, expected 2 or more "
        "(seizures: 1, patients: 1)"
    )


def test_both_sides_of_the_split_need_somebody() -> None:
    focal = ("sz_foc_ia/train", "sz_foc_ia/eval")
    absence = ("sz_gen_nm/train", "sz_gen_nm/eval")
    for extra, reason in (
        (("sz_gen_m_tonic/train", "sz_gen_m_tonic/dev"), "nobody with it is in a"),
        (("sz_gen_m_tonic/dev", "sz_gen_m_tonic/eval"), "nobody has it to train on"),
    ):
        recordings = people(*focal, *absence, *extra)
        classes, (left_out,) = choose_types(recordings, official(recordings))
        assert classes == ("background", FOCAL, ABSENCE)
        assert left_out.reason.startswith(reason)


def test_people_of_one_fold_are_one_side() -> None:
    recordings = people(
        *["sz_foc_ia sz_gen_nm"] * 4, "sz_gen_m_tonic", "sz_gen_m_tonic"
    )
    folds = {f"p{k}": str(k % 2) for k in range(4)} | {"p4": "0", "p5": "0"}
    split = PatientSplit("by hand", folds, ("0", "1"))
    _, (left_out,) = choose_types(recordings, split)
    assert left_out.reason == "nobody has it to train on when part 0 is tested"


def test_too_few_segments_to_deal_out() -> None:
    recordings = [
        *people("sz_foc_ia", "sz_foc_ia", "sz_gen_nm", "sz_gen_nm"),
        *clips(*(Clip(p, p, (Marked(20, 27, "sz_gen_m_tonic"),)) for p in "ab")),
    ]
    _, (left_out,) = choose_types(recordings, leave_one_out(recordings))
    assert left_out.reason == "2 segments are too few to deal a fifth of them to test"


def test_a_type_left_out_takes_what_it_touches_along() -> None:
    touching = (Marked(20, 40, "sz_gen_m_tonic"), Marked(40, 80, "sz_gen_nm"))
    recordings = [
        *people("sz_foc_ia", "sz_foc_ia", "sz_gen_nm"),
        *clips(Clip("q", "q", touching)),
    ]
    classes, (left_out,) = choose_types(recordings, leave_one_out(recordings))
    assert left_out.name == TONIC
    for protocol in PROTOCOLS[:3]:
        for trial in trials(
            protocol, recordings, 0, leave_one_out(recordings), classes
        ):
            for segment in (*trial.train, *trial.test):
                inside = segment.start_s < 40 and segment.start_s + 10 > 20
                assert segment.recording.name != "q" or not inside


def test_one_type_is_no_choice() -> None:
    for kinds, said in (
        (("sz", "sz"), f"found 0 types.*{UNTYPED}: left out"),
        (("sz_foc_ia", "sz_foc_ia"), "found 1 types"),
        (("sz_foc_ia", "sz_gen_nm"), "segments of 1 patient.*segments of 1 patient"),
    ):
        recordings = people(*kinds)
        with pytest.raises(CorpusError, match=said):
            choose_types(recordings, leave_one_out(recordings))
