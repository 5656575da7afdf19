"""OVLP, TAES and EPOCH on the figures of their definitions, and laws they obey."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.evaluation.counts import Counts, Span, disjoint, shared_s
from distilclip_eeg.evaluation.nedc import (
    epoch_counts,
    overlap_counts,
    time_aligned_counts,
)

LENGTH_S = 1000.0

spans = st.lists(
    st.tuples(st.integers(0, 3900), st.integers(1, 800)).map(
        lambda x: (x[0] / 4, min(LENGTH_S, (x[0] + x[1]) / 4))
    ),
    max_size=6,
)


def numbers(counts: Counts) -> tuple[float, float, float]:
    return counts.tp, counts.fn, counts.fp


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ([(100, 120), (200, 220)], [(110, 130), (250, 270)], (1, 1, 1)),
        ([(100, 120), (200, 220)], [(90, 300)], (2, 0, 0)),  # one finds both
        ([(100, 200)], [(100, 110), (150, 160), (190, 210)], (1, 0, 0)),
        ([(100, 200)], [(200, 210)], (0, 1, 1)),  # touching is no overlap
        ([(100, 200)], [(199.9995, 210)], (0, 1, 1)),  # nor is less than the guard
        ([(100, 200)], [(199.998, 210)], (1, 0, 0)),
    ],
)
def test_overlap(
    reference: list[Span], hypothesis: list[Span], expected: tuple[float, ...]
) -> None:
    assert numbers(overlap_counts(reference, hypothesis, LENGTH_S)) == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ([(100, 120)], [(105, 125)], (0.75, 0.25, 0.25)),  # too late
        ([(100, 120)], [(95, 110)], (0.5, 0.5, 0.25)),  # too early
        ([(100, 120)], [(95, 125)], (1, 0, 0.5)),  # too long
        ([(100, 120)], [(105, 110)], (0.25, 0.75, 0)),  # too short
        ([(100, 120)], [(0, 500)], (1, 0, 1)),  # one false alarm an event, at most
        ([(100, 120)], [(300, 301)], (0, 1, 1)),
        ([(100, 120)], [(100, 105), (110, 130)], (0.75, 0.25, 0.5)),
        # an event counts for the first seizure it covers, the others are lost
        ([(100, 120), (140, 160), (180, 200)], [(100, 200)], (1, 2, 1)),
        # each by its own event
        ([(100, 120), (140, 160)], [(100, 120), (140, 150)], (1.5, 0.5, 0)),
    ],
)
def test_time_aligned(
    reference: list[Span], hypothesis: list[Span], expected: tuple[float, ...]
) -> None:
    counts = time_aligned_counts(reference, hypothesis, LENGTH_S)
    assert numbers(counts) == pytest.approx(expected)


def test_epochs_are_quarter_seconds_by_their_middle() -> None:
    counts = epoch_counts([(10, 20)], [(15.1, 25)], LENGTH_S)
    # 15.125 lies in 15.1 to 25, so the epoch from 15 on is hit
    assert numbers(counts) == (5, 5, 5)
    counts = epoch_counts([(10, 20)], [(15.13, 25)], LENGTH_S)
    assert numbers(counts) == (4.75, 5.25, 5)
    assert counts.per_day == pytest.approx(5 / LENGTH_S * 86400)


@pytest.mark.parametrize("count", [overlap_counts, time_aligned_counts, epoch_counts])
@pytest.mark.parametrize("length_s", [0.0, 0.1, 5.0])
def test_nothing_at_all(count: type, length_s: float) -> None:
    assert numbers(count([], [], length_s)) == (0, 0, 0)


@settings(max_examples=100, deadline=None)
@given(spans, spans)
def test_laws(reference: list[Span], hypothesis: list[Span]) -> None:
    true, found = disjoint(reference, LENGTH_S), disjoint(hypothesis, LENGTH_S)
    overlap = overlap_counts(reference, hypothesis, LENGTH_S)
    aligned = time_aligned_counts(reference, hypothesis, LENGTH_S)
    epochs = epoch_counts(reference, hypothesis, LENGTH_S)
    assert overlap.tp + overlap.fn == len(true)
    assert aligned.tp + aligned.fn == pytest.approx(len(true))
    assert -1e-9 <= aligned.tp <= overlap.tp + 1e-9
    assert overlap.fp - 1e-9 <= aligned.fp <= len(found) + 1e-9
    shared = sum(max(0.0, shared_s(a, b)) for a in true for b in found)
    assert epochs.tp == pytest.approx(shared)  # on a grid of epochs
    assert epochs.tp + epochs.fn == pytest.approx(sum(b - a for a, b in true))


@settings(max_examples=50, deadline=None)
@given(spans)
def test_the_truth_finds_itself(reference: list[Span]) -> None:
    for count in (overlap_counts, time_aligned_counts, epoch_counts):
        counts = count(reference, list(reversed(reference)), LENGTH_S)
        assert counts.fn == pytest.approx(0)
        assert counts.fp == pytest.approx(0)
