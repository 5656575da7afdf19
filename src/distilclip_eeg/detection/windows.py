"""Conditioned seconds -> overlapping windows -> seizure log-odds of every second.

Windows stand every `hop_s` from the start of a contiguous stretch; a last one ends
where the stretch ends. A second is settled when the last regular window that contains
it is scored, so that a file and a stream settle it from the same windows. Knows one
stretch at a time, no recording and no events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]

WINDOW_SHARE: Final = 0.5  # weight of a window's score in the score of its seconds


@dataclass(frozen=True, slots=True)
class Windows:
    """W windows of one stretch.

    Attributes
    ----------
    starts
        (W,) first second of each.
    eeg
        (W, 18, T) microvolts.
    usable
        (W, 18, S) whether the second of the lead can be trusted.
    """

    starts: NDArray[np.int64]
    eeg: Samples
    usable: Flags


class WindowCutter:
    """Cuts one stretch into windows as its seconds arrive."""

    def __init__(self, signal: SignalConfig) -> None:
        self._window_s, self._hop_s = signal.window_s, signal.hop_s
        self._rate = round(signal.sfreq)
        self._leads = np.zeros((len(LEADS), 0), np.float32)
        self._usable = np.zeros((len(LEADS), 0), bool)
        self._first = 0  # second at which what is kept begins
        self._next = 0  # second at which the next regular window starts

    @property
    def n_seconds(self) -> int:
        """Seconds taken in so far."""
        return self._first + self._usable.shape[1]

    def push(self, seconds: Conditioned) -> Windows:
        """Take in seconds, give out the windows that they complete."""
        if seconds.n_seconds:
            self._leads = np.concatenate([self._leads, seconds.leads], axis=1)
            self._usable = np.concatenate([self._usable, seconds.usable], axis=1)
        last = self.n_seconds - self._window_s
        windows = self._cut(np.arange(self._next, last + 1, self._hop_s))
        self._next += self._hop_s * len(windows.starts)
        # A last window may begin up to one hop before the next regular one.
        self._forget(max(0, self._next - self._hop_s))
        return windows

    def close(self) -> Windows:
        """Give out the window that ends with the stretch, if seconds are left over.

        A stretch shorter than a window is one window whose other seconds are unusable.
        """
        n_seconds = self.n_seconds
        covered = self._next - self._hop_s + self._window_s if self._next else 0
        if covered >= n_seconds:
            return self._cut(np.arange(0))
        if (n_missing := self._window_s - n_seconds) > 0:
            after = ((0, 0), (0, n_missing * self._rate))
            self._leads = np.pad(self._leads, after)
            self._usable = np.pad(self._usable, ((0, 0), (0, n_missing)))
        return self._cut(np.array([max(0, n_seconds - self._window_s)]))

    def state(self) -> dict[str, Any]:
        """Give what the next windows rest on, as JSON values and arrays."""
        return {
            "leads": self._leads,
            "usable": self._usable,
            "first": self._first,
            "next": self._next,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._leads, self._usable = state["leads"], state["usable"]
        self._first, self._next = state["first"], state["next"]

    def _cut(self, starts: NDArray[np.int64]) -> Windows:
        if not len(starts):
            shape = (0, len(LEADS), self._window_s)
            blank = np.zeros((*shape[:2], self._window_s * self._rate), np.float32)
            return Windows(starts, blank, np.zeros(shape, bool))
        at = starts - self._first
        width = self._window_s * self._rate
        eeg = sliding_window_view(self._leads, width, axis=1)[:, at * self._rate]
        usable = sliding_window_view(self._usable, self._window_s, axis=1)[:, at]
        return Windows(
            starts,
            np.ascontiguousarray(eeg.swapaxes(0, 1)),
            np.ascontiguousarray(usable.swapaxes(0, 1)),
        )

    def _forget(self, second: int) -> None:
        if (n := second - self._first) > 0:
            self._leads = self._leads[:, n * self._rate :]
            self._usable = self._usable[:, n:]
            self._first = second


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """One window, and the seconds that are settled with it.

    Attributes
    ----------
    end
        Second of the stretch at which the window ends, filling included.
    eeg, usable
        (18, T) microvolts and (18, S) flags.
    log_odds
        Of a seizure, mean over the observed seconds; NaN if there are none.
    settled
        (n,) seizure log-odds of the next seconds; NaN where no lead is usable.
    """

    end: int
    eeg: Samples
    usable: Flags
    log_odds: float
    settled: Values

    def state(self) -> dict[str, Any]:
        """Give it as JSON values and arrays."""
        return {
            "end": self.end,
            "eeg": self.eeg,
            "usable": self.usable,
            "log_odds": np.float64(self.log_odds),  # NaN has no place in JSON
            "settled": self.settled,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Take what `state` gave."""
        return cls(**{**state, "log_odds": float(state["log_odds"])})


