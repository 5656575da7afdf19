"""AUROC over windows, pooled and by patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.evaluation.windows import (
    WindowScores,
    auroc,
    auroc_by_patient,
    labelled,
)


def scores(patient: str, share: list[float], score: list[float]) -> WindowScores:
    return WindowScores(patient, np.array(share), np.array(score))


def test_windows_that_are_ictal_for_less_than_half_do_not_count() -> None:
    one = scores("a", [0, 0.1, 0.49, 0.5, 1], [1, 2, 3, 4, 5])
    ictal, score = labelled([one])
    assert ictal.tolist() == [False, True, True]
    assert score.tolist() == [1, 4, 5]


def test_perfect_reversed_and_tied() -> None:
    assert auroc([scores("a", [0, 0, 1], [0, 1, 2])]) == 1
    assert auroc([scores("a", [0, 0, 1], [1, 2, 0])]) == 0
    assert auroc([scores("a", [0, 0, 1], [1, 1, 1])]) == 0.5


labels_and_scores = st.lists(
    st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=30
).filter(lambda rows: len({label for label, _ in rows}) == 2)


@given(labels_and_scores)
def test_it_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    ictal = [score for label, score in rows if label]
    quiet = [score for label, score in rows if not label]
    pairs = [(i > q) + 0.5 * (i == q) for i in ictal for q in quiet]
    windows = scores("a", [float(label) for label, _ in rows], [s for _, s in rows])
    assert auroc([windows]) == pytest.approx(np.mean(pairs))


def test_one_class_alone_has_none() -> None:
    assert np.isnan(auroc([scores("a", [0, 0], [1, 2])]))
    assert np.isnan(auroc([scores("a", [1, 0.7, 0.2], [1, 2, 3])]))


def test_every_patient_counts_once() -> None:
    """A patient of many windows in two recordings, one of few, one without seizure."""
    windows = [
        scores("a", [0] * 50, [0] * 50),
        scores("a", [1] * 50, [1] * 50),
        scores("b", [0, 1], [1, 0]),
        scores("c", [0, 0], [9, 9]),
    ]
    assert auroc_by_patient(windows) == 0.5


def test_the_level_of_a_patient_does_not_matter() -> None:
    """Scores are compared within a patient, never between two."""
    windows = [scores("a", [0, 1], [0, 1]), scores("b", [0, 1], [100, 101])]
    assert auroc_by_patient(windows) == 1
    assert auroc(windows) == 0.75


def test_pooled_where_no_patient_has_both_classes() -> None:
    windows = [scores("a", [0, 0], [0, 1]), scores("b", [1, 1], [2, 3])]
    assert auroc_by_patient(windows) == 1
