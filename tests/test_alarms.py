"""Probabilities become events: hysteresis, merging, duration, and when it was known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState, Smoother
from distilclip_eeg.eeg.annotations import Event

NAN = math.nan
DELAY_S = 9.0


def config(**changes: float) -> DetectionConfig:
    values: dict[str, Any] = {
        "onset_threshold": 0.6,
        "offset_threshold": 0.3,
        "min_duration_s": 3.0,
        "min_gap_s": 4.0,
    }
    return DetectionConfig(**(values | changes))


def events_of(
    probabilities: list[float], settings_: DetectionConfig | None = None
) -> list[Event]:
    alarms = AlarmState(settings_ or config())
    events = []
    for second, p in enumerate(probabilities):
        events += alarms.push(float(second), p, second + 1 + DELAY_S)
    return events + alarms.close()


def spans(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.onset, event.onset + event.duration) for event in events]


def test_silence_has_no_events() -> None:
    assert events_of([0.0] * 50) == []
    assert events_of([]) == []


def test_onset_reaches_back_to_where_the_rise_began() -> None:
    assert spans(events_of([0.1, 0.4, 0.5, 0.7, 0.4, 0.3, 0.2])) == [(1, 6)]


def test_rise_without_an_onset_is_no_event() -> None:
    assert events_of([0.5] * 30) == []


def test_reach_back_stops_at_the_first_low_second() -> None:
    assert spans(events_of([0.5, 0.1, 0.5, 0.7, 0.7, 0.7, 0.1])) == [(2, 6)]


def test_thresholds_are_reached_not_passed() -> None:
    assert spans(events_of([0.3, 0.6, 0.3])) == [(0, 3)]


@pytest.mark.parametrize(("gap", "n"), [(3, 1), (4, 2), (5, 2)])
def test_events_closer_than_the_gap_are_one(gap: int, n: int) -> None:
    assert len(events_of([0.9] * 4 + [0.0] * gap + [0.9] * 4)) == n


def test_rise_within_the_gap_keeps_the_event_waiting() -> None:
    p = [0.9] * 4 + [0.0] * 2 + [0.4] * 6 + [0.9] + [0.0] * 9
    assert spans(events_of(p)) == [(0, 13)]


def test_rise_within_the_gap_that_comes_to_nothing() -> None:
    p = [0.9] * 4 + [0.0] * 2 + [0.4] * 6 + [0.0] * 9
    assert spans(events_of(p)) == [(0, 4)]


def test_short_events_are_dropped_after_merging() -> None:
    assert events_of([0.9] * 2 + [0.0] * 9) == []
    assert spans(events_of([0.9] + [0.0] * 3 + [0.9])) == [(0, 5)]


def test_seconds_without_probability_count_as_below() -> None:
    assert spans(events_of([0.9] * 3 + [NAN] * 4 + [0.9] * 3)) == [(0, 3), (7, 10)]
    assert spans(events_of([0.9] * 3 + [NAN] * 3 + [0.9] * 3)) == [(0, 9)]
    assert events_of([NAN] * 20) == []


def test_confidence_is_the_mean_of_what_was_observed() -> None:
    (event,) = events_of([0.9, 0.7, 0.4, NAN, 0.1, 0.9, 0.0])
    assert event.confidence == pytest.approx((0.9 + 0.7 + 0.4 + 0.1 + 0.9) / 5)


def test_confidence_has_four_decimals() -> None:
    (event,) = events_of([0.87654321] * 3)
    assert event.confidence == 0.8765


def test_raised_when_long_enough_and_over_the_threshold() -> None:
    (event,) = events_of([0.4, 0.4, 0.4, 0.4, 0.9, 0.9])
    assert event.raised_s == 5 + DELAY_S
    (event,) = events_of([0.9, 0.4, 0.4, 0.4])
    assert event.raised_s == 3 + DELAY_S


def test_raised_by_the_piece_that_makes_it_long_enough() -> None:
    (event,) = events_of([0.9, 0.9, 0.0, 0.0, 0.4, 0.9])
    assert event.raised_s == 6 + DELAY_S


def test_events_come_out_when_they_are_over() -> None:
    alarms = AlarmState(config())
    out = {}
    for second, p in enumerate([0.9] * 5 + [0.0] * 10):
        if events := alarms.push(float(second), p, second + 1.0):
            out[second] = events
    assert list(out) == [8]  # with the fourth low second nothing can join any more


def test_current_shows_an_event_once_it_is_raised() -> None:
    alarms = AlarmState(config())
    seen = []
    for second, p in enumerate([0.9] * 4 + [0.0] * 5):
        alarms.push(float(second), p, second + 1.0)
        seen.append(alarms.current.duration if alarms.current else None)
    assert seen == [None, None, 3.0, 4.0, 4.0, 4.0, 4.0, None, None]


def test_long_gap_ends_an_event() -> None:
    alarms = AlarmState(config())
    for second in range(5):
        alarms.push(float(second), 0.9, second + 1.0)
    assert spans(alarms.gap(5.0, 100.0)) == [(0, 5)]
    assert alarms.close() == []


def test_short_gap_within_a_seizure_joins_its_parts() -> None:
    alarms = AlarmState(config())
    for start in [0.0, 1.0, 2.0]:
        alarms.push(start, 0.9, start)
    assert alarms.gap(3.0, 2.5) == []
    for start in [5.5, 6.5]:
        alarms.push(start, 0.9, start)
    assert spans(alarms.close()) == [(0, 7.5)]


def test_reach_back_does_not_cross_a_gap() -> None:
    alarms = AlarmState(config(min_duration_s=1))
    alarms.push(0.0, 0.5, 0.0)
    alarms.gap(1.0, 0.5)
    alarms.push(1.5, 0.9, 1.5)
    assert spans(alarms.close()) == [(1.5, 2.5)]


def test_last_second_may_be_short() -> None:
    alarms = AlarmState(config())
    for start in [0.0, 1.0, 2.0]:
        alarms.push(start, 0.9, start)
    alarms.push(3.0, 0.9, 3.25, 0.25)
    assert spans(alarms.close()) == [(0, 3.25)]


def test_onsets_that_are_sums_of_floats() -> None:
    alarms = AlarmState(config())
    onset = 0.1 + 0.2
    for k in [0, 1, 2]:
        alarms.push(onset + k, 0.9, onset + k + 1)
    (event,) = alarms.close()
    assert (event.onset, event.duration) == (0.3, 3.0)


def oracle(p: list[float], c: DetectionConfig) -> list[tuple[int, int]]:
    """Say the same of a whole recording at once: a definition, not a state."""
    high = [v >= c.offset_threshold for v in p]
    edges = [
        i
        for i in range(len(p) + 1)
        if (i < len(p) and high[i]) != (i > 0 and high[i - 1])
    ]
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    pieces = [r for r in runs if max(p[r[0] : r[1]]) >= c.onset_threshold]
    merged: list[tuple[int, int]] = []
    for start, end in pieces:
        if merged and start - merged[-1][1] < c.min_gap_s:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return [(a, b) for a, b in merged if b - a >= c.min_duration_s]


PROBABILITIES = st.lists(
    st.sampled_from([0.0, 0.2, 0.3, 0.45, 0.6, 0.9, NAN]), max_size=80
)


@given(
    p=PROBABILITIES,
    min_gap_s=st.sampled_from([0.0, 1.0, 3.5, 10.0]),
    min_duration_s=st.sampled_from([0.0, 1.0, 4.5, 20.0]),
)
@settings(max_examples=300, deadline=None)
def test_agrees_with_the_definition(
    p: list[float], min_gap_s: float, min_duration_s: float
) -> None:
    c = config(min_gap_s=min_gap_s, min_duration_s=min_duration_s)
    events = events_of(p, c)
    assert spans(events) == oracle(p, c)
    for event in events:
        assert event.raised_s is not None
        assert event.raised_s >= event.onset + c.min_duration_s
        assert event.raised_s <= event.onset + event.duration + DELAY_S
        assert event.confidence is not None
        assert 0 <= event.confidence <= 1


def smoothed(values: list[float], width: int) -> list[float]:
    smoother = Smoother(width)
    out = []
    for value in values:
        out += smoother.push(value)
    return out + smoother.close()


@given(
    values=st.lists(st.floats(-50, 50) | st.just(NAN), max_size=30),
    width=st.integers(1, 9),
)
@settings(max_examples=200, deadline=None)
def test_smoothing_is_a_centred_mean(values: list[float], width: int) -> None:
    out = smoothed(values, width)
    assert len(out) == len(values)
    for i, value in enumerate(values):
        near = values[max(0, i - (width - 1) // 2) : i + width // 2 + 1]
        near = [v for v in near if not math.isnan(v)]
        expected = NAN if math.isnan(value) else float(np.mean(near))
        np.testing.assert_allclose(out[i], expected, atol=1e-9)


def test_no_smoothing_changes_nothing() -> None:
    values = [0.1, NAN, -3.7, 1e-17]
    np.testing.assert_array_equal(smoothed(values, 1), values)


def test_smoothing_looks_ahead_by_half_its_width() -> None:
    smoother = Smoother(5)
    assert [len(smoother.push(float(i))) for i in range(4)] == [0, 0, 1, 1]
