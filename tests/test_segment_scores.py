"""What a segment is called: by its most telling half, and by how common classes are."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.evaluation.experiment.protocols import Segment
from distilclip_eeg.training.segment_scores import above_background, prior, top_half

NOWHERE = cast("StoredRecording", None)


def segments(**counts: int) -> list[Segment]:
    return [
        Segment(NOWHERE, 5 * k, name != "background", name)
        for name, n in counts.items()
        for k in range(n)
    ]


@given(arrays(np.float64, (3, 10, 2), elements=st.floats(-30, 30)))
def test_the_most_telling_half_is_no_less_than_the_mean(
    seconds: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> None:
    half = top_half(seconds)
    assert (half >= seconds.mean(1) - 1e-9).all()
    assert (half <= seconds.max(1) + 1e-9).all()


def test_a_half_that_is_a_seizure_decides() -> None:
    seconds = np.full((1, 10, 1), -8.0)
    seconds[0, 3:8] = 2.0
    assert top_half(seconds) == 2.0
    assert above_background(np.array([[1.0, 3.5]]), 0).tolist() == [[0.0, 2.5]]


def test_the_prior_turns_balanced_odds_into_those_of_the_training() -> None:
    learned = segments(background=300, seizure=100)
    shift = prior(learned, ("background", "seizure"))
    even = 1 / (1 + np.exp(-shift[1]))  # what a balanced batch leaves undecided
    assert shift[0] == 0
    assert even == pytest.approx(0.25)


def test_each_type_has_a_prior_of_its_own() -> None:
    learned = segments(background=60, absence=30, tonic=10)
    shift = prior(learned, ("background", "absence", "tonic"))
    drawn = np.array([0.5, 0.25, 0.25])
    share = drawn * np.exp(shift)
    np.testing.assert_allclose(share / share.sum(), [0.6, 0.3, 0.1])
