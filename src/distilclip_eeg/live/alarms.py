"""News of the detector -> alarms for people: raise, update, clear; one for one seizure.

An alarm is cleared by seconds that were seen and held no seizure, not by silence: where
the signal is missing it stays, and what is found soon after it is the same alarm.
Knows times of the stream only: no clocks, no network, no files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from distilclip_eeg.detection.result import News, Update
from distilclip_eeg.eeg.annotations import Event

Line: TypeAlias = dict[str, Any]

HOLD_S: Final = 30.0  # of signal after a gap: three windows to find it again
MAX_HOLD_S: Final = 300.0  # after a longer absence nobody knows what is the same
HOUR_S: Final = 3600.0


@dataclass(slots=True)
class _Alarm:
    """One that is raised and not cleared."""

    id: int
    onset: float
    muted: bool
    told_s: float  # when a line last spoke of it
    event: dict[str, Any]  # the event it rests on now, as far as it goes
    held_until_s: float | None = None  # its event ended in a gap
    gap_began_s: float = 0.0


class AlarmDesk:
    """Turns the news of one stream into lines about alarms and events.

    Parameters
    ----------
    update_every_s
        An alarm is updated at most once in so many seconds.
    per_hour
        Alarms beyond so many in an hour are muted: lines say so, markers leave them
        out.
    """

    def __init__(self, update_every_s: float = 10.0, per_hour: int = 20) -> None:
        self._update_every_s, self._per_hour = update_every_s, per_hour
        self._alarm: _Alarm | None = None
        self._n_raised = 0
        self._raised_s: deque[float] = deque()  # within the last hour

    @property
    def current(self) -> int | None:
        """The number of the alarm that is raised and not cleared."""
        return self._alarm.id if self._alarm else None

    @property
    def is_held(self) -> bool:
        """Whether an alarm waits for signal to tell if its seizure goes on."""
        return self._alarm is not None and self._alarm.held_until_s is not None

    def hear(self, news: Iterable[News], gap: tuple[float, float] | None) -> list[Line]:
        """Turn news into lines.

        Parameters
        ----------
        gap
            Where the news come of a gap: its start and end in the stream.
        """
        lines: list[Line] = []
        for item in news:
            if isinstance(item, Event):
                lines += self._over(item, gap)
            elif item.kind == "raise":
                lines += self._raise(item)
            else:
                lines += self._update(item)
        if gap and (alarm := self._alarm) and alarm.held_until_s is not None:
            lines += self._hold(alarm, gap)
        return lines

    def tick(self, time_s: float) -> list[Line]:
        """Clear an alarm whose seizure was not found again after a gap."""
        alarm = self._alarm
        if alarm and alarm.held_until_s is not None and time_s >= alarm.held_until_s:
            return self._clear(alarm, time_s, "not found again after a gap")
        return []

    def away(self, time_s: float) -> list[Line]:
        """Clear an alarm about which, for want of signal, nothing is known any more."""
        alarm = self._alarm
        return self._clear(alarm, time_s, "signal lost") if alarm else []

    def state(self) -> dict[str, Any]:
        """Give what is needed to go on, as JSON values."""
        return {
            "alarm": self._alarm and asdict(self._alarm),
            "n_raised": self._n_raised,
            "raised_s": list(self._raised_s),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._alarm = state["alarm"] and _Alarm(**state["alarm"])
        self._n_raised, self._raised_s = state["n_raised"], deque(state["raised_s"])

    def _raise(self, item: Update) -> list[Line]:
        if (alarm := self._alarm) is not None:  # held over a gap: the same goes on
            alarm.held_until_s = None
            return [self._told(alarm, "update", item.event, item.time_s)]
        self._n_raised += 1
        while self._raised_s and item.time_s - self._raised_s[0] > HOUR_S:
            self._raised_s.popleft()
        muted = len(self._raised_s) >= self._per_hour
        if not muted:
            self._raised_s.append(item.time_s)
        self._alarm = _Alarm(
            self._n_raised, item.event.onset, muted, item.time_s, item.event.to_dict()
        )
        return [self._told(self._alarm, "raise", item.event, item.time_s)]

    def _update(self, item: Update) -> list[Line]:
        alarm = self._alarm
        if alarm is None:
            return []
        alarm.event = item.event.to_dict()
        if item.time_s - alarm.told_s < self._update_every_s:
            return []
        return [self._told(alarm, "update", item.event, item.time_s)]

    def _over(self, event: Event, gap: tuple[float, float] | None) -> list[Line]:
        lines: list[Line] = [{"type": "event", **event.to_dict()}]
        if (alarm := self._alarm) is None:
            return lines
        alarm.event = event.to_dict()
        if gap is None:
            return lines + self._clear(alarm, event.onset + event.duration, "over")
        if alarm.held_until_s is None:
            alarm.held_until_s, alarm.gap_began_s = gap[1] + HOLD_S, gap[0]
        return lines

    def _hold(self, alarm: _Alarm, gap: tuple[float, float]) -> list[Line]:
        if gap[1] - alarm.gap_began_s > MAX_HOLD_S:
            return self._clear(alarm, gap[1], "signal lost")
        alarm.held_until_s = gap[1] + HOLD_S
        return []

    def _clear(self, alarm: _Alarm, time_s: float, reason: str) -> list[Line]:
        self._alarm = None
        line = self._told(alarm, "clear", Event.from_dict(alarm.event), time_s)
        return [{**line, "reason": reason}]

    def _told(self, alarm: _Alarm, kind: str, event: Event, time_s: float) -> Line:
        alarm.told_s, alarm.event = time_s, event.to_dict()
        return {
            "type": "alarm",
            "kind": kind,
            "id": alarm.id,
            "onset": alarm.onset,
            "duration": round(event.onset + event.duration - alarm.onset, 6),
            "confidence": event.confidence,
            "channels": list(event.channels),
            "evidence_s": time_s,
            "muted": alarm.muted,
        }
