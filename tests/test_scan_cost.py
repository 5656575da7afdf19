"""What a scan costs beside `detect`, and how busy it keeps two cores.

`pytest -m slow -s tests/test_scan_cost.py` prints the figures. The first is in seconds
of CPU and holds on a machine that does other things too; the second needs two cores
that are free.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from conftest import LABELS
from distilclip_eeg.detection.models import bundled_models
from edf_writer import Signal, write_edf
from small_archive import rows_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not bundled_models(), reason="this checkout bundles no model"),
]
HOUR_S = 3600
BUSY_LOAD = 0.5  # of other processes, from which on two cores are not free


def write_hours(folder: Path, n: int, hours: float = 1.0) -> Path:
    folder.mkdir()
    n_s = round(hours * HOUR_S)
    for i in range(n):
        rng = np.random.default_rng(i)
        signals = [
            Signal(label, rng.normal(0, 200, n_s * 256).astype(np.int16))
            for label in LABELS
        ]
        write_edf(folder / f"rec{i}.edf", signals, n_records=n_s)
    return folder


def cpu_seconds(*args: str | Path) -> float:
    """CPU seconds of a command and its children, on one core."""
    core = min(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(core), sys.executable, "-m", "distilclip_eeg.cli"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, *map(str, args)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_costs_under_a_tenth_more_than_detect(tmp_path: Path) -> None:
    n = 2
    archive = write_hours(tmp_path / "archive", n)
    alone = cpu_seconds("detect", archive, "--output", tmp_path / "alone")
    scanned = cpu_seconds(
        "scan", archive, "--output", tmp_path / "scanned", "--workers", "1"
    )
    more = scanned / alone - 1
    print(f"\ndetect {alone / n:.2f}, scan {scanned / n:.2f} CPU s per hour of EEG")
    print(f"that is {100 * more:+.1f} %")
    assert more < 0.1


def test_keeps_two_cores_busy(tmp_path: Path) -> None:
    if len(os.sched_getaffinity(0)) < 2 or os.getloadavg()[0] > BUSY_LOAD:
        pytest.skip("two free cores are needed")
    archive = write_hours(tmp_path / "archive", 24, hours=0.5)
    command = [sys.executable, "-m", "distilclip_eeg.cli", "scan", str(archive)]
    command += ["--output", str(tmp_path / "out"), "--workers", "2"]
    subprocess.run(command, check=True, capture_output=True)
    rows = rows_of(tmp_path / "out").values()
    began: list[datetime] = [row["scanned_at"] for row in rows]
    last = max(rows, key=lambda row: row["scanned_at"])
    span_s = (last["scanned_at"] - min(began)).total_seconds() + last["cpu_s"]
    busy = sum(row["cpu_s"] for row in rows) / (2 * span_s)
    print(f"\n{100 * busy:.0f} % of two cores in {span_s:.0f} s")
    assert busy > 0.9
