"""A folder to review: a recording of noise, and what a detector says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conftest import LABELS
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.review.outputs_beside import cut_events
from edf_writer import Signal, write_edf

SECONDS = 120
SETTINGS = DetectionConfig(onset_threshold=0.6, offset_threshold=0.3)
NAME = "Haskell-Jones"  # of a person, in the header
TIGHT = ((20, 40, 0.9), (70, 90, 0.7))  # start, stop, probability


def write_recording(
    path: Path, *, seconds: int = SECONDS, patient: str = f"7 F X {NAME}"
) -> Path:
    """Write noise on 19 electrodes, whose header says who was recorded."""
    rng = np.random.default_rng(0)
    signals = [Signal(label, rng.normal(0, 300, seconds * 128)) for label in LABELS]
    about = f"Startdate 01-JAN-2001 7 {NAME} X"
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_edf(
        path,
        signals,
        n_records=seconds,
        onsets_s=list(range(seconds)),
        kind="EDF+C",
        main={"patient": patient, "recording": about},
    )


def probabilities(
    bumps: Sequence[tuple[int, int, float]] = TIGHT, seconds: int = SECONDS
) -> NDArray[np.float32]:
    """Give 0.05 everywhere but in the bumps."""
    values = np.full(seconds, 0.05, np.float32)
    for start, stop, probability in bumps:
        values[start:stop] = probability
    return values


def detection_json(
    values: NDArray[np.float32], settings: DetectionConfig = SETTINGS
) -> dict[str, Any]:
    """Give what `distilclip detect` would write."""
    n = float(len(values))
    events = [event.to_dict() for event in cut_events(values, settings, n)]
    for event in events:
        event["channels"] = ["F7-T7"]
    return {
        "duration_s": n,
        "seizure_probability": [
            None if p != p else round(float(p), 4) for p in values.tolist()
        ],
        "events": events,
        "settings": settings.model_dump(mode="json"),
        "model": {"name": "made-up", "sha256": "0" * 64},
        "warnings": [],
    }


def write_folder(root: Path, names: Sequence[str] = ("a.edf",)) -> Path:
    """Write recordings, each with a detection beside it."""
    for name in names:
        path = write_recording(root / name)
        text = json.dumps(detection_json(probabilities()))
        path.with_suffix(".json").write_text(text)
    return root
