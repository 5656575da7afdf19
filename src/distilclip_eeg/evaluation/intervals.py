"""Figures over patients -> between what bounds they lie, and by how much two differ.

Patients are drawn anew, with replacement, and every figure is had again: recordings of
one patient are no independent witnesses. Two models are compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.evaluation.assessment import Assessment, Figures, Weights

DRAWS: Final = 1000
LEVEL: Final = 0.95


class Interval(NamedTuple):
    """A figure, and between what bounds it lies over most draws of patients."""

    value: float
    low: float
    high: float


def intervals(
    assessment: Assessment, draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """Give every figure with its percentile interval over draws of patients.

    Of a single patient, and without draws, no interval can be had: bounds are nan.
    """
    return drawn(assessment.figures, len(assessment.patients), draws, seed)


def difference(
    a: Assessment, b: Assessment, draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """Give by how much `a` is above `b`, figure by figure, on the same patients.

    Raises
    ------
    DistilClipError
        If the patients are not the same.
    """
    if list(a.patients) != list(b.patients):
        strange = sorted(a.patients.keys() ^ b.patients.keys())
        raise DistilClipError(
            f"two models are compared on the same patients; only one has {strange[0]}"
        )

    def above(weights: Weights) -> Figures:
        first, second = a.figures(weights), b.figures(weights)
        return {name: first[name] - second[name] for name in first.keys() & second}

    return drawn(above, len(a.patients), draws, seed)


def drawn(
    figures: Callable[[Weights], Figures], n: int, draws: int, seed: int
) -> dict[str, Interval]:
    """Give figures of `n` patients, and their bounds over draws of them."""
    value = figures(np.ones(n))
    if n < 2 or not draws:
        return {k: Interval(v, np.nan, np.nan) for k, v in sorted(value.items())}
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n, np.full(n, 1 / n), draws).astype(float)
    each = [figures(w) for w in weights]
    return {
        name: Interval(value[name], *_bounds([draw[name] for draw in each]))
        for name in sorted(value)
    }


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Percentiles of the draws in which the figure could be had."""
    had = np.array(values)
    had = had[~np.isnan(had)]
    if not len(had):
        return np.nan, np.nan
    low, high = np.quantile(had, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
