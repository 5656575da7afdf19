"""A page of EEG, its events and where the model looked -> one SVG, in millimetres.

Printed on A4 across, paper speed and sensitivity are true. Nothing depends on colour:
where the model looked is a tint that darkens evenly, left and right stand apart.
Knows neither the recording nor the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.edf_notes import Note
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.drawing import CHAINS
from distilclip_eeg.explain.ecam import Against
from distilclip_eeg.explain.page import Page
from distilclip_eeg.review.report.clocks import Clock
from distilclip_eeg.review.report.markup import Markup, element, joined, number
from distilclip_eeg.review.report.traces import (
    LEAD_MM,
    SPEED_MM_PER_S,
    UNITS_PER_MM,
    baselines_mm,
    lines,
)

WIDTH_MM: Final = 277.0  # A4 across, less margins of 10 mm
LEFT_MM: Final = 24.0
FLAGS_MM: Final = 6.0  # above the traces: names of the events
GAP_MM: Final = 2.0
STRIP_MM: Final = 11.0  # seizure probability
AXIS_MM: Final = 6.5
NOTES_MM: Final = 4.0
NOTE_MM: Final = 34.0  # kept free for the words of one note
NOTE_LETTERS: Final = 22
BAR_MM: Final = 9.0  # of the lead that counted most
LEAST_BAR: Final = 0.02  # of it; less cannot be seen

N_TINTS: Final = 4  # colours are in the style sheet; traces can be read on the darkest
LEAST_SHOWN: Final = 0.15  # of the strongest second of a lead
SCALE_UV: Final = (50, 100, 200, 500, 1000)


@dataclass(frozen=True, eq=False)
class Looked:
    """How much each lead spoke for a seizure, as a share of the strongest.

    Attributes
    ----------
    by_second
        (18, S) for each second of the page; 0 where it did not, or is not known.
    by_lead
        (18,) over the first seconds of the event.
    against
        What it was told from, as `explain.ecam` says it.
    """

    by_second: NDArray[np.float64]
    by_lead: NDArray[np.float64]
    against: Against


@dataclass(frozen=True, eq=False)
class EventFigure:
    """Everything that one figure shows.

    Attributes
    ----------
    events
        Of the whole recording.
    probability
        Of the whole recording, per second.
    """

    page: Page
    events: Sequence[Event]
    notes: Sequence[Note]
    looked: Looked
    probability: NDArray[np.float32]
    threshold: float
    sensitivity_uv_per_mm: int
    clock: Clock

    @property
    def plot_mm(self) -> float:
        return self.page.n_seconds * SPEED_MM_PER_S

    def x(self, seconds: float) -> float:
        """Where a time of the recording stands, kept within the page."""
        inside = min(max(seconds, self.page.start_s), self.page.stop_s)
        return LEFT_MM + (inside - self.page.start_s) * SPEED_MM_PER_S

    def here(self) -> list[Event]:
        first, last = self.page.start_s, self.page.stop_s
        return [
            e for e in self.events if e.onset < last and e.onset + e.duration > first
        ]


def draw(figure: EventFigure, name: str, title: str, described: str) -> Markup:
    """Draw the figure.

    Parameters
    ----------
    name
        Of its own on the page.
    described
        Says in words what is to be seen.
    """
    positions, traces_mm = baselines_mm()
    strip_top = FLAGS_MM + traces_mm + GAP_MM
    notes = _notes(figure, strip_top + STRIP_MM + AXIS_MM)
    height = strip_top + STRIP_MM + AXIS_MM + (NOTES_MM if notes else 0)
    return element(
        "svg",
        element("title", title),
        element("desc", described),
        _paper(figure, traces_mm, strip_top),
        element("g", _looked(figure, positions), class_="looked"),
        _edges(figure, traces_mm, strip_top),
        _window(figure, name, traces_mm),
        element("g", _leads(figure, positions), clip_path=f"url(#{name})"),
        _names(figure, positions),
        element("g", _shares(figure, positions), class_="looked"),
        _scale_bar(figure, FLAGS_MM + traces_mm),
        _probability(figure, strip_top),
        _axis(figure, strip_top + STRIP_MM),
        notes,
        viewBox=f"0 0 {WIDTH_MM:g} {number(height)}",
        role="img",
        aria_label=f"{title}. {described}",
        class_="eeg",
    )


def _paper(figure: EventFigure, traces_mm: float, strip_top: float) -> Markup:
    """A line every second, every fifth stronger; events shaded in the strip alone.

    Behind the traces a shade would pass for a tint, in grey.
    """
    shade, rules = "", {"second": "", "fifth": ""}
    for event in figure.here():
        left, right = figure.x(event.onset), figure.x(event.onset + event.duration)
        shade += f"M{number(left)} {number(strip_top)}H{number(right)}v{STRIP_MM:g}"
        shade += f"H{number(left)}z"
    for second in range(figure.page.start_s, figure.page.stop_s + 1):
        kind = "second" if second % 5 else "fifth"
        for top, height in ((FLAGS_MM, traces_mm), (strip_top, STRIP_MM)):
            rules[kind] += f"M{number(figure.x(second))} {number(top)}v{number(height)}"
    return joined(
        [
            element("path", class_="during", d=shade) if shade else None,
            *(element("path", class_=kind, d=d) for kind, d in rules.items()),
        ]
    )


def _looked(figure: EventFigure, positions: Sequence[float]) -> Markup:
    """One path per tint, a rectangle per second of a lead."""
    edges = np.linspace(LEAST_SHOWN, 1, N_TINTS + 1)[:-1]
    tint = np.searchsorted(edges, figure.looked.by_second, side="right") - 1
    box = f"h{SPEED_MM_PER_S:g}v{number(LEAD_MM - 0.4)}h-{SPEED_MM_PER_S:g}z"
    paths = []
    for level in range(N_TINTS):
        corners = [
            f"M{number(LEFT_MM + second * SPEED_MM_PER_S)} "
            f"{number(FLAGS_MM + positions[lead] - LEAD_MM / 2 + 0.2)}{box}"
            for lead, second in np.argwhere(tint == level).tolist()
        ]
        if corners:
            paths.append(element("path", d="".join(corners), class_=f"tint-{level}"))
    return joined(paths)


def _edges(figure: EventFigure, traces_mm: float, strip_top: float) -> Markup:
    """Onset as a full line, end as a dashed one, a bar and words above."""
    drawn: list[Markup] = []
    low = strip_top + STRIP_MM
    for event in figure.here():
        stop_s = event.onset + event.duration
        left, right = figure.x(event.onset), figure.x(stop_s)
        begins = event.onset >= figure.page.start_s
        if begins:
            d = f"M{number(left)} {FLAGS_MM - 1.6:g}V{number(low)}"
            drawn.append(element("path", class_="onset", d=d))
        if stop_s <= figure.page.stop_s:
            d = f"M{number(right)} {FLAGS_MM - 1.6:g}V{number(low)}"
            drawn.append(element("path", class_="end", d=d))
        bar = f"M{number(left)} {FLAGS_MM - 1.0:g}H{number(right)}"
        drawn.append(element("path", class_="bar", d=bar))
        words = f"onset {figure.clock.words(event.onset)}" if begins else "continued"
        drawn.append(element("text", words, x=left, y=FLAGS_MM - 2.6, class_="flag"))
    frames = [(FLAGS_MM, traces_mm), (strip_top, STRIP_MM)]
    drawn += [
        element("rect", x=LEFT_MM, y=y, width=figure.plot_mm, height=h, class_="frame")
        for y, h in frames
    ]
    return joined(drawn)


def _window(figure: EventFigure, name: str, traces_mm: float) -> Markup:
    """What lies outside of the frame of the traces is cut off."""
    frame = element(
        "rect", x=LEFT_MM, y=FLAGS_MM, width=figure.plot_mm, height=traces_mm
    )
    return element("clipPath", frame, id=name)


def _leads(figure: EventFigure, positions: Sequence[float]) -> Markup:
    sides = [name.split("\n")[0] for name, n_leads, _ in CHAINS for _ in range(n_leads)]
    drawn = [
        element(
            "path",
            d=line.d,
            class_=sides[line.lead] if line.is_trusted else "unusable",
            transform=f"translate({LEFT_MM:g} "
            f"{number(FLAGS_MM + positions[line.lead])})"
            f" scale({number(1 / UNITS_PER_MM)})",
        )
        for line in lines(figure.page, figure.sensitivity_uv_per_mm)
    ]
    for row, y in enumerate(positions):
        if not figure.page.present[row]:
            d = f"M{LEFT_MM:g} {number(FLAGS_MM + y)}h{number(figure.plot_mm)}"
            drawn.append(element("path", d=d, class_="absent"))
            drawn.append(
                element(
                    "text",
                    "not in this recording",
                    x=LEFT_MM + 2,
                    y=FLAGS_MM + y - 0.8,
                    class_="small",
                )
            )
    return joined(drawn)


def _names(figure: EventFigure, positions: Sequence[float]) -> Markup:
    """Each lead beside its trace; bold if an event on the page names it."""
    named = {lead for event in figure.here() for lead in event.channels}
    drawn = [
        element(
            "text",
            lead_words(lead),
            x=LEFT_MM - 1.2,
            y=FLAGS_MM + y + 0.9,
            class_="lead named" if lead in named else "lead",
        )
        for lead, y in zip(LEADS, positions, strict=True)
    ]
    first = 0
    for name, n_leads, _ in CHAINS:
        middle = FLAGS_MM + float(np.mean(positions[first : first + n_leads]))
        first += n_leads
        words = name.split("\n")
        for line, word in enumerate(words):
            x = 2.6 + 3.0 * line + (1.5 if len(words) == 1 else 0.0)
            turned = f"translate({number(x)} {number(middle)}) rotate(-90)"
            drawn.append(element("text", word, transform=turned, class_="chain"))
    return joined(drawn)


def _shares(figure: EventFigure, positions: Sequence[float]) -> Markup:
    """How much each lead counted at the onset, as bars on the right."""
    shares = figure.looked.by_lead
    if not shares.any():
        return Markup()
    left = LEFT_MM + figure.plot_mm + 2.0
    drawn = [
        element("text", "where the", x=left, y=FLAGS_MM - 3.4, class_="small"),
        element("text", "model looked", x=left, y=FLAGS_MM - 0.9, class_="small"),
    ]
    drawn += [
        element(
            "rect",
            x=left,
            y=FLAGS_MM + y - 1.3,
            width=BAR_MM * share,
            height=2.6,
            class_="share",
        )
        for share, y in zip(shares.tolist(), positions, strict=True)
        if share >= LEAST_BAR
    ]
    return joined(drawn)


def _scale_bar(figure: EventFigure, bottom: float) -> Markup:
    """A round number of microvolts upwards and a second across."""
    steps = figure.sensitivity_uv_per_mm
    shown = next((uv for uv in SCALE_UV if uv / steps >= 5), SCALE_UV[-1])
    left, up = LEFT_MM + figure.plot_mm + BAR_MM + 3.0, shown / steps
    d = f"M{number(left)} {number(bottom - 4 - up)}v{number(up)}h{SPEED_MM_PER_S:g}"
    return joined(
        [
            element("path", d=d, class_="scale"),
            *(
                element("text", words, x=left + 1.2, y=y, class_="small")
                for words, y in (
                    (f"{shown} µV", bottom - 3.2 - up / 2),
                    ("1 s", bottom - 1.2),
                )
            ),
        ]
    )


def _probability(figure: EventFigure, top: float) -> Markup:
    low = top + STRIP_MM
    page = figure.page
    d, is_open = "", False
    for second in range(page.start_s, min(page.stop_s, len(figure.probability))):
        value = float(figure.probability[second])
        if not np.isfinite(value):
            d, is_open = d + ("V" + number(low) + "z" if is_open else ""), False
            continue
        if not is_open:
            d += f"M{number(figure.x(second))} {number(low)}"
        d += f"V{number(low - value * STRIP_MM)}H{number(figure.x(second + 1))}"
        is_open = True
    d += f"V{number(low)}z" if is_open else ""
    level = low - figure.threshold * STRIP_MM
    right = LEFT_MM + figure.plot_mm
    return joined(
        [
            element("path", d=d, class_="probability") if d else None,
            element(
                "path", d=f"M{LEFT_MM:g} {number(level)}H{right:g}", class_="limit"
            ),
            *(
                element("text", words, x=LEFT_MM - 1.2, y=y, class_="lead small")
                for words, y in (
                    ("1", top + 2),
                    ("seizure", top + 4.9),
                    ("probability", top + 7.5),
                    ("0", low),
                )
            ),
            element(
                "text",
                f"threshold {figure.threshold:.2f}",
                x=right + 2,
                y=level + 0.8,
                class_="small",
            ),
        ]
    )


def _axis(figure: EventFigure, top: float) -> Markup:
    page = figure.page
    drawn = []
    for second in range(page.start_s, page.stop_s + 1):
        if second % 5 == 0:
            words = figure.clock.words(second)
            drawn.append(
                element("text", words, x=figure.x(second), y=top + 4, class_="tick")
            )
    return joined(drawn)


def _notes(figure: EventFigure, top: float) -> Markup:
    """Notes of the file at their time; words where there is room for them."""
    drawn, free = [], 0.0
    page = figure.page
    for note in figure.notes:
        if not page.start_s <= note.onset_s < page.stop_s:
            continue
        x = figure.x(note.onset_s)
        d = f"M{number(x)} {number(top + 0.2)}l1.2 2.4h-2.4z"
        drawn.append(element("path", d=d, class_="note"))
        if x >= free:
            text = note.text
            if len(text) > NOTE_LETTERS:
                text = f"{text[: NOTE_LETTERS - 1]}…"
            drawn.append(element("text", text, x=x + 1.8, y=top + 2.6, class_="small"))
            free = x + NOTE_MM
    return joined(drawn)


def lead_words(lead: str) -> str:
    """A lead as people write it: `Fp1–F7`, `Fz–Cz`."""
    return lead.replace("FP", "Fp").replace("Z", "z").replace("-", "–")
