"""Figures by patient, their mean, pooled; intervals and differences over patients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.evaluation.assessment import Assessment
from distilclip_eeg.evaluation.intervals import difference, intervals
from distilclip_eeg.evaluation.outcomes import Outcome
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import auroc, window_scores

SETTINGS = DetectionConfig()


def prediction(
    patient: str, seed: int, seizures: Sequence[tuple[float, float]], n: int = 300
) -> Prediction:
    rng = np.random.default_rng(seed)
    ictal = overlap_per_second(np.arange(float(n)), list(seizures))
    return Prediction(
        name=f"{patient}/{seed}",
        dataset="made up",
        patient=patient,
        kind="seizure" if seizures else "background",
        log_odds=rng.normal(-2, 2, n) + 3 * ictal,
        ictal=ictal,
        labelled=np.ones(n, bool),
        seizures=tuple(Marked(*span, "sz_foc") for span in seizures),
    )


@pytest.fixture(scope="module")
def predictions() -> list[Prediction]:
    return [
        prediction("b", 1, [(50, 90), (200, 205)]),
        prediction("a", 2, [(100, 120)]),
        prediction("a", 3, []),
        prediction("c", 4, []),
        prediction("d", 5, [(10, 100), (150, 290)]),
    ]


@pytest.fixture(scope="module")
def assessed(predictions: list[Prediction]) -> Assessment:
    return Assessment.of_predictions(predictions, SETTINGS)


def test_pooled_is_of_all_and_mean_of_each(
    assessed: Assessment, predictions: list[Prediction]
) -> None:
    figures = assessed.figures()
    assert list(assessed.patients) == ["a", "b", "c", "d"]
    assert figures["pooled/windows/auroc"] == auroc(window_scores(predictions))
    each = [
        auroc(window_scores([p for p in predictions if p.patient == name]))
        for name in "abd"  # c has no seizure, and so no say in this
    ]
    assert figures["mean/windows/auroc"] == pytest.approx(np.mean(each))
    own = assessed.by_patient()
    assert [own[name]["windows/auroc"] for name in "abd"] == each
    assert math.isnan(own["c"]["windows/auroc"])
    assert "seizures/found" not in own["c"]


def test_counts_add_up(assessed: Assessment) -> None:
    figures = assessed.figures()
    for scorer in ("szcore_event", "nedc_taes"):
        counts = [p.counts[scorer] for p in assessed.patients.values()]
        tp, fn = sum(c.tp for c in counts), sum(c.fn for c in counts)
        assert figures[f"pooled/{scorer}/sensitivity"] == pytest.approx(tp / (tp + fn))
        rates = np.mean([c.per_day for c in counts])
        assert figures[f"mean/{scorer}/false_alarms_per_day"] == pytest.approx(rates)
    assert sum(p.n_seizures for p in assessed.patients.values()) == 5
    n = {name: p.shares for name, p in assessed.patients.items()}
    assert n["b"]["sensitivity_by_duration/under 10 s"][1] == 1
    assert n["d"]["sensitivity_by_type/sz_foc"][1] == 2


def test_a_weight_is_how_often_a_patient_counts(
    predictions: list[Prediction], assessed: Assessment
) -> None:
    """As if the recordings of b stood there three times and those of a never."""
    weighed = assessed.figures(np.array([0.0, 3, 1, 1]))
    repeated = [p for p in predictions if p.patient == "b"] * 3
    repeated += [p for p in predictions if p.patient in "cd"]
    plain = Assessment.of_predictions(repeated, SETTINGS).figures()
    pooled = {k: v for k, v in plain.items() if k.startswith("pooled/")}
    assert {k: weighed[k] for k in pooled} == pytest.approx(pooled, nan_ok=True)


def test_intervals_hold_the_figure_and_do_not_depend_on_luck(
    assessed: Assessment,
) -> None:
    found = intervals(assessed, draws=30, seed=3)
    assert found == intervals(assessed, draws=30, seed=3)
    accuracy = found["mean/windows/accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    assert (
        found["pooled/windows/auroc"].value
        == assessed.figures()["pooled/windows/auroc"]
    )
    assert {name.count("/") for name in found} == {2}


def test_one_patient_has_no_interval(predictions: list[Prediction]) -> None:
    alone = Assessment.of_predictions(predictions[:1], SETTINGS)
    found = intervals(alone, draws=20)["pooled/windows/accuracy"]
    assert not math.isnan(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    none = intervals(alone, draws=0)["pooled/windows/accuracy"]
    assert none.value == found.value


def test_two_models_on_the_same_draws(predictions: list[Prediction]) -> None:
    better = [
        Prediction(
            *(p.name, p.dataset, p.patient, p.kind),
            log_odds=p.log_odds + 4 * p.ictal,
            ictal=p.ictal,
            labelled=p.labelled,
            seizures=p.seizures,
        )
        for p in predictions
    ]
    a, b = (Assessment.of_predictions(x, SETTINGS) for x in (better, predictions))
    found = difference(a, b, draws=30)["pooled/windows/auroc"]
    assert 0 < found.low < found.value < found.high
    same = difference(a, a, draws=20)["pooled/windows/auroc"]
    assert list(same) == [0, 0, 0]
    fewer = Assessment.of_predictions(predictions[1:3], SETTINGS)
    with pytest.raises(DistilClipError, match="only one has b"):
        difference(a, fewer)


def test_events_alone_can_be_assessed() -> None:
    marks = (Marked(100, 150, "sz_gen"),)
    outcomes = [
        Outcome("r", "", "a", marks, (Event(110, 20),), 3600),
        Outcome("s", "", "b", (), (Event(500, 20),), 3600, ((490, 530, "lpd"),)),
    ]
    assessed = Assessment.of_outcomes(outcomes)
    figures = assessed.figures()
    assert figures["pooled/szcore_event/sensitivity"] == 1
    assert figures["pooled/szcore_event/false_alarms_per_day"] == pytest.approx(12)
    assert figures["pooled/sensitivity_by_type/sz_gen"] == 1
    assert math.isnan(figures["pooled/latency_s/median"])  # nobody says when raised
    assert not any("windows" in name for name in figures)
    assert assessed.false_by_pattern == {"lpd": 1}


def test_without_any_seizure_nothing_is_found_or_missed() -> None:
    quiet = [prediction("a", 0, []), prediction("b", 1, [])]
    figures = Assessment.of_predictions(quiet, SETTINGS).figures()
    assert math.isnan(figures["pooled/windows/auroc"])
    assert math.isnan(figures["pooled/szcore_event/sensitivity"])
    assert math.isnan(figures["pooled/sensitivity_at_per_day/1"])
    assert not math.isnan(figures["pooled/windows/specificity"])
