"""What a folder and its card say of false alarms and confidence: only what is so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distilclip_eeg.config import Config, DetectionConfig
from distilclip_eeg.evaluation.confidence import FittedConfidence
from distilclip_eeg.evaluation.operating_file import (
    Share,
    Thresholds,
    write_thresholds,
)
from distilclip_eeg.model_folder import OperatingPoint
from distilclip_eeg.training.alarm_rates import AlarmRates, read_alarm_rates
from small_card import card_of
from small_thresholds import MEASURED, POINTS, counted

CONFIG = Config(
    name="toy",
    detection=DetectionConfig(onset_threshold=0.6, offset_threshold=0.24),
)
REPORT = {
    "operating_points": [{"per_day": 56.4, "onset_threshold": 0.88}],
    "measured_on": "115 recordings without a seizure",
}
FITTED = FittedConfidence(1.5, -0.25, 90, 30, 0.2, 0.03)


def rates_of(found: Thresholds) -> AlarmRates:
    return AlarmRates(found.operating_points, found.measured_on, found)


def card(rates: AlarmRates) -> str:
    return card_of(CONFIG, rates)


def test_nothing_was_counted() -> None:
    said = card(read_alarm_rates(CONFIG))
    assert "Rates of false alarms were not measured." in said
    assert "day of ordinary EEG has not been measured on real recordings" in said
    assert "mean probability of its seconds, not calibrated." in said
    assert "--false-alarms-per-day" not in said


def test_counted_on_clips(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    rates = read_alarm_rates(CONFIG, tmp_path / "report.json")
    assert rates.points == (OperatingPoint(per_day=56.4, onset_threshold=0.88),)
    said = card(rates)
    assert "Measured on 115 recordings without a seizure. | false alarms" in said
    assert "| 56.4 | 0.88 |" in said
    assert "has not been measured on real recordings" in said
    assert rates.confidence is None


def test_counted_on_whole_recordings_comes_first(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    beside = {"seizure": Share(part=5, whole=9), "post-ictal": Share(part=1, whole=8)}
    beside |= {
        "ordinary": Share(part=0, whole=7),
        "hard negative": Share(part=2, whole=6),
    }
    points = tuple(p.model_copy(update={"beside": beside}) for p in POINTS)
    clips = MEASURED.model_copy(update={"datasets": ("chbmit", "iiic"), "hours": 4.0})
    found = counted(points=points, beside=clips, confidence=FITTED)
    write_thresholds(tmp_path / "t.json", found)
    rates = read_alarm_rates(CONFIG, tmp_path / "report.json", tmp_path / "t.json")
    assert rates == rates_of(found)
    said = card(rates)
    assert (
        "| 3 | 25 | 0.980 | 3 of 4 | 3 of 4 | 5 of 9 | 1 of 8 | 0 of 7 | 2 of 6 |"
        in said
    )
    assert "on 200.0 h of 600 simulated people" in said
    assert "4.0 h of 600 people (chbmit, iiic), each clip by a model" in said
    assert "counted on simulated recordings, not on days of real ordinary EEG" in said
    assert "real clips out of fold stands in the model card" in rates.measured_on
    assert "56.4" not in said


def test_real_days_are_called_so() -> None:
    real = MEASURED.model_copy(update={"datasets": ("siena",), "n_people": 14})
    said = card(rates_of(counted(measured=real)))
    assert "rates of false alarms above hold for 200.0 h of 14 people (siena)" in said
    assert "simulated" not in said


def test_too_few_hours_leave_nothing_to_choose_from() -> None:
    said = card(rates_of(counted(points=())))
    assert "Rates of false alarms were not measured." in said
    assert "10 per day (takes 7.2 h)" in said
    assert "has not been measured on real recordings" in said
    assert "chooses among" not in said


@pytest.mark.parametrize("fitted", [None, FITTED])
def test_confidence_is_a_probability_only_where_it_was_learned(
    fitted: FittedConfidence | None,
) -> None:
    rates = rates_of(counted(confidence=fitted))
    said = card(rates)
    assert ("probability that it is a seizure" in said) == (fitted is not None)
    assert ("not calibrated" in said) == (fitted is None)
    if fitted is not None:
        assert rates.confidence is not None
        assert rates.confidence.measured_on == "200.0 h of 600 simulated people"
        assert "90 of 120 events were one" in said
