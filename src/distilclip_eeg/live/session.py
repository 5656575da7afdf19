"""Samples of one live stream -> lines, markers and a recording; the state is kept.

Brings clock, detector, alarms and outputs together. What is to be written is saved with
the state first, so that a process that dies in between loses no alarm and doubles none.
Knows no network: it is told when samples come, stay away or return.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.stream import StreamDetector
from distilclip_eeg.detection.stream_state import State, write_state
from distilclip_eeg.eeg.annotations import Event, annotation_text
from distilclip_eeg.eeg.montage import MIN_LEADS
from distilclip_eeg.eeg.signal import MAX_SFREQ_DENOMINATOR
from distilclip_eeg.errors import StateError, StreamError
from distilclip_eeg.live.alarms import MAX_HOLD_S, AlarmDesk, Line
from distilclip_eeg.live.clock import ClockJump, Missed, Notice, SampleClock, Together
from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.recorder import Recorder

BEHIND_S: Final = 10.0  # of this machine's time: then it does not keep up


class MarkerOutlet(Protocol):
    """Where alarms and heartbeats are sent, beside the lines."""

    def push(self, values: dict[str, Any], stamp: float) -> None: ...


class StreamLayout(Protocol):
    """What a session needs to know of a stream."""

    @property
    def name(self) -> str: ...
    @property
    def ch_names(self) -> tuple[str, ...]: ...
    @property
    def sfreq(self) -> float: ...
    @property
    def speed(self) -> float: ...


@dataclass(frozen=True)
class Outputs:
    """Where a session writes; None: not at all."""

    lines: Lines
    markers: MarkerOutlet | None = None
    recording: Path | None = None
    state: Path | None = None


class Session:
    """Listens to one stream.

    Parameters
    ----------
    restored
        What another process saved in `outputs.state`.
    local_clock
        Gives the time of this machine, in which samples are pulled.

    Raises
    ------
    StateError
        If `restored` belongs to another model, montage, rate or settings.
    TooFewLeadsError
        If fewer than four of the 18 leads can be computed.
    """

    def __init__(
        self,
        model: Model,
        layout: StreamLayout,
        settings: DetectionConfig,
        outputs: Outputs,
        desk: AlarmDesk,
        local_clock: Callable[[], float],
        *,
        restored: State | None = None,
    ) -> None:
        self._local_clock = local_clock
        self._layout, self._outputs, self._desk = layout, outputs, desk
        self._clock = SampleClock(layout.sfreq, layout.speed)
        self._rate = Fraction(layout.sfreq).limit_denominator(MAX_SFREQ_DENOMINATOR)
        self._window_s = model.signal.window_s
        self._waiting = np.zeros((len(layout.ch_names), 0), np.float32)
        self._n_here, self._told_s = 0, 0  # samples of the stretch; seconds told
        self._correction_s = 0.0
        self._why_missed = "lost samples"
        self._rate_told = self._clip_told = False
        self._away_since: float | None = None
        self._has_passed = False  # enough of the absence for events to end
        if restored is None:
            self.detector = StreamDetector(
                model,
                layout.ch_names,
                layout.sfreq,
                settings,
                start_time=datetime.now().replace(microsecond=0),
            )
        else:
            self._restore(restored, model, settings)
        self._recorder = self._opened_recorder(is_continued=restored is not None)
        if restored is not None:
            self._send(restored["unsent"])
        self._tell([self._start_line(model, is_resumed=restored is not None)])

    @property
    def status(self) -> str:
        """What silence means now."""
        if self._away_since is not None:
            return "away"
        if self._n_here < self._window_s * self._layout.sfreq:
            return "starting"
        if self.detector.usable_leads < MIN_LEADS:
            return "blind"
        if self._clock.is_rate_wrong:
            return "rate_error"
        return "behind" if self._behind_s() > BEHIND_S else "watching"

    @property
    def alarm(self) -> int | None:
        """The number of the alarm that is raised and not cleared."""
        return self._desk.current

    def connected(self, layout: StreamLayout) -> None:
        """Check that a stream that came back is the one that went.

        Raises
        ------
        StreamError
            If its channels or its rate are others.
        """
        mine, theirs = (
            (tuple(one.ch_names), one.sfreq) for one in (self._layout, layout)
        )
        if mine != theirs:
            raise StreamError(
                f"stream {layout.name} came back with {len(theirs[0])} channels at "
                f"{theirs[1]:g} Hz, expected the same {len(mine[0])} at {mine[1]:g} "
                "Hz; start anew to listen to it"
            )

    def take(
        self,
        samples_uv: NDArray[np.floating],
        stamps: NDArray[np.float64],
        now: float,
        correction_s: float = 0.0,
    ) -> None:
        """Take in samples (n_chans, n) with their stamps, pulled at `now`."""
        self._correction_s = correction_s
        self._away_since = None
        step = max(1, round(self._layout.sfreq / 4))
        for start in range(0, len(stamps), step):
            part = samples_uv[:, start : start + step]
            self._waiting = np.concatenate([self._waiting, part], axis=1)
            self._act(self._clock.push(stamps[start : start + step], now))

    def away(self, now: float, *, is_gone: bool) -> None:
        """Note that samples stay away: what is there is decided about at once."""
        self._away_since, self._has_passed = now, False
        self._act(self._clock.left(is_gone=is_gone))
        self._why_missed = "stream away"
        self._miss(0.0)

    def gone(self) -> None:
        """Note that a stream that was away has lost its connection too."""
        self._clock.gone()

    def still_away(self, now: float) -> None:
        """Let time pass for what waits for an end: events, then alarms."""
        if self._away_since is None:
            return
        away_s = (now - self._away_since) * self._layout.speed
        min_gap_s = self.detector.settings.min_gap_s
        if not self._has_passed and away_s > 2 * min_gap_s:
            self._has_passed = True
            self._clock.passed(min_gap_s)
            self._miss(min_gap_s)
        if away_s > MAX_HOLD_S:
            self._tell(self._desk.away(self.detector.time_s))

    def finish(self, reason: str) -> None:
        """End the stream: every event and alarm comes to its end."""
        self._act(self._clock.flush())
        news = self.detector.close()
        self._annotate(news)
        end_s = self.detector.time_s
        lines = self._desk.hear(news, None) + self._desk.away(end_s)
        self._tell([*lines, self._second_line("ended"), self._stop_line(reason)])
        self._close()
        if self._outputs.state:
            self._outputs.state.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave everything as it is: what is left cannot be written."""
        if self._recorder:
            self._recorder.abandon()

    def suspend(self, reason: str) -> None:
        """Leave, so that another process can go on: nothing comes to an end."""
        self._act(self._clock.flush())
        self._tell([self._stop_line(reason)])
        self._close()

    def _act(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            match notice:
                case Together(n):
                    taken, self._waiting = np.split(self._waiting, [n], axis=1)
                    self._push(taken)
                case Missed(duration_s):
                    self._miss(duration_s)
                case ClockJump(by_s):
                    self._tell(
                        [{"type": "clock_jump", "time_s": self._time_s, "by_s": by_s}]
                    )

    def _push(self, samples_uv: NDArray[np.floating]) -> None:
        """Push on, and tell at the end of each second."""
        self._why_missed = "lost samples"
        at, n = 0, samples_uv.shape[1]
        while at < n:
            second = math.floor(self._n_here / self._rate) + 1
            stop = min(n, at + math.ceil(second * self._rate) - self._n_here)
            piece = samples_uv[:, at:stop]
            news = self.detector.push(piece)
            if self._recorder:
                self._recorder.push(piece)
            self._n_here += stop - at
            at = stop
            if self._n_here >= second * self._rate:
                self._annotate(news)
                lines = self._desk.hear(news, None) + self._desk.tick(self._time_s)
                lines += self._rate_lines() + self._clip_lines()
                self._tell([*lines, self._second_line()])

    def _miss(self, duration_s: float) -> None:
        start_s = self._time_s
        news = self.detector.gap(duration_s)
        self._n_here = 0
        self._annotate(news)
        lines = list[Line]()
        if duration_s > 0:
            why = {"duration": duration_s, "reason": self._why_missed}
            lines.append({"type": "gap", "onset": start_s, **why})
            if self._recorder:
                self._recorder.gap(start_s, duration_s)
        self._tell(lines + self._desk.hear(news, (start_s, start_s + duration_s)))

    def _annotate(self, news: Sequence[Any]) -> None:
        for item in news:
            if isinstance(item, Event) and self._recorder:
                text = annotation_text(item)
                self._recorder.annotate(item.onset, item.duration, text)

    @property
    def _time_s(self) -> float:
        return round(self.detector.time_s, 6)

    def _behind_s(self, time_s: float | None = None) -> float:
        stamp = self._clock.stamp_of(self._time_s if time_s is None else time_s)
        if stamp is None:
            return 0.0
        return self._clock.behind_s(stamp, self._local_clock(), self._correction_s)

    def _second_line(self, status: str | None = None) -> Line:
        decided = self.detector.probability_since(self._told_s)
        values = [None if p != p else round(p, 4) for p in decided.tolist()]
        line: Line = {
            "type": "second",
            "time_s": self._time_s,
            "status": status or self.status,
            "usable_leads": self.detector.usable_leads,
            "alarm": self._desk.current,
            "behind_s": round(self._behind_s(), 3),
        }
        if values:
            line |= {"from_s": self._told_s, "probabilities": values}
            self._told_s += len(values)
        return line

    def _rate_lines(self) -> list[Line]:
        is_wrong = self._clock.is_rate_wrong
        if is_wrong == self._rate_told:
            return []
        self._rate_told = is_wrong
        measured = self._clock.rate_hz or 0.0
        kind = "rate_error" if is_wrong else "rate_ok"
        rates = {"announced_hz": self._layout.sfreq, "measured_hz": round(measured, 3)}
        return [{"type": kind, "time_s": self._time_s, **rates}]

    def _clip_lines(self) -> list[Line]:
        """Say once that the recording cannot hold what is seen."""
        recorder, is_told = self._recorder, self._clip_told
        self._clip_told = recorder is not None and recorder.n_clipped > 0
        if not self._clip_told or is_told:
            return []
        advice = "values beyond what the recording can hold; record .bdf"
        return [{"type": "clipped", "time_s": self._time_s, "reason": advice}]

    def _start_line(self, model: Model, *, is_resumed: bool) -> Line:
        montage = self.detector.montage
        return {
            "type": "start",
            "resumed": is_resumed,
            "time_s": self._time_s,
            "stream": self._layout.name,
            "sfreq": self._layout.sfreq,
            "speed": self._layout.speed,
            "n_channels": len(self._layout.ch_names),
            "missing_leads": list(montage.missing_leads),
            "warnings": list(montage.warnings()),
            "model": {"name": model.name, "sha256": model.identity.sha256},
            "settings": self.detector.settings.model_dump(mode="json"),
        }

    def _stop_line(self, reason: str) -> Line:
        return {"type": "stop", "time_s": self._time_s, "reason": reason}

    def _tell(self, lines: Sequence[Line]) -> None:
        if not lines:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        told = [{**self._timed(line), "at": at} for line in lines]
        numbered = self._outputs.lines.numbered(told)
        is_alarm = any(line["type"] == "alarm" for line in lines)
        self._save(numbered, durable=is_alarm)
        self._send(numbered)
        if is_alarm:
            self._outputs.lines.sync()

    def _timed(self, line: Line) -> Line:
        """Say how long after its evidence an alarm is told."""
        if line["type"] != "alarm" or line["kind"] == "clear":
            return line
        return {**line, "latency_s": round(self._behind_s(line["evidence_s"]), 3)}

    def _send(self, numbered: Sequence[Line]) -> None:
        markers = self._outputs.markers
        for line in self._outputs.lines.write(numbered):
            if markers and line["type"] == "alarm" and not line["muted"]:
                now, behind_s = self._local_clock(), self._behind_s(line["evidence_s"])
                markers.push(line, now - behind_s)

    def _save(self, unsent: Sequence[Line], *, durable: bool) -> None:
        if self._outputs.state is None:
            return
        state = {
            "detector": self.detector.state(history=False),
            "clock": self._clock.state(self.detector.time_s),
            "desk": self._desk.state(),
            "told_s": self._told_s,
            "n": self._outputs.lines.n,
            "unsent": list(unsent),
        }
        write_state(self._outputs.state, state, durable=durable)

    def _restore(self, state: State, model: Model, settings: DetectionConfig) -> None:
        layout = self._layout
        if "detector" not in state:
            raise StateError("not the state of a session; name another file")
        self.detector = StreamDetector.from_state(
            state["detector"], model, layout.ch_names, layout.sfreq
        )
        if self.detector.settings != settings:
            raise StateError(
                f"saved with {self.detector.settings}, expected {settings}; use the "
                "same thresholds, or remove the state"
            )
        self._clock.restore(state["clock"], self._local_clock())
        self._desk.restore(state["desk"])
        self._told_s = state["told_s"]
        self._outputs.lines.go_on_from(state["n"])
        self._why_missed = "restart"

    def _opened_recorder(self, *, is_continued: bool) -> Recorder | None:
        if self._outputs.recording is None:
            return None
        return Recorder(
            self._outputs.recording,
            self._layout.ch_names,
            self._layout.sfreq,
            self.detector.start_time or datetime.now(),
            time_s=self.detector.time_s,
            go_on=is_continued,
        )

    def _close(self) -> None:
        if self._recorder:
            self._recorder.close()
