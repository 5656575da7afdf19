"""Everything that is known of a recording -> the whole HTML page.

Puts sections in order and says what stands in each; asks for nothing outside itself,
neither network nor script. Knows how no number in it came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.edf_notes import Note
from distilclip_eeg.explain.drawing import clock
from distilclip_eeg.review.report.burden import HOUR_S, Hour, Status
from distilclip_eeg.review.report.clocks import Clock, lasting
from distilclip_eeg.review.report.facts import (
    Facts,
    confidence_words,
    leads_words,
    place_words,
    type_words,
)
from distilclip_eeg.review.report.markup import Markup, element, joined
from distilclip_eeg.review.report.tables import facts, percent, share, table

MAX_NOTES: Final = 300  # rows; the trend shows all of them
RESEARCH: Final = (
    "For research. This is not a medical device: no decision about a person may rest "
    "on this report."
)
# Nothing is fetched, nothing runs; a hostile note could not either.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, eq=False)
class Content:
    """What the page is made of, in the order of the page.

    Attributes
    ----------
    pages
        Sections of the events that have a page of EEG, by the number of the event.
    operating
        What the model card says of false alarms.
    """

    name: str
    detection: Detection
    clock: Clock
    patient: Facts
    recording: Facts
    model: Facts
    trend: Markup
    hours: Sequence[Hour]
    status: Status
    quality: Sequence[tuple[str, float | None, str]]
    notes: Sequence[Note]
    pages: dict[int, Markup]
    operating: str
    version: str


def html(content: Content) -> str:
    """The page as text, one file that needs nothing else."""
    title = f"EEG report: {content.name}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(_styles())),
    )
    body = element(
        "body",
        element("header", _banner(content)),
        element("main", *_sections(content), id="content"),
        element("footer", _footer(content)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _styles() -> str:
    here = files("distilclip_eeg.review.report")
    return (here / "report.css").read_text(encoding="utf-8")


def _banner(content: Content) -> Markup:
    return joined(
        [
            element("p", "Seizure detection in scalp EEG", class_="kind"),
            element("h1", content.name),
            element("p", RESEARCH, class_="research"),
        ]
    )


def _sections(content: Content) -> Iterable[Markup | None]:
    yield _section(verdict(content.detection), "summary", _summary(content))
    yield _section("The whole recording", "course", _course(content))
    yield _section("Events", "events", _events(content))
    yield _section("Seizure burden", "burden", _burden(content))
    yield _section("Quality of the leads", "quality", _quality(content))
    if content.notes:
        yield _section("Notes in the file", "notes", _notes(content))
    if content.pages:
        yield _section("Pages of EEG", "pages", joined(content.pages.values()))


def _section(title: str, name: str, body: Markup) -> Markup:
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, body, id=name, aria_labelledby=f"{name}-title")


def _summary(content: Content) -> Markup:
    detection = content.detection
    return joined(
        [
            _status_words(content),
            _warnings(detection.warnings),
            element(
                "div",
                facts([*content.patient, *content.recording]),
                facts([*content.model, ("False alarms", content.operating)]),
                class_="columns",
            ),
        ]
    )


def verdict(detection: Detection) -> str:
    """What was found, in one sentence."""
    events = detection.events
    total = lasting(sum(event.duration for event in events))
    if not events:
        return "No seizure detected."
    if len(events) == 1:
        return f"1 event detected, {total} long."
    return f"{len(events)} events detected, {total} in all."


def _status_words(content: Content) -> Markup | None:
    status, when = content.status, content.clock
    if not status.is_met:
        return None
    reasons = []
    if status.is_long:
        at = when.words(status.longest_onset_s)
        reasons.append(f"one event of {lasting(status.longest_s)} from {at}")
    if status.is_full:
        at = when.words(status.fullest_start_s)
        reasons.append(
            f"{lasting(status.fullest_s)} of seizure within 60 minutes from {at}"
        )
    return element(
        "p",
        element("strong", "Possible electrographic status epilepticus: "),
        f"{' and '.join(reasons)}. To be confirmed on the EEG. Criteria: 10 "
        "minutes without a pause, or 20\u00a0% of any 60 minutes (ACNS 2021).",
        class_="flag-status",
    )


def _warnings(lines: Sequence[str]) -> Markup | None:
    if not lines:
        return None
    return element(
        "div",
        element("p", element("strong", "What to know of this recording:")),
        element("ul", *(element("li", line) for line in lines)),
        class_="warnings",
    )


def _course(content: Content) -> Markup:
    return element("figure", content.trend, element("figcaption", _trend_words()))


def _trend_words() -> str:
    return (
        "Probability: the highest of each column. Colour density spectrogram: power of "
        "0.5 to 25 Hz, left above right, median over the leads of a side, dark means "
        "much. Amplitude: root mean square of 0.5 to 25 Hz, median of the leads, with "
        "the range of 80\u00a0% of two-second epochs. Hatched: not recorded."
    )


def _events(content: Content) -> Markup:
    events, when = content.detection.events, content.clock
    if not events:
        return element("p", "No event reached the threshold.")
    columns = ["No.", *(["Onset"] if when.start else []), "From the start"]
    columns += ["Duration", "Type", "Begins", "Leads named", "Confidence"]
    rows = [
        [_number(place, content.pages), *_event_cells(event, when)]
        for place, event in enumerate(events, start=1)
    ]
    left_out = len(events) - len(content.pages)
    return joined(
        [
            element(
                "p",
                f"A page of EEG follows for the {len(content.pages)} most certain; "
                f"{left_out} {'is' if left_out == 1 else 'are'} listed without one.",
            )
            if left_out
            else None,
            table("Events by time", columns, rows, class_="events"),
            element(
                "p",
                "Confidence is the mean probability of the seconds of an event, not "
                "calibrated. The place was learned from simulated seizures alone.",
                class_="remark",
            ),
        ]
    )


def _number(place: int, pages: dict[int, Markup]) -> str:
    if place not in pages:
        return str(place)
    label = f"Event {place}: page of EEG"
    return element("a", str(place), href=f"#event-{place}", aria_label=label)


def _event_cells(event: Event, when: Clock) -> list[str]:
    return [
        *filter(None, [when.time_of_day(event.onset)]),
        clock(event.onset),
        lasting(event.duration),
        type_words(event.event_type),
        place_words(event),
        leads_words(event),
        confidence_words(event),
    ]


def _burden(content: Content) -> Markup:
    status = content.status
    rows = [
        [
            _hour_words(hour, content.clock),
            lasting(hour.recorded_s) if hour.recorded_s else "nothing",
            lasting(hour.seizure_s) if hour.seizure_s else "none",
            share(hour.share),
        ]
        for hour in content.hours
    ]
    measured = (
        f"Longest event: {lasting(status.longest_s)}. Most within any 60 minutes: "
        f"{lasting(status.fullest_s)}, {percent(status.fullest_s / HOUR_S)} of it. "
        if status.longest_s
        else ""
    )
    met = "are met" if status.is_met else "are not met"
    return joined(
        [
            table(
                "Share of each recorded hour",
                ["Hour", "Recorded", "Seizure", "Share"],
                rows,
                class_="burden",
            ),
            element(
                "p",
                f"{measured}The criteria of electrographic status epilepticus {met} by "
                "these events: 10 minutes without a pause, or 20\u00a0% of any 60 "
                "minutes (ACNS 2021). Status with motor signs, 5 minutes, cannot be "
                "judged from EEG alone.",
                class_="remark",
            ),
        ]
    )


def _hour_words(hour: Hour, when: Clock) -> str:
    span = f"{clock(hour.start_s)}–{clock(hour.stop_s)}"
    first = when.time_of_day(hour.start_s, with_seconds=False)
    if first is None:
        return span
    return f"{first} · {span}"


def _quality(content: Content) -> Markup:
    """Two tables side by side: left with the midline, right."""
    tables = []
    for name, is_right in (("Left and midline", False), ("Right", True)):
        rows = [
            [lead, share(usable), wrong or "–"]
            for lead, usable, wrong in content.quality
            if (lead[-1] in "2468") == is_right
        ]
        columns = ["Lead", "Usable", "What was wrong"]
        tables.append(table(name, columns, rows, class_="quality"))
    return element("div", *tables, class_="columns")


def _notes(content: Content) -> Markup:
    shown = content.notes[:MAX_NOTES]
    when = content.clock
    rows = [
        [
            *filter(None, [when.time_of_day(note.onset_s)]),
            clock(note.onset_s) if note.onset_s >= 0 else "before",
            lasting(note.duration_s) if note.duration_s else "–",
            note.text,
        ]
        for note in shown
    ]
    left_out = len(content.notes) - len(shown)
    return joined(
        [
            table(
                "Annotations that the file already held",
                [
                    *(["Time"] if when.start else []),
                    *("From the start", "Duration", "Note"),
                ],
                rows,
                class_="notes",
            ),
            element("p", f"The first {len(shown)}; {left_out} more are not listed.")
            if left_out
            else None,
        ]
    )


def _footer(content: Content) -> Markup:
    return joined(
        [
            element("p", element("strong", RESEARCH)),
            element("p", content.operating),
            element(
                "p",
                f"Written by distilclip-eeg {content.version}. Times of events are "
                "found by a model and have to be confirmed on the EEG.",
            ),
        ]
    )
