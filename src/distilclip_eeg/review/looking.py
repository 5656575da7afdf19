"""A time in a recording -> what the model rested on in the window around it.

Within an event it is asked against a window from before the event, which tells the
seizure from what was loud all along; elsewhere leads are taken away in turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.leads import Heard, lead_map
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.windows import log_odds
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.explain.page import read_page

GUARD_S: Final = 5  # an onset is known to some seconds only
SEEN: Final = 0.5  # of the present leads' seconds, for a window to compare with


@dataclass(frozen=True, eq=False)
class Look:
    """One window and the weight of each lead in each of its seconds.

    Attributes
    ----------
    start_s
        First second of the window.
    values
        (18, S) seizure log-odds that a lead's second carries; NaN where it is unusable.
    usable
        (18, S) whether the second of the lead could be used.
    log_odds
        Of a seizure, of the window as a whole; NaN if nothing can be seen.
    against
        What it was compared with.
    """

    start_s: int
    leads: tuple[str, ...]
    values: NDArray[np.float32]
    usable: NDArray[np.bool_]
    log_odds: float
    against: Literal["before", "masked"]


def look(
    recording: Recording, model: Model, at_s: float, events: Sequence[Event] = ()
) -> Look:
    """Ask the model about the window whose middle is nearest to a time.

    Raises
    ------
    TooFewLeadsError
        If the recording holds fewer than four of the 18 leads.
    """
    window_s, background = model.signal.window_s, model.folder.background
    latest = max(0, math.ceil(recording.duration_s - 1e-6) - window_s)
    start_s = min(max(0, round(at_s - window_s / 2)), latest)
    now, _ = _heard(recording, model, start_s)
    if not now.usable.any():
        nothing = np.full(now.usable.shape, np.nan, np.float32)
        return Look(start_s, LEADS, nothing, now.usable, math.nan, "masked")
    before = _before(recording, model, at_s, events)
    scores = model.runtime.run(now.eeg[None], now.usable[None])
    odds = log_odds(scores.window_logits.astype(np.float64), background)
    values = lead_map(now.eeg, now.usable, model.runtime, background, before=before)
    against: Literal["before", "masked"] = "masked" if before is None else "before"
    return Look(start_s, LEADS, values, now.usable, float(odds[0]), against)


def _heard(
    recording: Recording, model: Model, start_s: int
) -> tuple[Heard, NDArray[np.bool_]]:
    """One window as the model hears it, and which leads the recording holds."""
    page = read_page(recording, start_s, model.signal.window_s, model.signal)
    return Heard(np.nan_to_num(page.leads_uv, nan=0.0), page.usable), page.present


def _before(
    recording: Recording, model: Model, at_s: float, events: Sequence[Event]
) -> Heard | None:
    """The window before the event around a time, if it is there and can be seen."""
    window_s = model.signal.window_s
    for event in events:
        if not event.onset - window_s / 2 <= at_s <= event.onset + event.duration:
            continue
        start_s = math.floor(event.onset) - GUARD_S - window_s
        if start_s < 0:
            return None
        heard, present = _heard(recording, model, start_s)
        return heard if heard.usable[present].mean() >= SEEN else None
    return None
