from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from distilclip_eeg.eeg.recording import ArrayRecording, Segment
from distilclip_eeg.errors import UnreadableRecordingError


def recording(n_times: int = 100) -> ArrayRecording:
    data = np.arange(3 * n_times).reshape(3, n_times)
    return ArrayRecording(data, 10.0, ["Fp1", "Fp2", "Fp2"])


def test_an_array_is_one_segment() -> None:
    start = datetime(2020, 1, 2)
    found = ArrayRecording(np.ones((1, 25)), 10, ["Cz"], name="x", start_time=start)
    assert (found.name, found.sfreq, found.ch_names) == ("x", 10.0, ("Cz",))
    assert found.segments == (Segment(0.0, 25),)
    assert (found.duration_s, found.start_time, found.warnings) == (2.5, start, ())


@given(cuts=st.lists(st.integers(0, 100), max_size=8))
def test_any_chunking_gives_the_same_samples(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 100]
    parts = [recording().read([2, 0], 0, a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.hstack(parts), recording().read([2, 0], 0, 0, 100))


@given(block_s=st.floats(0.0, 30.0))
def test_blocks_cover_a_segment_once(block_s: float) -> None:
    blocks = list(recording().blocks([1], 0, block_s))
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_array_equal(np.hstack(blocks)[0], np.arange(100, 200))


def test_no_picks_give_no_rows() -> None:
    assert recording().read([], 0, 0, 5).shape == (0, 5)


@pytest.mark.parametrize(
    ("picks", "segment", "start", "stop"),
    [
        ([3], 0, 0, 1),
        ([-1], 0, 0, 1),
        ([0], 1, 0, 1),
        ([0], -1, 0, 1),
        ([0], 0, -1, 1),
        ([0], 0, 5, 4),
        ([0], 0, 0, 101),
    ],
)
def test_spans_outside_of_the_recording_are_refused(
    picks: list[int], segment: int, start: int, stop: int
) -> None:
    with pytest.raises(IndexError):
        recording().read(picks, segment, start, stop)


@pytest.mark.parametrize(
    ("data", "sfreq", "ch_names"),
    [
        (np.ones(5), 256, ["Cz"]),
        (np.ones((2, 5)), 256, ["Cz"]),
        (np.ones((1, 0)), 256, ["Cz"]),
        (np.ones((0, 5)), 256, []),
        (np.ones((1, 5), complex), 256, ["Cz"]),
        ([["a", "b"]], 256, ["Cz"]),
        (np.ones((1, 5)), 0, ["Cz"]),
        (np.ones((1, 5)), float("nan"), ["Cz"]),
        (np.ones((1, 5)), float("inf"), ["Cz"]),
    ],
)
def test_an_array_that_makes_no_recording_is_refused(
    data: ArrayLike, sfreq: float, ch_names: list[str]
) -> None:
    with pytest.raises(UnreadableRecordingError, match="expected"):
        ArrayRecording(data, sfreq, ch_names)


def test_not_a_number_passes_through() -> None:
    found = ArrayRecording([[np.nan, 1.0]], 1, ["Cz"]).read([0], 0, 0, 2)
    np.testing.assert_array_equal(found, [[np.nan, 1.0]])
