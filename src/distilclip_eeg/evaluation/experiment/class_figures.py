"""Labels and probabilities of several classes -> figures, each class counting alike.

A segment is called what is likeliest, from even odds on a seizure. What the segments at
hand cannot say is nan: the recall of a class that does not occur, an F1 without a
seizure.

Shapes: N segments, K classes, background first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

FIGURES: Final = ("accuracy", "balanced_accuracy", "f1_macro", "auroc")
RECALL: Final = "recall/"

Labels = NDArray[np.intp]
Counts = NDArray[np.int64]


def figure_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of `class_figures`: those of all classes, then each recall."""
    return (*FIGURES, *(f"{RECALL}{name}" for name in classes))


def class_figures(
    labels: Labels, probabilities: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, float]:
    """Give the figures that `figure_names` names.

    Parameters
    ----------
    labels
        (N,) places in `classes`.
    probabilities
        (N, K).

    Returns
    -------
    Balanced accuracy is the mean recall of the classes that occur; `f1_macro` the mean
    over those that occur or are called; `auroc` the mean over the classes that occur,
    each against the rest.
    """
    figures = count_figures(confusion_counts(labels, probabilities), classes)
    each = [_against_rest(labels == k, p) for k, p in enumerate(probabilities.T)]
    figures["auroc"] = _mean(np.array(each))
    return {name: figures[name] for name in figure_names(classes)}


def count_figures(
    counts: NDArray[np.number], classes: Sequence[str]
) -> dict[str, float]:
    """Give those of the figures that rest on counts (K, K) alone: all but `auroc`."""
    right = counts.diagonal().astype(float)
    occur, called = counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        recall = right / occur
        f1 = 2 * right / (occur + called)
    n = counts.sum()
    figures = {
        "accuracy": float(right.sum() / n) if n else float("nan"),
        "balanced_accuracy": _mean(recall),
        "f1_macro": _mean(f1) if occur[1:].any() else float("nan"),
    }
    recalls = zip(classes, recall.tolist(), strict=True)
    return figures | {f"{RECALL}{name}": value for name, value in recalls}


def confusion_counts(labels: Labels, probabilities: NDArray[np.floating]) -> Counts:
    """Count segments by what they are (rows) and what they are called, (K, K)."""
    n = probabilities.shape[1]
    called = n - 1 - probabilities[:, ::-1].argmax(axis=1)  # of equals the last
    cells = labels * n + called
    return np.bincount(cells, minlength=n * n).reshape(n, n).astype(np.int64)


def _against_rest(is_class: NDArray[np.bool_], p: NDArray[np.floating]) -> float:
    if is_class.all() or not is_class.any():
        return float("nan")
    return float(roc_auc_score(is_class, p))


def _mean(values: NDArray[np.floating]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
