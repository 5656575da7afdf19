"""Events found the quick way are those of detection, pushed second by second."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState, Smoother
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.alarming import alarms, raised, smoothed
from distilclip_eeg.evaluation.predictions import Stretch


def slowly(stretches: list[Stretch], settings_: DetectionConfig) -> list[Event]:
    """What the stream detector does, without skipping anything."""
    state, events, time_s = AlarmState(settings_), list[Event](), 0.0
    for i, stretch in enumerate(stretches):
        if i:
            events += state.gap(time_s, stretch.onset_s - time_s)
        smoother, ready = Smoother(settings_.smoothing_s), list[tuple[float, float]]()
        for x, end_s in zip(stretch.log_odds, stretch.available_s, strict=True):
            ready += [(y, float(end_s)) for y in smoother.push(float(x))]
        ready += [(y, stretch.length_s) for y in smoother.close()]
        for second, (value, end_s) in enumerate(ready):
            events += state.push(
                stretch.onset_s + second,
                0.5 * (1 + math.tanh(0.5 * value)),
                stretch.onset_s + end_s,
                max(0.0, min(1.0, stretch.length_s - second)),
            )
        time_s = stretch.onset_s + stretch.length_s
    return events + state.close()


@st.composite
def recordings(draw: st.DrawFn) -> list[Stretch]:
    stretches, onset_s = [], 0.0
    for _ in range(draw(st.integers(1, 3))):
        runs = draw(
            st.lists(
                st.tuples(st.integers(1, 25), st.sampled_from([-9, -0.5, 0.3, 2, 40])),
                min_size=1,
                max_size=10,
            )
        )
        odds = np.concatenate([np.full(n, float(value)) for n, value in runs])
        odds += draw(st.sampled_from([0.0, 1e-7, 0.2]))
        if draw(st.booleans()):
            odds[draw(st.integers(0, len(odds) - 1))] = np.nan
        n = len(odds)
        length_s = n - draw(st.sampled_from([0.0, 0.4]))
        available_s = np.minimum(np.arange(n) // 5 * 5.0 + 10, length_s)
        stretches.append(Stretch(onset_s, length_s, odds, available_s))
        onset_s += length_s + draw(st.sampled_from([0.0, 0.5, 3.0, 40.0]))
    return stretches


chosen = st.builds(
    DetectionConfig,
    onset_threshold=st.sampled_from([0.5, 0.7, 0.97, 1.0]),
    offset_threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    smoothing_s=st.sampled_from([1, 2, 5]),
    min_duration_s=st.sampled_from([0.0, 3.0, 5.5]),
    min_gap_s=st.sampled_from([0.0, 1.0, 2.5, 10.0]),
)


@settings(max_examples=150, deadline=None)
@given(recordings(), chosen)
def test_passing_over_seconds_changes_nothing(
    stretches: list[Stretch], settings_: DetectionConfig
) -> None:
    assert alarms(stretches, settings_) == slowly(stretches, settings_)


def test_smoothing_is_done_once_for_all_thresholds() -> None:
    odds = np.random.default_rng(0).normal(0, 3, 200)
    stretches = [Stretch.whole(odds)]
    once = smoothed(stretches, 5)
    for threshold in (0.4, 0.6, 0.9):
        config = DetectionConfig(onset_threshold=threshold, smoothing_s=5)
        assert raised(once, config) == alarms(stretches, config)


def test_no_seconds_no_events() -> None:
    assert alarms([], DetectionConfig()) == []
    assert alarms([Stretch.whole(np.zeros(0))], DetectionConfig(smoothing_s=5)) == []
