"""A page of EEG and what was detected -> a picture, laid out as clinicians read it.

Longitudinal bipolar montage by chain, pen deflection in µV/mm and paper speed in mm/s
that hold at print size, negative up, a line every second. Nothing depends on colour.
Uses matplotlib without pyplot: no window, no state that outlives the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event, written_whole
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.page import Page

PICTURE_SUFFIXES: Final = (".png", ".svg")
SPEED_MM_PER_S: Final = 15.0  # half the classic 30 mm/s: the evolution fits one page
SENSITIVITIES_UV_PER_MM: Final = (7, 10, 15, 20, 30, 50, 70, 100)
DPI: Final = 150
REMOVED: Final = datetime(1985, 1, 1)  # what EDF holds where the date was taken out

LEFT: Final = "#14376e"
RIGHT: Final = "#7d1410"
CHAINS: Final = (
    ("left\ntemporal", 4, LEFT),
    ("left\nparasagittal", 4, LEFT),
    ("midline", 2, "#000000"),
    ("right\nparasagittal", 4, RIGHT),
    ("right\ntemporal", 4, RIGHT),
)
SHADE: Final = "#f1ead8"
OUTSIDE: Final = "#e6e6e6"
UNUSABLE: Final = "#a8a8a8"

LEAD_MM: Final = 8.5
CHAIN_GAP_MM: Final = 4.0
PEN_LIMIT_MM: Final = 2.2 * LEAD_MM  # pens have a stop: one pop must not hide a page
LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 28.0, 20.0, 26.0, 17.0
STRIP_MM, STRIP_GAP_MM = 18.0, 3.0
MM_PER_INCH: Final = 25.4
SMALL, NORMAL, LARGE = 7.5, 8.5, 12.0


def draw_page(
    page: Page,
    events: Sequence[Event],
    probability: NDArray[np.float32],
    *,
    threshold: float | None = None,
    title: str = "",
    start_time: datetime | None = None,
) -> Figure:
    """Draw a page with the events marked and the seizure probability below.

    Parameters
    ----------
    page
        The signal.
    events
        Of the whole recording, in seconds from its start.
    probability
        (n_seconds of the whole recording,) 0 to 1, NaN where nothing could be said.
    threshold
        Probability at which an event begins; drawn into the strip.
    title
        What the page is of.
    start_time
        Of the recording; adds the time of day.
    """
    positions_mm, traces_mm = lead_positions_mm()
    width_mm = LEFT_MM + page.n_seconds * SPEED_MM_PER_S + RIGHT_MM
    strip_top_mm = BOTTOM_MM + STRIP_MM
    height_mm = strip_top_mm + STRIP_GAP_MM + traces_mm + TOP_MM
    figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))

    def axes_mm(bottom: float, height: float) -> Axes:
        across = width_mm - LEFT_MM - RIGHT_MM
        box = (LEFT_MM / width_mm, bottom / height_mm)
        return figure.add_axes((*box, across / width_mm, height / height_mm))

    traces = axes_mm(strip_top_mm + STRIP_GAP_MM, traces_mm)
    strip = axes_mm(BOTTOM_MM, STRIP_MM)
    uv_per_mm = sensitivity_uv_per_mm(page)
    for axes in (traces, strip):
        _draw_paper(axes, page, len(probability))
        _draw_events(axes, page, events)
    traces.set_ylim(traces_mm, 0)
    _draw_leads(traces, page, positions_mm, uv_per_mm)
    _draw_lead_names(traces, page, positions_mm, events)
    _draw_calibration(traces, traces_mm, uv_per_mm)
    _draw_flags(traces, page, events)
    _draw_probability(strip, page, probability, threshold)
    _label_times(strip, page, start_time)
    _draw_header(figure, page, events, title)
    _draw_footer(figure, page, uv_per_mm)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write PNG or SVG, whichever the suffix says; the file appears whole or never."""
    kind = path.suffix.lower()[1:]
    # A date would make two drawings of the same page differ.
    metadata = {"Date": None} if kind == "svg" else None
    with written_whole(path) as partial:
        figure.savefig(partial, format=kind, dpi=DPI, metadata=metadata)


def lead_positions_mm() -> tuple[list[float], float]:
    """Return the baseline of each lead and the height of the page, from its top."""
    positions, y = [], 0.7 * LEAD_MM
    for _, n_leads, _ in CHAINS:
        for _ in range(n_leads):
            positions.append(y + 0.5 * LEAD_MM)
            y += LEAD_MM
        y += CHAIN_GAP_MM
    return positions, y - CHAIN_GAP_MM + 0.7 * LEAD_MM


