"""Which leads carried a stretch of EEG -> pictures: on the signal, and on a head.

The traces of a page (`drawing`) over cells, one for each second of a lead, that are the
darker the more they speak for a seizure; beside them a head and the strongest leads.
Does not know how the numbers came about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.drawing import (
    CHAINS,
    LARGE,
    LEAD_MM,
    MM_PER_INCH,
    NORMAL,
    PEN_LIMIT_MM,
    SMALL,
    clock,
    lead_positions_mm,
    sensitivity_uv_per_mm,
)
from distilclip_eeg.explain.ecam import LeadMap
from distilclip_eeg.explain.page import Page
from distilclip_eeg.explain.topomap import (
    COLOURS,
    colour_limit,
    draw_head,
    draw_scale,
)

SECOND_MM: Final = 11.0
LEFT_MM, TOP_MM, BOTTOM_MM = 22.0, 24.0, 17.0
PANEL_MM, BETWEEN_MM, RIGHT_MM = 58.0, 9.0, 7.0
COMPARED_SECOND_MM: Final = 12.0
HEAD_MM: Final = 62.0
RESEARCH: Final = "for research, not a medical device"


@dataclass(frozen=True, eq=False)
class Example:
    """One stretch of a class, and the mean map of the class.

    Attributes
    ----------
    by_lead
        (18,) mean over `n` stretches.
    """

    title: str
    page: Page
    found: LeadMap
    by_lead: NDArray[np.float32]
    n: int


def draw_ecam(
    page: Page, found: LeadMap, *, title: str = "", onset_s: float | None = None
) -> Figure:
    """Draw the map on the signal, with a head and the strongest leads beside it.

    Parameters
    ----------
    page
        The very seconds of the map.
    onset_s
        Of the event, if there is one; drawn as a line.
    """
    _, traces_mm = lead_positions_mm()
    across = page.n_seconds * SECOND_MM
    width = LEFT_MM + across + BETWEEN_MM + PANEL_MM + RIGHT_MM
    height = BOTTOM_MM + traces_mm + TOP_MM
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH))
    limit = colour_limit(found.values)
    traces = figure.add_axes(
        (LEFT_MM / width, BOTTOM_MM / height, across / width, traces_mm / height)
    )
    uv_per_mm = sensitivity_uv_per_mm(page)
    _draw_seconds(traces, page, found, limit, uv_per_mm)
    _name_leads(traces, set(found.strongest))
    if onset_s is not None:
        traces.axvline(onset_s, color="black", linewidth=1.8, zorder=5)
    left = (LEFT_MM + across + BETWEEN_MM) / width
    wide, top = PANEL_MM / width, BOTTOM_MM + traces_mm
    head = figure.add_axes((left, (top - 62) / height, wide, 56 / height))
    summed = colour_limit(found.by_lead)
    draw_head(head, found.by_lead, limit=summed, title=_averaged(found))
    scale = (left + 0.12 * wide, (top - 72) / height, 0.76 * wide, 2.4 / height)
    draw_scale(figure, scale, summed)
    bars = figure.add_axes(
        (left + 0.24 * wide, (top - 128) / height, 0.72 * wide, 34 / height)
    )
    _draw_strongest(bars, found)
    _write_head_and_foot(figure, page, found, title, limit)
    return figure


def draw_comparison(normal: Example, seizure: Example, *, title: str = "") -> Figure:
    """Draw a normal segment against a seizure: signals above, heads of classes below.

    Both columns share one scale for the cells and one for the heads.
    """
    _, traces_mm = lead_positions_mm()
    columns = (normal, seizure)
    across = [column.page.n_seconds * COMPARED_SECOND_MM for column in columns]
    between = 26.0
    width = LEFT_MM + sum(across) + between + RIGHT_MM
    above = TOP_MM if title else 0.5 * TOP_MM
    height = 20.0 + HEAD_MM + 16.0 + traces_mm + above
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH))
    cells = colour_limit(*(column.found.values for column in columns))
    heads = colour_limit(*(column.by_lead for column in columns))
    uv_per_mm = max(sensitivity_uv_per_mm(column.page) for column in columns)
    left = LEFT_MM
    for letter, column, wide in zip("ab", columns, across, strict=True):
        box = (left / width, (36 + HEAD_MM) / height, wide / width, traces_mm / height)
        traces = figure.add_axes(box)
        _draw_seconds(traces, column.page, column.found, cells, uv_per_mm)
        _name_leads(traces, _carrying(column, heads))
        top = (36 + HEAD_MM + traces_mm + 4) / height
        figure.text(left / width, top, f"{letter}  {column.title}", fontsize=LARGE)
        middle = left + 0.5 * wide - 0.5 * HEAD_MM
        head = figure.add_axes(
            (middle / width, 20 / height, HEAD_MM / width, HEAD_MM / height)
        )
        name = f"mean of {column.n}" if column.n > 1 else "this one alone"
        draw_head(head, column.by_lead, limit=heads, title=name)
        left += wide + between
    scale_mm = 46.0
    scale = (0.5 - 0.5 * scale_mm / width, 44 / height, scale_mm / width, 2.4 / height)
    draw_scale(figure, scale, heads)
    figure.text(
        LEFT_MM / width,
        1 - 9 / height,
        title,
        fontsize=LARGE,
        fontweight="bold",
    )
    _write(
        figure, LEFT_MM / width, 4 / height, _legend(seizure.found, cells, uv_per_mm)
    )
    return figure


def _draw_seconds(
    axes: Axes, page: Page, found: LeadMap, limit: float, uv_per_mm: int
) -> None:
    """Cells, traces over them, names beside them, times below."""
    positions, traces_mm = lead_positions_mm()
    start, stop = page.start_s, page.stop_s
    for y, row in zip(positions, found.values, strict=True):
        edges = (np.arange(start, stop + 1), [y - LEAD_MM / 2, y + LEAD_MM / 2])
        axes.pcolormesh(
            *edges,
            np.ma.masked_invalid(row)[None],
            cmap=COLOURS,
            vmin=-limit,
            vmax=limit,
            edgecolors="#ffffff",
            linewidth=0.4,
            zorder=1,
        )
    _draw_traces(axes, page, positions, uv_per_mm)
    axes.set_xlim(start, stop)
    axes.set_ylim(traces_mm, 0)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set(color="#666666", linewidth=0.7)
    below = blended_transform_factory(axes.transData, axes.transAxes)
    for second in range(start, stop + 1):
        if second % 5 == 0:
            axes.text(
                second, -0.012, clock(second), transform=below, ha="center", va="top",
                fontsize=NORMAL,
            )  # fmt: skip


def _draw_traces(
    axes: Axes, page: Page, positions: list[float], uv_per_mm: int
) -> None:
    times = page.start_s + np.arange(page.leads_uv.shape[1]) / page.sfreq
    for row, y in enumerate(positions):
        trace = np.clip(page.leads_uv[row] / uv_per_mm, -PEN_LIMIT_MM, PEN_LIMIT_MM)
        kept = np.where(page.trusted[row], trace, np.nan)
        axes.plot(times, y + kept, color="black", linewidth=0.55, zorder=3)


def _name_leads(axes: Axes, bold: set[str]) -> None:
    positions, _ = lead_positions_mm()
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for lead, y in zip(LEADS, positions, strict=True):
        axes.text(
            -0.008,
            y,
            _written(lead),
            transform=beside,
            ha="right",
            va="center",
            fontsize=NORMAL,
            fontweight="bold" if lead in bold else "normal",
        )
    y = 0
    for _, n_leads, _ in CHAINS[:-1]:
        y += n_leads
        middle = 0.5 * (positions[y - 1] + positions[y])
        axes.axhline(middle, color="#bbbbbb", linewidth=0.5, zorder=0)


def _carrying(column: Example, limit: float) -> set[str]:
    """Leads that carry at least half of what any lead of either class does."""
    shares = zip(LEADS, column.found.by_lead, strict=True)
    return {lead for lead, carried in shares if carried >= 0.5 * limit}


def _draw_strongest(axes: Axes, found: LeadMap) -> None:
    """The leads that carry most, as bars."""
    axes.set_title("strongest leads (evidence)", fontsize=9, loc="left")
    axes.tick_params(length=0, labelsize=NORMAL)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([])
    names = found.strongest
    if not names:
        axes.set_yticks([])
        axes.text(0, 0.8, "none speaks for a seizure", fontsize=NORMAL)
        return
    sizes = [float(found.evidence[LEADS.index(name)]) for name in names]
    rows = np.arange(len(names))
    axes.barh(rows, sizes, height=0.7, color=COLOURS(0.88))
    axes.set_yticks(rows, [_written(name) for name in names])
    axes.set_ylim(5.6, -0.6)
    for row, size in zip(rows, sizes, strict=True):
        axes.text(size, float(row), f" {size:.2f}", va="center", fontsize=SMALL)
    axes.set_xlim(0, 1.3 * max(sizes))


def _write_head_and_foot(
    figure: Figure, page: Page, found: LeadMap, title: str, limit: float
) -> None:
    width, height = figure.get_size_inches() * MM_PER_INCH
    left = LEFT_MM / width
    figure.text(left, 1 - 9.5 / height, title, fontsize=LARGE, fontweight="bold")
    place = found.place
    said = f"carried by {', '.join(map(_written, found.strongest))}"
    if not found.strongest:
        said = "no lead speaks for a seizure"
    elif place:
        said = f"{place}: {said}"
    figure.text(left, 1 - 17.5 / height, said, fontsize=LARGE)
    legend = _legend(found, limit, sensitivity_uv_per_mm(page))
    _write(figure, left, 1.5 / height, legend.replace("; ", "\n"))


def _legend(found: LeadMap, limit: float, uv_per_mm: int) -> str:
    asked = {
        "before": "told from what the lead was before",
        "masked": "told from the window without the lead",
    }[found.against]
    return (
        f"cells: log-odds of a seizure, darkest {limit:.2g}, {asked}; grey: not usable "
        f"· {uv_per_mm} µV/mm, negative up · {RESEARCH}"
    )


def _write(figure: Figure, x: float, y: float, text: str) -> None:
    figure.text(x, y, text, fontsize=SMALL, color="#444444")


def _averaged(found: LeadMap) -> str:
    first, last = found.onset_s + found.first, found.onset_s + found.last
    return f"{clock(first)} to {clock(last)}"


def _written(lead: str) -> str:
    return lead.replace("FP", "Fp").replace("Z", "z").replace("-", "–")
