"""`bench` measures every way to run a model, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from distilclip_eeg.cli import app
from distilclip_eeg.detection.models import find_model, load_model
from distilclip_eeg.detection.runtime import Scores
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.errors import ConfigError, DistilClipError, ModelFolderError
from distilclip_eeg.evaluation import bench, cost
from distilclip_eeg.model_folder import load_folder
from tiny_model import write_tiny_folder, write_tiny_model


def test_every_way_that_makes_a_difference(tmp_path: Path) -> None:
    tiny = write_tiny_folder(tmp_path / "tiny")
    for engine in ("openvino", "onnxruntime"):
        pytest.importorskip(engine)
    found = [(way.engine, way.precision) for way in bench.ways([tiny])]
    assert found == [("openvino", "auto"), ("openvino", "f32"), ("onnxruntime", "f32")]
    edge = [w.precision for w in bench.ways([load_folder(find_model("edge"))])]
    assert edge.count("int8") == 2


def test_speed_memory_and_latency(tmp_path: Path) -> None:
    tiny = write_tiny_folder(tmp_path / "tiny")
    way = next(bench.ways([tiny]))
    row = bench.measure(way, 1, 60, 30)
    assert (row["name"], row["engine"], row["precision"]) == (
        "tiny",
        way.engine,
        way.precision,
    )
    assert row["windows_per_second"] > 10
    assert row["cpu_seconds_per_hour"] > 0
    assert row["loaded_memory_bytes"] <= row["peak_memory_bytes"]
    for figures in row["live"].values():
        assert 0 <= figures["p50"] <= figures["p95"] <= figures["p99"]


def made_up(way: bench.Way, *asked: object) -> dict[str, Any]:
    if way.precision == "auto":
        raise ModelFolderError("no such processor")
    return {
        "name": way.folder.name,
        "engine": way.engine,
        "precision": way.precision,
        "windows_per_second": 123.4,
        "seconds_per_hour": 1.25,
        "cpu_seconds_per_hour": 2.5,
        "peak_memory_bytes": 3 * 2**20,
        "live": {"due_ms": {"p50": 1.04, "p95": 20.0, "p99": 300.0}},
    }


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A way that cannot be run is named, and the others are told."""
    monkeypatch.setattr(bench, "measure", made_up)
    folder = write_tiny_model(tmp_path / "tiny")
    done = CliRunner().invoke(app, ["bench", str(folder)])
    assert done.exit_code == 0, done.output
    header, *rows = done.stdout.splitlines()
    assert header.split()[:3] == ["model", "engine", "precision"]
    figures = ["123", "1.25", "2.50", "3", "1.0", "20.0", "300.0"]
    assert rows[0].split() == ["tiny", "openvino", "f32", *figures]
    assert "no such processor" in done.stderr
    again = CliRunner().invoke(app, ["bench", str(folder), "--json"])
    assert [row["precision"] for row in json.loads(again.stdout)] == ["f32", "f32"]


def test_a_window_falls_due_once_a_hop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_tiny_model(tmp_path / "tiny"), "f32", 1)
    n_windows: list[int] = []
    run = model.runtime.run

    def counted(eeg: Any, usable: Any) -> Scores:
        n_windows.append(len(eeg))
        return run(eeg, usable)

    monkeypatch.setattr(model.runtime, "run", counted)
    found = cost.latency(model, 35.0)
    assert found.keys() == {"due_ms", "due_cpu_ms", "any_ms", "any_cpu_ms"}
    assert sum(n_windows) == 1 + 35 // model.signal.hop_s
    assert max(n_windows) == 1


def test_against_mne(small_edf: Path, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    found = bench.against_mne(small_edf, str(folder), "f32", 1, rounds=1)
    ours, theirs = found["detect"], found["mne"]
    assert found["ratio"] == pytest.approx(ours["seconds"] / theirs["seconds"], 0.01)
    assert min(ours["cpu_seconds"], theirs["cpu_seconds"]) > 0
    assert min(ours["peak_memory_bytes"], theirs["peak_memory_bytes"]) > 30e6
    assert bench.mne_table(found).splitlines()[-1].split()[0] == "ratio"


def test_what_fails_is_said(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    with pytest.raises(DistilClipError, match="cannot be measured"):
        bench.against_mne(tmp_path / "none.edf", str(folder), rounds=1)


def test_noise_is_as_long_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "noise.edf"
    bench.write_noise(path, 0.05)
    recording = open_recording(path)
    assert recording.duration_s == 180
    assert (len(recording.ch_names), recording.sfreq) == (19, 256)
    assert recording.warnings == ()


def test_growth_by_command(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    call = ["bench", str(folder), "--hours", "0.1", "--threads", "1"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    name, header, row = done.stdout.splitlines()
    assert (name, header.split()[0], row.split()[0]) == (str(folder), "hours", "0.1")


@pytest.mark.parametrize("hours", ["", "1,x", "0", "-1"])
def test_hours_that_are_none(tmp_path: Path, hours: str) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    done = CliRunner().invoke(app, ["bench", str(folder), "--hours", hours])
    assert isinstance(done.exception, ConfigError)
