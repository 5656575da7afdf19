"""What was found in a recording beside what is true -> counts by every scorer.

Times count from the start of the part that experts looked at; what lies outside it is
cut away. Knows no model and no scores per second.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.counts import Counts, Span, disjoint, shared_s
from distilclip_eeg.evaluation.nedc import (
    epoch_counts,
    overlap_counts,
    time_aligned_counts,
)
from distilclip_eeg.evaluation.predictions import Pattern, Prediction
from distilclip_eeg.evaluation.szcore import event_counts, sample_counts

SCORERS: Final[Mapping[str, Callable[[list[Span], list[Span], float], Counts]]] = {
    "szcore_event": event_counts,
    "szcore_sample": sample_counts,
    "nedc_ovlp": overlap_counts,
    "nedc_taes": time_aligned_counts,
    "nedc_epoch": epoch_counts,
}
PAGE_S: Final = 10.0  # what a reader of EEG sees at once
NO_PATTERN: Final = "none"
DURATIONS_S: Final = (10.0, 30.0)  # edges between short, middling and long seizures


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recording.

    Attributes
    ----------
    seizures, events
        What experts marked, and what was found.
    patterns
        What looks like a seizure and is none, where the data set says so.
    """

    name: str
    dataset: str
    patient: str
    seizures: tuple[Marked, ...]
    events: tuple[Event, ...]
    duration_s: float
    patterns: tuple[Pattern, ...] = ()

    @property
    def reference(self) -> list[Span]:
        return [(s.onset_s, s.end_s) for s in self.seizures]

    @property
    def hypothesis(self) -> list[Span]:
        return [(e.onset, e.onset + e.duration) for e in self.events]

    def counts(self) -> dict[str, Counts]:
        """Let every scorer count."""
        return {
            name: count(self.reference, self.hypothesis, self.duration_s)
            for name, count in SCORERS.items()
        }

    def found(self) -> list[tuple[Marked, Event | None]]:
        """Give each seizure the first event that overlaps it, None if it is missed."""
        spans = list(zip(self.events, self.hypothesis, strict=True))
        return [
            (s, next((e for e, span in spans if shared_s(span, true) > 0), None))
            for s, true in zip(self.seizures, self.reference, strict=True)
        ]

    def latencies_s(self) -> list[float]:
        """Seconds from onset until the event was raised, of each found seizure.

        0 where an event was raised already; none where no event says when it was.
        """
        return [
            max(0.0, event.raised_s - seizure.onset_s)
            for seizure, event in self.found()
            if event is not None and event.raised_s is not None
        ]

    def pages(self) -> tuple[int, int]:
        """Pages of 10 s that an event touches, and all pages."""
        touched: set[int] = set()
        for start, end in disjoint(self.hypothesis, self.duration_s):
            touched |= set(range(math.floor(start / PAGE_S), math.ceil(end / PAGE_S)))
        return len(touched), math.ceil(self.duration_s / PAGE_S)

    def false_by_pattern(self) -> Counter[str]:
        """Count events that overlap no seizure by the pattern they overlap most."""
        counted: Counter[str] = Counter()
        for span in self.hypothesis:
            if any(shared_s(span, true) > 0 for true in self.reference):
                continue
            shares = [(shared_s(span, (a, b)), name) for a, b, name in self.patterns]
            longest_s, name = max(shares, default=(0.0, ""))
            counted[name if longest_s > 0 else NO_PATTERN] += 1
        return counted


def outcome_of(prediction: Prediction, settings: DetectionConfig) -> Outcome:
    """Find events in what a model says, as `detect` does."""
    return outcome_with(prediction, alarms(prediction.parts, settings))


def outcome_with(prediction: Prediction, events: Sequence[Event]) -> Outcome:
    """Put events beside the truth, within the labelled part."""
    start_s, end_s = prediction.labelled_s
    return Outcome(
        name=prediction.name,
        dataset=prediction.dataset,
        patient=prediction.patient,
        seizures=tuple(
            s._replace(onset_s=span[0], end_s=span[1])
            for s in prediction.seizures
            if (span := _within(s.onset_s, s.end_s, start_s, end_s))
        ),
        events=tuple(
            _moved(event, span, start_s)
            for event in events
            if (
                span := _within(
                    event.onset, event.onset + event.duration, start_s, end_s
                )
            )
        ),
        duration_s=end_s - start_s,
        patterns=tuple(
            (*span, name)
            for a, b, name in prediction.patterns
            if (span := _within(a, b, start_s, end_s))
        ),
    )


def duration_class(seizure: Marked) -> str:
    """Say whether a seizure is short, middling or long."""
    short_s, long_s = DURATIONS_S
    length_s = seizure.end_s - seizure.onset_s
    if length_s < short_s:
        return f"under {short_s:g} s"
    if length_s <= long_s:
        return f"{short_s:g} to {long_s:g} s"
    return f"over {long_s:g} s"


def _within(onset_s: float, end_s: float, start_s: float, stop_s: float) -> Span | None:
    low, high = max(onset_s, start_s), min(end_s, stop_s)
    return (low - start_s, high - start_s) if high > low else None


def _moved(event: Event, span: Span, start_s: float) -> Event:
    raised_s = None if event.raised_s is None else event.raised_s - start_s
    return replace(event, onset=span[0], duration=span[1] - span[0], raised_s=raised_s)
