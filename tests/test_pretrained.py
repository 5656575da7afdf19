"""The models that the wheel carries, on patients they never saw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg import detect, load_model
from distilclip_eeg.corpora.catalog import in_folds
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.evaluation.events import pooled, score_recording

REPO = Path(__file__).parent.parent
RESULTS = REPO / "docs" / "results" / "student"
TEST_FOLD = 4


@pytest.fixture(scope="module")
def student() -> Model:
    return load_model("student")


def test_the_test_vector_comes_out(student: Model) -> None:
    vector = student.folder.test_vector()
    scores = Runtime(student.folder, "f32").run(vector["eeg"], vector["usable"])
    for name in ("window_logits", "second_logits"):
        np.testing.assert_allclose(getattr(scores, name), vector[name], atol=1e-4)


def test_bf16_moves_a_probability_little(student: Model, data_dir: Path) -> None:
    """99th percentile at most 0.01, over real clips of all data sets."""
    exact = load_model("student", "f32")
    clips = [r for r in read_manifest(data_dir) if r.fold != TEST_FOLD][::12]
    change = [
        np.abs(
            detect(clip.path, model=student).seizure_probability
            - detect(clip.path, model=exact).seizure_probability
        )
        for clip in clips
    ]
    assert np.nanquantile(np.concatenate(change), 0.99) <= 0.01


def test_patients_never_seen(student: Model, data_dir: Path) -> None:
    """Fold 4, counted by the package itself, agrees with the published counts."""
    published = json.loads((RESULTS / "fold4.json").read_text())
    scores = []
    for clip in in_folds(read_manifest(data_dir), [TEST_FOLD]):
        found = detect(clip.path, model=student)
        labelled = clip.labelled_s or (0.0, found.duration_s)
        events = [(e.onset, e.onset + e.duration) for e in found.events]
        true = [(e.onset, e.onset + e.duration) for e in clip.events]
        if clip.kind != "hard_negative":
            scores.append(score_recording(events, true, labelled))
    total = pooled(scores)
    assert (total.n_true, total.n_quiet) == (26, 16)
    # One clip may tip over on another processor.
    found = published["kind:seizure"]["n_found"]
    assert total.n_found == pytest.approx(found, abs=1)
    alarmed = published["kind:background"]["n_recordings_alarmed"]
    assert total.n_alarmed == pytest.approx(alarmed, abs=1)
