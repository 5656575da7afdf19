"""A stream that comes, goes and returns -> a session that is told so, and heartbeats.

Every second of this machine something is written, also while there is nothing to listen
to: silence always means that the process is dead. Knows nothing of signals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.lsl import Inlet, Layout, StreamLostError, local_clock
from distilclip_eeg.live.markers import Markers
from distilclip_eeg.live.session import Session

PULL_S: Final = 0.25
QUIET_S: Final = 10.0  # without samples: then what is there is decided about
BEAT_S: Final = 1.0
MARKER_BEAT_S: Final = 10.0


@dataclass
class Watch:
    """Keeps a session supplied.

    Attributes
    ----------
    connect
        Looks for the stream, for a second or so; None if it is not there.
    begin
        Makes the session, once, when the stream is first there.
    stop
        Set from outside to leave.
    patience_s
        How long the stream may stay away; None: for ever.
    is_over
        Whether so many samples are all that will ever come.
    """

    connect: Callable[[], Inlet | None]
    begin: Callable[[Layout], Session]
    lines: Lines
    markers: Markers | None
    stop: threading.Event
    patience_s: float | None = None
    is_over: Callable[[int], bool] = lambda n: False
    n_taken: int = 0
    session: Session | None = None

    def __post_init__(self) -> None:
        self._inlet: Inlet | None = None
        self._is_away, self._why = True, "not found"

    def run(self) -> str:
        """Listen until the end; returns why it ended: stopped, over, or lost."""
        self._heard = self._beaten = self._marked = time.monotonic()
        while not self.stop.is_set():
            if self.is_over(self.n_taken):
                return "over"
            if self._inlet is None:
                self._look()
            else:
                self._pull(self._inlet)
            self._beat()
            quiet_s = time.monotonic() - self._heard
            if self.patience_s is not None and quiet_s > self.patience_s:
                return "lost"
        return "stopped"

    def _look(self) -> None:
        try:
            self._inlet = self.connect()
        except StreamLostError as error:  # gone again before it said what it is
            self._why = str(error)
            return
        if self._inlet is None:
            return
        if self.session is None:
            self.session = self.begin(self._inlet.layout)
        self.session.connected(self._inlet.layout)

    def _pull(self, inlet: Inlet) -> None:
        assert self.session is not None
        try:
            samples, stamps = inlet.pull(PULL_S)
        except StreamLostError:
            self._inlet, self._why = None, "connection lost"
            self._leave(is_gone=True)
            return
        if len(stamps):
            self.n_taken += len(stamps)
            self._heard = self._beaten = time.monotonic()
            self._is_away = False
            correction_s = inlet.correction_s()
            self.session.take(samples, stamps, local_clock(), correction_s)
        elif not self._is_away and time.monotonic() - self._heard > QUIET_S:
            self._why = "no samples"
            self._leave(is_gone=False)

    def _leave(self, *, is_gone: bool) -> None:
        assert self.session is not None
        if not self._is_away:
            self._is_away = True
            self.session.away(local_clock(), is_gone=is_gone)
        elif is_gone:
            self.session.gone()

    def _beat(self) -> None:
        """Say that this process lives, where no line of a second said so."""
        now = time.monotonic()
        if now - self._beaten >= BEAT_S:
            self._beaten = now
            if self.session and self._is_away:
                self.session.still_away(local_clock())
            self.lines.write(self.lines.numbered([self._heartbeat(now)]))
        if self.markers and now - self._marked >= MARKER_BEAT_S:
            self._marked = now
            self.markers.push(self._heartbeat(now), local_clock())

    def _heartbeat(self, now: float) -> dict[str, Any]:
        status = "waiting" if self.session is None else self.session.status
        why = {"reason": self._why} if status in ("waiting", "away") else {}
        return {
            "type": "heartbeat",
            "status": status,
            **why,
            "alarm": self.session and self.session.alarm,
            "quiet_s": round(now - self._heard, 1),
        }
