"""Figures of several classes, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    recall_score,
    roc_auc_score,
)

from distilclip_eeg.evaluation.experiment.class_figures import (
    class_figures,
    confusion_counts,
    figure_names,
)

CLASSES = ("background", "a", "b", "c")


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(8, 60))
def test_as_scikit_learn_has_them(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 4).astype(np.intp)
    p = rng.dirichlet([0.5] * 4, n)
    called = p.argmax(1)
    found = class_figures(labels, p, CLASSES)
    assert list(found) == list(figure_names(CLASSES))
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, called))
    expected = balanced_accuracy_score(labels, called)
    assert found["balanced_accuracy"] == pytest.approx(expected)
    assert found["f1_macro"] == pytest.approx(f1_score(labels, called, average="macro"))
    auroc = roc_auc_score(labels, p, multi_class="ovr", average="macro")
    assert found["auroc"] == pytest.approx(auroc)
    recall = recall_score(labels, called, average=None)
    assert [found[f"recall/{name}"] for name in CLASSES] == pytest.approx(list(recall))
    assert (confusion_counts(labels, p) == confusion_matrix(labels, called)).all()


def test_even_odds_are_a_seizure() -> None:
    """As for a detector."""
    p = np.array([[0.5, 0.5], [0.6, 0.4]])
    assert confusion_counts(np.array([0, 1]), p).tolist() == [[0, 1], [1, 0]]


def test_what_does_not_occur_says_nothing() -> None:
    p = np.array([[0.7, 0.3, 0, 0], [0.2, 0.8, 0, 0], [0.9, 0.1, 0, 0]])
    found = class_figures(np.array([0, 1, 1]), p, CLASSES)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert np.isnan(found["recall/b"])
    quiet = class_figures(np.zeros(3, np.intp), p, CLASSES)
    assert quiet["accuracy"] == pytest.approx(2 / 3)
    assert np.isnan([quiet["f1_macro"], quiet["auroc"], quiet["recall/a"]]).all()
