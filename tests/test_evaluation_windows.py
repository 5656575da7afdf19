"""Windows cut from predictions, and their figures, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import (
    CELLS,
    FIGURES,
    WindowScores,
    auroc,
    auroc_by_patient,
    calibration_error,
    confusion,
    labelled,
    window_figures,
    window_scores,
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


@settings(deadline=None)
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


# ---- cutting


def prediction(
    n: int, labelled_s: tuple[int, int], log_odds: NDArray[np.floating] | None = None
) -> Prediction:
    seconds = np.arange(n)
    return Prediction(
        name="r",
        dataset="d",
        patient="p",
        kind="seizure",
        log_odds=seconds * 1.0 if log_odds is None else log_odds,
        ictal=(seconds >= n - 7) * 1.0,
        labelled=(seconds >= labelled_s[0]) & (seconds < labelled_s[1]),
        seizures=(),
    )


def test_windows_hop_and_the_last_ends_with_the_recording() -> None:
    (one,) = window_scores([prediction(23, (0, 23))])
    starts = [0, 5, 10, 13]
    assert one.score.tolist() == [s + 4.5 for s in starts]
    assert one.ictal_share.tolist() == pytest.approx([0, 0, 0.4, 0.7])
    ictal, _ = labelled([one])
    assert ictal.tolist() == [False, False, True]


def test_windows_lie_within_what_experts_looked_at() -> None:
    for labelled_s, starts in (
        ((20, 30), [20]),
        ((12, 22), [12]),
        ((13, 30), [13, 18, 20]),
    ):
        (one,) = window_scores([prediction(50, labelled_s)])
        assert one.score.tolist() == [start + 4.5 for start in starts]


def test_a_short_recording_is_one_window() -> None:
    (one,) = window_scores([prediction(4, (0, 4))])
    assert (one.score.tolist(), one.ictal_share.tolist()) == ([1.5], [1])
    (part,) = window_scores([prediction(50, (20, 23))])
    assert part.score.tolist() == [21]
    (none,) = window_scores([prediction(0, (0, 0))])
    assert len(none.score) == 0


def test_what_was_not_seen_is_the_surest_background() -> None:
    odds = np.array([np.nan] * 5 + [-8.0] * 5)
    (one,) = window_scores([prediction(10, (0, 10), odds)])
    assert one.score.tolist() == [-8]
    (blind,) = window_scores([prediction(10, (0, 10), np.full(10, np.nan))])
    assert blind.score.tolist() == [0]


# ---- figures

drawn = st.lists(
    st.tuples(st.booleans(), st.integers(-6, 6), st.integers(0, 3)),
    min_size=2,
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(drawn)
def test_figures_are_those_of_scikit_learn(rows: list[tuple[bool, int, int]]) -> None:
    truth, odds, weight = (np.array(column) for column in zip(*rows, strict=True))
    if not weight.any():
        weight[0] = 1
    found = window_figures(truth, odds / 2, weight.astype(float))
    truth, odds = np.repeat(truth, weight), np.repeat(odds, weight)
    call = odds >= 0
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, call))
    both = bool(truth.any() and not truth.all())
    for name in ("balanced_accuracy", "mcc", "auroc", "auprc", "f1_macro"):
        assert math.isnan(found[name]) != both
    if not both:
        return
    scored = {
        "balanced_accuracy": oracle.balanced_accuracy_score(truth, call),
        "mcc": oracle.matthews_corrcoef(truth, call),
        "sensitivity": oracle.recall_score(truth, call),
        "specificity": oracle.recall_score(~truth, ~call),
        "f1": oracle.f1_score(truth, call),
        "f1_macro": oracle.f1_score(truth, call, average="macro"),
        "precision": oracle.precision_score(truth, call, zero_division=np.nan),
        "auroc": oracle.roc_auc_score(truth, odds),
        "auprc": oracle.average_precision_score(truth, odds),
    }
    assert {k: found[k] for k in scored} == pytest.approx(scored, nan_ok=True)


@pytest.mark.parametrize("ictal", [True, False])
def test_one_class_alone(ictal: bool) -> None:
    found = window_figures(np.full(4, ictal), np.array([-1.0, -1, -1, 1]))
    assert found["accuracy"] == (0.25 if ictal else 0.75)
    assert found["sensitivity" if ictal else "specificity"] == found["accuracy"]
    assert math.isnan(found["specificity" if ictal else "sensitivity"])
    assert math.isnan(found["auroc"])


def test_no_windows_at_all() -> None:
    found = window_figures(np.zeros(0, bool), np.zeros(0))
    assert tuple(found) == FIGURES
    assert all(map(math.isnan, found.values()))
    assert confusion(np.zeros(0, bool), np.zeros(0)) == dict.fromkeys(CELLS, 0)
    unweighted = window_figures(np.ones(3, bool), np.ones(3), np.zeros(3))
    assert all(map(math.isnan, unweighted.values()))


def test_confusion() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, 1], bool)
    odds = np.array([-1, 0, 2, -1, 3, 4, 5])
    assert confusion(truth, odds) == {"tn": 1, "fp": 2, "fn": 1, "tp": 3}


def test_calibration() -> None:
    """0.9 said of ten windows of which six are ictal is wrong by 0.3."""
    said = np.full(10, 0.9)
    assert calibration_error(np.arange(10) < 6, said) == pytest.approx(0.3)
    assert calibration_error(np.arange(10) < 9, said) == pytest.approx(0)
    both = np.array([0.05, 0.05, 1.0, 1.0])
    truth = np.array([0, 1, 1, 0], bool)
    assert calibration_error(truth, both) == pytest.approx(0.475)
    weighed = calibration_error(truth, both, np.array([1.0, 0, 3, 0]))
    assert weighed == pytest.approx(0.05 / 4)
