"""Events and what was recorded -> how much of each hour was seizure, and too much.

Electrographic status epilepticus is a seizure of ten minutes, or seizures for a fifth
of any sixty minutes (ACNS, Hirsch 2021, J Clin Neurophysiol 38:1). Knows no signal
and no clock; a flag says what the events amount to, not that they are right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event

HOUR_S: Final = 3600.0
STATUS_SEIZURE_S: Final = 600.0  # one seizure without a pause
STATUS_SHARE: Final = 0.2  # of any hour, in pieces: twelve minutes

Span = tuple[float, float]  # start and stop in seconds


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a recording, counted from its start; the last may be shorter.

    Attributes
    ----------
    recorded_s
        Without gaps.
    seizure_s
        Of what was recorded.
    """

    start_s: float
    stop_s: float
    recorded_s: float
    seizure_s: float

    @property
    def share(self) -> float | None:
        """Seizure as a share of what was recorded; None if nothing was."""
        return min(1.0, self.seizure_s / self.recorded_s) if self.recorded_s else None


@dataclass(frozen=True, slots=True)
class Status:
    """How near the events come to status epilepticus.

    Attributes
    ----------
    longest_s, longest_onset_s
        The longest seizure; 0 without any.
    fullest_s, fullest_start_s
        Seconds of seizure in the sixty minutes that hold most, and where these begin.
    """

    longest_s: float
    longest_onset_s: float
    fullest_s: float
    fullest_start_s: float

    @property
    def is_long(self) -> bool:
        """Whether one seizure lasted ten minutes."""
        return self.longest_s >= STATUS_SEIZURE_S

    @property
    def is_full(self) -> bool:
        """Whether seizures fill a fifth of some sixty minutes."""
        return self.fullest_s >= STATUS_SHARE * HOUR_S

    @property
    def is_met(self) -> bool:
        return self.is_long or self.is_full


def hours(
    events: Sequence[Event], recorded: Sequence[Span], duration_s: float
) -> tuple[Hour, ...]:
    """Cut a recording into hours and say how much of each was seizure.

    Parameters
    ----------
    recorded
        Stretches without a gap, by time.
    """
    seizures = _united(events)
    table = []
    for number in range(max(1, math.ceil(duration_s / HOUR_S - 1e-9))):
        start_s = number * HOUR_S
        stop_s = min(duration_s, start_s + HOUR_S)
        here = [(max(a, start_s), min(b, stop_s)) for a, b in recorded if a < stop_s]
        here = [(a, b) for a, b in here if b > a]
        table.append(
            Hour(
                start_s,
                stop_s,
                sum(b - a for a, b in here),
                sum(float(_within(seizures, a, b)) for a, b in here),
            )
        )
    return tuple(table)


def status(events: Sequence[Event]) -> Status:
    """Measure the longest seizure and the sixty minutes with most of them."""
    seizures = _united(events)
    if not len(seizures):
        return Status(0.0, 0.0, 0.0, 0.0)
    lengths = seizures[:, 1] - seizures[:, 0]
    longest = int(lengths.argmax())
    # Most is reached where the hour begins with a seizure or ends with one.
    starts = np.concatenate([seizures[:, 0], seizures[:, 1] - HOUR_S])
    starts = np.unique(np.maximum(starts, 0.0))
    held = np.array([_within(seizures, a, a + HOUR_S) for a in starts.tolist()])
    fullest = int(held.argmax())
    return Status(
        float(lengths[longest]),
        float(seizures[longest, 0]),
        float(held[fullest]),
        float(starts[fullest]),
    )


def _united(events: Sequence[Event]) -> NDArray[np.float64]:
    """Seizures as (n, 2) starts and stops by time; what overlaps counts once."""
    spans: list[list[float]] = []
    for event in sorted(events, key=lambda event: event.onset):
        stop_s = event.onset + event.duration
        if not event.is_seizure:
            continue
        if spans and event.onset <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], stop_s)
        else:
            spans.append([event.onset, stop_s])
    return np.array(spans, np.float64).reshape(-1, 2)


def _within(spans: NDArray[np.float64], start_s: float, stop_s: float) -> np.float64:
    inside = np.minimum(spans[:, 1], stop_s) - np.maximum(spans[:, 0], start_s)
    return np.float64(np.maximum(inside, 0.0).sum())
