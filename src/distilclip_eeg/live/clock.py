"""Time stamps of a live stream -> which samples belong together, what was missed.

Stamps jitter, drift and jump; samples get lost; a stream goes away and comes back. A
step in the stamps counts once it is still there half a second later. If the samples
after it come no earlier than samples ever came, time has passed and they were lost;
else only the clock was set. Knows no values of samples and no network.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Stamps = NDArray[np.float64]

PART_S: Final = 0.25  # stamps are followed in steps of this
CONFIRM_S: Final = 0.5  # a step that is gone after this was a late stamp
MAX_TOLERANCE_S: Final = 0.25  # more is never jitter
JITTERS: Final = 8.0  # mean deviations that are jitter still
LEAST_SAMPLES: Final = 1.5  # with exact stamps a single lost sample shows
PHASE_S, JITTER_S = 1.0, 10.0  # time constants
RATE_SPAN_S, MIN_RATE_SPAN_S = 60.0, 10.0
RATE_ERROR: Final = 0.02  # of the announced rate; crystals stay below 0.0001
MAX_RATE_ERROR: Final = 0.2
AGES_S: Final = 300.0  # for so long it is remembered how early samples came
LEAST_AGES: Final = 64  # and of so many chunks, however long ago
RETURN_TOLERANCE_S: Final = 1.0  # stamps and this machine's clock about an absence


@dataclass(frozen=True, slots=True)
class Together:
    """The next `n` samples follow on what came before."""

    n: int


@dataclass(frozen=True, slots=True)
class Missed:
    """Before the next sample so much time passed of which nothing came."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The stamps went forward or back, and the samples did not."""

    by_s: float


Notice: TypeAlias = Together | Missed | ClockJump