def sensitivity_uv_per_mm(page: Page) -> int:
    """Choose the finest step at which neighbouring leads seldom touch."""
    heard = page.leads_uv[page.trusted & np.isfinite(page.leads_uv)]
    if not heard.size:
        return 10
    extent_uv = float(np.percentile(np.abs(heard), 95))
    fitting = [s for s in SENSITIVITIES_UV_PER_MM if extent_uv / s <= 1.1 * LEAD_MM]
    return fitting[0] if fitting else SENSITIVITIES_UV_PER_MM[-1]


def _draw_paper(axes: Axes, page: Page, end_s: int) -> None:
    if end_s < page.stop_s:
        axes.axvspan(end_s, page.stop_s, facecolor=OUTSIDE, linewidth=0, zorder=2)
    for second in range(page.start_s, page.stop_s + 1):
        fifth = second % 5 == 0
        colour, width = ("#8f8f8f", 0.8) if fifth else ("#c4c4c4", 0.5)
        axes.axvline(second, color=colour, linewidth=width, zorder=1)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set(color="#666666", linewidth=0.7)


def _draw_events(axes: Axes, page: Page, events: Sequence[Event]) -> None:
    for event in events:
        stop_s = event.onset + event.duration
        axes.axvspan(event.onset, stop_s, facecolor=SHADE, linewidth=0, zorder=0)
        axes.axvline(event.onset, color="black", linewidth=1.8, zorder=5)
        dashes = (0, (5, 3))
        axes.axvline(stop_s, color="black", linewidth=1.3, linestyle=dashes, zorder=5)
    axes.set_xlim(page.start_s, page.stop_s)


def _draw_leads(
    axes: Axes, page: Page, positions_mm: Sequence[float], uv_per_mm: int
) -> None:
    times = page.start_s + np.arange(page.leads_uv.shape[1]) / page.sfreq
    trusted = page.trusted
    deflection_mm = np.clip(page.leads_uv / uv_per_mm, -PEN_LIMIT_MM, PEN_LIMIT_MM)
    colours = [colour for _, n, colour in CHAINS for _ in range(n)]
    for row, (y, colour) in enumerate(zip(positions_mm, colours, strict=True)):
        if not page.present[row]:
            axes.axhline(y, color=UNUSABLE, linewidth=0.8, linestyle=":", zorder=3)
            axes.text(
                page.start_s + 0.1,
                y - 0.6,
                "not in this recording",
                fontsize=SMALL,
                color="#8c8c8c",
                va="bottom",
            )
            continue
        trace = y + deflection_mm[row]  # the axis points down: negative goes up
        axes.plot(times, trace, color=UNUSABLE, linewidth=0.5, zorder=3)
        kept = np.where(trusted[row], trace, np.nan)
        axes.plot(times, kept, color=colour, linewidth=0.65, zorder=4)


def _draw_lead_names(
    axes: Axes, page: Page, positions_mm: Sequence[float], events: Sequence[Event]
) -> None:
    """Write each lead beside its trace: bold if an event names it, grey if unusable."""
    named = {lead for event in _on_page(page, events) for lead in event.channels}
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for row, (lead, y) in enumerate(zip(LEADS, positions_mm, strict=True)):
        text = lead.replace("FP", "Fp").replace("Z", "z").replace("-", "–")
        axes.text(
            -0.006,
            y,
            text,
            transform=beside,
            ha="right",
            va="center",
            fontsize=NORMAL,
            color="black" if page.usable[row].any() else "#8c8c8c",
            fontweight="bold" if lead in named else "normal",
        )
    first = 0
    for name, n_leads, _ in CHAINS:
        middle = np.mean(positions_mm[first : first + n_leads])
        axes.text(
            -0.066,
            float(middle),
            name,
            transform=beside,
            ha="center",
            va="center",
            fontsize=SMALL,
            color="#444444",
            rotation=90,
        )
        first += n_leads


def _draw_calibration(axes: Axes, traces_mm: float, uv_per_mm: int) -> None:
    """Draw a round number of µV upwards and a second across, right of the page."""
    outside = blended_transform_factory(axes.transAxes, axes.transData)
    shown_uv = next(uv for uv in (50, 100, 200, 500, 1000) if uv / uv_per_mm >= 5)
    height_mm = shown_uv / uv_per_mm
    second = 1 / np.diff(axes.get_xlim())[0]
    left, bottom = 1.008, traces_mm - 4.0
    axes.plot(
        [left, left, left + second],
        [bottom - height_mm, bottom, bottom],
        transform=outside,
        color="black",
        linewidth=1.2,
        clip_on=False,
        solid_capstyle="butt",
        solid_joinstyle="miter",
    )
    for text, y in (
        (f" {shown_uv} µV", bottom - height_mm / 2),
        (" 1 s", bottom + 2.6),
    ):
        axes.text(left, y, text, transform=outside, va="center", fontsize=SMALL)


