"""Curves are drawn as they are, differ without colour, and say when little is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from distilclip_eeg.evaluation.event_curves import AlarmCurve, Latencies
from distilclip_eeg.explain.event_pictures import (
    PICTURES,
    draw_alarms,
    draw_latencies,
    write_event_pictures,
)

RATES, SHARES = np.array([0.0, 0.5, 2.0, 40.0]), np.array([0.1, 0.4, 0.5, 0.8])


def curves(days: float = 30.0) -> list[AlarmCurve]:
    return [
        AlarmCurve("teacher", RATES, SHARES, days, 10),
        AlarmCurve("forest", RATES, SHARES / 2, days, 10),
    ]


def after() -> list[Latencies]:
    return [
        Latencies("teacher", np.array([4.0, 6.0, 28.0]), 4),
        Latencies("forest", np.array([]), 4),
    ]


def legend(axes: Axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def test_a_panel_each_with_the_marked_rates_in_numbers() -> None:
    figure = draw_alarms({"patient": curves(), "cross": curves()}, title="Toys")
    assert [axes.get_title() for axes in figure.axes] == ["patient", "cross"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        assert legend(axes) == ["teacher: 40 / 50 / 50 %", "forest: 20 / 25 / 25 %"]
        marked = [line for line in axes.lines if line.get_linestyle() == "None"]
        for line, factor in zip(marked, (1, 0.5), strict=True):
            np.testing.assert_allclose(np.asarray(line.get_xdata()), [1, 2.5, 10])
            np.testing.assert_allclose(
                np.asarray(line.get_ydata()), np.array([0.4, 0.5, 0.5]) * factor
            )
        assert len({str(line.get_marker()) for line in marked}) == 2
    assert figure.get_suptitle() == "Toys"


def test_steps_reach_from_edge_to_edge() -> None:
    (axes,) = draw_alarms({"": curves()[:1]}, title="").axes
    (steps,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert np.asarray(steps.get_xdata()).tolist() == [0.1, 0.5, 2.0, 40.0, 300.0]
    assert np.asarray(steps.get_ydata()).tolist() == [0.1, 0.4, 0.5, 0.8, 0.8]


def test_too_little_eeg_is_said() -> None:
    (axes,) = draw_alarms({"": curves(days=0.25)}, title="").axes
    assert legend(axes)[-1] == "less than one false alarm in all 6.0 h"
    (axes,) = draw_alarms({"": curves(days=30)}, title="").axes
    assert not any("less than" in label for label in legend(axes))


def test_latency_ends_at_what_is_found() -> None:
    (axes,) = draw_latencies({"": after()}, title="").axes
    assert legend(axes) == ["teacher: 75 %, 6 s", "forest: 0 %"]
    steps = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert np.asarray(steps[0].get_xdata()).tolist()[:4] == [0, 4, 6, 28]
    assert np.asarray(steps[0].get_ydata()).tolist() == [0, 0.25, 0.5, 0.75, 0.75]
    assert axes.get_xlim()[1] >= 30


def test_files_come_whole_and_none_without_a_seizure(tmp_path: Path) -> None:
    written = write_event_pictures(
        tmp_path, {"": curves()}, {"": after()}, title="Toys"
    )
    assert [path.name for path in written] == list(PICTURES)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    calm = AlarmCurve("teacher", np.zeros(1), np.zeros(1), 1.0, 0)
    assert not write_event_pictures(tmp_path, {"": [calm]}, {}, title="Toys")
    assert not any(path.exists() for path in written)
    (axes,) = draw_alarms({"": [calm]}, title="").axes
    assert [text.get_text() for text in axes.texts] == ["no seizure to find"]
