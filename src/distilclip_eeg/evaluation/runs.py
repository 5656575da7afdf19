"""Several runs of one recipe, other seeds -> one row of figures for the recipe.

A figure is the mean over runs, with the lowest and highest of them, and an interval
over patients: patients are drawn anew and the mean over runs had again. Two recipes are
compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.evaluation.assessment import Assessment, Figures, Weights
from distilclip_eeg.evaluation.intervals import drawn

DRAWS: Final = 400

SHOWN: Final = {
    "auroc": "mean/windows/auroc",
    "auroc_pooled": "pooled/windows/auroc",
    "accuracy": "pooled/windows/accuracy",
    "balanced_accuracy": "pooled/windows/balanced_accuracy",
    "sensitivity_at_1_per_day": "pooled/sensitivity_at_per_day/1",
    "sensitivity_at_10_per_day": "pooled/sensitivity_at_per_day/10",
}
"""What a table of recipes shows -> the name of the figure; `mean` is over patients."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a recipe.

    Attributes
    ----------
    runs
        The figure of each run.
    low, high
        Bounds over draws of patients; None where they cannot be had.
    """

    value: float | None
    low: float | None
    high: float | None
    runs: tuple[float | None, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Recipe:
    """Several runs of one recipe.

    What was had for one draw of patients is kept: every other recipe is compared on
    the same draws.
    """

    def __init__(self, runs: Sequence[Assessment]) -> None:
        self.runs = tuple(runs)
        self._known: dict[bytes, Figures] = {}

    def figures(self, weights: Weights) -> Figures:
        """Give the mean over runs of the figures of `SHOWN`."""
        key = weights.tobytes()
        if key not in self._known:
            each = [_shown(run.figures(weights)) for run in self.runs]
            self._known[key] = {
                name: float(np.mean([one[name] for one in each])) for name in SHOWN
            }
        return self._known[key]


def row_of(recipe: Recipe, draws: int = DRAWS, seed: int = 0) -> dict[str, Row]:
    """Give the figures of `SHOWN` for one recipe."""
    return _rows(recipe.figures, recipe.runs, None, draws, seed)


def above(a: Recipe, b: Recipe, draws: int = DRAWS, seed: int = 0) -> dict[str, Row]:
    """Give by how much recipe `a` is above recipe `b`; `runs` are run by run.

    Raises
    ------
    DistilClipError
        If they were not scored on the same patients.
    """
    if len({tuple(run.patients) for run in (*a.runs, *b.runs)}) != 1:
        raise DistilClipError(
            "found recipes scored on other patients, expected the same for both"
        )

    def difference(weights: Weights) -> Figures:
        first, second = a.figures(weights), b.figures(weights)
        return {name: first[name] - second[name] for name in first}

    others = b.runs if len(a.runs) == len(b.runs) else None
    return _rows(difference, a.runs, others, draws, seed)


def _rows(
    figures: Callable[[Weights], Figures],
    runs: Sequence[Assessment],
    others: Sequence[Assessment] | None,
    draws: int,
    seed: int,
) -> dict[str, Row]:
    n = len(runs[0].patients)
    found = drawn(figures, n, draws, seed)
    each = [_shown(run.figures()) for run in runs]
    if others is not None:
        against = [_shown(run.figures()) for run in others]
        each = [{k: x[k] - y[k] for k in x} for x, y in zip(each, against, strict=True)]
    return {
        name: Row(
            _number(interval.value),
            _number(interval.low),
            _number(interval.high),
            tuple(_number(run[name]) for run in each),
        )
        for name, interval in found.items()
    }


def _shown(figures: Figures) -> Figures:
    return {name: figures.get(key, float("nan")) for name, key in SHOWN.items()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
