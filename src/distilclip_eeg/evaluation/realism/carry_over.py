"""Windows, real and simulated -> what is learned from one kind and holds for the other.

Looking real is one thing, teaching what holds for real EEG another: a forest learns
seizure against background from simulated windows alone and is judged on real ones, and
the other way round. Beside it what it learns from windows of the same kind of source,
patients and seeds never on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from distilclip_eeg.evaluation.realism.appearance import describe
from distilclip_eeg.evaluation.realism.epochs import SIMULATED
from distilclip_eeg.evaluation.realism.telling_apart import (
    Pool,
    common_leads,
    new_forest,
    scores_of_unseen,
)

REAL: Final = "real"
_Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Carried:
    """The area under the ROC, seizure against background.

    Attributes
    ----------
    pooled
        Over all windows.
    by_group
        Mean over the patients, or seeds, that have both.
    n_groups
        How many those are.
    """

    learned_from: str
    judged_on: str
    pooled: float
    by_group: float
    n_groups: int

    def as_json(self) -> dict[str, Any]:
        """Return the same, rounded, for JSON."""
        return {
            "learned_from": self.learned_from,
            "judged_on": self.judged_on,
            "pooled": round(self.pooled, 3),
            "by_group": round(self.by_group, 3),
            "n_groups": self.n_groups,
        }


def carry_over(pool: Pool, seed: int = 0) -> Iterator[Carried]:
    """Learn from either source and judge either; nothing where one lacks a class.

    Patterns of intensive care count as background; all features are used.
    """
    everything = np.ones(len(pool.group), bool)
    leads = common_leads(pool, everything)
    whole = np.flatnonzero(pool.usable[:, leads].all(axis=1))
    x, _, _ = describe(pool.measured.of(whole), leads)
    ictal, groups = pool.kind[whole] == "seizure", pool.group[whole]
    simulated = pool.dataset[whole] == SIMULATED
    sides = {SIMULATED: simulated, REAL: ~simulated}
    if any(len(set(ictal[side])) < 2 for side in sides.values()):
        return
    for learned_from, source in sides.items():
        scores = np.zeros(len(x))
        scores[source] = scores_of_unseen(
            x[source], ictal[source], groups[source], seed
        )
        learned = new_forest(seed).fit(x[source], ictal[source])
        scores[~source] = learned.predict_proba(x[~source])[:, 1]
        for judged_on, target in sides.items():
            yield _carried(
                learned_from, judged_on, ictal[target], scores[target], groups[target]
            )


def _carried(
    learned_from: str,
    judged_on: str,
    ictal: NDArray[np.bool_],
    scores: _Scores,
    groups: NDArray[np.str_],
) -> Carried:
    each = [
        float(roc_auc_score(ictal[own], scores[own]))
        for own in (groups == name for name in np.unique(groups))
        if 0 < ictal[own].mean() < 1
    ]
    return Carried(
        learned_from=learned_from,
        judged_on=judged_on,
        pooled=float(roc_auc_score(ictal, scores)),
        by_group=float(np.mean(each)) if each else float("nan"),
        n_groups=len(each),
    )
