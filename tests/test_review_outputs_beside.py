"""What a detector left beside a recording, as found and at other thresholds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState
from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.review.outputs_beside import cut_events, read_found
from review_folder import SETTINGS, detection_json, probabilities
from tiny_model import write_tiny_model

EXAMPLE = Path(__file__).parent.parent / "examples" / "chb01_03_1_eeg.edf"
LEVELS = st.sampled_from([0.0, 0.05, 0.29, 0.3, 0.31, 0.6, 0.61, 0.95, float("nan")])


@given(
    st.lists(LEVELS, max_size=80),
    st.sampled_from([0.0, 5.0, 6.0]),
    st.sampled_from([0.0, 2.0, 10.0]),
)
def test_cut_as_the_detector_cuts(
    values: list[float], shortest_s: float, gap_s: float
) -> None:
    settings = SETTINGS.model_copy(
        update={"min_duration_s": shortest_s, "min_gap_s": gap_s}
    )
    state, events = AlarmState(settings), list[Event]()
    for second, value in enumerate(values):
        events += state.push(second, value, second + 1.0)
    events += state.close()
    ours = cut_events(np.array(values, np.float32), settings, float(len(values)))
    assert ours == events


def test_the_models_own_threshold_gives_the_models_own_events(tmp_path: Path) -> None:
    model = load_model(write_tiny_model(tmp_path / "model"))
    found = detect(EXAMPLE, model=model)
    path = tmp_path / "rec.json"
    path.write_text(json.dumps(found.to_dict()))
    read = read_found(path, found.duration_s)
    assert read is not None
    again = read.at(read.settings.onset_threshold)
    assert [(e.onset, e.duration, e.channels) for e in again] == [
        (e.onset, e.duration, e.channels) for e in found.events
    ]


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "rec.json"
    path.write_text(json.dumps(detection_json(probabilities()) | changes))
    return path


def test_other_thresholds(tmp_path: Path) -> None:
    found = read_found(written(tmp_path), 120.0)
    assert found is not None
    spans = {p: [(e.onset, e.duration) for e in found.at(p)] for p in (0.6, 0.8)}
    assert spans == {0.6: [(20.0, 20.0), (70.0, 20.0)], 0.8: [(20.0, 20.0)]}
    assert found.at(0.8)[0].channels == ("F7-T7",)
    assert found.at(0.95) == []


@pytest.mark.parametrize(
    "text", ["{}", "[1, 2", '{"EEGReference": "Cz"}', "[" * 100_000, "\x00"]
)
def test_a_sidecar_of_the_same_name_is_passed_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rec.json"
    path.write_text(text)
    assert read_found(path, 120.0) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_s": 99.0},
        {"seizure_probability": [0.5]},
        {"events": [{"onset": -1, "duration": 3}]},
        {"settings": {"onset_threshold": 7}},
        {"seizure_probability": "none"},
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(CorpusError, match=r"rec\.json"):
        read_found(written(tmp_path, **changes), 120.0)


def test_table_of_another_detector(tmp_path: Path) -> None:
    path = tmp_path / "rec.tsv"
    path.write_text("onset\tduration\teventType\n5\t9\tsz\n0\t3\tbckg\n")
    found = read_found(path, 60.0)
    assert found is not None
    assert found.probability is None
    assert [e.onset for e in found.at(0.9)] == [5.0]
    with pytest.raises(CorpusError, match="after the recording's end"):
        read_found(path, 10.0)
    path.write_text("name\tage\nx\t3\n")
    assert read_found(path, 60.0) is None


def test_settings_without_a_gap_to_pass_over() -> None:
    settings = DetectionConfig(min_gap_s=0, min_duration_s=0)
    values = np.array([0.9, 0.0, 0.9], np.float32)
    assert [e.onset for e in cut_events(values, settings, 3.0)] == [0.0, 2.0]
