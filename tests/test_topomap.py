"""Numbers of leads on a head: where they lie, and that the picture follows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.drawing import save_figure
from distilclip_eeg.explain.topomap import (
    COLOURS,
    SMALLEST_LIMIT,
    colour_limit,
    draw_head,
    draw_topomap,
    lead_places_m,
)

MIRROR = str.maketrans("12345678", "21436587")


def drawn(by_lead: NDArray[np.float32]) -> NDArray[np.float64]:
    """The interpolated map, rows from the neck up, columns from left to right."""
    figure = Figure(figsize=(3, 3))
    axes = figure.add_axes((0, 0, 1, 1))
    draw_head(axes, by_lead, limit=1.0)
    return np.ma.filled(np.ma.asarray(axes.images[0].get_array(), float), np.nan)


def test_leads_lie_where_they_should() -> None:
    places = dict(zip(LEADS, lead_places_m(), strict=True))
    assert places["T7-P7"][0] < 0 < places["T8-P8"][0]
    assert places["P3-O1"][1] < 0 < places["FP1-F3"][1]
    assert places["FZ-CZ"][2] > places["F7-T7"][2]
    for lead, place in places.items():
        other = places.get(lead.translate(MIRROR))
        if other is not None:
            np.testing.assert_allclose(place * (-1, 1, 1), other, atol=1e-3)


def test_leads_lie_on_the_scalp() -> None:
    radius = np.linalg.norm(lead_places_m(), axis=1)
    np.testing.assert_allclose(radius, radius.mean(), rtol=0.02)


@pytest.mark.parametrize(
    ("lead", "rows", "columns"),
    [
        ("T7-P7", slice(24, 72), slice(0, 32)),
        ("T8-P8", slice(24, 72), slice(64, 96)),
        ("FP1-F3", slice(60, 96), slice(0, 48)),
        ("P4-O2", slice(0, 40), slice(48, 96)),
    ],
)
def test_the_map_peaks_where_the_lead_lies(
    lead: str, rows: slice, columns: slice
) -> None:
    values = np.zeros(18, np.float32)
    values[LEADS.index(lead)] = 1.0
    image = drawn(values)
    y, x = np.unravel_index(np.nanargmax(image), image.shape)
    assert rows.start <= y < rows.stop
    assert columns.start <= x < columns.stop


def test_unknown_leads_are_left_out() -> None:
    values = np.linspace(0, 1, 18).astype(np.float32)
    values[:4] = np.nan
    assert np.nanmax(np.abs(drawn(values))) < 2


def test_too_few_leads_make_no_map() -> None:
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    values = np.full(18, np.nan, np.float32)
    values[:3] = 1
    draw_head(axes, values, limit=1.0)
    assert not axes.images
    assert [text.get_text() for text in axes.texts] == ["too few leads"]


def test_darker_means_more_also_in_grey() -> None:
    grey = np.array(COLOURS(np.linspace(0.5, 1, 50)))[:, :3] @ (0.299, 0.587, 0.114)
    assert (np.diff(grey) < 0).all()
    assert grey[0] > 0.99


def test_limit_is_shared_and_never_noise() -> None:
    assert colour_limit(np.array([0.2, -3.0]), np.array([np.nan, 1.0])) == 3.0
    assert colour_limit(np.full(18, np.nan)) == SMALLEST_LIMIT
    assert colour_limit(np.full(18, 1e-4)) == SMALLEST_LIMIT


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_heads_side_by_side(tmp_path: Path, suffix: str) -> None:
    maps: dict[str, NDArray[np.floating]] = {
        "normal": np.zeros(18),
        "seizure": np.linspace(-1, 2, 18),
    }
    figure = draw_topomap(maps, title="two")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["normal", "seizure"]
    limits = {axes.images[0].get_clim() for axes in figure.axes[:2]}
    assert limits == {(-2.0, 2.0)}
    save_figure(figure, tmp_path / f"heads{suffix}")
    assert (tmp_path / f"heads{suffix}").stat().st_size > 3000
