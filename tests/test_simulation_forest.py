"""A forest that hears loudness and rhythm does not find the simulated seizures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from distilclip_eeg.config import DetectionConfig, SignalConfig
from distilclip_eeg.corpora.simulate import prepare_simulated
from distilclip_eeg.evaluation.forest import forest_scores
from distilclip_eeg.evaluation.thresholds import sweep
from distilclip_eeg.evaluation.windows import labelled, window_figures, window_scores

HOURS = 24


@pytest.mark.slow
def test_the_simulation_is_hard(tmp_path: Path) -> None:
    learned, unseen = (
        prepare_simulated(seeds, tmp_path / f"from{seeds[0]}", SignalConfig())
        for seeds in (range(HOURS), range(10_000, 10_000 + HOURS))
    )
    predictions = forest_scores(learned.recordings, unseen.recordings)
    shutil.rmtree(tmp_path)  # 33 MB an hour
    figures = window_figures(*labelled(window_scores(predictions)))
    assert figures["balanced_accuracy"] <= 0.9
    patients = [p.patient for p in predictions]
    found = sweep(predictions, DetectionConfig(), patients)
    assert found.sensitivity_at(1.0) <= 0.6
