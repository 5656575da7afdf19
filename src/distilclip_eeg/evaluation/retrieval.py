"""Similarities of queries to answers -> recall at k, beside what chance would give.

An answer that several queries share (a caption) is right for all of them. Recall stands
beside what would be had without looking: a random order, a random order by somebody
who knows the class, and the commonest answers first. Knows no model.

Shapes: Q queries, A answers, k numbers of answers that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

KS: Final = (1, 5, 10)
N_DRAWS: Final = 1000  # of a bootstrap
SEEN: Final = 0.95  # of the draws lie within an interval

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """What became of Q queries: (Q, len(KS)) each, class and person of each query.

    `hits` are 0 or 1, `chance` and `class_known` probabilities, `commonest` the hits of
    giving the commonest answers, not-a-number where all are as common. `people` is
    empty where a query is nobody's own.
    """

    hits: Floats
    chance: Floats
    class_known: Floats
    commonest: Floats
    seizure: Bools
    people: tuple[str, ...]

    @classmethod
    def of(
        cls, similarity: Floats, right: Bools, seizure: Bools, people: Sequence[str]
    ) -> Self:
        """Score queries.

        Parameters
        ----------
        similarity, right
            (Q, A), see `recall_hits`.
        seizure
            (Q,) the class of each query; an answer has that of its queries.
        people
            Q, or none.
        """
        answer_class: Bools = np.any(right & seizure[:, None], axis=0)
        commonest = commonest_hits(right).astype(float)
        if len(set(right.sum(axis=0).tolist())) == 1:
            commonest[:] = np.nan
        return cls(
            hits=recall_hits(similarity, right).astype(float),
            chance=recall_chance(right.sum(axis=1), right.shape[1]),
            class_known=class_known_chance(right, seizure, answer_class),
            commonest=commonest,
            seizure=seizure,
            people=tuple(people),
        )


def recall_rows(direction: str, each: Sequence[Queries]) -> list[dict[str, Any]]:
    """Means over the queries of several spaces, by class and k.

    The interval, over people drawn with return, is given where queries have people.
    """
    seizure = np.concatenate([queries.seizure for queries in each])
    classes = {
        "all": np.ones(len(seizure), bool),
        "seizure": seizure,
        "background": ~seizure,
    }
    people = np.array([name for queries in each for name in queries.people])
    rows = []
    for name, keep in classes.items():
        for column, k in enumerate(KS if keep.any() else ()):
            hits, chance, known, commonest = (
                np.concatenate([getattr(q, field)[:, column] for q in each])[keep]
                for field in ("hits", "chance", "class_known", "commonest")
            )
            row = {
                "direction": direction,
                "class": name,
                "k": k,
                "queries": len(hits),
                "recall": float(hits.mean()),
                "interval": None,
                "chance": float(chance.mean()),
                "class_known": float(known.mean()),
                "commonest": None if np.isnan(commonest).any() else commonest.mean(),
            }
            if len(people):
                row["interval"] = _mean_interval(people[keep].tolist(), hits)
            rows.append(row)
    return rows


def recall_hits(similarity: Floats, right: Bools, ks: Sequence[int] = KS) -> Bools:
    """Tell for each query whether a right answer is among the first k, (Q, len(ks)).

    Parameters
    ----------
    similarity
        (Q, A).
    right
        (Q, A), which answers are right; at least one for each query. A wrong answer as
        similar as the best right one stands before it.
    """
    best = np.where(right, similarity, -np.inf).max(axis=1, keepdims=True)
    before = (~right & (similarity >= best)).sum(axis=1)
    return np.asarray(before[:, None] < np.asarray(ks))


def recall_chance(
    n_right: NDArray[np.integer],
    n_answers: NDArray[np.integer] | int,
    ks: Sequence[int] = KS,
) -> Floats:
    """Probability that a random order has a right answer among its first k.

    One less the probability of drawing k wrong ones without putting any back.

    Parameters
    ----------
    n_right, n_answers
        (Q,) how many answers are right, out of how many.

    Returns
    -------
    (Q, len(ks))
    """
    right = np.asarray(n_right, float)
    answers = np.broadcast_to(np.asarray(n_answers, float), right.shape)
    missed = np.ones((len(right), max(ks) + 1))
    for k in range(max(ks)):
        left = np.maximum(answers - k, 1)
        missed[:, k + 1] = missed[:, k] * np.maximum(answers - right - k, 0) / left
    return 1 - missed[:, list(ks)]


def class_known_chance(
    right: Bools,
    query_class: NDArray[np.generic],
    answer_class: NDArray[np.generic],
    ks: Sequence[int] = KS,
) -> Floats:
    """Chance, (Q, len(ks)), if all answers of the query's class come first.

    What recall is worth beyond telling the classes apart, which a detector does as
    well.
    """
    same = query_class[:, None] == answer_class
    return recall_chance((right & same).sum(axis=1), same.sum(axis=1), ks)


def commonest_hits(right: Bools, ks: Sequence[int] = KS) -> Bools:
    """Hits, (Q, len(ks)), of whoever always gives the commonest answers first."""
    order = np.argsort(-right.sum(axis=0), kind="stable")
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order))
    return recall_hits(np.broadcast_to(-rank, right.shape), right, ks)


def bootstrap_interval(
    groups: Sequence[str],
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    seed: int = 0,
    n_draws: int = N_DRAWS,
) -> tuple[float, float]:
    """95 % interval of a statistic over groups (people, recordings) drawn with return.

    Parameters
    ----------
    groups
        The group of each row.
    statistic
        Row numbers, a row of a group drawn twice standing twice, -> figure; draws
        where it is not a number are left out.

    Returns
    -------
    tuple
        Both not-a-number where no draw gave a figure.
    """
    rng = np.random.default_rng(seed)
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(index == i) for i in range(len(names))]
    draws = (rng.integers(len(rows), size=len(rows)) for _ in range(n_draws))
    figures = np.array(
        [statistic(np.concatenate([rows[i] for i in draw])) for draw in draws]
    )
    figures = figures[~np.isnan(figures)]
    if not len(figures):
        return float("nan"), float("nan")
    low, high = np.quantile(figures, ((1 - SEEN) / 2, (1 + SEEN) / 2))
    return float(low), float(high)


def ranking_auroc(positive: Bools, score: Floats) -> float:
    """Area under the ROC (Mann and Whitney's U); not-a-number without both classes.

    Not scikit-learn's: its checks alone take a millisecond, and a bootstrap asks
    thousands of times.
    """
    n_positive, n = int(positive.sum()), len(positive)
    if n_positive in (0, n):
        return float("nan")
    ranks = rankdata(score)[positive].sum()
    above = ranks - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * (n - n_positive)))


def _mean_interval(people: Sequence[str], values: Floats) -> tuple[float, float]:
    return bootstrap_interval(people, lambda rows: float(values[rows].mean()))
