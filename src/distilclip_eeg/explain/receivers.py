"""ROC curves of several models -> a picture, one panel per protocol.

Models differ by dash and lightness: nothing rests on colour alone. Uses matplotlib
without pyplot. Knows no model and computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from distilclip_eeg.evaluation.experiment.protocol_table import Curve

PANEL_IN: Final = 4.2
TITLE_IN: Final = 1.4  # above the panels, for title and warning
SMALL, NORMAL, LARGE = 7.0, 9.0, 12.0
STYLES: Final = (
    *(("#1b2f4b", "-"), ("#8c1d18", "--"), ("#3d6b45", "-.")),
    *(("#777777", "-"), ("#a0742c", ":"), ("#9aa7b5", "--")),
)


def draw_receivers(curves: Sequence[Curve], *, title: str, warning: str = "") -> Figure:
    """Draw a panel for each protocol and a line for each model in it.

    Parameters
    ----------
    warning
        Stands below the title.
    """
    protocols = list(dict.fromkeys(curve.protocol for curve in curves))
    styles = dict(
        zip(dict.fromkeys(curve.model for curve in curves), cycle(STYLES), strict=False)
    )
    width, height = PANEL_IN * max(2, len(protocols)), PANEL_IN + TITLE_IN
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(1, max(1, len(protocols)), squeeze=False)[0]
    for axes, protocol in zip(panels, protocols, strict=False):
        _draw(axes, [c for c in curves if c.protocol == protocol], styles)
        axes.set_title(protocol, fontsize=NORMAL)
    figure.suptitle(title, fontsize=LARGE)
    top = 1 - 0.4 / height
    figure.text(0.5, top, warning, fontsize=SMALL, ha="center", va="top", wrap=True)
    figure.subplots_adjust(0.6 / width, 0.5 / height, 0.98, 1 - TITLE_IN / height)
    return figure


def _draw(
    axes: Axes, curves: Sequence[Curve], styles: dict[str, tuple[str, str]]
) -> None:
    axes.plot([0, 1], [0, 1], color="#dddddd", linewidth=0.8)
    for curve in curves:
        colour, dashes = styles[curve.model]
        axes.plot(
            curve.false_rate,
            curve.sensitivity,
            color=colour,
            linestyle=dashes,
            linewidth=1.3,
            label=curve.model,
        )
    axes.set_aspect("equal")
    axes.set_xlabel("background segments called seizures", fontsize=NORMAL)
    axes.set_ylabel("seizure segments found", fontsize=NORMAL)
    axes.tick_params(labelsize=SMALL)
    axes.legend(fontsize=SMALL, loc="lower right", frameon=False)
