"""SzCORE's rules, one by one, and against `timescoring` on random masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from distilclip_eeg.evaluation.counts import Span
from distilclip_eeg.evaluation.szcore import event_counts, sample_counts

HOUR_S = 3600.0


def events(reference: list[Span], hypothesis: list[Span]) -> tuple[float, ...]:
    counts = event_counts(reference, hypothesis, HOUR_S)
    return counts.tp, counts.fn, counts.fp


def test_any_overlap_is_a_hit() -> None:
    assert events([(1000, 1100)], [(1099, 1130)]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("alarm", "found"),
    [
        ((950, 969.9), (0, 1, 1)),  # ends 30.1 s before
        ((950, 971), (1, 0, 0)),  # within the 30 s before
        ((1159, 1170), (1, 0, 0)),  # within the 60 s after
        ((1160.1, 1170), (0, 1, 1)),
    ],
)
def test_tolerance_before_and_after(alarm: Span, found: tuple[int, ...]) -> None:
    assert events([(1000, 1100)], [alarm]) == found


def test_events_less_than_90_s_apart_are_one() -> None:
    assert events([], [(100, 110), (199, 210)]) == (0, 0, 1)
    assert events([], [(100, 110), (200, 210)]) == (0, 0, 2)
    assert events([(100, 110), (199, 210)], []) == (0, 1, 0)
    assert events([(100, 110), (200, 210)], []) == (0, 2, 0)


def test_events_longer_than_300_s_are_cut() -> None:
    assert events([], [(0, 300)]) == (0, 0, 1)
    assert events([], [(0, 301)]) == (0, 0, 2)
    assert events([(1000, 1700)], [(1000, 1010)]) == (1, 2, 0)


def test_an_alarm_near_a_seizure_that_was_not_hit_cannot_be() -> None:
    """What touches a reference hits it, so only the parts that touch none are false."""
    assert events([(1000, 1010)], [(1050, 1600)]) == (1, 0, 1)


def test_order_and_overlap_of_events_do_not_matter() -> None:
    messy = [(2000.0, 2100.0), (100.0, 200.0), (150.0, 180.0), (5.0, 5.0)]
    tidy = [(100.0, 200.0), (2000.0, 2100.0)]
    for count in (event_counts, sample_counts):
        assert count(messy, tidy, HOUR_S) == count(tidy, messy, HOUR_S)
        assert count(messy, messy, HOUR_S) == count(tidy, tidy, HOUR_S)


def test_what_lies_outside_the_recording_does_not_count() -> None:
    assert events([(3590, 3700)], [(-50, -1), (4000, 4100)]) == (0, 1, 0)


def test_seconds_are_counted_one_by_one() -> None:
    counts = sample_counts([(100, 150)], [(140, 170)], HOUR_S)
    assert (counts.tp, counts.fn, counts.fp) == (10, 40, 20)
    assert counts.per_day == pytest.approx(20 * 24)


@pytest.mark.parametrize("duration_s", [0.0, 0.04, 2.0, 86400.0])
def test_nothing_to_find_and_nothing_found(duration_s: float) -> None:
    for count in (event_counts, sample_counts):
        counts = count([], [], duration_s)
        assert (counts.tp, counts.fn, counts.fp) == (0, 0, 0)


masks = st.lists(
    st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=12
).map(lambda runs: np.concatenate([np.full(n, on) for n, on in runs]))


@settings(max_examples=60, deadline=None)
@given(masks, masks)
def test_random_masks_give_what_timescoring_gives(
    reference: NDArray[np.bool_], hypothesis: NDArray[np.bool_]
) -> None:
    n = min(len(reference), len(hypothesis))
    true, found = Annotation(reference[:n], 1), Annotation(hypothesis[:n], 1)
    a, b = (list(reversed(each.events)) for each in (true, found))
    for count, scoring in (
        (event_counts, EventScoring),
        (sample_counts, SampleScoring),
    ):
        counts, oracle = count(a, b, float(n)), scoring(true, found)
        assert (counts.tp, counts.fp) == (oracle.tp, oracle.fp)
        assert counts.tp + counts.fn == oracle.refTrue
        for mine, theirs in (
            (counts.sensitivity, oracle.sensitivity),
            (counts.precision, oracle.precision),
            (counts.f1, oracle.f1),
            (counts.per_day, oracle.fpRate),
        ):
            assert mine == pytest.approx(float(theirs), nan_ok=True)
