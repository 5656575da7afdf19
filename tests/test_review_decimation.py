"""What is drawn of a long stretch has the outline of all its samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from distilclip_eeg.review.decimation import (
    coarser,
    interleaved,
    lowest_and_highest,
)

VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")))
SAMPLES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 70)),
    elements=VALUES,
)


@st.composite
def samples_and_edges(
    draw: st.DrawFn,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    x = draw(SAMPLES)
    inner = draw(st.lists(st.integers(0, x.shape[1]), min_size=1, max_size=12))
    return x, np.array(sorted([0, *inner, x.shape[1]]), np.intp)


@given(samples_and_edges())
def test_every_bin_keeps_its_lowest_and_highest(
    case: tuple[NDArray[np.float32], NDArray[np.intp]],
) -> None:
    x, edges = case
    low, high = lowest_and_highest(x, edges)
    for b, (start, stop) in enumerate(pairwise(edges)):
        for row in range(x.shape[0]):
            known = x[row, start:stop][~np.isnan(x[row, start:stop])]
            if len(known):
                assert low[row, b] == known.min()
                assert high[row, b] == known.max()
            else:
                assert np.isnan(low[row, b])
                assert np.isnan(high[row, b])


@given(SAMPLES, st.integers(1, 5), st.integers(1, 5))
def test_bins_of_bins_are_bins(x: NDArray[np.float32], a: int, b: int) -> None:
    width = x.shape[1]
    fine = np.append(np.arange(0, width, a), width)
    wide = np.append(np.arange(0, width, a * b), width)
    twice = coarser(*lowest_and_highest(x, fine), b)
    once = lowest_and_highest(x, wide)
    for ours, direct in zip(twice, once, strict=True):
        np.testing.assert_array_equal(ours, direct)


@given(SAMPLES)
def test_nothing_higher_or_lower_is_drawn_or_lost(x: NDArray[np.float32]) -> None:
    edges = np.append(np.arange(0, x.shape[1], 7), x.shape[1])
    drawn = interleaved(*lowest_and_highest(x, edges))
    if np.isnan(x).all():
        assert np.isnan(drawn).all()
    else:
        assert np.nanmin(drawn) == np.nanmin(x)
        assert np.nanmax(drawn) == np.nanmax(x)


def test_interleaved_is_lowest_then_highest() -> None:
    low, high = np.array([[1, 3]], np.float32), np.array([[2, 4]], np.float32)
    assert interleaved(low, high).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("factor", [1, 3, 8])
def test_empty_stays_empty(factor: int) -> None:
    empty = np.zeros((2, 0), np.float32)
    assert coarser(empty, empty, factor)[0].shape == (2, 0)
