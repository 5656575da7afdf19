"""A recording and an event -> which leads carried it, second by second (ECAM).

EEG Channel Activation Maps: leads by seconds, by how much each speaks for a seizure.
A window is asked against one from before the event wherever the recording holds one, so
that what was there all along, however loud, counts for nothing. How a lead is asked is
left to `detection.leads` (forward only) or `explain.gradient`; how it is drawn, to
`explain.ecam_picture`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.leads import (
    Heard,
    evidence,
    lead_map,
    log_growth,
    strongest_leads,
)
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.explain.page import Page, read_page
from distilclip_eeg.explain.places import place_in_words

Against: TypeAlias = Literal["before", "masked"]

LEAD_IN_S: Final = 5  # shown before the onset: a change is seen against what was
SHOWN_S: Final = 20
ONSET_S: Final = 5  # of an event; where it begins says more than where it spreads
GROWN_FROM_S: Final = 10  # before the onset, that growth is told from
GUARD_S: Final = 5  # an onset is known to some seconds only
LEAST_BEFORE_S: Final = 4
_SEEN: Final = 0.5  # of the present leads' seconds, for a window to compare with


class Method(Protocol):
    """Maps one window, (18, S), if need be against one from before; see `lead_map`."""

    def __call__(self, now: Heard, before: Heard | None) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class LeadMap:
    """Which leads carried a stretch of EEG, and when.

    Attributes
    ----------
    leads
        Names of the rows.
    onset_s
        Second of the recording at which the first column begins.
    values
        (18, S) seizure log-odds that a lead's second carries; below 0 it speaks
        against a seizure; NaN where it cannot be used.
    first, last
        Columns, `last` not included, that the sums below are over: the first seconds
        of the event, or all.
    growth
        (18,) logarithm of how many times louder than before the onset a lead is from
        `first` to `last`; None where there is no onset or nothing before it.
    against
        Whether the values tell from what was `before`, or from a lead `masked`.
    """

    onset_s: int
    values: NDArray[np.float32]
    first: int
    last: int
    against: Against
    growth: NDArray[np.float32] | None = None
    leads: tuple[str, ...] = LEADS

    @property
    def by_lead(self) -> NDArray[np.float32]:
        """(18,) mean over the columns from `first` to `last`; NaN if never usable."""
        part = self.values[:, self.first : self.last]
        known = np.isfinite(part)
        count = known.sum(axis=1)
        total = np.where(known, part, 0).sum(axis=1)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean.astype(np.float32)

    @property
    def evidence(self) -> NDArray[np.float32]:
        """(18,) from 0 to 1 for the lead with most; NaN if never usable.

        What a lead carries, times how much it grew: a lead that the network weighs
        heavily and that hardly changed is no place where a seizure begins. Without a
        past, what it carries alone.
        """
        return evidence(self.by_lead, 1.0 if self.growth is None else self.growth)

    @property
    def strongest(self) -> tuple[str, ...]:
        """At most six leads with half of the most evidence or more; may be empty."""
        return strongest_leads(self.evidence)

    @property
    def place(self) -> str:
        """Where these lie, in words, as far as they agree."""
        return place_in_words(self.strongest)

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON values; NaN becomes None."""
        return {
            "onset_s": self.onset_s,
            "leads": list(self.leads),
            "values": [_plain(row) for row in self.values],
            "by_lead": _plain(self.by_lead),
            "evidence": _plain(self.evidence),
            "averaged_s": [self.onset_s + self.first, self.onset_s + self.last],
            "against": self.against,
            "strongest": list(self.strongest),
            "place": self.place,
        }


def ecam_of_event(
    recording: Recording,
    event: Event,
    model: Model,
    *,
    method: Method | None = None,
    shown_s: int = SHOWN_S,
) -> LeadMap:
    """Map an event: a little before its onset, and its first seconds.

    Parameters
    ----------
    method
        How a window is asked; forward only, by `lead_map`, if not given.
    shown_s
        Columns; the strongest leads come from the first five seconds of the event.

    Raises
    ------
    TooFewLeadsError
        If the recording holds fewer than four of the 18 leads.
    """
    onset_s = math.floor(event.onset)
    start_s = max(0, onset_s - LEAD_IN_S)
    last_s = math.ceil(event.onset + event.duration)
    first = onset_s - start_s
    found = ecam_of_span(
        recording, start_s, shown_s, model, before_s=onset_s, method=method
    )
    n_event = max(1, min(ONSET_S, last_s - onset_s))
    growth = None
    if found.against == "before":
        growth = _growth(recording, onset_s, n_event, model)
    return replace(
        found, first=first, last=min(first + n_event, shown_s), growth=growth
    )


