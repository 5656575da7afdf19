"""Predictions per second -> windows -> figures against the experts' marks.

Windows that are ictal for less than half their length, but not free of it, are left
out, as are those that experts did not look at all of. A window's score is the mean
log-odds of its seconds; from even odds on it is called a seizure. What cannot be said
of the windows at hand, such as an AUROC without a seizure, is nan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import config_context
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from distilclip_eeg.evaluation.predictions import Prediction

WINDOW_S: Final = 10
HOP_S: Final = 5
ICTAL_SHARE: Final = 0.5
N_BINS: Final = 10  # of probability, for the calibration error
CELLS: Final = ("tn", "fp", "fn", "tp")
FIGURES: Final = (
    *("accuracy", "balanced_accuracy", "precision", "sensitivity", "specificity"),
    *("f1_macro", "f1", "auroc", "auprc", "mcc", "calibration_error"),
)

Flags = NDArray[np.bool_]
Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class WindowScores:
    """The windows of one recording: (n,) ictal share 0-1 and (n,) score."""

    patient: str
    ictal_share: NDArray[np.floating]
    score: NDArray[np.floating]


def window_scores(
    predictions: Sequence[Prediction], window_s: int = WINDOW_S, hop_s: int = HOP_S
) -> list[WindowScores]:
    """Cut predictions into windows: ictal share, and mean log-odds of the seconds.

    They hop from the first second that experts looked at, and a last one ends with the
    last; where that is less than a window it is one. Seconds in which nothing could be
    seen count as the surest background.
    """
    scores = []
    for p in predictions:
        spans = _spans(p.labelled, window_s, hop_s)
        odds = np.nan_to_num(p.log_odds, nan=np.nanmin(p.log_odds, initial=0.0))
        scores.append(
            WindowScores(
                patient=p.patient,
                ictal_share=np.array([p.ictal[span].mean() for span in spans]),
                score=np.array([odds[span].mean() for span in spans]),
            )
        )
    return scores


def _spans(seen: Flags, window_s: int, hop_s: int) -> list[slice]:
    """Windows of which every second was looked at."""
    seconds = np.flatnonzero(seen)
    if not len(seconds):
        return []
    first, stop = int(seconds[0]), int(seconds[-1]) + 1
    latest = max(first, stop - window_s)
    starts = sorted({*range(first, latest, hop_s), latest})
    spans = [slice(start, min(start + window_s, stop)) for start in starts]
    return [span for span in spans if seen[span].all()]


def labelled(
    windows: Sequence[WindowScores],
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Return labels and scores of all windows that count, pooled."""
    share = np.concatenate([np.zeros(0), *(w.ictal_share for w in windows)])
    score = np.concatenate([np.zeros(0), *(w.score for w in windows)])
    counts = (share == 0) | (share >= ICTAL_SHARE)
    return share[counts] >= ICTAL_SHARE, score[counts]


def auroc(windows: Sequence[WindowScores]) -> float:
    """Return the pooled area under the ROC; nan where one class is absent."""
    ictal, score = labelled(windows)
    if ictal.all() or not ictal.any():
        return float("nan")
    return float(roc_auc_score(ictal, score))


def auroc_by_patient(windows: Sequence[WindowScores]) -> float:
    """Return the mean over patients that have both classes; pooled if none has."""
    patients: dict[str, list[WindowScores]] = defaultdict(list)
    for window in windows:
        patients[window.patient].append(window)
    each = np.array([auroc(group) for group in patients.values()])
    return auroc(windows) if np.isnan(each).all() else float(np.nanmean(each))


def confusion(
    ictal: Flags, log_odds: Values, weight: Values | None = None
) -> dict[str, float]:
    """Count windows by what they are and what they are called, see `CELLS`."""
    if not len(ictal):
        return dict.fromkeys(CELLS, 0.0)
    table = confusion_matrix(
        ictal, log_odds >= 0, labels=[False, True], sample_weight=weight
    )
    return dict(zip(CELLS, table.ravel().astype(float).tolist(), strict=True))


def window_figures(
    ictal: Flags, log_odds: Values, weight: Values | None = None
) -> dict[str, float]:
    """Give the figures of `FIGURES`.

    Parameters
    ----------
    ictal, log_odds
        (n,) from `labelled`.
    weight
        (n,) how often each window counts.
    """
    if weight is not None:  # scikit-learn looks at windows of weight 0, too
        kept = weight > 0
        ictal, log_odds, weight = ictal[kept], log_odds[kept], weight[kept]
    if not len(ictal):
        return dict.fromkeys(FIGURES, float("nan"))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        figures = _of_calls(confusion(ictal, log_odds, weight))
        figures |= _of_ranks(ictal, log_odds, weight)
    figures["calibration_error"] = calibration_error(ictal, expit(log_odds), weight)
    return {name: figures[name] for name in FIGURES}


def calibration_error(
    ictal: Flags, probability: Values, weight: Values | None = None
) -> float:
    """Give the expected calibration error over ten equal bins of probability.

    In each bin the mean probability of a seizure is held against the part of its
    windows that are ictal (Naeini 2015, for two classes).
    """
    w = np.ones(len(ictal)) if weight is None else weight
    bins = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, w * (probability - ictal), N_BINS)
    return float(np.abs(gaps).sum() / w.sum())


def _of_calls(cells: dict[str, float]) -> dict[str, float]:
    """Figures of the confusion matrix: its four cells are four weighted windows."""
    n = np.array([cells[name] for name in CELLS])
    truth, call = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])[:, n > 0]
    n = n[n > 0]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, call, labels=[0, 1], sample_weight=n, zero_division=np.nan
    )
    has_both = len(set(truth.tolist())) == 2
    mcc = matthews_corrcoef(truth, call, sample_weight=n) if has_both else np.nan
    return {
        "accuracy": float(accuracy_score(truth, call, sample_weight=n)),
        "balanced_accuracy": float(recall.mean()),
        "precision": float(precision[1]),
        "sensitivity": float(recall[1]),
        "specificity": float(recall[0]),
        "f1_macro": float(f1.mean()) if has_both else float("nan"),
        "f1": float(f1[1]),
        "mcc": float(mcc),
    }


def _of_ranks(
    ictal: Flags, log_odds: Values, weight: Values | None
) -> dict[str, float]:
    if ictal.all() or not ictal.any():
        return {"auroc": float("nan"), "auprc": float("nan")}
    return {
        "auroc": float(roc_auc_score(ictal, log_odds, sample_weight=weight)),
        "auprc": float(average_precision_score(ictal, log_odds, sample_weight=weight)),
    }