def _draw_flags(axes: Axes, page: Page, events: Sequence[Event]) -> None:
    """Span each event with a bar on the upper edge and name it there."""
    above = blended_transform_factory(axes.transData, axes.transAxes)
    for event in _on_page(page, events):
        first = max(event.onset, page.start_s)
        last = min(event.onset + event.duration, page.stop_s)
        axes.plot(
            [first, last],
            [1.004, 1.004],
            transform=above,
            color="black",
            linewidth=4.0,
            solid_capstyle="butt",
            clip_on=False,
        )
        begins = f"onset {clock(event.onset)}" if first == event.onset else "continued"
        sure = (
            "" if event.confidence is None else f" · confidence {event.confidence:.2f}"
        )
        text = f"{begins}{sure}"
        axes.text(first, 1.012, text, transform=above, fontsize=NORMAL)


def _draw_probability(
    axes: Axes, page: Page, probability: NDArray[np.float32], threshold: float | None
) -> None:
    seconds = np.arange(page.start_s, page.stop_s + 1)
    shown = np.full(page.n_seconds, np.nan, np.float32)
    here = probability[page.start_s : page.stop_s]
    shown[: len(here)] = here
    axes.stairs(np.nan_to_num(shown), seconds, fill=True, color="#9a9a9a", zorder=2)
    axes.stairs(shown, seconds, baseline=None, color="black", linewidth=1.0, zorder=4)
    for second in seconds[: len(here)][~np.isfinite(here)]:
        axes.axvspan(
            second, second + 1, facecolor="none", edgecolor=UNUSABLE, hatch="////"
        )
    axes.set_xlim(page.start_s, page.stop_s)
    axes.set_ylim(0, 1.04)
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for y, text in ((0.0, "0"), (1.0, "1")):
        axes.text(
            -0.006, y, text, transform=beside, ha="right", va="center", fontsize=SMALL
        )
    axes.text(
        -0.02,
        0.5,
        "seizure\nprobability\nper second",
        transform=axes.transAxes,
        ha="right",
        va="center",
        fontsize=SMALL,
        color="#444444",
    )
    if threshold is not None:
        axes.axhline(threshold, color="black", linewidth=0.9, linestyle="--", zorder=5)
        axes.text(
            1.006,
            threshold,
            f"threshold\n{threshold:.2f}",
            transform=beside,
            va="center",
            fontsize=SMALL,
        )


def _label_times(axes: Axes, page: Page, start_time: datetime | None) -> None:
    below = blended_transform_factory(axes.transData, axes.transAxes)
    for second in range(page.start_s, page.stop_s + 1):
        if second % 5:
            continue
        text = clock(second)
        if start_time is not None and start_time > REMOVED:
            text += f"\n{start_time + timedelta(seconds=second):%H:%M:%S}"
        axes.text(
            second, -0.10, text, transform=below, ha="center", va="top", fontsize=NORMAL
        )


def _draw_header(
    figure: Figure, page: Page, events: Sequence[Event], title: str
) -> None:
    here = _on_page(page, events)
    if not events:
        verdict = "no seizure detected"
    elif not here:
        verdict = "no seizure detected on this page"
    else:
        verdict = " · ".join(describe(event) for event in here[:2])
    width, height = figure.get_size_inches() * MM_PER_INCH
    left, right = LEFT_MM / width, 1 - RIGHT_MM / width
    top, below = 1 - 9.5 / height, 1 - 17.5 / height
    figure.text(left, top, title, fontsize=LARGE, fontweight="bold")
    span = f"{clock(page.start_s)} to {clock(page.stop_s)}"
    figure.text(right, top, span, fontsize=LARGE, ha="right")
    figure.text(left, below, verdict, fontsize=LARGE)


def _draw_footer(figure: Figure, page: Page, uv_per_mm: int) -> None:
    width, height = figure.get_size_inches() * MM_PER_INCH
    signal = page.signal
    notches = ", ".join(f"{hz:g}" for hz in signal.notch_hz)
    text = (
        f"{uv_per_mm} µV/mm · {SPEED_MM_PER_S:g} mm/s · "
        f"{signal.highpass_hz:g}–{signal.lowpass_hz:g} Hz, notch {notches} Hz · "
        "longitudinal bipolar, negative up · bold: leads named by the event · "
        "grey: not usable · "
        "for research, not a medical device"
    )
    figure.text(LEFT_MM / width, 3.0 / height, text, fontsize=SMALL, color="#444444")


def describe(event: Event) -> str:
    """Say in one line when an event is and how sure the model is of it."""
    stop_s = event.onset + event.duration
    sure = "" if event.confidence is None else f", confidence {event.confidence:.2f}"
    when = f"{clock(event.onset)} to {clock(stop_s)}"
    return f"seizure {when} ({event.duration:.0f} s){sure}"


def clock(seconds: float) -> str:
    """Write seconds from the start of a recording as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _on_page(page: Page, events: Sequence[Event]) -> list[Event]:
    return [
        event
        for event in events
        if event.onset < page.stop_s and event.onset + event.duration > page.start_s
    ]
