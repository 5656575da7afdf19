"""A number for each lead -> a map of the head, seen from above, nose up.

A lead stands for the place between its two electrodes, so its number is drawn in the
middle of them; MNE interpolates what lies between. Colours are white at 0, darker the
more a lead speaks for a seizure, and pale blue where it speaks against one: printed in
grey, dark still means more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import ELECTRODES, LEADS

if TYPE_CHECKING:
    import mne

COLOURS: Final = LinearSegmentedColormap.from_list(
    "ecam",
    [
        *((0.0, "#b4cde0"), (0.5, "#ffffff"), (0.65, "#fddcbd")),
        *((0.82, "#f79a54"), (1.0, "#e0590b")),
    ],
).with_extremes(bad="#e2e2e2")
"""From -1 to 1; a trace in black can be read on all of them."""

SMALLEST_LIMIT: Final = 0.05  # log-odds: below it a map is white, not noise in colour
RESOLUTION: Final = 96  # pixels across a head
MIN_LEADS: Final = 4  # fewer do not make a map


def colour_limit(*values: NDArray[np.floating]) -> float:
    """Choose the number at which colours end, shared by all that is to be compared."""
    known = [np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in values]
    return max(SMALLEST_LIMIT, float(max(known, default=0.0)))


def lead_places_m() -> NDArray[np.float64]:
    """(18, 3) where each lead lies on the scalp, in metres; x right, y front, z up."""
    positions = _electrode_places_m()
    ends = [[positions[name] for name in lead.split("-")] for lead in LEADS]
    middles = np.mean(np.array(ends), axis=1)
    # The middle of a chord lies inside the head: back to where its ends lie.
    radius = np.linalg.norm(np.array(ends), axis=2).mean(axis=1, keepdims=True)
    return np.asarray(middles / np.linalg.norm(middles, axis=1, keepdims=True) * radius)


def draw_head(
    axes: Axes, by_lead: NDArray[np.floating], *, limit: float, title: str = ""
) -> None:
    """Draw one map into `axes`.

    Parameters
    ----------
    by_lead
        (18,) one number per lead; a lead that is NaN is left out.
    limit
        See `colour_limit`.
    """
    import mne

    known = np.isfinite(by_lead)
    axes.set_title(title, fontsize=9)
    if known.sum() < MIN_LEADS:
        axes.text(0.5, 0.5, "too few leads", ha="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    picked = mne.pick_info(_lead_info(), np.flatnonzero(known))
    mne.viz.plot_topomap(
        np.asarray(by_lead, np.float64)[known],
        picked,
        axes=axes,
        show=False,
        cmap=COLOURS,
        vlim=(-limit, limit),
        contours=0,
        extrapolate="head",
        res=RESOLUTION,
        sensors="k.",
    )


def draw_scale(
    figure: Figure, box: tuple[float, float, float, float], limit: float
) -> None:
    """Draw what the colours mean into a flat box of the figure."""
    axes = figure.add_axes(box)
    scale = ScalarMappable(Normalize(-limit, limit), COLOURS)
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal")
    bar.set_ticks([-limit, 0, limit], labels=[f"−{limit:.2g}", "0", f"{limit:.2g}"])
    bar.ax.tick_params(labelsize=7.5, length=2)
    bar.outline.set_linewidth(0.5)
    for x, text, side in ((0.0, "against", "left"), (1.0, "for a seizure", "right")):
        bar.ax.text(
            x, 1.4, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=7.5
        )
    bar.ax.set_xlabel("log-odds of a seizure that the lead carries", fontsize=7.5)


def draw_topomap(maps: dict[str, NDArray[np.floating]], *, title: str = "") -> Figure:
    """Draw heads side by side on one scale: `normal` and `seizure`, say.

    Parameters
    ----------
    maps
        What stands above a head -> (18,) one number per lead.
    """
    n = max(1, len(maps))
    figure = Figure(figsize=(2.5 * n + 0.3, 3.6))
    limit = colour_limit(*maps.values())
    for i, (name, by_lead) in enumerate(maps.items()):
        axes = figure.add_axes(((i + 0.06) / n, 0.24, 0.88 / n, 0.6))
        draw_head(axes, by_lead, limit=limit, title=name)
    draw_scale(figure, (0.5 - 0.3 / n, 0.13, 0.6 / n, 0.025), limit)
    figure.suptitle(title, fontsize=10, y=0.98)
    return figure


@lru_cache(maxsize=1)
def _electrode_places_m() -> dict[str, NDArray[np.float64]]:
    import mne

    # On an ideal sphere, so that the outermost leads lie on the rim of the drawing.
    placed = mne.channels.make_standard_montage("easycap-M1").get_positions()
    by_name = {name.upper(): at for name, at in placed["ch_pos"].items()}
    return {electrode: np.asarray(by_name[electrode]) for electrode in ELECTRODES}


@lru_cache(maxsize=1)
def _lead_info() -> mne.Info:
    import mne

    info = mne.create_info(list(LEADS), 256.0, "eeg")
    places = dict(zip(LEADS, lead_places_m(), strict=True))
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    return info
