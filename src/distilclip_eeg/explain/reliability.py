"""Confidence of events held against what is true -> a picture, one panel per detector.

The part of true events by tenth of confidence, with intervals, above how many events
each tenth holds. Uses matplotlib without pyplot. Knows no model and computes nothing
but the error in a panel's title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from distilclip_eeg.evaluation.confidence import ReliabilityRow, error_of
from distilclip_eeg.explain.drawing import save_figure
from distilclip_eeg.explain.receivers import LARGE, NORMAL, SMALL

CONFIDENCE: Final = "confidence.png"

WIDTH_IN, HEIGHT_IN = 4.2, 5.4  # of a panel
TOP_IN, BOTTOM_IN, LEFT_IN, RIGHT_IN = 0.85, 0.5, 0.65, 0.2
HEIGHTS: Final = (4.0, 1.0)  # of the shares and of the counts below them
INK, BAR, HONEST = "#1b2f4b", "#9aa7b5", "#8c1d18"


def write_reliability(
    folder: Path, panels: Mapping[str, Sequence[ReliabilityRow]], *, title: str
) -> Path | None:
    """Draw the picture into a folder; without an event there is none, no older one."""
    if not any(panels.values()):
        (folder / CONFIDENCE).unlink(missing_ok=True)
        return None
    save_figure(draw_reliability(panels, title=title), folder / CONFIDENCE)
    return folder / CONFIDENCE


def draw_reliability(
    panels: Mapping[str, Sequence[ReliabilityRow]], *, title: str
) -> Figure:
    """Draw a panel for each detector: confidence across, true events upwards.

    Parameters
    ----------
    panels
        Heading of a panel -> its rows.
    """
    n = max(1, len(panels))
    width, height = max(WIDTH_IN * n, 1.2 * WIDTH_IN), HEIGHT_IN + TOP_IN
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(
        *(2, n), squeeze=False, sharex=True, sharey="row", height_ratios=HEIGHTS
    )
    for (heading, rows), shares, counts in zip(
        panels.items(), grid[0], grid[1], strict=False
    ):
        _draw_shares(shares, rows)
        _draw_counts(counts, rows)
        events = sum(row.n for row in rows)
        found = f"{events} events, calibration error {error_of(rows):.2f}"
        shares.set_title(f"{heading}\n{found if rows else 'no event'}", fontsize=NORMAL)
    most = max((row.n for rows in panels.values() for row in rows), default=1)
    grid[1][0].set_ylim(0, 1.08 * most)
    grid[0][0].set_ylabel("events that are seizures", fontsize=NORMAL)
    grid[1][0].set_ylabel("events", fontsize=NORMAL)
    figure.suptitle(title, fontsize=LARGE, y=1 - 0.15 / height, va="top")
    figure.subplots_adjust(
        left=LEFT_IN / width,
        right=1 - RIGHT_IN / width,
        bottom=BOTTOM_IN / height,
        top=1 - TOP_IN / height,
        wspace=0.12,
        hspace=0.08,
    )
    return figure


def _draw_shares(axes: Axes, rows: Sequence[ReliabilityRow]) -> None:
    axes.plot([0, 1], [0, 1], color=HONEST, linewidth=1.0, linestyle="--", zorder=1)
    axes.text(
        *(0.04, 0.06, "as often as said"),
        color=HONEST,
        fontsize=SMALL,
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        va="bottom",
    )
    x, y = np.array([(row.confidence, row.true) for row in rows]).reshape(-1, 2).T
    ends = np.array([(row.true_low, row.true_high) for row in rows]).reshape(-1, 2).T
    axes.errorbar(
        *(x, y),
        yerr=np.abs(ends - y),
        color=INK,
        linewidth=1.3,
        marker="o",
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.7,
        elinewidth=0.9,
        zorder=3,
        clip_on=False,
    )
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL)


def _draw_counts(axes: Axes, rows: Sequence[ReliabilityRow]) -> None:
    axes.bar(
        [row.low for row in rows],
        [row.n for row in rows],
        width=[0.94 * (row.high - row.low) for row in rows],
        align="edge",
        color=BAR,
    )
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.tick_params(labelsize=SMALL)
    axes.set_xlabel("confidence", fontsize=NORMAL)
