"""Thresholds by false alarms per day that nobody counted."""

from __future__ import annotations

from typing import Any

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.operating_file import (
    Measured,
    Point,
    Share,
    Thresholds,
)

SHARE = Share(part=3, whole=4)
POINTS = tuple(
    Point(
        per_day=rate,
        onset_threshold=threshold,
        n_false=round(rate * 200 / 24),
        found=SHARE,
        found_long=SHARE,
    )
    for rate, threshold in ((1.0, 0.99925), (3.0, 0.98), (10.0, 0.9))
)
MEASURED = Measured(
    file="predictions.tsv",
    sha256="0" * 64,
    datasets=("simulated",),
    n_recordings=600,
    n_people=600,
    n_seizures=1500,
    hours=200.0,
)


def counted(**changes: Any) -> Thresholds:
    """Give what `distilclip thresholds` might find of the model `toy` on 200 h."""
    values: dict[str, Any] = {
        "name": "toy",
        "package_version": "0.1.0",
        "scorer": "timescoring 0.0.7",
        "detection": DetectionConfig(onset_threshold=0.6, offset_threshold=0.24),
        "rates": (1.0, 3.0, 10.0),
        "min_alarms": 3,
        "long_s": 20.0,
        "measured": MEASURED,
        "points": POINTS,
        "not_fitted": "too few events",
    }
    return Thresholds(**(values | changes))
