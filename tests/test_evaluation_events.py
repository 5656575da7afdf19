"""Events from probabilities, and how they are counted."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.events import (
    EventScore,
    Span,
    events_of,
    merged,
    pooled,
    score_recording,
)

spans = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(1, 200)).map(
        lambda x: (float(x[0]), float(x[0] + x[1]))
    ),
    max_size=8,
)


def test_seconds_above_the_threshold_are_an_event() -> None:
    odds = np.full(60, -3.0)
    odds[20:35] = 3.0
    settings = DetectionConfig(onset_threshold=0.5, offset_threshold=0.3)
    assert events_of(odds, settings) == [(20.0, 35.0)]


def test_seconds_that_were_not_seen_are_no_event() -> None:
    odds = np.full(60, np.nan)
    assert events_of(odds, DetectionConfig()) == []


def test_extreme_log_odds_do_not_overflow() -> None:
    odds = np.array([-1e4] * 10 + [1e4] * 10)
    assert events_of(odds, DetectionConfig()) == [(10.0, 20.0)]


@pytest.mark.parametrize(
    ("predicted", "n_found", "n_false"),
    [
        ([(95.0, 101.0)], 1, 0),  # any overlap finds it
        ([(60.0, 69.0)], 0, 1),  # ends 31 s before
        ([(60.0, 71.0)], 0, 0),  # within the 30 s before: neither found nor false
        ([(185.0, 200.0)], 0, 0),  # within the 60 s after
        ([(191.0, 200.0)], 0, 1),
        ([(300.0, 310.0), (390.0, 400.0)], 0, 1),  # 80 s apart: one alarm
        ([(300.0, 310.0), (400.0, 410.0)], 0, 2),  # 90 s apart: two
    ],
)
def test_tolerances(predicted: list[Span], n_found: int, n_false: int) -> None:
    score = score_recording(predicted, [(100.0, 130.0)], (0.0, 600.0))
    assert (score.n_found, score.n_false) == (n_found, n_false)


def test_coverage_is_the_part_of_found_seizures_under_events() -> None:
    true = [(0.0, 100.0), (300.0, 400.0)]
    score = score_recording([(50.0, 75.0), (90.0, 120.0)], true, (0.0, 600.0))
    assert score.coverage == pytest.approx(0.35)


def test_predictions_outside_the_labelled_part_do_not_count() -> None:
    score = score_recording([(0.0, 15.0), (40.0, 50.0)], [], (20.0, 30.0))
    assert (score.n_false, score.n_alarmed, score.n_quiet) == (0, 0, 1)


@settings(deadline=None)
@given(spans)
def test_merged_events_are_apart_and_cover_the_same(events: list[Span]) -> None:
    joined = merged(events)
    gaps = [b[0] - a[1] for a, b in pairwise(joined)]
    assert all(gap >= 90 for gap in gaps)
    for start, end in events:
        assert any(a <= start and end <= b for a, b in joined)


@settings(deadline=None)
@given(st.lists(spans, max_size=4), spans)
def test_pooling_adds_up(predicted: list[list[Span]], true: list[Span]) -> None:
    scores = [
        score_recording(merged(p), merged(true), (0.0, 3600.0)) for p in predicted
    ]
    total = pooled(scores)
    assert total.n_found == sum(s.n_found for s in scores) <= total.n_true
    assert total.hours == pytest.approx(len(predicted))
    assert 0 <= total.coverage <= 1 or math.isnan(total.coverage)


def test_rates() -> None:
    score = EventScore(4, 3, 2, 1, 5, 12.0, 0.5)
    assert score.sensitivity == 0.75
    assert score.false_alarms_per_day == 4.0
    assert math.isnan(EventScore(0, 0, 0, 0, 0, 0.0, math.nan).sensitivity)
