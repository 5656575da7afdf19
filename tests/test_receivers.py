"""A panel per protocol, a line per model, the warning readable."""

from __future__ import annotations

import numpy as np

from distilclip_eeg.evaluation.experiment.protocol_table import Curve
from distilclip_eeg.explain.receivers import draw_receivers


def test_every_curve_is_drawn_in_its_panel() -> None:
    x = np.linspace(0, 1, 5)
    curves = [
        Curve(protocol, model, x, np.sqrt(x))
        for protocol in ("paper", "patient")
        for model in ("teacher", "forest")
    ]
    figure = draw_receivers(curves, title="Toys", warning="Leaky.")
    assert [axes.get_title() for axes in figure.axes] == ["paper", "patient"]
    for axes in figure.axes:
        assert axes.get_legend_handles_labels()[1] == ["teacher", "forest"]
        teacher, forest = axes.lines[1:]
        drawn = np.asarray(teacher.get_ydata(), float)
        np.testing.assert_allclose(drawn, np.sqrt(x))
        assert teacher.get_linestyle() != forest.get_linestyle() or (
            teacher.get_color() != forest.get_color()
        )
    assert "Leaky." in [text.get_text() for text in figure.texts]
