"""Seizure probabilities of recordings -> events -> found seizures and false alarms.

Any overlap finds a seizure; alarms less than 90 s apart are one; an alarm that touches
no seizure, widened by 30 s before and 60 s after, is false (SzCORE's tolerances).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.counts import Span
from distilclip_eeg.evaluation.predictions import Stretch

__all__ = [
    "EventScore",
    "Span",
    "events_of",
    "merged",
    "pooled",
    "score_recording",
]

MERGE_S: Final = 90.0
BEFORE_S, AFTER_S = 30.0, 60.0


@dataclass(frozen=True, slots=True)
class EventScore:
    """Counts over some recordings.

    Attributes
    ----------
    n_alarmed, n_quiet
        Recordings without a seizure that were alarmed, and all of them.
    coverage
        Mean part of a found seizure that events cover; nan if none was found.
    """

    n_true: int
    n_found: int
    n_false: int
    n_alarmed: int
    n_quiet: int
    hours: float
    coverage: float

    @property
    def sensitivity(self) -> float:
        return self.n_found / self.n_true if self.n_true else math.nan

    @property
    def false_alarms_per_day(self) -> float:
        return self.n_false / self.hours * 24 if self.hours else math.nan


def events_of(log_odds: NDArray[np.floating], settings: DetectionConfig) -> list[Span]:
    """Return the events of one contiguous stretch, from its log-odds per second."""
    events = alarms([Stretch.whole(log_odds)], settings)
    return [(e.onset, e.onset + e.duration) for e in events]


def score_recording(
    predicted: Sequence[Span], true: Sequence[Span], labelled: Span
) -> EventScore:
    """Score one recording; predictions wholly outside `labelled` do not count."""
    predicted = [p for p in predicted if _overlap(p, labelled) > 0]
    found = [t for t in true if any(_overlap(p, t) > 0 for p in predicted)]
    near = [(t[0] - BEFORE_S, t[1] + AFTER_S) for t in true]
    false = [p for p in merged(predicted) if not any(_overlap(p, t) > 0 for t in near)]
    covered = [
        sum(max(0.0, _overlap(p, t)) for p in predicted) / (t[1] - t[0]) for t in found
    ]
    return EventScore(
        n_true=len(true),
        n_found=len(found),
        n_false=len(false),
        n_alarmed=int(not true and bool(false)),
        n_quiet=int(not true),
        hours=(labelled[1] - labelled[0]) / 3600,
        coverage=float(np.mean(covered)) if covered else math.nan,
    )


def pooled(scores: Iterable[EventScore]) -> EventScore:
    """Add up the counts of recordings."""
    scores = list(scores)
    found = sum(s.n_found for s in scores)
    covered = sum(s.coverage * s.n_found for s in scores if s.n_found)
    return EventScore(
        n_true=sum(s.n_true for s in scores),
        n_found=found,
        n_false=sum(s.n_false for s in scores),
        n_alarmed=sum(s.n_alarmed for s in scores),
        n_quiet=sum(s.n_quiet for s in scores),
        hours=sum(s.hours for s in scores),
        coverage=covered / found if found else math.nan,
    )


def merged(events: Sequence[Span]) -> list[Span]:
    """Join events less than 90 s apart."""
    joined: list[Span] = []
    for start, end in sorted(events):
        if joined and start - joined[-1][1] < MERGE_S:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _overlap(a: Span, b: Span) -> float:
    return min(a[1], b[1]) - max(a[0], b[0])
