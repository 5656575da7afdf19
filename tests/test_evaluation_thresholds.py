"""What can be found for so many false alarms per day, by trying every threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.evaluation.outcomes import outcome_of
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.thresholds import Sweep, sweep

SETTINGS = DetectionConfig(onset_threshold=0.7, offset_threshold=0.42, min_duration_s=5)
HOUR_S = 3600


def prediction(
    patient: str, bumps: list[tuple[int, float]], seizures: list[tuple[float, float]]
) -> Prediction:
    """An hour; each bump lasts 20 s and has a height."""
    odds = np.full(HOUR_S, -6.0)
    for at, height in bumps:
        odds[at : at + 20] = height
    return Prediction(
        name=f"{patient}-{len(bumps)}",
        dataset="d",
        patient=patient,
        kind="seizure",
        log_odds=odds,
        ictal=overlap_per_second(np.arange(float(HOUR_S)), seizures),
        labelled=np.ones(HOUR_S, bool),
        seizures=tuple(Marked(on, end) for on, end in seizures),
    )


def test_the_best_before_the_rate_is_exceeded() -> None:
    """In 2 h one false alarm is 12 a day, two are 24."""
    one = prediction("a", [(500, 5), (1500, 4), (2500, 1)], [(500, 520), (2500, 2520)])
    two = prediction("b", [(500, 3), (1500, 2)], [(500, 520)])
    found = sweep([one, two], SETTINGS, ["a", "b"])
    assert found.sensitivity_at(10) == pytest.approx(1 / 3)
    assert found.sensitivity_at(12) == pytest.approx(2 / 3)
    assert found.sensitivity_at(24) == 1


def test_each_threshold_counts_what_its_events_count() -> None:
    rng = np.random.default_rng(0)
    bumps = [
        (int(at), float(h))
        for at, h in zip(range(200, 3500, 150), rng.normal(0, 3, 22), strict=True)
    ]
    made = prediction("a", bumps, [(500, 525), (1400, 1430), (3200, 3260)])
    found = sweep([made], SETTINGS, ["a"])
    assert len(found.thresholds) > 5
    assert np.all(np.diff(found.thresholds) < 0)
    ratio = SETTINGS.offset_threshold / SETTINGS.onset_threshold
    for i, threshold in enumerate(found.thresholds.tolist()):
        changed = SETTINGS.model_copy(
            update={"onset_threshold": threshold, "offset_threshold": threshold * ratio}
        )
        counts = outcome_of(made, changed).counts()["szcore_event"]
        assert (found.found[0, i], found.false[0, i]) == (counts.tp, counts.fp)
        assert found.true[0, i] == 3


def test_patients_are_weighed() -> None:
    good = prediction("a", [(500, 5)], [(500, 520)])
    bad = prediction("b", [(1500, 9)], [(500, 520)])
    found = sweep([good, bad], SETTINGS, ["a", "b"])
    assert found.sensitivity_at(1, np.array([2.0, 0.0])) == 1
    assert found.sensitivity_at(1, np.array([0.0, 2.0])) == 0
    assert found.sensitivity_at(1) == 0  # the false alarm comes first


def test_nothing_to_find_or_nothing_seen() -> None:
    quiet = sweep([prediction("a", [(500, 5)], [])], SETTINGS, ["a"])
    assert math.isnan(quiet.sensitivity_at(1))
    empty = np.zeros((1, 0))
    none = Sweep(np.zeros(0), empty, empty, empty, np.zeros(1))
    assert math.isnan(none.sensitivity_at(1))
    blind = prediction("a", [], [(500, 520)])
    blind.log_odds[:] = np.nan
    assert math.isnan(sweep([blind], SETTINGS, ["a"]).sensitivity_at(1))


def test_certainty_is_a_threshold_like_any_other() -> None:
    sure = prediction("a", [(500, 800), (1500, 900)], [(500, 520)])
    found = sweep([sure], SETTINGS, ["a"])
    assert found.thresholds[0] == 1
    assert found.sensitivity_at(24) == 1
