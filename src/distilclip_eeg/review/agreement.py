"""Two lists of seizures on one recording -> how well they agree.

Cohen's kappa over seconds (1960), and F1 of events where any overlap is a hit (OVLP of
Shah et al. 2021). Of two reviewers neither is the truth, and F1 is the same either way
round but for events that touch several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.evaluation.counts import Span, disjoint
from distilclip_eeg.evaluation.nedc import overlap_counts

SCORER: Final = "kappa by second; events by any overlap (OVLP)"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the second list agrees with the first.

    Attributes
    ----------
    kappa
        Of seconds; None where chance alone explains everything, as when neither has
        an event.
    f1
        Of events; None if neither has one.
    n_first, n_second, n_both
        Events of either, and events of the first that the second touches.
    """

    first: str
    second: str
    kappa: float | None
    f1: float | None
    n_first: int
    n_second: int
    n_both: int


def agreement(
    first: tuple[str, Sequence[Span]],
    second: tuple[str, Sequence[Span]],
    duration_s: float,
) -> Agreement:
    """Compare two named lists of spans, in seconds from the recording's start."""
    counts = overlap_counts(first[1], second[1], duration_s)
    f1 = counts.f1
    return Agreement(
        first=first[0],
        second=second[0],
        kappa=kappa(seconds(first[1], duration_s), seconds(second[1], duration_s)),
        f1=None if math.isnan(f1) else f1,
        n_first=len(disjoint(first[1], duration_s)),
        n_second=len(disjoint(second[1], duration_s)),
        n_both=round(counts.tp),
    )


def all_pairs(
    model: tuple[str, Sequence[Span]] | None,
    reviewers: Mapping[str, Sequence[Span]],
    duration_s: float,
) -> list[Agreement]:
    """Compare each reviewer with the model, then each with each."""
    people = list(reviewers.items())
    pairs = [(person, model) for person in people if model is not None]
    pairs += list(combinations(people, 2))
    return [agreement(a, b, duration_s) for a, b in pairs]


def kappa(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float | None:
    """Cohen's kappa of two series of yes and no; None if chance agrees everywhere."""
    if not len(first):
        return None
    observed = float(np.mean(first == second))
    yes, other = float(first.mean()), float(second.mean())
    by_chance = yes * other + (1 - yes) * (1 - other)
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def seconds(spans: Sequence[Span], duration_s: float) -> NDArray[np.bool_]:
    """Say of every second whether its middle lies in a span."""
    middles = np.arange(math.ceil(duration_s - 1e-6)) + 0.5
    inside = np.zeros(len(middles), np.bool_)
    for start, stop in disjoint(spans, duration_s):
        inside |= (middles >= start) & (middles < stop)
    return inside
