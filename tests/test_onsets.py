"""Seizures after background: how soon each was found, and what joins raised."""

from __future__ import annotations

import numpy as np
import pytest

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.material import JOIN_S, JOINS
from distilclip_eeg.evaluation.onsets import onset_of, onset_scores
from distilclip_eeg.evaluation.outcomes import Outcome
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from distilclip_eeg.evaluation.tables import onset_rows


def outcome(*events: Event, joins: tuple[float, ...] = (30.0, 60.0)) -> Outcome:
    patterns = tuple((at, at + JOIN_S, JOINS["own"]) for at in joins)
    marks = (Marked(100.5, 150.0),)
    return Outcome("r", "d", "p", marks, events, 200.0, patterns)


@pytest.mark.parametrize(
    ("events", "latency_s"),
    [
        ([Event(108, 20, raised_s=114.0)], 13.5),
        ([Event(98, 20, raised_s=100.5)], 0.0),
        ([Event(80, 50, raised_s=90.0)], np.nan),
        ([Event(40, 10, raised_s=50.0)], np.inf),
        ([], np.inf),
    ],
)
def test_latency_counts_from_the_splice(events: list[Event], latency_s: float) -> None:
    np.testing.assert_equal(onset_of(outcome(*events)).latency_s, latency_s)


def test_false_alarms_at_joins_and_elsewhere() -> None:
    found = onset_of(
        outcome(
            Event(29, 8, raised_s=35.0),  # at the first join
            Event(80, 50, raised_s=90.0),  # elsewhere, on into the seizure
            Event(99, 40, raised_s=106.0),  # the seizure
            joins=(30.0, 35.0, 95.0),
        )
    )
    assert (found.n_joins, found.joins_alarmed) == (3, 1)
    assert (found.at_joins_s, found.elsewhere_s) == (17 + 7.5, 76.0)
    assert (found.false_at_joins, found.false_elsewhere) == (1, 1)


def predicted(patient: str, odds: list[float], whose: str = "own") -> Prediction:
    """30 s of background with one join, then a seizure to the end."""
    n = len(odds)
    return Prediction(
        name=patient,
        dataset="d",
        patient=patient,
        kind="seizure",
        log_odds=np.array(odds),
        ictal=(np.arange(n) >= 30).astype(float),
        labelled=np.ones(n, bool),
        seizures=(Marked(30.0, float(n)),),
        patterns=((10.0, 20.0, JOINS[whose]),),
        stretches=(Stretch.whole(np.array(odds)),),
    )


def test_figures_of_onsets_and_their_table() -> None:
    quick = [-5.0] * 32 + [5.0] * 38
    slow = [-5.0] * 50 + [5.0] * 20
    before = [-5.0] * 12 + [5.0] * 58
    never = [-5.0] * 70
    found = onset_scores(
        [
            predicted("a", quick),
            predicted("a", slow, "others"),
            predicted("b", before),
            predicted("c", never),
        ],
        DetectionConfig(),
        draws=20,
        seed=0,
    )
    everyone = found["groups"]["all"]
    values = {
        name: figure["value"]
        for name, figure in everyone.items()
        if isinstance(figure, dict)
    }
    assert values == {
        "latency_s": 16.0,  # raised after 5 s: 7 and 25 s
        "latency_quartile_1_s": 11.5,
        "latency_quartile_3_s": 20.5,
        "raised": 0.5,
        "raised_soon": 0.25,
        "alarmed_before": 0.25,
        "missed": 0.25,
        "joins_alarmed": 0.25,
        "false_per_hour_at_joins": pytest.approx(75.0),  # 1 in 4 x 12 s
        "false_per_hour_elsewhere": 0.0,
    }
    assert (everyone["n"], everyone["n_patients"], everyone["n_joins"]) == (4, 3, 4)
    assert list(found["groups"]) == [
        "all",
        "after own background",
        "after background of others",
    ]
    table = "\n".join(onset_rows(found))
    assert "| after background of others | 1 | 25.0 | 25.0 | 25.0 | 1.000 |" in table
    assert "| all | 4 | 0.250" in table
    assert onset_rows(None) == []


def test_without_a_found_seizure_there_is_no_latency() -> None:
    found = onset_scores(
        [predicted("a", [-5.0] * 70)], DetectionConfig(), draws=5, seed=0
    )
    of = found["groups"]["all"]
    assert of["latency_s"] == {"value": None, "low": None, "high": None}
    assert of["missed"]["value"] == 1.0
