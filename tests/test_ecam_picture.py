"""Maps on the signal: every second has its cell, and both classes share a scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.drawing import save_figure
from distilclip_eeg.explain.ecam import LeadMap
from distilclip_eeg.explain.ecam_picture import Example, draw_comparison, draw_ecam
from distilclip_eeg.explain.page import Page

START_S, SECONDS = 100, 20


def page(size_uv: float = 20.0) -> Page:
    rng = np.random.default_rng(0)
    leads = rng.normal(0, size_uv, (18, SECONDS * 256)).astype(np.float32)
    usable = np.ones((18, SECONDS), bool)
    return Page(START_S, leads, usable, np.ones(18, bool), SignalConfig())


def found(**carried: float) -> LeadMap:
    values = np.zeros((18, SECONDS), np.float32)
    for name, value in carried.items():
        values[LEADS.index(name.replace("_", "-")), 5:] = value
    return LeadMap(START_S, values, 5, 10, "before")


def meshes(axes: Axes) -> list[QuadMesh]:
    return [part for part in axes.collections if isinstance(part, QuadMesh)]


def bold(axes: Axes) -> list[str]:
    return [t.get_text() for t in axes.texts if t.get_fontweight() == "bold"]


def test_every_second_of_a_lead_has_its_cell() -> None:
    given = found(T7_P7=2.0, F3_C3=-1.0)
    given.values[0, 3] = np.nan
    traces = draw_ecam(page(), given, onset_s=105.0).axes[0]
    cells: list[Any] = [
        np.ma.asarray(mesh.get_array(), float) for mesh in meshes(traces)
    ]
    drawn = np.stack([row.filled(np.nan).ravel() for row in cells])
    np.testing.assert_array_equal(drawn, given.values)
    assert traces.get_xlim() == (START_S, START_S + SECONDS)


def test_it_says_what_carried_it() -> None:
    figure = draw_ecam(page(), found(T7_P7=2.0, F7_T7=1.5), title="made")
    said = [text.get_text() for text in figure.texts]
    assert "made" in said
    assert "left temporal: carried by T7–P7, F7–T7" in said
    assert bold(figure.axes[0]) == ["F7–T7", "T7–P7"]


def test_nothing_speaks_for_a_seizure() -> None:
    figure = draw_ecam(page(), found())
    assert "no lead speaks for a seizure" in [t.get_text() for t in figure.texts]
    assert bold(figure.axes[0]) == []


def test_both_classes_share_their_scales() -> None:
    normal, seizure = found(F4_C4=0.2), found(T7_P7=2.0)
    figure = draw_comparison(
        Example("normal segment", page(), normal, normal.by_lead, 3),
        Example("seizure", page(60.0), seizure, seizure.by_lead, 1),
    )
    first, first_head, second, second_head = figure.axes[:4]
    limits = {mesh.get_clim() for axes in (first, second) for mesh in meshes(axes)}
    assert limits == {(-2.0, 2.0)}
    assert first_head.images[0].get_clim() == second_head.images[0].get_clim()
    assert (bold(first), bold(second)) == ([], ["T7–P7"])
    titles = [first_head.get_title(), second_head.get_title()]
    assert titles == ["mean of 3", "this one alone"]


def test_two_drawings_are_the_same_file(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for path in paths:
        save_figure(draw_ecam(page(), found(T7_P7=2.0)), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