class SampleClock:
    """Follows the stamps of one stream.

    Parameters
    ----------
    sfreq
        Announced rate in Hz.
    speed
        How much faster than its stamps the stream is played; 1 if it is live.
    """

    def __init__(self, sfreq: float, speed: float = 1.0) -> None:
        self._sfreq, self._speed = sfreq, speed
        self._expected: float | None = None  # stamp of the next sample
        self._away = False  # until the next sample, whatever the stamps say
        self._gone = True  # if it is away: nothing of then can come any more
        self._jitter_s = 0.0
        self._time_s, self._n_samples = 0.0, 0
        self._arrived = (0.0, 0.0)  # local clock of the last pull, and time.time()
        self._begun = (0.0, 0.0)  # first stamp, and the local clock when it came
        self._jumped_s = 0.0  # all jumps so far
        self._least_age = math.inf
        self._rate: deque[tuple[int, float]] = deque()  # (samples so far, stamp)
        self._ages: deque[tuple[float, float]] = deque()  # (local clock, age)
        self._places: deque[tuple[float, float]] = deque(maxlen=1200)  # (time_s, stamp)
        self._held: list[Stamps] = []  # since a step that is not sure yet

    @property
    def time_s(self) -> float:
        """Stream time of the next sample: samples and what was missed so far."""
        return self._time_s

    @property
    def rate_hz(self) -> float | None:
        """The rate by the stamps of the last minute; None before ten seconds of it."""
        if not self._rate:
            return None
        (n0, first), (n1, last) = self._rate[0], self._rate[-1]
        return (n1 - n0) / (last - first) if last - first >= MIN_RATE_SPAN_S else None

    @property
    def is_rate_wrong(self) -> bool:
        """Whether the stamps tell another rate than was announced."""
        rate = self.rate_hz
        return rate is not None and abs(rate / self._sfreq - 1) > RATE_ERROR

    def stamp_of(self, time_s: float) -> float | None:
        """Stamp of a moment of the stream, by the nearest sample that is remembered."""
        if not self._places:
            return None
        place, stamp = min(self._places, key=lambda p: abs(p[0] - time_s))
        return stamp + time_s - place

    def behind_s(self, stamp: float, now: float, correction_s: float = 0.0) -> float:
        """How long ago a sample was taken, in seconds of this machine.

        Of a stream that is played at another speed: how much later than the promptest
        sample so far.

        Parameters
        ----------
        now
            Local clock.
        correction_s
            To be added to stamps of the other machine.
        """
        stamp -= self._jumped_s
        if self._speed == 1:
            return now - stamp - correction_s
        age = self._played(now) - stamp
        return (age - min(age, self._least_age)) / self._speed

    def push(self, stamps: Stamps, now: float) -> list[Notice]:
        """Take in the stamps of the next samples, pulled at `now` of the local clock.

        Returns
        -------
        list of Notice
            About the samples in order; some may be held back until the next call.
        """
        notices: list[Notice] = []
        step = max(1, round(PART_S * self._sfreq))
        for start in range(0, len(stamps), step):
            notices += self._take(stamps[start : start + step], now)
        if len(stamps):
            self._arrived = (now, time.time())
        return _joined(notices)

    def flush(self) -> list[Notice]:
        """Decide about what is held back: nothing more will come for now."""
        if not self._held:
            return []
        held, now = self._released(), self._arrived[0]
        notices = self._step(self._smallest_step(held), held, now)
        return _joined([*notices, *self._accept(held, now, self._residuals(held))])

    def left(self, *, is_gone: bool) -> list[Notice]:
        """Note that nothing comes any more; the next sample ends an absence.

        Parameters
        ----------
        is_gone
            The connection is lost. Else samples may be under way still, late.
        """
        notices = self.flush()
        self._away, self._gone = self._expected is not None, is_gone
        return notices

    def gone(self) -> None:
        """Note that the connection of a stream that is away is lost too."""
        self._gone = True

    def passed(self, duration_s: float) -> None:
        """Note that the caller has taken so much of an absence as missed already."""
        self._miss(duration_s)
        local, of_day = self._arrived
        wall_s = duration_s / self._speed
        self._arrived = (local + wall_s, of_day + wall_s)

    def state(self, time_s: float) -> dict[str, Any]:
        """Give what is needed to go on from that moment, also in another process."""
        ahead_s = self._time_s - time_s
        return {
            "expected": None if self._expected is None else self._expected - ahead_s,
            "jitter_s": self._jitter_s,
            "time_s": time_s,
            "n_samples": self._n_samples,
            "arrived": self._arrived[1],
            "begun": list(self._begun),
            "jumped_s": self._jumped_s,
            "sfreq": self._sfreq,
            "speed": self._speed,
        }

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Go on from what `state` gave; what came meanwhile is missed.

        Parameters
        ----------
        now
            Local clock. It may have begun anew; the time of day has not.
        """
        self._expected, self._jitter_s = state["expected"], state["jitter_s"]
        self._time_s, self._n_samples = state["time_s"], state["n_samples"]
        self._begun = (state["begun"][0], state["begun"][1])
        self._jumped_s = state["jumped_s"]
        arrived = state["arrived"]
        self._arrived = (now - (time.time() - arrived), arrived)
        self._away = self._expected is not None
        if self._expected is not None:
            self._places.append((self._time_s, self._expected))

    def _take(self, part: Stamps, now: float) -> list[Notice]:
        if self._expected is None:
            self._expected = float(part[0])
            self._begun = (self._expected, now)
        if self._away:
            return [*self._return(part, now), *self._take(part, now)]
        if self._held:
            self._held.append(part)
            return self._judge(now)
        off = np.abs(self._residuals(part)) > self._tolerance_s
        if not off.any():
            return self._accept(part, now)
        first = int(off.argmax())
        notices = self._accept(part[:first], now)
        self._held = [part[first:]]
        return notices + self._judge(now)

    def _judge(self, now: float) -> list[Notice]:
        """Decide about a step, if there is enough after it."""
        held = np.concatenate(self._held)
        residuals = self._residuals(held)
        sign = math.copysign(1.0, residuals[0])
        back = residuals * sign <= self._tolerance_s
        if back.any():  # late stamps, and no step
            self._released()
            n = int(back.argmax())
            return [
                *self._accept(held[:n], now, late=residuals[:n]),
                *self._take(held[n:], now),
            ]
        if len(held) < CONFIRM_S * self._sfreq:
            return []
        self._released()
        notices = self._step(self._smallest_step(held), held, now)
        for part in np.array_split(held, math.ceil(len(held) / (PART_S * self._sfreq))):
            notices += self._take(part, now)
        return notices

    def _step(self, by_s: float, held: Stamps, now: float) -> list[Notice]:
        self._rate.clear()
        if abs(by_s) <= self._tolerance_s:
            return []
        floor = min((age for _, age in self._ages), default=-math.inf)
        age = self._played(now) - float(held[-1])
        if by_s > 0 and age > floor - by_s / 2:
            return self._miss(round(by_s, 6))
        return self._jump(by_s)

    def _return(self, part: Stamps, now: float) -> list[Notice]:
        """Settle how long the stream was away, by its stamps if they can be true."""
        assert self._expected is not None
        self._away = False
        self._rate.clear()
        self._ages.clear()
        by_stamps = float(part[0]) - self._expected
        by_clock = max(0.0, (now - self._arrived[0]) * self._speed)
        close = RETURN_TOLERANCE_S * (1 + self._speed)
        least = by_clock - close if self._gone else -math.inf
        if max(least, -self._tolerance_s) <= by_stamps <= by_clock + close:
            return self._miss(round(max(0.0, by_stamps), 6))
        missed = self._miss(round(by_clock, 6))
        return missed + self._jump(float(part[0]) - self._expected)

    def _miss(self, duration_s: float) -> list[Notice]:
        assert self._expected is not None
        self._expected += duration_s
        self._time_s += duration_s
        return [Missed(duration_s)]

    def _jump(self, by_s: float) -> list[Notice]:
        assert self._expected is not None
        self._expected += by_s
        self._jumped_s += by_s
        self._ages.clear()
        self._places.clear()
        return [ClockJump(round(by_s, 6))]

    def _accept(
        self, part: Stamps, now: float, late: Stamps | None = None
    ) -> list[Notice]:
        if not (n := len(part)):
            return []
        assert self._expected is not None
        residuals = self._residuals(part) if late is None else late
        duration_s = n / self._sfreq
        follow = 0.0 if late is not None else -math.expm1(-duration_s / PHASE_S)
        self._n_samples += n
        spread = duration_s / min(JITTER_S, self._n_samples / self._sfreq)
        self._jitter_s += spread * (float(np.abs(residuals).mean()) - self._jitter_s)
        self._expected += n * self._period_s + follow * float(residuals.mean())
        self._time_s += duration_s
        last = float(part[-1])
        self._places.append((self._time_s, self._expected))
        self._remember(last, now)
        return [Together(n)]

    def _remember(self, stamp: float, now: float) -> None:
        self._rate.append((self._n_samples, stamp))
        while self._rate[-1][1] - self._rate[0][1] > RATE_SPAN_S:
            self._rate.popleft()
        age = self._played(now) - stamp
        self._least_age = min(self._least_age, age + self._jumped_s)
        self._ages.append((now, age))
        # A chunk that spans a gap is old in its first part: never the only one kept.
        while (
            len(self._ages) > LEAST_AGES
            and self._ages[-1][0] - self._ages[0][0] > AGES_S
        ):
            self._ages.popleft()

    def _residuals(self, stamps: Stamps) -> Stamps:
        assert self._expected is not None
        return stamps - (self._expected + np.arange(len(stamps)) * self._period_s)

    def _smallest_step(self, held: Stamps) -> float:
        residuals = self._residuals(held)
        return float(residuals[np.abs(residuals).argmin()])

    def _released(self) -> Stamps:
        held, self._held = np.concatenate(self._held), []
        return held

    def _played(self, now: float) -> float:
        """Stamp that is played at `now`, but for a constant."""
        first, came = self._begun
        return first + (now - came) * self._speed

    @property
    def _period_s(self) -> float:
        rate = self.rate_hz
        if rate is None or abs(rate / self._sfreq - 1) > MAX_RATE_ERROR:
            return 1 / self._sfreq
        return 1 / rate

    @property
    def _tolerance_s(self) -> float:
        if self._n_samples < MIN_RATE_SPAN_S * self._sfreq:
            return MAX_TOLERANCE_S  # until then a wrong rate looks like steps
        least = LEAST_SAMPLES / self._sfreq
        return min(max(least, JITTERS * self._jitter_s), MAX_TOLERANCE_S)


def _joined(notices: Sequence[Notice]) -> list[Notice]:
    joined: list[Notice] = []
    for notice in notices:
        if isinstance(notice, Together):
            if not notice.n:
                continue
            if joined and isinstance(joined[-1], Together):
                joined[-1] = Together(joined[-1].n + notice.n)
                continue
        joined.append(notice)
    return joined
