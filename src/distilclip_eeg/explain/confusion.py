"""Counts of what segments are and what they are called -> a picture of matrices.

A row is what segments are, a column what a model calls them; a cell holds its share of
the row and the count, and is the darker the larger its share. Grey alone: it prints.
Uses matplotlib without pyplot. Knows no model and computes shares only.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from textwrap import fill
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distilclip_eeg.evaluation.experiment.confusions import Confusion
from distilclip_eeg.explain.receivers import LARGE, NORMAL, SMALL

CELL_IN: Final = 0.82
LEAST_IN: Final = 1.8  # of a matrix: two classes would be lost beside their names
LEFT_IN, ABOVE_IN, RIGHT_IN = 1.15, 0.35, 0.2
BELOW_IN, BELOW_TILTED_IN = 0.55, 1.35
TITLE_IN, LINE_IN = 0.45, 0.14
MOST_IN: Final = 13.0  # matrices side by side
LETTERS_PER_IN: Final = 16.0
LIGHT_TEXT_FROM: Final = 0.62  # share from which white letters read better
NAME_WIDTH: Final = 15  # letters of a line


def draw_confusions(
    matrices: Sequence[Confusion], *, title: str, warning: str = ""
) -> Figure:
    """Draw every matrix in a panel of its own, row by row.

    Parameters
    ----------
    matrices
        One or more, with as many classes each.
    warning
        Stands below the title.
    """
    n_classes = max((len(m.classes) for m in matrices), default=2)
    side = max(LEAST_IN, CELL_IN * n_classes)
    below = BELOW_TILTED_IN if n_classes > 2 else BELOW_IN
    across, down = side + LEFT_IN + RIGHT_IN, side + ABOVE_IN + below
    n_beside = max(1, min(len(matrices), int(MOST_IN / across)))
    n_below = max(1, ceil(len(matrices) / n_beside))
    width = n_beside * across
    warned = fill(warning, int(LETTERS_PER_IN * width))
    height = n_below * down + TITLE_IN + LINE_IN * (1 + warned.count("\n"))
    figure = Figure(figsize=(width, height))
    for number, matrix in enumerate(matrices):
        row, column = divmod(number, n_beside)
        left = (column * across + LEFT_IN) / width
        bottom = ((n_below - 1 - row) * down + below) / height
        box = (left, bottom, side / width, side / height)
        _draw(figure.add_axes(box), matrix)
    figure.suptitle(title, fontsize=LARGE, y=1 - 0.1 / height, va="top")
    top = 1 - 0.36 / height
    figure.text(0.5, top, warned, fontsize=SMALL, ha="center", va="top")
    return figure


def _draw(axes: Axes, matrix: Confusion) -> None:
    shares = matrix.shares()
    axes.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="equal")
    for (row, column), n in np.ndenumerate(matrix.counts):
        share = float(shares[row, column])
        axes.text(
            *(column, row, f"{100 * share:.1f} %\n{n:,}" if n else "0"),
            ha="center",
            va="center",
            fontsize=NORMAL,
            color="white" if share >= LIGHT_TEXT_FROM else "black",
        )
    names = [fill(name, NAME_WIDTH) for name in matrix.classes]
    places = range(len(names))
    tilted = len(names) > 2
    axes.set_xticks(places, names, fontsize=SMALL, rotation=35 if tilted else 0)
    if tilted:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names, fontsize=SMALL)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#999999", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set_title(matrix.title, fontsize=NORMAL)
    axes.set_xlabel("called", fontsize=SMALL, fontstyle="italic")
    axes.set_ylabel("is", fontsize=SMALL, fontstyle="italic")
