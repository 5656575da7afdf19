"""Seizure probabilities, second by second -> events.

Hysteresis, merging and a minimal duration, all causal: an event comes out when it is
over, and says when it could have been raised. Knows no signal, no model and no file.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.model_folder import ConfidenceScale

SAME_TIME_S: Final = 1e-6  # onsets of segments are sums of floats


@dataclass(slots=True)
class _Span:
    """Seconds that belong together, and the sum of their probabilities."""

    onset: float
    end: float
    total: float = 0.0
    n: int = 0
    raised_s: float | None = None

    def add(self, end: float, probability: float) -> None:
        self.end = end
        if not math.isnan(probability):
            self.total += probability
            self.n += 1

    def join(self, later: _Span) -> None:
        self.end = later.end
        self.total += later.total
        self.n += later.n

    def event(self, scale: ConfidenceScale | None) -> Event:
        mean = self.total / self.n
        return Event(
            onset=round(self.onset, 6),
            duration=round(self.end - self.onset, 6),
            confidence=round(scale.of(mean) if scale else mean, 4),
            raised_s=None if self.raised_s is None else round(self.raised_s, 6),
        )


class AlarmState:
    """Decides about one recording or stream.

    An event opens with the first second that reaches `onset_threshold`, begins with
    the run of seconds at or above `offset_threshold` that leads there, and lasts as
    long as they do. Events less than `min_gap_s` apart are one, what is then shorter
    than `min_duration_s` is none. A second without a probability counts as below.

    Parameters
    ----------
    scale
        From the mean probability of an event's seconds to its confidence; without one
        the mean is the confidence.
    """

    def __init__(
        self, config: DetectionConfig, scale: ConfidenceScale | None = None
    ) -> None:
        self._config, self._scale = config, scale
        self._event: _Span | None = None  # may still grow, or be joined by a later one
        self._open = False  # the last second belongs to `_event`
        self._run: _Span | None = None  # seconds that may turn out to lead to an onset
        self._between: _Span | None = None  # seconds after `_event` that are not in it

    @property
    def is_open(self) -> bool:
        """Whether the last second is part of an event, however short so far."""
        return self._open

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was pushed can become part of an event any more.

        Seconds that may still turn out to lead to an onset do not count.
        """
        return self._event is None

    @property
    def current(self) -> Event | None:
        """The event that has been raised and is not over yet, as far as it goes."""
        raised = self._event is not None and self._event.raised_s is not None
        return self._event.event(self._scale) if self._event and raised else None

    def push(
        self,
        start_s: float,
        probability: float,
        available_s: float,
        duration_s: float = 1.0,
    ) -> list[Event]:
        """Take in the next second.

        Parameters
        ----------
        start_s
            Its time in the recording.
        probability
            Of a seizure; NaN if nothing could be seen.
        available_s
            Time of the last sample that the probability rests on.
        duration_s
            Less than 1 where the recording ends within the second.

        Returns
        -------
        list of Event
            Those that are now over.
        """
        end = start_s + duration_s
        if not probability >= self._config.offset_threshold:
            return self._below(end, probability)
        if self._open and self._event:
            self._event.add(end, probability)
        else:
            self._run = self._run or _Span(start_s, end)
            self._run.add(end, probability)
            if probability >= self._config.onset_threshold:
                self._begin(self._run)
        event = self._event if self._open else None
        if event and event.raised_s is None and self._is_long_enough(event):
            event.raised_s = available_s
        return []

    def gap(self, start_s: float, duration_s: float) -> list[Event]:
        """Pass over time that was not recorded; returns the events that it ends."""
        return self._below(start_s + duration_s, math.nan)

    def close(self) -> list[Event]:
        """Return the events that the end of the recording leaves."""
        self._run = None
        return self._finish()

    def state(self) -> dict[str, Any]:
        """Give what the next decisions rest on, as JSON values."""
        spans = {"event": self._event, "run": self._run, "between": self._between}
        kept = {name: span and asdict(span) for name, span in spans.items()}
        return {"open": self._open, **kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._open = state["open"]
        self._event, self._run, self._between = (
            state[name] and _Span(**state[name]) for name in ("event", "run", "between")
        )

    def _begin(self, run: _Span) -> None:
        if self._event is None:
            self._event = run
        else:
            if self._between:
                self._event.join(self._between)
            self._event.join(run)
        self._open, self._run, self._between = True, None, None

    def _below(self, end: float, probability: float) -> list[Event]:
        self._open = False
        run, self._run = self._run, None
        if self._event is None:
            return []
        self._between = self._between or _Span(self._event.end, end)
        if run:
            self._between.join(run)
        self._between.add(end, probability)
        if end - self._event.end > self._config.min_gap_s - SAME_TIME_S:
            return self._finish()
        return []

    def _finish(self) -> list[Event]:
        event, self._event, self._between, self._open = self._event, None, None, False
        if event is None or event.raised_s is None:
            return []
        return [event.event(self._scale)]

    def _is_long_enough(self, event: _Span) -> bool:
        lasted = event.end - event.onset
        return lasted > self._config.min_duration_s - SAME_TIME_S


class Smoother:
    """Centred running mean over `width` values of one stretch, NaN left out.

    A value comes out `width // 2` values later; at both ends the mean is over fewer.
    """

    def __init__(self, width: int) -> None:
        self._before, self._after = (width - 1) // 2, width // 2
        self._kept: deque[float] = deque(maxlen=width)
        self._n_in = 0
        self._n_out = 0

    def push(self, value: float) -> list[float]:
        """Take in a value; returns the one that is now complete, if any."""
        self._kept.append(value)
        self._n_in += 1
        return [self._next()] if self._n_in > self._n_out + self._after else []

    def close(self) -> list[float]:
        """Return the values that are left."""
        return [self._next() for _ in range(self._n_in - self._n_out)]

    def state(self) -> dict[str, Any]:
        """Give what the next means rest on, as JSON values and arrays."""
        kept = np.array(self._kept, np.float64)  # some may be NaN, which JSON has not
        return {"kept": kept, "n_in": self._n_in, "n_out": self._n_out}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave for the same width."""
        self._kept.clear()
        self._kept.extend(state["kept"].tolist())
        self._n_in, self._n_out = state["n_in"], state["n_out"]

    def _next(self) -> float:
        """Mean around value number `_n_out`; NaN if that one is."""
        first = self._n_in - len(self._kept)
        low, high = (
            self._n_out - self._before - first,
            self._n_out + self._after - first,
        )
        own = self._kept[self._n_out - first]
        near = [v for i, v in enumerate(self._kept) if low <= i <= high and v == v]
        self._n_out += 1
        return own if own != own else math.fsum(near) / len(near)
