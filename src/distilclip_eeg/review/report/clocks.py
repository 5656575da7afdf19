"""Seconds of a recording -> the words and ticks by which people find them.

Time of day where the recording says when it began, time from its start always. Knows
no signal and no page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from distilclip_eeg.explain.drawing import REMOVED, clock

STEPS_S: Final = (
    1, 2, 5, 10, 20, 30,
    60, 120, 300, 600, 900, 1800,
    3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clock:
    """When a recording began, as far as it tells."""

    start: datetime | None

    @classmethod
    def of(cls, start_time: datetime | None) -> Clock:
        """Take a start time, unless it is what remains where the date was removed."""
        known = start_time is not None and start_time > REMOVED
        return cls(start_time if known else None)

    @property
    def is_dated(self) -> bool:
        """Whether the day is known too, not only the time of day."""
        return self.start is not None and self.start.date() != REMOVED.date()

    def time_of_day(self, seconds: float, *, with_seconds: bool = True) -> str | None:
        """`14:05:23`, on later days `02:10:00 (+1 d)`; None if not known."""
        if self.start is None:
            return None
        moment = self.start + timedelta(seconds=math.floor(seconds))
        text = f"{moment:%H:%M:%S}" if with_seconds else f"{moment:%H:%M}"
        days = (moment.date() - self.start.date()).days
        return f"{text} (+{days} d)" if days else text

    def words(self, seconds: float) -> str:
        """The time of day if known, else the time from the start."""
        return self.time_of_day(seconds) or clock(seconds)

    def ticks(self, duration_s: float, at_most: int) -> Iterator[tuple[float, str]]:
        """Round times of day, or from the start, and what to write at them."""
        step_s = next((s for s in STEPS_S if duration_s / s <= at_most), STEPS_S[-1])
        start = self.start or REMOVED
        midnight = datetime(start.year, start.month, start.day)
        since_s = (start - midnight).total_seconds()
        tick_s = math.ceil(since_s / step_s) * step_s - since_s
        while tick_s <= duration_s:
            moment = start + timedelta(seconds=tick_s + 1e-6)
            short = step_s % 60 == 0
            of_day = f"{moment:%H:%M}" if short else f"{moment:%H:%M:%S}"
            yield tick_s, of_day if self.start else clock(tick_s + 1e-6)
            tick_s += step_s


def lasting(seconds: float) -> str:
    """A duration in words: `48 s`, `3 min 20 s`, `1 h 02 min`."""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"
