"""Scores of windows against the experts' marks -> figures per patient.

Windows that are ictal for less than half their length, but not free of it, are left
out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

ICTAL_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class WindowScores:
    """The windows of one recording: (n,) ictal share 0-1 and (n,) score."""

    patient: str
    ictal_share: NDArray[np.floating]
    score: NDArray[np.floating]


def labelled(
    windows: Sequence[WindowScores],
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Return labels and scores of all windows that count, pooled."""
    share = np.concatenate([w.ictal_share for w in windows])
    score = np.concatenate([w.score for w in windows])
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
