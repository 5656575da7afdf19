"""Hits, misses and false alarms -> sensitivity, precision, F1, false alarms per day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

Span = tuple[float, float]

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What a scorer counted over some recordings; `+` pools them.

    Attributes
    ----------
    tp, fn, fp
        Hits, misses, false alarms: events, parts of events, or seconds, as the scorer
        has it.
    duration_s
        Of the recordings.
    """

    tp: float = 0.0
    fn: float = 0.0
    fp: float = 0.0
    duration_s: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        each = (f.name for f in fields(self))
        return Counts(*(getattr(self, name) + getattr(other, name) for name in each))

    @property
    def sensitivity(self) -> float:
        """nan without anything to find."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def precision(self) -> float:
        """nan if nothing was found."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def f1(self) -> float:
        """nan without anything to find and without a false alarm."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def per_day(self) -> float:
        """False alarms in 24 h."""
        return _ratio(self.fp * DAY_S, self.duration_s)

    def figures(self) -> dict[str, float]:
        """Give the four by name."""
        return {
            "sensitivity": self.sensitivity,
            "precision": self.precision,
            "f1": self.f1,
            "false_alarms_per_day": self.per_day,
        }


def disjoint(spans: Sequence[Span], duration_s: float) -> list[Span]:
    """Sort, cut to the recording and join what overlaps; empty spans vanish."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        start, end = max(0.0, start), min(end, duration_s)
        if end <= start:
            continue
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def shared_s(a: Span, b: Span) -> float:
    """Seconds that two spans share; negative if they are apart."""
    return min(a[1], b[1]) - max(a[0], b[0])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
