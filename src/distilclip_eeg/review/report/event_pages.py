"""The most certain events -> a section of the report for each, a page of EEG in it.

Chooses which events get a page and what stretch it shows. Knows how neither the page
nor the map of where the model looked is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.edf_notes import Note
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.explain.drawing import clock
from distilclip_eeg.explain.ecam import ecam_of_event
from distilclip_eeg.explain.page import Page, read_page
from distilclip_eeg.review.report.clocks import Clock, lasting
from distilclip_eeg.review.report.event_figure import (
    EventFigure,
    Looked,
    draw,
    lead_words,
)
from distilclip_eeg.review.report.facts import (
    confidence_words,
    leads_words,
    sure_words,
    type_words,
)
from distilclip_eeg.review.report.markup import Markup, element
from distilclip_eeg.review.report.tables import facts
from distilclip_eeg.review.report.traces import SPEED_MM_PER_S, uv_per_mm

MAX_PAGES: Final = 50
PAGE_S: Final = 15
BEFORE_S: Final = 5  # a change is seen against what stood before it
MOST_LEADS: Final = 3  # said in words


@dataclass(frozen=True, eq=False)
class Pages:
    """What the sections of all events share."""

    recording: Recording
    detection: Detection
    model: Model
    notes: Sequence[Note]
    clock: Clock

    def section(self, place: int, event: Event) -> Markup:
        """The section of event number `place` of the recording."""
        figure = self._figure(event)
        title = f"Event {place} of {len(self.detection.events)}"
        return element(
            "section",
            element(
                "h3",
                title,
                element("span", f" {self.clock.words(event.onset)}", class_="when"),
                id=f"event-{place}-title",
            ),
            facts(event_facts(event, self.clock), class_="facts row"),
            element("input", type="checkbox", id=f"looked-{place}", checked=True),
            element("label", "Show where the model looked", for_=f"looked-{place}"),
            element(
                "figure",
                draw(
                    figure,
                    f"frame-{place}",
                    f"EEG of event {place}",
                    seen(figure, event),
                ),
                element("figcaption", caption(figure)),
            ),
            element(
                "p",
                element("a", "Back to the list of events", href="#events"),
                class_="back",
            ),
            id=f"event-{place}",
            class_="event",
            aria_labelledby=f"event-{place}-title",
        )

    def _figure(self, event: Event) -> EventFigure:
        page = read_page(
            self.recording,
            first_second(event, self.detection.duration_s),
            PAGE_S,
            self.model.signal,
        )
        return EventFigure(
            page,
            self.detection.events,
            self.notes,
            looked_at(self.recording, event, self.model, page),
            self.detection.seizure_probability,
            self.detection.settings.onset_threshold,
            uv_per_mm(page),
            self.clock,
        )


def most_certain(
    events: Sequence[Event], at_most: int = MAX_PAGES
) -> list[tuple[int, Event]]:
    """The surest events with their number in the recording, by time."""
    numbered = list(enumerate(events, start=1))
    numbered.sort(key=lambda item: -(item[1].confidence or 0.0))
    return sorted(numbered[:at_most])


def first_second(event: Event, duration_s: float) -> int:
    """Where the page of an event begins: before its onset, within the recording."""
    begin_s = math.floor(event.onset) - BEFORE_S
    return max(0, min(begin_s, math.ceil(duration_s) - PAGE_S))


def event_facts(event: Event, when: Clock) -> list[tuple[str, str]]:
    """What is known of an event, in words."""
    stop_s = event.onset + event.duration
    first, last = when.time_of_day(event.onset), when.time_of_day(stop_s)
    return [
        *([("Time", f"{first} to {last}")] if first else []),
        ("From the start", f"{clock(event.onset)} to {clock(stop_s)}"),
        ("Duration", lasting(event.duration)),
        ("Type", type_words(event.event_type)),
        ("Begins", sure_words(event)),
        ("Leads named", leads_words(event)),
        ("Confidence", confidence_words(event)),
    ]


def caption(figure: EventFigure) -> str:
    """Scale, filter and signs of a page of EEG."""
    signal = figure.page.signal
    notches = " and ".join(f"{hz:g}" for hz in signal.notch_hz)
    against = {
        "before": "against the seconds before the event",
        "masked": "by taking each lead away",
    }[figure.looked.against]
    return (
        f"{figure.sensitivity_uv_per_mm} µV/mm and {SPEED_MM_PER_S:g} mm/s on A4; "
        f"{signal.highpass_hz:g}–{signal.lowpass_hz:g} Hz, notch {notches} Hz; "
        "longitudinal bipolar, negative up. Full line: onset; dashed: end; names in "
        "bold: leads of the event; grey traces cannot be trusted. Tint: where the "
        "model looked (ECAM), the darker the more that second of a lead spoke for a "
        f"seizure, {against}; bars: its mean over the first five seconds of the event."
    )


def seen(figure: EventFigure, event: Event) -> str:
    """The figure in words, for those who do not see it."""
    page, shares = figure.page, figure.looked.by_lead
    order = [int(i) for i in np.argsort(-shares)[:MOST_LEADS] if shares[i] > 0]
    leads = ", ".join(lead_words(LEADS[i]) for i in order)
    looked = f"The model looked most at {leads}." if leads else ""
    return (
        f"{page.n_seconds} seconds of EEG in 18 bipolar leads from "
        f"{clock(page.start_s)}, onset of the event marked at {clock(event.onset)}. "
        f"{looked}"
    ).strip()


def looked_at(recording: Recording, event: Event, model: Model, page: Page) -> Looked:
    """Where the model looked on this page, by occlusion: no gradient is needed."""
    found = ecam_of_event(recording, event, model, shown_s=PAGE_S)
    shift = found.onset_s - page.start_s  # the page may have to begin before the map
    values = np.full((len(LEADS), page.n_seconds), np.nan)
    shown = found.values[:, : page.n_seconds - shift]
    values[:, shift : shift + shown.shape[1]] = shown
    return Looked(of_strongest(values), of_strongest(found.by_lead), found.against)


def of_strongest(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """What speaks for a seizure as a share of what does most, 0 to 1, else 0."""
    positive = np.nan_to_num(values.astype(np.float64)).clip(min=0)
    strongest = float(positive.max(initial=0.0))
    return positive / strongest if strongest > 0 else positive
