"""Cost is taken in a process of its own, from model folder to memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.errors import ModelFolderError
from distilclip_eeg.evaluation.cost import cost_of, peak_memory_bytes
from tiny_model import write_tiny_model


def test_time_memory_and_size(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    ballast = np.ones(60_000_000)  # 480 MB here do not count there
    found = cost_of(folder, threads=1, length_s=120)
    assert peak_memory_bytes() > ballast.nbytes
    assert 30e6 < found["loaded_memory_bytes"] <= found["peak_memory_bytes"]
    assert found["peak_memory_bytes"] < ballast.nbytes
    assert found["seconds_per_hour"] > 0
    assert found["cpu_seconds_per_hour"] > 0
    assert (found["threads"], found["precision"]) == (1, "auto")
    assert found["files_bytes"]["model.onnx"] == (folder / "model.onnx").stat().st_size


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="its cost cannot be measured"):
        cost_of(tmp_path, length_s=10)
