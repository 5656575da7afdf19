"""Each second and each segment has the class of its seizure, or none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import Clip, clips
from distilclip_eeg.corpora.aubmc_segments import CLASSES as AUBMC
from distilclip_eeg.corpora.aubmc_types import EVENT_TYPES as AUBMC_TYPES
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.corpora.tusz_annotations import EVENT_TYPES as TUSZ
from distilclip_eeg.evaluation.experiment.protocols import random_trial, segments
from distilclip_eeg.evaluation.experiment.seizure_classes import (
    CLASSES,
    INVISIBLE,
    TYPES,
    class_of,
    second_shares,
    type_name,
)

FOCAL, ABSENCE = TYPES["sz_foc_ia"], TYPES["sz_gen_nm"]
BOTH = ("background", FOCAL, ABSENCE)

markings = st.lists(
    st.builds(
        lambda onset, length, kind: Marked(onset, onset + length, kind),
        st.floats(0, 90),
        st.floats(0.25, 40),
        st.sampled_from(["sz", "sz_foc_ia", "sz_gen_nm"]),
    ),
    max_size=4,
).map(tuple)


@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("sz", None),
        ("sz_uo", None),
        ("sz_foc", "focal non-specific seizure"),
        ("sz_foc_ia_m_tonic", "complex partial seizure"),
        ("sz_gen_m", "generalised non-specific seizure"),
        ("sz_gen_nm_myoclonic", "myoclonic seizure"),
        ("sz_video", INVISIBLE),
    ],
)
def test_types_in_words(event_type: str, name: str | None) -> None:
    assert type_name(event_type) == name
    assert class_of(event_type, CLASSES) == "seizure"
    assert class_of(event_type, ("background", str(name))) == name


def test_every_type_of_the_paper_has_a_name() -> None:
    named = {label for label, kind in TUSZ.items() if type_name(kind)}
    assert named == set(TUSZ) - {"seiz", "bckg", "nesz"}
    assert [type_name(kind) for kind in AUBMC_TYPES.values()] == list(AUBMC[1:])


@settings(deadline=None)
@given(markings, st.integers(0, 90))
def test_shares_of_a_second_sum_to_one(
    seizures: tuple[Marked, ...], start_s: int
) -> None:
    (clip,) = clips(Clip("a", "p", seizures))
    for classes in (CLASSES, BOTH):
        shares = second_shares(clip, start_s, 10, classes)
        assert shares.shape == (10, len(classes))
        assert (shares > -1e-6).all()
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    spans = [s[:2] for s in seizures]
    ictal = overlap_per_second(start_s + np.arange(10.0), spans)
    two = second_shares(clip, start_s, 10, CLASSES)
    np.testing.assert_allclose(two[:, 1], ictal, atol=1e-6)


def test_overlapping_types_share_the_time() -> None:
    seizures = (Marked(0, 4, "sz_foc_ia"), Marked(2, 6, "sz_gen_nm"))
    (clip,) = clips(Clip("a", "p", seizures))
    shares = second_shares(clip, 1, 3, BOTH)
    expected = np.array([[0, 1, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]])
    np.testing.assert_allclose(shares, expected)


@settings(deadline=None)
@given(markings)
def test_segments_of_types_are_those_of_detection_without_other_types(
    seizures: tuple[Marked, ...],
) -> None:
    recording = clips(Clip("a", "p", seizures))
    two = {s.start_s: s for s in segments(recording)}
    typed = {s.start_s: s for s in segments(recording, classes=BOTH)}
    assert typed.keys() <= two.keys()
    untyped = [s for s in seizures if s.event_type == "sz"]
    for start, segment in two.items():
        touched = any(s.onset_s < start + 10 and s.end_s > start for s in untyped)
        assert start in typed or touched
        if start in typed:
            assert typed[start].ictal == segment.ictal
            assert (typed[start].label == "background") == (not segment.ictal)
            shares = second_shares(recording[0], start, 10, BOTH).sum(0)
            longest = shares[1:].max()
            label = BOTH.index(typed[start].label)
            assert label == 0 or shares[label] > longest - 1  # seconds cut in parts


def test_the_longest_type_names_a_segment() -> None:
    seizures = (Marked(20, 24, "sz_foc_ia"), Marked(24, 40, "sz_gen_nm"))
    found = segments(clips(Clip("a", "p", seizures)), classes=BOTH)
    labels = {s.start_s: s.label for s in found}
    assert labels[15] == FOCAL
    assert labels[20] == labels[30] == ABSENCE
    assert labels[5] == labels[10] == "background"
    seizures = (Marked(20, 27, "sz_foc_ia"), Marked(27, 40, "sz_gen_nm"))
    found = segments(clips(Clip("a", "p", seizures)), classes=BOTH)
    assert {s.start_s: s.label for s in found}[20] == FOCAL


def test_a_fifth_of_each_class_is_dealt_to_test() -> None:
    recordings = clips(
        Clip("a", "p", (Marked(10, 80, "sz_foc_ia"),)),
        Clip("b", "q", (Marked(10, 80, "sz_gen_nm"),)),
        Clip("c", "q"),
    )
    trial = random_trial(recordings, 3, classes=BOTH)
    for name in BOTH:
        n = sum(s.label == name for s in (*trial.train, *trial.test))
        assert sum(s.label == name for s in trial.test) == round(0.2 * n) > 0
