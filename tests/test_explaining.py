"""`distilclip explain` as a user meets it: pictures, numbers, one-line mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.eeg.annotations import write_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from tiny_model import write_tiny_model

SFREQ = 256
NO_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""
Explain = Callable[..., int]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 s at 5 µV; from 40 to 70 s two left temporal leads reach 600 µV."""
    rng = np.random.default_rng(0)
    eeg = rng.normal(0, 5, (18, 100 * SFREQ)).astype(np.float32)
    wave = 600 * np.sin(2 * np.pi * 6 * np.arange(30 * SFREQ) / SFREQ)
    for lead in ("F7-T7", "T7-P7"):
        eeg[LEADS.index(lead), 40 * SFREQ : 70 * SFREQ] += wave.astype(np.float32)
    path = tmp_path_factory.mktemp("recording") / "made.edf"
    write_recording(ArrayRecording(eeg, SFREQ, LEADS, name="made"), path, [])
    return path


@pytest.fixture
def explain(model: Path) -> Explain:
    def run(*args: str | Path) -> int:
        with pytest.raises(SystemExit) as done:
            main(["explain", "--model", str(model), *map(str, args)])
        return int(done.value.code or 0)

    return run


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture(
    explain: Explain, recording: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / "new" / f"map{suffix}"
    assert explain(recording, "--at", "50", "--output", out) == 0
    start = out.read_bytes()[:200]
    assert (
        start.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in start + b"<svg"
    )
    assert out.stat().st_size > 20_000


def test_the_surest_event_as_json(
    explain: Explain, recording: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map.json"
    assert explain(recording, "--output", out) == 0
    values = json.loads(out.read_text())
    assert set(values["strongest"]) == {"F7-T7", "T7-P7"}
    assert values["place"] == "left temporal"
    assert values["event"]["onset"] == pytest.approx(40, abs=8)
    assert np.array(values["values"], float).shape == (18, 20)
    assert "left temporal" in capfd.readouterr().err


def test_table_on_stdout(
    explain: Explain, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert explain(recording, "--at", "50") == 0
    head, *rows = capfd.readouterr().out.splitlines()
    columns = head.split("\t")
    assert columns[:4] == ["lead", "side", "lobes", "mean"]
    assert columns[4:] == [str(second) for second in range(45, 55)]
    assert [row.split("\t")[0] for row in rows] == list(LEADS)
    assert rows[1].split("\t")[:3] == ["F7-T7", "left", "frontal,temporal"]
    means = {row.split("\t")[0]: float(row.split("\t")[3]) for row in rows}
    assert {"F7-T7", "T7-P7"} == set(sorted(means, key=lambda lead: -means[lead])[:2])


@pytest.mark.parametrize("suffix", [".png", ".json", ".tsv"])
def test_figure_of_both_classes(
    explain: Explain, recording: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"classes{suffix}"
    assert explain(recording, recording, "--figure", "--output", out) == 0
    if suffix == ".json":
        values = json.loads(out.read_text())
        assert values["seizure"]["n"] == 2
        temporal = LEADS.index("T7-P7")
        normal, seizure = (
            values[name]["by_lead"][temporal] for name in ("background", "seizure")
        )
        assert seizure > 5 * abs(normal)
    elif suffix == ".tsv":
        head = out.read_text().splitlines()[0]
        assert head == "lead\tside\tlobes\tbackground\tseizure"
    else:
        assert out.stat().st_size > 20_000


def test_no_overwriting(explain: Explain, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.tsv"
    out.write_text("mine")
    assert explain(recording, "--output", out) == 2
    assert out.read_text() == "mine"
    assert explain(recording, "--output", out, "--force") == 0
    assert out.read_text() != "mine"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--at", "100"], "the recording lasts 100 s"),
        (["--at", "-3"], "expected seconds from 0 on"),
        (["--figure", "--at", "3"], "leave --at out"),
        (["--output", "map.jpg"], ".png"),
        (["--method", "gradient"], "use --method occlusion"),
    ],
)
def test_mistakes_are_one_line(
    explain: Explain,
    recording: Path,
    capfd: pytest.CaptureFixture[str],
    args: list[str],
    said: str,
) -> None:
    assert explain(recording, *args) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line


def test_one_recording_at_a_time(
    explain: Explain, recording: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert explain(recording, recording) == 2
    assert "--figure takes several" in capfd.readouterr().err


def test_nothing_found(
    explain: Explain, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    eeg = np.random.default_rng(0).normal(0, 5, (18, 40 * SFREQ)).astype(np.float32)
    quiet = tmp_path / "quiet.edf"
    write_recording(ArrayRecording(eeg, SFREQ, LEADS, name="quiet"), quiet, [])
    assert explain(quiet) == 2
    assert "say where to look with --at" in capfd.readouterr().err
    assert explain(quiet, "--figure") == 2
    assert "no seizure segment" in capfd.readouterr().err
    assert explain(quiet, "--at", "20") == 0


def test_occlusion_needs_no_torch(recording: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.png"
    args = ["explain", str(recording), "--model", str(model), "--output", str(out)]
    code = f"""
{NO_TORCH}
from distilclip_eeg.cli import main
main({args!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert out.exists()


def test_gradient_without_torch_says_what_to_install(
    recording: Path, model: Path
) -> None:
    args = ["explain", str(recording), "--model", str(model), "--method", "gradient"]
    code = f"""
{NO_TORCH}
from distilclip_eeg.cli import main
main({args!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert 'pip install "distilclip-eeg[train]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
