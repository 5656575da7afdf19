"""The command line as a user meets it: files, streams, exit status, no tracebacks."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.eeg import files
from distilclip_eeg.eeg.annotations import TSV_COLUMNS, read_tsv
from distilclip_eeg.eeg.recording import Recording
from tiny_model import write_tiny_model

REPO = Path(__file__).parent.parent
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"
COMMAND = [sys.executable, "-m", "distilclip_eeg.cli"]

Run = Callable[..., int]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLE, tmp_path / "rec.edf"))


@pytest.fixture
def detect(model: Path) -> Run:
    """Run `distilclip detect` in this process; gives the exit status."""

    def run(*args: str | Path) -> int:
        with pytest.raises(SystemExit) as done:
            main(["detect", "--model", str(model), *map(str, args)])
        return int(done.value.code or 0)

    return run


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.startswith("distilclip: ")
    return line


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert not done.value.code
    assert capsys.readouterr().out.strip() == version("distilclip-eeg")


def test_help_comes_at_once() -> None:
    def help_s() -> float:
        began = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        return time.perf_counter() - began

    assert min(help_s() for _ in range(5)) < 0.5


def test_table_on_stdout(
    detect: Run, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(recording) == 0
    out, err = capsys.readouterr()
    assert tuple(out.splitlines()[0].split("\t")) == TSV_COLUMNS
    assert out.splitlines()[1].split("\t")[2] in {"sz", "sz_foc", "sz_gen"}
    assert err == ""


def test_suffix_decides_the_format(
    detect: Run, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tsv, js, edf = (
        recording.with_name(f"out.{kind}") for kind in ("tsv", "json", "edf")
    )
    assert [detect(recording, path) for path in (tsv, js, edf)] == [0, 0, 0]
    assert capsys.readouterr() == ("", "")
    found = json.loads(js.read_text())
    events = read_tsv(tsv)
    assert [e["onset"] for e in found["events"]] == pytest.approx(
        [event.onset for event in events], abs=0.01
    )
    assert re.search(rb"\x14sz(_foc|_gen)? confidence=", edf.read_bytes())
    assert edf.stat().st_size > recording.stat().st_size


def test_bdf_source_becomes_bdf(detect: Run, recording: Path) -> None:
    out = recording.with_name("out.bdf")
    assert detect(recording, out) == 2  # an EDF is copied as EDF
    assert not out.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["gone.edf"], "no such file"),
        (["rec.edf", "out.csv"], "use one of .tsv .json .edf .bdf"),
        (["rec.edf", "rec.edf"], "is the recording itself"),
        (["rec.edf", "rec.edf", "--force"], "is the recording itself"),
        (["rec.edf", "there.tsv"], "--force writes over it"),
        (["rec.edf", "--picture", "there.png"], "--force writes over it"),
        (["rec.edf", "--picture", "page.pdf"], "use one of .png .svg"),
        (["rec.edf", "other.edf"], "--output FOLDER"),
        (["rec.edf", "other.edf", "more.edf"], "--output FOLDER"),
        (["."], "--output"),
        (["empty", "--output", "out"], "no recordings"),
        (["gone", "--output", "out"], "no such file or folder"),
        ([".", "--output", "there.tsv"], "expected a folder"),
        ([".", "--output", "out", "--picture", "p.png"], "draws one recording"),
        (["rec.edf", "--threshold", "1.5"], "threshold"),
        (["rec.edf", "--threshold", "0.5", "--false-alarms-per-day", "1"], "not both"),
        (["rec.edf", "--false-alarms-per-day", "9999"], "false alarms per day"),
        (["rec.edf", "--model", "nothing"], "bundled"),
        (["text.edf"], "text.edf"),
    ],
)
def test_mistake_is_one_line(
    detect: Run,
    recording: Path,
    args: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = recording.parent
    monkeypatch.chdir(folder)
    for name in ("there.tsv", "there.png", "other.edf", "text.edf"):
        (folder / name).write_text("already here")
    (folder / "empty").mkdir()
    before = sorted(folder.rglob("*"))
    assert detect(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in one_line(err)
    assert sorted(folder.rglob("*")) == before
    assert (folder / "there.tsv").read_text() == "already here"


@pytest.mark.parametrize("args", [[], ["--no-such-option"], ["--precision", "f16"]])
def test_misuse_is_status_2(detect: Run, recording: Path, args: list[str]) -> None:
    assert detect(*args, *([recording] if args else [])) == 2


def test_force_writes_over(detect: Run, recording: Path) -> None:
    out = recording.with_name("out.tsv")
    out.write_text("old")
    assert detect(recording, out, "--force") == 0
    assert read_tsv(out)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(["--threshold", "0.77"], 0.77), (["--false-alarms-per-day", "2"], 0.7)],
)
def test_threshold_is_obeyed(
    detect: Run, recording: Path, choice: list[str], expected: float
) -> None:
    out = recording.with_name("out.json")
    assert detect(recording, out, *choice) == 0
    settings = json.loads(out.read_text())["settings"]
    assert settings["onset_threshold"] == pytest.approx(expected)


def test_f32_is_accepted(detect: Run, recording: Path) -> None:
    assert detect(recording, recording.with_name("o.tsv"), "--precision", "f32") == 0


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_picture(detect: Run, recording: Path, suffix: str) -> None:
    page = recording.parent / "pages" / f"page{suffix}"
    assert detect(recording, "--picture", page) == 0
    assert page.stat().st_size > 10_000


def test_folder_keeps_its_tree(
    detect: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "in", tmp_path / "deep" / "out"
    for name in ("a/rec.edf", "b/rec.edf"):
        (root / name).parent.mkdir(parents=True)
        shutil.copy(EXAMPLE, root / name)
    (root / "notes.txt").write_text("no recording")
    assert detect(root, "--output", out) == 0
    written = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.*"))
    assert written == ["a/rec.tsv", "b/rec.tsv"]
    assert capsys.readouterr() == ("", "")  # no bar where nobody watches
    assert detect(root, "--output", out) == 2
    assert "a/rec.tsv and 1 more exists already" in one_line(capsys.readouterr().err)


def test_bad_file_costs_the_others_nothing(
    detect: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    (root / "a_broken.edf").write_bytes(b"0       no header")
    (root / "b_empty.edf").write_bytes(b"")
    shutil.copy(EXAMPLE, root / "c_good.edf")
    assert detect(root, "--output", out) == 1
    said = capsys.readouterr().err.splitlines()
    assert ["a_broken" in said[0], "b_empty" in said[1]] == [True, True]
    assert said[2:] == ["distilclip: 2 of 3 recordings failed"]
    assert [p.name for p in out.iterdir()] == ["c_good.tsv"]


def test_defect_in_one_file_costs_the_others_nothing(
    detect: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = files.open_recording

    def sometimes(path: Path) -> Recording:
        if path.name == "a.edf":
            raise ZeroDivisionError("division by zero")
        return real(path)

    monkeypatch.setattr("distilclip_eeg.detection.detector.open_recording", sometimes)
    for name in ("a.edf", "b.edf"):
        shutil.copy(EXAMPLE, tmp_path / name)
    assert detect(tmp_path, "--output", tmp_path / "out") == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.tsv"]


def test_files_and_folders_together(detect: Run, tmp_path: Path) -> None:
    one, folder, out = tmp_path / "one.edf", tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for path in (one, folder / "two.edf"):
        shutil.copy(EXAMPLE, path)
    assert detect(one, folder, "--output", out) == 0
    assert sorted(p.name for p in out.iterdir()) == ["one.tsv", "two.tsv"]


def test_two_recordings_never_share_an_output(
    detect: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(EXAMPLE, tmp_path / name / "rec.edf")
    out = tmp_path / "out"
    assert detect(tmp_path / "a", tmp_path / "b", "--output", out) == 2
    assert "would both be written" in one_line(capsys.readouterr().err)
    shutil.copy(EXAMPLE, tmp_path / "a" / "rec.rec.edf")
    shutil.copy(EXAMPLE, tmp_path / "a" / "rec.bdf")
    assert detect(tmp_path / "a", "--output", out) == 0
    names = sorted(p.name for p in out.iterdir())
    assert names == ["rec.bdf.tsv", "rec.edf.tsv", "rec.rec.tsv"]


def test_progress_only_on_a_terminal(tmp_path: Path, model: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "rec.edf")
    watched, theirs = pty.openpty()
    args = ["detect", str(tmp_path), "--output", str(tmp_path / "out"), "--model"]
    done = subprocess.run(
        [*COMMAND, *args, str(model)],
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
        check=True,
    )
    assert done.stdout == b""
    assert b"Recordings" in os.read(watched, 65536)
    os.close(theirs)
    os.close(watched)


def test_interrupt_is_status_130(tmp_path: Path, model: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for n in range(200):
        (root / f"{n:03d}.edf").symlink_to(EXAMPLE)
    out = tmp_path / "out"
    running = subprocess.Popen(
        [*COMMAND, "detect", str(root), "--output", str(out), "--model", str(model)],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (out / "000.tsv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert not list(out.glob(".*"))  # no halves left behind


def test_simulate_writes_a_recording_and_its_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def simulate(out: Path) -> int:
        with pytest.raises(SystemExit) as done:
            main(["simulate", str(out), "--hours", "0.02", "--seed", "1"])
        return int(done.value.code or 0)

    out = tmp_path / "new" / "x.edf"
    assert simulate(out) == 0
    tables = [out.with_name("x_events.tsv"), out.with_name("x_patterns.tsv")]
    assert capsys.readouterr().out.split() == [str(p) for p in (out, *tables)]
    before = out.read_bytes()
    assert simulate(tmp_path / "again.edf") == 0
    assert (tmp_path / "again.edf").read_bytes() == before
    assert simulate(out) == 2  # it is there already
    assert out.read_bytes() == before
    assert simulate(tmp_path / "x.tsv") == 2
