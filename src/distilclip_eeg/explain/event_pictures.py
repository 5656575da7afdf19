"""What is found for how many false alarms per day, and how soon -> two pictures.

One panel per protocol or data set, one line per model. Models differ by dash, lightness
and marker: nothing rests on colour alone. Uses matplotlib without pyplot. Knows no
model and computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from distilclip_eeg.evaluation.event_curves import AlarmCurve, Latencies
from distilclip_eeg.evaluation.thresholds import RATES_PER_DAY
from distilclip_eeg.explain.drawing import save_figure
from distilclip_eeg.explain.receivers import LARGE, NORMAL, SMALL, STYLES

ALARMS: Final = "alarms.png"
LATENCY: Final = "latency.png"
PICTURES: Final = (ALARMS, LATENCY)

WIDTH_IN, HEIGHT_IN = 4.9, 3.9  # of a panel with its labels, without its legend
LEFT_IN, BOTTOM_IN, TITLE_IN = 0.65, 0.5, 0.75
LINE_IN: Final = 0.16  # of a legend
MARKERS: Final = "os^DvX"
LOWEST_PER_DAY, HIGHEST_PER_DAY = 0.1, 300.0  # an alarm that never stops: 288
TICKS_PER_DAY: Final = (0.1, *RATES_PER_DAY, 100.0)
MARKED_S: Final = (5.0, 10.0, 30.0)
SHORTEST_S, LONGEST_S = 20.0, 120.0  # of the axis of latencies
GREY: Final = "#bbbbbb"
UNTOLD: Final = "#eeeeee"


class _Style(NamedTuple):
    colour: str
    dashes: str
    marker: str


C = TypeVar("C", AlarmCurve, Latencies)
Panels = Mapping[str, Sequence[C]]


def write_event_pictures(
    folder: Path,
    alarms: Panels[AlarmCurve],
    latencies: Panels[Latencies],
    *,
    title: str,
) -> list[Path]:
    """Draw both pictures into a folder.

    Where there was no seizure to find there are none, older ones neither.

    Parameters
    ----------
    alarms, latencies
        Title of a panel -> the curves in it.

    Returns
    -------
    list of Path
        What was written.
    """
    if not any(curve.n_seizures for curves in alarms.values() for curve in curves):
        for name in PICTURES:
            (folder / name).unlink(missing_ok=True)
        return []
    save_figure(draw_alarms(alarms, title=title), folder / ALARMS)
    save_figure(draw_latencies(latencies, title=title), folder / LATENCY)
    return [folder / name for name in PICTURES]


def draw_alarms(panels: Panels[AlarmCurve], *, title: str) -> Figure:
    """Draw sensitivity against false alarms per day, on a logarithmic axis.

    The rates that figures are told at are marked, and the legend says what is found
    there. Where a rate means less than one false alarm in all of the EEG, the ground is
    grey: what a model would do in longer recordings cannot be told there.
    """
    return _draw(panels, _draw_alarms, title)


def draw_latencies(panels: Panels[Latencies], *, title: str) -> Figure:
    """Draw the part of all seizures found within so many seconds of their onset."""
    return _draw(panels, _draw_latencies, title)


def _draw(
    panels: Panels[C],
    draw: Callable[[Axes, Sequence[C], Mapping[str, _Style]], None],
    title: str,
) -> Figure:
    names = dict.fromkeys(curve.name for curves in panels.values() for curve in curves)
    styles = _styles(names)
    legend_in = LINE_IN * (len(names) + 3)
    width, height = WIDTH_IN * max(1, len(panels)), HEIGHT_IN + TITLE_IN + legend_in
    figure = Figure(figsize=(width, height))
    row = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for axes, (heading, curves) in zip(row, panels.items(), strict=False):
        draw(axes, curves, styles)
        _finish(axes, heading)
    figure.suptitle(title, fontsize=LARGE, y=1 - 0.15 / height, va="top")
    figure.subplots_adjust(
        left=LEFT_IN / width,
        right=1 - 0.15 / width,
        bottom=(BOTTOM_IN + legend_in) / height,
        top=1 - TITLE_IN / height,
        wspace=0.22,
    )
    return figure


def _finish(axes: Axes, heading: str) -> None:
    axes.set_title(heading, fontsize=NORMAL)
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL)


def _styles(names: Iterable[str]) -> dict[str, _Style]:
    looks = zip(cycle(STYLES), cycle(MARKERS), strict=False)
    return {
        name: _Style(colour, dashes, marker)
        for name, ((colour, dashes), marker) in zip(names, looks, strict=False)
    }


def _draw_alarms(
    axes: Axes, curves: Sequence[AlarmCurve], styles: Mapping[str, _Style]
) -> None:
    axes.set_xscale("log")
    axes.set_xlim(LOWEST_PER_DAY, HIGHEST_PER_DAY)
    axes.xaxis.set_major_locator(FixedLocator(TICKS_PER_DAY))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    for rate in RATES_PER_DAY:
        axes.axvline(rate, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    for curve in curves:
        if curve.n_seizures:
            _draw_alarm_curve(axes, curve, styles[curve.name])
    _draw_untold(axes, curves)
    axes.set_xlabel("false alarms per day (SzCORE events)", fontsize=NORMAL)
    axes.set_ylabel("seizures found", fontsize=NORMAL)
    at = ", ".join(f"{rate:g}" for rate in RATES_PER_DAY)
    _add_legend(axes, f"found at {at} per day")


def _draw_alarm_curve(axes: Axes, curve: AlarmCurve, style: _Style) -> None:
    found = [curve.at(rate) for rate in RATES_PER_DAY]
    shown = curve.per_day > LOWEST_PER_DAY
    x = [LOWEST_PER_DAY, *curve.per_day[shown], HIGHEST_PER_DAY]
    y = [curve.at(LOWEST_PER_DAY), *curve.sensitivity[shown], curve.sensitivity[-1]]
    axes.plot(
        np.minimum(x, HIGHEST_PER_DAY),
        y,
        drawstyle="steps-post",
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.4,
        zorder=2,
    )
    axes.plot(
        RATES_PER_DAY,
        found,
        linestyle="",
        marker=style.marker,
        markersize=5.5,
        markerfacecolor=style.colour,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=3,
        clip_on=False,
    )
    numbers = " / ".join(f"{100 * share:.0f}" for share in found)
    _name(axes, style, f"{curve.name}: {numbers} %")


def _draw_untold(axes: Axes, curves: Sequence[AlarmCurve]) -> None:
    """Grey where not even one false alarm happened."""
    days = max((c.days for c in curves if c.n_seizures), default=0.0)
    if not days or 1 / days <= LOWEST_PER_DAY:
        return
    length = f"{days:.1f} days" if days >= 2 else f"{24 * days:.1f} h"
    axes.axvspan(
        *(LOWEST_PER_DAY, 1 / days),
        color=UNTOLD,
        linewidth=0,
        zorder=0,
        label=f"less than one false alarm in all {length}",
    )


def _draw_latencies(
    axes: Axes, curves: Sequence[Latencies], styles: Mapping[str, _Style]
) -> None:
    longest_s = max((c.seconds.max(initial=0.0) for c in curves), default=0.0)
    end_s = float(np.clip(10 * np.ceil(longest_s / 10 + 0.2), SHORTEST_S, LONGEST_S))
    axes.set_xlim(0, end_s)
    for second in MARKED_S:
        if second < end_s:
            dots = (0, (1, 2))
            axes.axvline(second, color=GREY, linewidth=0.8, linestyle=dots, zorder=1)
    for curve in curves:
        if curve.n_seizures:
            _draw_latency_curve(axes, curve, styles[curve.name], end_s)
    axes.set_xlabel("seconds after the onset", fontsize=NORMAL)
    axes.set_ylabel("seizures found by then, of all", fontsize=NORMAL)
    _add_legend(axes, "found, and after how long (median)")


def _draw_latency_curve(
    axes: Axes, curve: Latencies, style: _Style, end_s: float
) -> None:
    n_found = len(curve.seconds)
    shares = np.arange(n_found + 1) / curve.n_seizures
    axes.plot(
        [0.0, *curve.seconds, max(end_s, curve.seconds.max(initial=0.0))],
        [*shares, shares[-1]],
        drawstyle="steps-post",
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.4,
        zorder=2,
    )
    seconds = [second for second in MARKED_S if second < end_s]
    axes.plot(
        seconds,
        [curve.share_within(second) for second in seconds],
        linestyle="",
        marker=style.marker,
        markersize=5.5,
        markerfacecolor=style.colour,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=3,
        clip_on=False,
    )
    after = f", {np.median(curve.seconds):.0f} s" if n_found else ""
    _name(axes, style, f"{curve.name}: {100 * shares[-1]:.0f} %{after}")


def _name(axes: Axes, style: _Style, label: str) -> None:
    """Put line and marker together into the legend."""
    axes.plot(
        [],
        [],
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.4,
        marker=style.marker,
        markersize=5.0,
        markeredgecolor="white",
        markeredgewidth=0.7,
        label=label,
    )


def _add_legend(axes: Axes, title: str) -> None:
    if not axes.get_legend_handles_labels()[1]:
        axes.text(0.5, 0.5, "no seizure to find", transform=axes.transAxes, ha="center")
        return
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.13),
        borderaxespad=0.0,
        title=title,
        alignment="left",
        fontsize=SMALL,
        title_fontsize=SMALL,
        frameon=False,
        handlelength=3.4,
    )