def ecam_at(
    recording: Recording,
    at_s: float,
    model: Model,
    events: Sequence[Event] = (),
    *,
    method: Method | None = None,
) -> LeadMap:
    """Map the window around a time.

    Parameters
    ----------
    events
        Of the recording. If the time lies in one, the map tells from what was before
        that; else from what was before the window.
    """
    window_s = model.signal.window_s
    latest = max(0, math.ceil(recording.duration_s - 1e-6) - window_s)
    start_s = min(max(0, round(at_s - window_s / 2)), latest)
    around = next((e for e in events if _holds(e, at_s)), None)
    before_s = math.floor(around.onset) if around else start_s + GUARD_S
    return ecam_of_span(
        recording, start_s, window_s, model, before_s=before_s, method=method
    )


def ecam_of_span(
    recording: Recording,
    start_s: int,
    n_seconds: int,
    model: Model,
    *,
    before_s: int,
    method: Method | None = None,
) -> LeadMap:
    """Map whole seconds of a recording, in windows that overlap by half.

    Parameters
    ----------
    before_s
        What ends five seconds before this is held to be no seizure; a window there is
        what the map tells from, if the recording holds four seconds or more of one.
    """
    window_s = model.signal.window_s
    before = _window_before(recording, before_s, model)
    step = window_s // 2
    page = read_page(
        recording,
        start_s,
        max(window_s, step * math.ceil(n_seconds / step)),
        model.signal,
    )
    ask = method or _forward_only(model)
    total = np.zeros(page.usable.shape, np.float64)
    count = np.zeros(page.usable.shape, np.int64)
    for first in range(0, page.n_seconds - window_s + 1, step):
        piece = _heard(page, first, window_s)
        if not piece.usable.any():
            continue
        values = ask(piece, before)
        known = np.isfinite(values)
        total[:, first : first + window_s] += np.where(known, values, 0)
        count[:, first : first + window_s] += known
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return LeadMap(
        onset_s=start_s,
        values=mean[:, :n_seconds].astype(np.float32),
        first=0,
        last=n_seconds,
        against="masked" if before is None else "before",
    )


def _forward_only(model: Model) -> Method:
    def ask(now: Heard, before: Heard | None) -> NDArray[np.float32]:
        background = model.folder.background
        return lead_map(now.eeg, now.usable, model.runtime, background, before=before)

    return ask


def _window_before(recording: Recording, before_s: int, model: Model) -> Heard | None:
    """A window from before a time; None if too little is recorded or to be trusted."""
    window_s = model.signal.window_s
    stop_s = before_s - min(GUARD_S, max(0, before_s - window_s))
    start_s = max(0, stop_s - window_s)
    if (n_seconds := stop_s - start_s) < LEAST_BEFORE_S:
        return None
    page = read_page(recording, start_s, n_seconds, model.signal)
    if page.usable[page.present].mean() < _SEEN:
        return None
    return _filled(_heard(page, 0, n_seconds), window_s)


def _growth(
    recording: Recording, onset_s: int, n_seconds: int, model: Model
) -> NDArray[np.float32]:
    """(18,) log loudness after the onset over that before it; 0 where unknown."""
    n_before = min(GROWN_FROM_S, onset_s)
    page = read_page(recording, onset_s - n_before, n_before + n_seconds, model.signal)
    kept = np.where(page.trusted, np.nan_to_num(page.leads_uv, nan=0.0), 0)
    power = np.square(kept, dtype=np.float64).reshape(*page.usable.shape, -1).mean(2)
    parts = [slice(0, n_before), slice(n_before, None)]
    before, after = (
        np.where(
            page.usable[:, part].any(1),
            power[:, part].sum(1) / np.maximum(page.usable[:, part].sum(1), 1),
            np.nan,
        )
        for part in parts
    )
    return log_growth(after, before).astype(np.float32)


def _filled(heard: Heard, n_seconds: int) -> Heard:
    """Go back and forth over what is there until it fills a window: no edges."""
    missing = n_seconds - heard.usable.shape[1]
    if not missing:
        return heard
    rate = heard.eeg.shape[1] // heard.usable.shape[1]
    eeg = np.pad(heard.eeg, ((0, 0), (missing * rate, 0)), "symmetric")
    return Heard(eeg, np.pad(heard.usable, ((0, 0), (missing, 0)), "symmetric"))


def _heard(page: Page, first: int, n_seconds: int) -> Heard:
    samples = slice(first * page.sfreq, (first + n_seconds) * page.sfreq)
    eeg = np.ascontiguousarray(np.nan_to_num(page.leads_uv[:, samples], nan=0.0))
    return Heard(eeg, page.usable[:, first : first + n_seconds])


def _holds(event: Event, at_s: float) -> bool:
    return event.onset <= at_s < event.onset + event.duration


def _plain(values: NDArray[np.float32]) -> list[float | None]:
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]
