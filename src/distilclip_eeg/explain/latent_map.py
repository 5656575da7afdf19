"""Points of the shared space -> a picture: by class on the left, by person right.

Classes differ by lightness and shape, data sets by shape, people by name: nothing rests
on colour alone. Uses matplotlib without pyplot. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib.patheffects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from distilclip_eeg.evaluation.plane import MapPoint

WIDTH_IN, HEIGHT_IN = 13.0, 7.0
SMALL, NORMAL, LARGE = 7.5, 9.0, 12.0
MARKERS: Final = "os^vPX*D"  # of data sets
LIGHT, DARK = "#9ec5e8", "#8c1d18"  # background, seizure: 0.75 and 0.2 in grey
# Of people, neighbours in the list far apart in lightness; names tell the rest.
SHADES: Final = (
    *("#1b2f4b", "#e0a458", "#7a4a86", "#8fc1a9", "#a63a2b", "#b9b9b9"),
    *("#3d6b45", "#d9a6a0", "#5d6d7e", "#c9b037", "#2a7f9e", "#8a5a2b"),
)
MAX_NAMED: Final = 60  # people; more names hide the points
MIN_NAMED: Final = 3  # windows behind a name
LINES: Final = np.array([14, 38])  # names beside each other, and below


def draw_map(points: Sequence[MapPoint], *, title: str, note: str = "") -> Figure:
    """Draw both panels.

    Parameters
    ----------
    points
        Windows, captions and class prompts of one space.
    title, note
        Above, and below in small letters: whose windows these are.
    """
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN))
    by_class, by_person = figure.subplots(1, 2, sharex=True, sharey=True)
    _draw_classes(by_class, points)
    _draw_people(by_person, points)
    figure.suptitle(title, fontsize=LARGE, y=0.975)
    figure.text(0.5, 0.012, note, fontsize=SMALL, ha="center", color="#444444")
    figure.subplots_adjust(0.015, 0.1, 0.985, 0.9, wspace=0.02)
    return figure


def _draw_classes(axes: Axes, points: Sequence[MapPoint]) -> None:
    for state, colour in (("background", LIGHT), ("seizure", DARK)):
        axes.plot(
            *_xy(points, "window", state),
            linestyle="",
            marker="o",
            markersize=3.6,
            markerfacecolor=colour,
            markeredgecolor="#5f7f9c" if state == "background" else "white",
            markeredgewidth=0.3,
            label=f"EEG, {state}",
            zorder=2,
        )
    for state, colour in (("background", "white"), ("seizure", "black")):
        axes.plot(
            *_xy(points, "caption", state),
            linestyle="",
            marker="D",
            markersize=5.0,
            markerfacecolor=colour,
            markeredgecolor="black" if state == "background" else "white",
            markeredgewidth=0.7,
            label=f"caption, {state}",
            zorder=3,
        )
    _draw_prompts(axes, points)
    _finish(axes, "by class")


def _draw_people(axes: Axes, points: Sequence[MapPoint]) -> None:
    captions = [point for point in points if point.what == "caption"]
    axes.plot(
        [point.x for point in captions],
        [point.y for point in captions],
        linestyle="",
        marker="x",
        markersize=3.5,
        color="#555555",
        markeredgewidth=0.6,
        label="caption",
        zorder=1,
    )
    windows = [point for point in points if point.what == "window"]
    people = sorted({(point.dataset, point.patient) for point in windows})
    datasets = sorted({dataset for dataset, _ in people})
    for number, (dataset, patient) in enumerate(people):
        own = [p for p in windows if (p.dataset, p.patient) == (dataset, patient)]
        axes.plot(
            [point.x for point in own],
            [point.y for point in own],
            linestyle="",
            marker=MARKERS[datasets.index(dataset) % len(MARKERS)],
            markersize=4.2,
            markerfacecolor=SHADES[number % len(SHADES)],
            markeredgecolor="white",
            markeredgewidth=0.3,
            zorder=2,
        )
    for number, dataset in enumerate(datasets):
        axes.plot(
            [],
            [],
            linestyle="",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4.2,
            color="#777777",
            label=f"EEG, {dataset}",
        )
    _name_people(axes, windows)
    _finish(axes, "by person (shade, name) and data set (shape)")


def _name_people(axes: Axes, windows: Sequence[MapPoint]) -> None:
    """Write each name at the middle of the same person's windows."""
    people = sorted({(point.dataset, point.patient) for point in windows})
    if len(people) > MAX_NAMED:
        return
    places = np.array([(point.x, point.y) for point in windows])
    line = np.ptp(places, axis=0) / LINES  # about the room that a name takes
    taken: list[NDArray[np.floating]] = []
    for dataset, patient in people:
        own = places[[(p.dataset, p.patient) == (dataset, patient) for p in windows]]
        if len(own) < MIN_NAMED:
            continue
        distances = np.linalg.norm(own[:, None] - own[None], axis=2)
        place = own[np.median(distances, axis=1).argmin()]
        while any((np.abs(place - other) < line).all() for other in taken):
            place = place - (0, line[1] / 2)
        taken.append(place)
        axes.annotate(
            patient, place, fontsize=SMALL, ha="center", va="center", zorder=5
        ).set_path_effects(_outlined())


def _draw_prompts(axes: Axes, points: Sequence[MapPoint]) -> None:
    prompts = [point for point in points if point.what == "prompt"]
    highest = max((point.y for point in prompts), default=0.0)
    for point in prompts:
        axes.plot(
            point.x,
            point.y,
            marker="*",
            markersize=17,
            markerfacecolor="#ffd23f",
            markeredgecolor="black",
            zorder=4,
            linestyle="",
        )
        axes.annotate(
            f"prompt: {point.state}",
            (point.x, point.y),
            xytext=(0, 11 if point.y == highest else -20),  # two may lie close
            textcoords="offset points",
            fontsize=NORMAL,
            fontweight="bold",
            ha="center",
            zorder=5,
        ).set_path_effects(_outlined())


def _outlined() -> list[matplotlib.patheffects.AbstractPathEffect]:
    """White around the letters: they stand on points."""
    return [matplotlib.patheffects.withStroke(linewidth=2.2, foreground="white")]


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=NORMAL)
    axes.set(xticks=[], yticks=[])  # the axes of such a map have no meaning
    axes.margins(0.05)
    for spine in axes.spines.values():
        spine.set(color="#999999", linewidth=0.7)
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=7,
        columnspacing=1.4,
        handletextpad=0.2,
        fontsize=SMALL + 0.5,
        frameon=False,
        markerscale=1.4,
    )


def _xy(
    points: Sequence[MapPoint], what: str, state: str
) -> tuple[list[float], list[float]]:
    own = [point for point in points if (point.what, point.state) == (what, state)]
    return [point.x for point in own], [point.y for point in own]