class SecondScorer:
    """Scores one stretch as its seconds arrive.

    Parameters
    ----------
    background
        Position of the class that is no seizure.
    """

    def __init__(self, runtime: Runtime, signal: SignalConfig, background: int) -> None:
        self._runtime, self._background = runtime, background
        self._window_s, self._hop_s = signal.window_s, signal.hop_s
        self._cutter = WindowCutter(signal)
        self._first = 0  # second that the three arrays below begin with
        self._last: ScoredWindow | None = None
        self._sum: Values | None = None  # (S, K) logits of the windows so far
        self._count = np.zeros(self._window_s)
        self._seen = np.zeros(self._window_s, bool)

    @property
    def latest(self) -> ScoredWindow | None:
        """The window that was scored last."""
        return self._last

    def push(self, seconds: Conditioned) -> Iterator[ScoredWindow]:
        """Take in seconds, give out the windows that they complete, in order."""
        yield from self._score(self._cutter.push(seconds), self._hop_s)

    def close(self) -> Iterator[ScoredWindow]:
        """Settle the seconds that are left, if need be with the last window again."""
        left = self._cutter.n_seconds - self._first
        windows = self._cutter.close()
        yield from self._score(windows, left)
        if not len(windows.starts) and left > 0 and self._last is not None:
            yield replace(self._last, settled=self._settle(left))

    def state(self) -> dict[str, Any]:
        """Give what the next scores rest on, as JSON values and arrays."""
        return {
            "cutter": self._cutter.state(),
            "first": self._first,
            "last": self._last and self._last.state(),
            "sum": self._sum,
            "count": self._count,
            "seen": self._seen,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._cutter.restore(state["cutter"])
        last = state["last"]
        self._last = None if last is None else ScoredWindow.from_state(last)
        self._first, self._sum = state["first"], state["sum"]
        self._count, self._seen = state["count"], state["seen"]

    def _score(self, windows: Windows, n_settled: int) -> Iterator[ScoredWindow]:
        logits = self._logits(windows)
        odds = log_odds(logits, self._background)
        for i, start in enumerate(windows.starts.tolist()):
            seen = windows.usable[i].any(axis=0)
            self._add(start, logits[i], seen)
            self._last = ScoredWindow(
                end=start + self._window_s,
                eeg=windows.eeg[i],
                usable=windows.usable[i],
                log_odds=_mean(odds[i][seen]),
                settled=self._settle(n_settled),
            )
            yield self._last

    def _logits(self, windows: Windows) -> Values:
        """(W, S, K) scores of seconds; unusable windows cost nothing and score 0."""
        observed: Flags = np.any(windows.usable, axis=(1, 2))
        eeg, usable = windows.eeg, windows.usable
        if not observed.all():  # else no copy
            eeg, usable = eeg[observed], usable[observed]
        scores = self._runtime.run(eeg, usable)
        of_window = scores.window_logits.astype(np.float64)[:, None, :]
        of_second = scores.second_logits.astype(np.float64)
        out = np.zeros((len(observed), *of_second.shape[1:]))
        out[observed] = WINDOW_SHARE * of_window + (1 - WINDOW_SHARE) * of_second
        return out

    def _add(self, start: int, logits: Values, seen: Flags) -> None:
        if self._sum is None:
            self._sum = np.zeros_like(logits)
        # A last window reaches back over seconds that are settled: those stay.
        skip = max(0, self._first - start)
        n = self._window_s - skip
        self._sum[:n] += logits[skip:]
        self._count[:n] += 1
        self._seen[:n] = seen[skip:]

    def _settle(self, n: int) -> Values:
        assert self._sum is not None
        values = log_odds(self._sum[:n] / self._count[:n, None], self._background)
        values[~self._seen[:n]] = np.nan
        for kept in (self._sum, self._count, self._seen):
            kept[: -n or None] = kept[n:].copy()
            kept[len(kept) - n :] = 0
        self._first += n
        return values


def log_odds(logits: Values, background: int) -> Values:
    """Turn class scores (..., K) into log p(not background) - log p(background)."""
    others = [k for k in range(logits.shape[-1]) if k != background]
    seizure: Values = np.logaddexp.reduce(logits[..., others], axis=-1)
    return seizure - logits[..., background]


def _mean(values: Values) -> float:
    # One row at a time: a sum over many rows may add in another order.
    return float(values.mean()) if len(values) else float("nan")
