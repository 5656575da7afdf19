"""Windows from two places -> how well a classifier tells them apart, and by what.

The area under the ROC of a forest that judges patients (or seeds) it never saw: 0.5
means nobody can tell, 1 that everything is told. Two hospitals are told apart as well,
so real data sets against each other stand beside simulated against real.

Does not know what a simulator could do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from distilclip_eeg.evaluation.realism.appearance import Measured, describe
from distilclip_eeg.evaluation.realism.epochs import (
    ALWAYS_AWAKE,
    AWAKE,
    SIMULATED,
    Epoch,
    Kind,
)

FOLDS: Final = 5
TREES: Final = 100
RESAMPLES: Final = 1000  # of patients and seeds, for the interval
TELLING: Final = 12  # features that are named
_USABLE: Final = 0.8  # of the windows of each data set, for a lead to be compared
_FEWEST_WINDOWS, _FEWEST_GROUPS = 20, 4

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Area:
    """An area under the ROC with its interval over patients and seeds (95 %)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Telling:
    """A feature that tells: the area by it alone, its median on either side."""

    feature: str
    auroc: float
    median_a: float
    median_b: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides and how well they are told apart.

    Attributes
    ----------
    n_windows, n_groups
        Of side a and of side b.
    n_leads
        That both sides have; nothing else was looked at.
    auroc, auroc_without_loudness
        With all features, and with those that no factor changes.
    auroc_transferred
        Without loudness, by a forest that learned from the other real data sets and
        other seeds: what gives simulation away whoever recorded the rest. None where
        side b is not simulated or there is no other data set.
    telling
        The features that tell most, each alone.
    """

    kind: Kind
    a: str
    b: str
    n_windows: tuple[int, int]
    n_groups: tuple[int, int]
    n_leads: int
    auroc: Area
    auroc_without_loudness: Area
    auroc_transferred: float | None
    telling: tuple[Telling, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the same, rounded, for JSON."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


@dataclass(frozen=True, slots=True)
class Pool:
    """All windows: what was measured in them and where they come from, (n,) each."""

    measured: Measured
    usable: Flags  # (n, 18)
    dataset: NDArray[np.str_]
    group: NDArray[np.str_]
    kind: NDArray[np.str_]
    part: NDArray[np.str_]
    state: NDArray[np.str_]


def pooled(epochs: Sequence[Epoch], measured: Measured) -> Pool:
    """Put windows and what was measured in them side by side."""
    return Pool(
        measured,
        np.array([epoch.usable for epoch in epochs]),
        *(
            np.array([getattr(epoch, name) for epoch in epochs], np.str_)
            for name in ("dataset", "group", "kind", "part", "state")
        ),
    )


def compare_all(pool: Pool, seed: int = 0) -> Iterator[Comparison]:
    """Compare, kind by kind: simulated against real, real against real, and chance."""
    simulated = pool.dataset == SIMULATED
    for kind in ("background", "seizure", "pattern"):
        here = pool.kind == kind
        names = [
            name for name in np.unique(pool.dataset[here & ~simulated]).tolist()
            if _enough(pool, here & (pool.dataset == name))
        ]  # fmt: skip
        if not names or not _enough(pool, here & simulated):
            continue
        real = here & np.isin(pool.dataset, names)
        if len(names) > 1:
            yield compare(pool, kind, "real", SIMULATED, real, here & simulated, seed)
        for name in names:
            own = here & (pool.dataset == name)
            alike, label = _matched(pool, name, own, here & simulated)
            others = real & ~own if len(names) > 1 else None
            yield compare(pool, kind, name, label, own, alike, seed, others)
        for first, second in combinations(names, 2):
            in_a, in_b = (here & (pool.dataset == name) for name in (first, second))
            yield compare(pool, kind, first, second, in_a, in_b, seed)
        odd = here & simulated & _odd(pool)
        even = here & simulated & ~_odd(pool)
        if _enough(pool, odd) and _enough(pool, even):
            labels = f"{SIMULATED}, even seeds", f"{SIMULATED}, odd seeds"
            yield compare(pool, kind, *labels, even, odd, seed)


def compare(
    pool: Pool,
    kind: Kind,
    a: str,
    b: str,
    in_a: Flags,
    in_b: Flags,
    seed: int,
    others: Flags | None = None,
) -> Comparison:
    """Tell side a from side b, each a flag per window of the pool.

    Parameters
    ----------
    others
        Windows of other real data sets, for `auroc_transferred`.
    """
    leads = common_leads(pool, in_a | in_b)
    whole = pool.usable[:, leads].all(axis=1)
    chosen = np.flatnonzero((in_a | in_b) & whole)
    x, names, loud = describe(pool.measured.of(chosen), leads)
    y, groups = in_b[chosen], pool.group[chosen]
    rng = np.random.default_rng(seed)
    areas = [
        _area(y, scores_of_unseen(x[:, kept], y, groups, seed), groups, rng)
        for kept in (np.ones(len(names), bool), ~loud)
    ]
    return Comparison(
        kind=kind,
        a=a,
        b=b,
        n_windows=(int((~y).sum()), int(y.sum())),
        n_groups=(len(set(groups[~y])), len(set(groups[y]))),
        n_leads=len(leads),
        auroc=areas[0],
        auroc_without_loudness=areas[1],
        auroc_transferred=(
            None if others is None else _transferred(pool, in_a, in_b, others, seed)
        ),
        telling=_telling(x, y, names),
    )


def common_leads(pool: Pool, used: Flags) -> list[int]:
    """Return the leads that nearly all windows of every data set in `used` hold."""
    held = [
        pool.usable[used & (pool.dataset == name)].mean(axis=0) >= _USABLE
        for name in np.unique(pool.dataset[used])
    ]
    return np.flatnonzero(np.all(held, axis=0)).tolist()


def _enough(pool: Pool, here: Flags) -> bool:
    groups = len(set(pool.group[here]))
    return int(here.sum()) >= _FEWEST_WINDOWS and groups >= _FEWEST_GROUPS


def _matched(pool: Pool, name: str, own: Flags, simulated: Flags) -> tuple[Flags, str]:
    """Keep what is simulated in the state in which the data set was recorded."""
    if not (pool.kind[own] == "background").all():
        return simulated, SIMULATED
    if (pool.part[own] == "after").mean() > 0.5:
        return simulated & (pool.part == "after"), f"{SIMULATED}, after seizures"
    ordinary = simulated & (pool.part == "")
    if name in ALWAYS_AWAKE:
        return ordinary & np.isin(pool.state, AWAKE), f"{SIMULATED}, awake"
    return ordinary, f"{SIMULATED}, ordinary"


def _odd(pool: Pool) -> Flags:
    return np.array([name[-1] in "13579" for name in pool.group.tolist()])


def new_forest(seed: int) -> ExtraTreesClassifier:
    """Return the classifier that judges everywhere here, not yet fitted."""
    return ExtraTreesClassifier(
        TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed
    )


def scores_of_unseen(
    x: NDArray[np.float32], y: Flags, groups: NDArray[np.str_], seed: int
) -> NDArray[np.float64]:
    """Score each window by a forest that never saw its patient or seed."""
    n_folds = min(FOLDS, len(set(groups[y])), len(set(groups[~y])))
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    scores = np.zeros(len(y))
    for learned, judged in folds.split(x, y, groups):
        forest = new_forest(seed).fit(x[learned], y[learned])
        scores[judged] = forest.predict_proba(x[judged])[:, 1]
    return scores


def _transferred(
    pool: Pool, in_a: Flags, in_b: Flags, others: Flags, seed: int
) -> float:
    leads = common_leads(pool, in_a | in_b | others)
    whole = pool.usable[:, leads].all(axis=1)
    odd = _odd(pool)
    learned = np.flatnonzero((others | (in_b & odd)) & whole)
    judged = np.flatnonzero((in_a | (in_b & ~odd)) & whole)
    x, _, loud = describe(pool.measured.of(learned), leads)
    forest = new_forest(seed).fit(x[:, ~loud], in_b[learned])
    x, _, _ = describe(pool.measured.of(judged), leads)
    scores = forest.predict_proba(x[:, ~loud])[:, 1]
    return float(roc_auc_score(in_b[judged], scores))


def _area(
    y: Flags,
    scores: NDArray[np.float64],
    groups: NDArray[np.str_],
    rng: np.random.Generator,
) -> Area:
    """Resample patients of one side and of the other: windows of one are alike."""
    sides = [
        [
            scores[(groups == name) & (y == side)]
            for name in np.unique(groups[y == side])
        ]
        for side in (False, True)
    ]
    # Every pair of groups once; a resampled area then only counts pairs anew.
    wins = np.array([[_wins(a, b) for b in sides[1]] for a in sides[0]])
    pairs = np.array([[len(a) * len(b) for b in sides[1]] for a in sides[0]])
    drawn = []
    for _ in range(RESAMPLES):
        rows, columns = (rng.integers(len(side), size=len(side)) for side in sides)
        at = np.ix_(rows, columns)
        drawn.append(wins[at].sum() / pairs[at].sum())
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Area(float(wins.sum() / pairs.sum()), float(low), float(high))


def _wins(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Count the pairs in which b is the larger one; ties are half a win."""
    ordered = np.sort(a)
    below = np.searchsorted(ordered, b, "left") + np.searchsorted(ordered, b, "right")
    return float(below.sum() / 2)


def _telling(
    x: NDArray[np.float32], y: Flags, names: Sequence[str]
) -> tuple[Telling, ...]:
    n_b = int(y.sum())
    sums = rankdata(x, axis=0)[y].sum(axis=0)
    alone = (sums / n_b - (n_b + 1) / 2) / (len(y) - n_b)  # Mann and Whitney's U
    order = np.argsort(-np.abs(alone - 0.5), kind="stable")[:TELLING]
    medians = [np.median(x[side], axis=0) for side in (~y, y)]
    return tuple(
        Telling(names[i], float(alone[i]), *(float(m[i]) for m in medians))
        for i in order
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value
