"""Windows as a stream hears them -> the leads that carried an event, and its place.

Remembers the window that looked most like a seizure, and some from before: that one is
told from these. Where a recording begins within a seizure there is nothing before, and
leads are masked instead. Knows neither alarms nor files.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final, NamedTuple

from distilclip_eeg.detection.leads import Heard, carrying_leads, name_leads
from distilclip_eeg.detection.locating import Located, locate
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.windows import ScoredWindow

GUARD_S: Final = 5.0  # before an onset: the seizure may be there already
KEPT: Final = 5  # windows from before; an onset is known some 15 s late


class _Quiet(NamedTuple):
    """A window without an event, and the second of the recording at which it ends."""

    end_s: float
    window: ScoredWindow


class Carriers:
    """Names leads and place of the events of one recording or stream."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._strongest: ScoredWindow | None = None  # of the event that is not over
        self._quiet: deque[_Quiet] = deque(maxlen=KEPT)

    def hear_quiet(self, window: ScoredWindow, end_s: float) -> None:
        """Take in a window during which no event is going on."""
        if not math.isnan(window.log_odds):
            self._quiet.append(_Quiet(end_s, window))

    def hear_event(self, window: ScoredWindow) -> None:
        """Take in a window of the event that is going on."""
        known = self._strongest
        if (
            known is None
            or math.isnan(known.log_odds)
            or window.log_odds > known.log_odds
        ):
            self._strongest = window

    def leads_of(self, onset_s: float) -> tuple[str, ...]:
        """Name the leads of the event that began there, the strongest first."""
        if (now := self._strongest) is None:
            return ()
        model = self._model
        before = self._before(onset_s - GUARD_S)
        if before is None:
            return name_leads(
                now.eeg, now.usable, model.runtime, model.folder.background
            )
        return carrying_leads(
            Heard(now.eeg, now.usable),
            Heard(before.eeg, before.usable),
            model.runtime,
            model.folder.background,
        )

    def place_of(self, onset_s: float) -> Located | None:
        """Say on which side and over which lobe the event began, and of which kind."""
        if (now := self._strongest) is None:
            return None
        before = self._before(onset_s - GUARD_S)
        return locate(
            Heard(now.eeg, now.usable),
            None if before is None else Heard(before.eeg, before.usable),
        )

    def forget_event(self) -> None:
        """Forget the event; what was before stays."""
        self._strongest = None

    def forget_before(self) -> None:
        """Forget what was before: after a gap it may be another montage or state."""
        self._quiet.clear()

    def state(self) -> dict[str, Any]:
        """Give it as JSON values and arrays."""
        return {
            "strongest": self._strongest and self._strongest.state(),
            "quiet": [
                {"end_s": quiet.end_s, "window": quiet.window.state()}
                for quiet in self._quiet
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take what `state` gave."""
        strongest = state["strongest"]
        self._strongest = strongest and ScoredWindow.from_state(strongest)
        self._quiet.clear()
        self._quiet.extend(
            _Quiet(quiet["end_s"], ScoredWindow.from_state(quiet["window"]))
            for quiet in state["quiet"]
        )

    def _before(self, until_s: float) -> ScoredWindow | None:
        ended = [quiet.window for quiet in self._quiet if quiet.end_s <= until_s]
        return ended[-1] if ended else None
