"""Curves say what the figures say, at every rate and after every second."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.assessment import Assessment
from distilclip_eeg.evaluation.counts import DAY_S
from distilclip_eeg.evaluation.event_curves import (
    AlarmCurve,
    alarm_curve,
    event_curves,
    latencies,
    mean_curve,
)
from distilclip_eeg.evaluation.outcomes import Outcome
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.thresholds import RATES_PER_DAY, Sweep

SETTINGS = DetectionConfig(onset_threshold=0.7, offset_threshold=0.42, min_duration_s=5)
COUNT = st.integers(0, 6)


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """Two patients with ten seizures; merging makes counts rise and fall."""
    n = draw(st.integers(1, 8))
    rows = [draw(st.lists(COUNT, min_size=n, max_size=n)) for _ in range(4)]
    seconds = draw(st.floats(600, 5 * DAY_S))
    return Sweep(
        thresholds=np.linspace(0.9, 0.1, n),
        found=np.array(rows[:2], float),
        true=np.full((2, n), 6.0),
        false=np.array(rows[2:], float),
        duration_s=np.array([seconds, 2 * seconds]),
    )


@given(sweeps(), st.floats(0, 400))
def test_at_every_rate_the_curve_says_what_the_sweep_says(
    tried: Sweep, per_day: float
) -> None:
    curve = alarm_curve("model", tried)
    assert curve.at(per_day) == pytest.approx(tried.sensitivity_at(per_day))
    for corner in curve.per_day.tolist():
        assert curve.at(corner) == pytest.approx(tried.sensitivity_at(corner))
    assert curve.per_day[0] == 0
    assert (np.diff(curve.per_day) > 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert curve.n_seizures == 12
    assert curve.days == pytest.approx(tried.duration_s.sum() / DAY_S)


@given(st.lists(sweeps(), min_size=1, max_size=3), st.floats(0, 400))
def test_seeds_are_averaged_at_every_rate(tried: list[Sweep], per_day: float) -> None:
    curves = [alarm_curve("model", each) for each in tried]
    mean = mean_curve("model", curves)
    expected = np.mean([curve.at(per_day) for curve in curves])
    assert mean.at(per_day) == pytest.approx(expected)


def test_without_a_seizure_or_without_time_nothing_can_be_said() -> None:
    nothing = np.zeros((1, 2))
    for seconds in (0.0, 3600.0):
        tried = Sweep(
            np.array([0.9, 0.5]), nothing, nothing, nothing + 1, np.array([seconds])
        )
        assert math.isnan(alarm_curve("model", tried).at(1))
    assert math.isnan(latencies("model", []).share_within(10))


def test_latencies_count_the_missed_ones_too() -> None:
    found = Event(12, 10, "sz", raised_s=19.0)
    seizures = (Marked(10, 30), Marked(100, 120))
    outcome = Outcome("r", "d", "p", seizures, (found,), 3600.0)
    silent = Outcome("s", "d", "p", (Marked(5, 9), Marked(50, 60)), (), 60.0)
    found_after = latencies("model", [outcome, silent])
    assert found_after.seconds.tolist() == [9.0]
    assert found_after.n_seizures == 4
    assert found_after.share_within(8.9) == 0
    assert found_after.share_within(9.0) == 0.25


def test_curves_agree_with_the_figures() -> None:
    rng = np.random.default_rng(0)
    predictions = [_hour(rng, patient) for patient in ("a", "b", "a")]
    curve, found_after = event_curves("model", predictions, SETTINGS)
    figures = Assessment.of_predictions(predictions, SETTINGS).figures()
    for rate in RATES_PER_DAY:
        expected = figures[f"pooled/sensitivity_at_per_day/{rate:g}"]
        assert curve.at(rate) == pytest.approx(expected)
    assert len(found_after.seconds) > 3
    assert np.median(found_after.seconds) == pytest.approx(
        figures["pooled/latency_s/median"]
    )
    share = figures["pooled/seizures/found"]
    assert found_after.share_within(1e9) == pytest.approx(share)
    assert isinstance(curve, AlarmCurve)


def _hour(rng: np.random.Generator, patient: str) -> Prediction:
    """Six seizures, of which some are heard, and other noise that passes for one."""
    odds = rng.normal(-4, 0.5, 3600)
    onsets = np.arange(300.0, 3300.0, 500.0)
    for at in [*rng.choice(onsets, 4, replace=False), *rng.uniform(0, 3500, 4)]:
        odds[int(at) : int(at) + 25] = rng.uniform(0, 5)
    seizures = [(float(at), float(at) + 30) for at in onsets]
    return Prediction(
        name=f"{patient}{rng.integers(1000)}",
        dataset="d",
        patient=patient,
        kind="seizure",
        log_odds=odds,
        ictal=overlap_per_second(np.arange(3600.0), seizures),
        labelled=np.ones(3600, bool),
        seizures=tuple(Marked(on, end) for on, end in seizures),
    )
