"""The course of a whole recording -> one SVG: probability, spectra, amplitude, notes.

All rows share one axis of time. The colour density spectrograms stand left above
right on one scale. Knows neither the recording nor how its course was computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.edf_notes import Note
from distilclip_eeg.review.report.clocks import Clock
from distilclip_eeg.review.report.markup import Markup, element, joined, number
from distilclip_eeg.review.report.shades import ANCHORS, data_uri, hexadecimal
from distilclip_eeg.review.report.trends import MAX_HZ, SIDES, Trend

WIDTH_MM: Final = 277.0
LEFT_MM: Final = 24.0
PLOT_MM: Final = 225.0
EVENTS_MM: Final = 6.5
NOTES_MM: Final = 4.0
PROBABILITY_MM: Final = 15.0
SPECTRUM_MM: Final = 20.0
AMPLITUDE_MM: Final = 11.0
GAP_MM: Final = 2.0
AXIS_MM: Final = 6.0
LEAST_MM: Final = 0.6  # so that a short event can be seen in a long night
NUMBER_MM: Final = 4.5  # kept free for the number of one event
TICKS: Final = 12
AMPLITUDE_UV: Final = (2.0, 200.0)
AMPLITUDE_TICKS: Final = (5, 20, 100)
FREQUENCY_TICKS: Final = (5, 10, 15, 20)
LEAST_RANGE_DB: Final = 20.0
MAX_COLUMNS: Final = 1000


@dataclass(frozen=True, eq=False)
class Course:
    """Everything that the figure shows of a recording.

    Attributes
    ----------
    probability
        Per second; NaN where nothing could be said.
    gaps
        Start and stop in seconds of what was not recorded.
    """

    duration_s: float
    trend: Trend
    events: Sequence[Event]
    notes: Sequence[Note]
    probability: NDArray[np.float32]
    threshold: float
    gaps: Sequence[tuple[float, float]]
    clock: Clock

    def x(self, seconds: float) -> float:
        share = min(max(seconds / self.duration_s, 0.0), 1.0) if self.duration_s else 0
        return LEFT_MM + PLOT_MM * share


def draw(course: Course, title: str, described: str) -> Markup:
    """Draw the figure; `described` says in words what is to be seen."""
    low_db, high_db = range_db(course.trend)
    has_notes = bool(course.notes)
    y = EVENTS_MM if course.events else 0.0
    drawn = [_events(course)]
    if has_notes:
        drawn.append(_notes(course, y))
        y += NOTES_MM
    top = y
    drawn.append(_probability(course, y))
    y += PROBABILITY_MM + GAP_MM
    drawn.append(_legend(low_db, high_db, y))
    for side, name in enumerate(SIDES):
        drawn.append(_spectrum(course.trend, side, name, y, (low_db, high_db)))
        y += SPECTRUM_MM + GAP_MM
    for side, name in enumerate(SIDES):
        drawn.append(_amplitude(course.trend, side, name, y))
        y += AMPLITUDE_MM + GAP_MM
    y -= GAP_MM
    drawn += [_gaps(course, top, y), _axis(course, top, y)]
    return element(
        "svg",
        element("title", title),
        element("desc", described),
        _patterns(),
        *drawn,
        viewBox=f"0 0 {WIDTH_MM:g} {number(y + AXIS_MM)}",
        role="img",
        aria_label=f"{title}. {described}",
        class_="trend",
    )


def range_db(trend: Trend) -> tuple[float, float]:
    """The scale of both spectrograms, in steps of 5 dB."""
    known = trend.power_db[np.isfinite(trend.power_db)]
    if not known.size:
        return 0.0, LEAST_RANGE_DB
    low, high = np.percentile(known, [2, 99.5])
    low = 5 * math.floor(float(low) / 5)
    high = 5 * math.ceil(float(high) / 5)
    return float(low), float(max(high, low + LEAST_RANGE_DB))


def highest(
    probability: NDArray[np.float32], columns: int = MAX_COLUMNS
) -> tuple[NDArray[np.float64], int]:
    """The highest probability of each column, and seconds per column."""
    n = len(probability)
    width = max(1, -(-n // columns))
    padded = np.full(-(-n // width) * width, -1.0)
    padded[:n] = np.where(np.isfinite(probability), probability, -1.0)
    top = padded.reshape(-1, width).max(axis=1, initial=-1.0)
    return np.where(top < 0, np.nan, top), width


def _patterns() -> Markup:
    hatch = element(
        "pattern",
        element("path", d="M0 2L2 0", stroke="#8a8f98", stroke_width=0.25),
        id="gap",
        width=2,
        height=2,
        patternUnits="userSpaceOnUse",
    )
    stops = [
        element("stop", offset=i / (len(ANCHORS) - 1), stop_color=hexadecimal(rgb))
        for i, rgb in enumerate(reversed(ANCHORS))
    ]
    scale = element("linearGradient", *stops, id="power", x1=0, y1=0, x2=0, y2=1)
    return element("defs", hatch, scale)


def _events(course: Course) -> Markup:
    drawn = [_row("events", EVENTS_MM - 1.2)] if course.events else []
    free = 0.0
    for place, event in enumerate(course.events, start=1):
        left, right = course.x(event.onset), course.x(event.onset + event.duration)
        width = max(LEAST_MM, right - left)
        drawn.append(
            element(
                "rect", x=left, y=EVENTS_MM - 3, width=width, height=2.4, class_="mark"
            )
        )
        if left >= free:
            drawn.append(
                element("text", str(place), x=left, y=EVENTS_MM - 3.6, class_="small")
            )
            free = left + NUMBER_MM
    return joined(drawn)


def _notes(course: Course, top: float) -> Markup:
    places = sorted({round(course.x(note.onset_s), 1) for note in course.notes})
    d = "".join(f"M{number(x)} {number(top + 0.4)}l0.8 1.9h-1.6z" for x in places)
    return joined(
        [
            _row("notes in the file", top + 2.3),
            element("path", d=d, class_="note"),
        ]
    )


def _row(words: str, y: float) -> Markup:
    return element("text", words, x=LEFT_MM - 1.2, y=y, class_="lead small")


def _probability(course: Course, top: float) -> Markup:
    low = top + PROBABILITY_MM
    values, width = highest(course.probability)
    d, is_open = "", False
    for column, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            d, is_open = d + (f"V{number(low)}z" if is_open else ""), False
            continue
        if not is_open:
            d += f"M{number(course.x(column * width))} {number(low)}"
        right = course.x((column + 1) * width)
        d += f"V{number(low - value * PROBABILITY_MM)}H{number(right)}"
        is_open = True
    d += f"V{number(low)}z" if is_open else ""
    level = low - course.threshold * PROBABILITY_MM
    return joined(
        [
            element("path", d=d, class_="probability") if d else None,
            element(
                "path", d=f"M{LEFT_MM:g} {number(level)}h{PLOT_MM:g}", class_="limit"
            ),
            _frame(top, PROBABILITY_MM),
            _row("1", top + 2),
            _row("seizure", top + 7.0),
            _row("probability", top + 9.8),
            _row("0", low),
            element(
                "text",
                f"threshold {course.threshold:.2f}",
                x=LEFT_MM + PLOT_MM + 1.5,
                y=level + 0.8,
                class_="small",
            ),
        ]
    )


def _frame(top: float, height: float) -> Markup:
    return element(
        "rect", x=LEFT_MM, y=top, width=PLOT_MM, height=height, class_="frame"
    )


def _spectrum(
    trend: Trend, side: int, name: str, top: float, range_: tuple[float, float]
) -> Markup:
    picture = element(
        "image",
        href=data_uri(trend.power_db[side, ::-1], *range_),
        x=LEFT_MM,
        y=top,
        width=PLOT_MM,
        height=SPECTRUM_MM,
        preserveAspectRatio="none",
        class_="density",
    )
    per_hz = SPECTRUM_MM / MAX_HZ
    ticks = [
        _row(f"{hz}", top + SPECTRUM_MM - hz * per_hz + 0.9) for hz in FREQUENCY_TICKS
    ]
    marks = "".join(
        f"M{LEFT_MM:g} {number(top + SPECTRUM_MM - hz * per_hz)}h-0.8"
        for hz in FREQUENCY_TICKS
    )
    return joined(
        [
            picture,
            _frame(top, SPECTRUM_MM),
            element("path", d=marks, class_="tickmark"),
            *ticks,
            *_turned(name, "Hz", top + SPECTRUM_MM / 2),
        ]
    )


def _turned(name: str, unit: str, middle: float) -> list[Markup]:
    """Which side, and what is counted, written upwards left of a row."""
    return [
        element(
            "text",
            words,
            transform=f"translate({x:g} {number(middle)}) rotate(-90)",
            class_=f"chain {kind}",
        )
        for words, x, kind in ((name, 6.0, "side"), (unit, 11.0, ""))
    ]


def _legend(low_db: float, high_db: float, top: float) -> Markup:
    left, height = LEFT_MM + PLOT_MM + 2.0, 2 * SPECTRUM_MM + GAP_MM
    return joined(
        [
            element(
                "rect",
                x=left,
                y=top,
                width=4,
                height=height,
                fill="url(#power)",
                class_="frame-filled",
            ),
            *(
                element("text", words, x=left + 5.5, y=y, class_="small")
                for words, y in (
                    (f"{high_db:g} dB", top + 2),
                    ("above", top + height / 2 - 1.4),
                    ("1 µV²/Hz", top + height / 2 + 1.4),
                    (f"{low_db:g} dB", top + height),
                )
            ),
        ]
    )


def _amplitude(trend: Trend, side: int, name: str, top: float) -> Markup:
    low, _, high = trend.amplitude_uv[side]
    middle = trend.amplitude_uv[side, 1]
    at = [
        LEFT_MM + PLOT_MM * (column + 0.5) / trend.n_columns
        for column in range(trend.n_columns)
    ]
    known = np.isfinite(middle)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]])))
    band = line = ""
    for start, stop in edges.reshape(-1, 2).tolist():
        upper = [f"{number(at[i])} {_level(high[i], top)}" for i in range(start, stop)]
        lower = [f"{number(at[i])} {_level(low[i], top)}" for i in range(start, stop)]
        band += "M" + "L".join(upper + lower[::-1]) + "z"
        trace = [
            f"{number(at[i])} {_level(middle[i], top)}" for i in range(start, stop)
        ]
        line += "M" + "L".join(trace) + ("h0.2" if stop - start == 1 else "")
    rules = "".join(
        f"M{LEFT_MM:g} {_level(uv, top)}h{PLOT_MM:g}" for uv in AMPLITUDE_TICKS
    )
    return joined(
        [
            element("path", d=rules, class_="second"),
            element("path", d=band, class_="spread") if band else None,
            element("path", d=line, class_=f"median {name}") if line else None,
            _frame(top, AMPLITUDE_MM),
            *(_row(f"{uv}", float(_level(uv, top)) + 0.9) for uv in AMPLITUDE_TICKS),
            *_turned(name, "µV", top + AMPLITUDE_MM / 2),
        ]
    )


def _level(uv: float, top: float) -> str:
    """Where an amplitude stands in its row, on a logarithmic scale."""
    low, high = AMPLITUDE_UV
    share = math.log(min(max(float(uv), low), high) / low) / math.log(high / low)
    return number(top + AMPLITUDE_MM * (1 - share))


def _gaps(course: Course, top: float, bottom: float) -> Markup:
    return joined(
        element(
            "rect",
            x=course.x(start),
            y=top,
            width=max(LEAST_MM, course.x(stop) - course.x(start)),
            height=bottom - top,
            fill="url(#gap)",
        )
        for start, stop in course.gaps
    )


def _axis(course: Course, top: float, bottom: float) -> Markup:
    drawn, d = [], ""
    for tick_s, words in course.clock.ticks(course.duration_s, TICKS):
        x = course.x(tick_s)
        d += f"M{number(x)} {number(top)}V{number(bottom + 1)}"
        drawn.append(element("text", words, x=x, y=bottom + 4.4, class_="tick"))
    return joined([element("path", d=d, class_="hour"), *drawn])
