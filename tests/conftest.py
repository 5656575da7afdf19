"""What several test files need: the real clips and small EDF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edf_writer import Signal, write_edf

ELECTRODES = (
    *("FP1", "F7", "T3", "T5", "O1", "F3", "C3", "P3", "FZ", "CZ", "PZ"),
    *("FP2", "F4", "C4", "P4", "O2", "F8", "T4", "T6"),
)
LABELS = tuple(f"EEG {electrode}-REF" for electrode in ELECTRODES)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real clips; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the folder with real clips does not lie beside the repository")
    return folder


@pytest.fixture
def small_edf(tmp_path: Path) -> Path:
    """12 s of noise, 19 electrodes of the 10-20 system and an ECG, 256 Hz, EDF."""
    rng = np.random.default_rng(0)
    signals = [
        Signal(label, rng.normal(0, 300, 12 * 256)) for label in (*LABELS, "ECG EKG")
    ]
    return write_edf(tmp_path / "small.edf", signals, n_records=12)


@pytest.fixture
def gap_edf(tmp_path: Path) -> Path:
    """EDF+D, 19 electrodes, 256 Hz: 12 s, a gap of 100 s, 8 s."""
    rng = np.random.default_rng(1)
    signals = [Signal(label, rng.normal(0, 300, 20 * 256)) for label in LABELS]
    onsets_s = [*range(12), *range(112, 120)]
    return write_edf(
        tmp_path / "gap.edf", signals, n_records=20, onsets_s=onsets_s, kind="EDF+D"
    )
