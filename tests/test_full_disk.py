"""A full disk and a read-only folder: one clear line, and nothing half-written.

The disks are real: a small tmpfs, and a read-only bind mount. A scan on a full disk is
tested in test_scan.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("uvicorn", reason="the extra `review` is not installed")

import numpy as np
import torch
from safetensors.torch import save_file
from starlette.testclient import TestClient

from distilclip_eeg.cli import main
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.whole_files import append_whole, written_whole
from distilclip_eeg.errors import DistilClipError, NotKeptError
from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.recorder import Recorder
from distilclip_eeg.model_folder import load_folder, write_folder
from distilclip_eeg.review.app import DISK_FULL, create_app
from distilclip_eeg.review.decisions import Action
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.guard import access_for
from distilclip_eeg.review.store import DATABASE, Store
from small_archive import write_recording
from small_corpus import write_corpus
from small_disks import PAGE_BYTES, fill, read_only, small_disk
from test_commands import CONFIG
from test_live_recorder import START
from test_review_app import BASE, PORT, Page
from tiny_model import tiny_config, tiny_parts, write_tiny_folder, write_tiny_model

# What is written where {disk} stands, and how much fits before it is full.
COMMANDS = {
    "detect to a table": ("detect {rec} {disk}/a.tsv --model {model}", 1),
    "detect to JSON": ("detect {rec} {disk}/a.json --model {model}", 1),
    "detect to EDF": ("detect {rec} {disk}/a.edf --model {model}", 8),
    "detect a folder": ("detect {root} --output {disk}/out --model {model}", 2),
    "a picture": ("detect {rec} --picture {disk}/a.png --model {model}", 4),
    "a report": ("detect {rec} --report {disk}/a.html --model {model}", 8),
    "explain to JSON": ("explain {rec} --output {disk}/a.json --model {model}", 1),
    "explain to a picture": ("explain {rec} --output {disk}/a.png --model {model}", 4),
    "simulate": ("simulate {disk}/a.edf --hours 0.01", 16),
    "prepare": ("prepare manifest {corpus} {disk}/store --workers 1", 16),
    "train": ("train {toml} --data {corpus} --run {disk}/runs/toy", 350),
    "scan": ("scan {root} --output {disk}/out --model {model} --workers 1", 2),
}
FULL, READ_ONLY = "No space left on device", "Read-only file system"
DISK_BYTES = 8 << 20


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What commands read."""
    root = tmp_path_factory.mktemp("read")
    (root / "toy.toml").write_text(CONFIG.format(validation=""))
    return {
        "rec": write_recording(root / "archive" / "rec.edf", n_events=2),
        "root": root / "archive",
        "corpus": write_corpus(root / "corpus"),
        "toml": root / "toy.toml",
        "model": write_tiny_model(root / "tiny"),
    }


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as place:
        yield place


def run(command: str, names: dict[str, Path], disk: Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(command.format(**names, disk=disk).split())
    return int(stopped.value.code or 0)


def the_line(capsys: pytest.CaptureFixture[str], disk: Path, why: str) -> str:
    """What was said about the disk: one line that names a place on it, and why."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    about = [line for line in said.splitlines() if why in line]
    assert len(about) == 1, said
    assert about[0].startswith("distilclip: ")
    assert str(disk) in about[0]
    return about[0]


def written(disk: Path) -> dict[str, bytes]:
    return {
        path.relative_to(disk).as_posix(): path.read_bytes()
        for path in disk.rglob("*")
        if path.is_file() and path.name != "filler"
    }


@pytest.mark.parametrize("case", COMMANDS)
def test_a_full_disk(
    case: str,
    names: dict[str, Path],
    disk: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, n_pages = COMMANDS[case]
    filler = fill(disk, n_pages * PAGE_BYTES)
    assert run(command, names, disk) == 2
    the_line(capsys, disk, FULL)
    left = written(disk)
    assert not [name for name in left if ".part" in name or name.endswith(".lock")]
    filler.unlink()
    if case not in ("train", "scan"):  # which go on; the others begin anew
        again = " --force" if command.startswith(("detect", "explain")) else ""
        assert run(command + again, names, disk) == 0
        whole = written(disk)
        assert len(whole) > len(left)
        assert all(whole[name] == content for name, content in left.items())


@pytest.mark.parametrize("case", COMMANDS)
def test_a_read_only_folder(
    case: str,
    names: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "read-only"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    with read_only(place):
        assert run(COMMANDS[case][0], names, place) == 2
        the_line(capsys, place, READ_ONLY)
    assert written(place) == {"mine.txt": b"mine"}


def test_a_full_stdout(names: dict[str, Path]) -> None:
    args = "detect {rec} --model {model}".format(**names).split()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "distilclip_eeg.cli", *args],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == f"distilclip: output: {FULL}"
    assert "Traceback" not in done.stderr


def test_quantize_leaves_the_model_as_it_was(disk: Path) -> None:
    """Its last step writes the folder anew, which is all that can fail."""
    before = write_tiny_folder(disk / "tiny")
    content = written(disk)
    fill(disk, 4 * PAGE_BYTES)
    with pytest.raises(OSError, match=FULL) as failed:
        write_folder(disk / "tiny", tiny_config(), **tiny_parts(1), force=True)
    assert failed.value.filename == str(disk / "tiny")
    assert written(disk) == content
    assert load_folder(disk / "tiny").sha256 == before.sha256


class TestStream:
    def test_a_disk_that_fills_up_ends_it(
        self,
        names: dict[str, Path],
        disk: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        pytest.importorskip("mne_lsl", reason="the extra `live` is not installed")
        fill(disk, 40 * PAGE_BYTES)
        command = "stream --replay {rec} --speed 20 --model {model} --no-markers "
        command += "--output {disk}/lines.jsonl --record {disk}/seen.edf"
        assert run(command, names, disk) == 2
        the_line(capsys, disk, FULL)
        assert (disk / "lines.jsonl").read_text().endswith("}\n")
        assert open_recording(disk / "seen.edf").duration_s > 0

    def test_a_recording_keeps_whole_records(self, disk: Path) -> None:
        path, second = disk / "seen.edf", np.zeros((18, 256))
        recorder = Recorder(path, [f"E{n}" for n in range(18)], 256.0, START)
        filler = fill(disk, 5 * PAGE_BYTES + 100)
        with pytest.raises(OSError, match=FULL) as failed:  # noqa: PT012
            for _ in range(10):
                recorder.push(second)
        assert failed.value.filename == str(path)
        n_whole = round(open_recording(path).duration_s)
        filler.unlink()
        recorder.push(second)
        recorder.close()
        assert open_recording(path).duration_s > n_whole > 0

    def test_lines_are_whole(self, disk: Path) -> None:
        lines = Lines(disk / "lines.jsonl")
        fill(disk, PAGE_BYTES)
        with pytest.raises(OSError, match=FULL):  # noqa: PT012
            for _ in range(100):
                lines.write(lines.numbered([{"type": "second", "text": "x" * 100}]))
        content = (disk / "lines.jsonl").read_text()
        assert content.endswith("\n")
        assert content.count("\n") == lines.written > 0


class TestReview:
    def test_a_decision_that_cannot_be_kept_is_sent_again(
        self, names: dict[str, Path], disk: Path
    ) -> None:
        desk = open_desk(names["root"], state=disk / "state", detects=False)
        app = create_app(desk, access_for("127.0.0.1", PORT))
        with TestClient(app, BASE) as client:
            page = Page(client)
            page.decide("comment", event="", text="before")
            filler = fill(disk, 0)
            answers = [
                page.send("comment", event="", text="x" * 1000) for _ in range(80)
            ]
            kept = [answer.status_code == 201 for answer in answers]
            assert not all(kept)
            assert answers[-1].status_code == DISK_FULL
            assert "full" in answers[-1].json()["detail"]
            assert str(disk) not in answers[-1].text
            filler.unlink()
            page.decide("comment", event="", text="after")
            told = page.json("decisions")["decisions"]
            assert len(told) == 2 + sum(kept)

    def test_what_is_missing_when_it_starts(
        self, names: dict[str, Path], tmp_path: Path
    ) -> None:
        state = tmp_path / "state"
        open_desk(names["root"], state=state, detects=False).close()
        with read_only(state), pytest.raises(DistilClipError, match="--state"):
            open_desk(names["root"], state=state, detects=False)

    def test_a_store_says_that_it_did_not_keep(self, disk: Path) -> None:
        store = Store(disk / DATABASE)
        filler = fill(disk, 0)
        with pytest.raises(NotKeptError, match="full"):  # noqa: PT012
            for number in range(200):
                store.add(
                    key=f"key-{number:05d}",
                    recording="r",
                    reviewer="me",
                    action=Action.COMMENT,
                    details={"text": "x" * 1000},
                )
        n_kept = len(store.decisions("r").get("me", []))
        store.close()
        filler.unlink()
        store = Store(disk / DATABASE)
        assert len(store.decisions("r").get("me", [])) == n_kept
        store.close()


def test_what_a_library_hides_is_found_out(disk: Path) -> None:
    """Torch tells of a full disk by an unexpected position, NumPy by two numbers."""
    much = torch.zeros(1 << 20)
    filler = fill(disk, 64 * PAGE_BYTES)
    writers: dict[str, Callable[[Path], object]] = {
        "torch": lambda path: torch.save({"x": much}, path),
        "numpy": lambda path: saved(path, much.numpy()),
        "safetensors": lambda path: save_file({"x": much}, path),
    }
    for name, write in writers.items():
        with (
            pytest.raises(OSError, match=FULL) as failed,
            written_whole(disk / name) as path,
        ):
            write(path)
        assert failed.value.filename == str(disk / name)
        assert set(written(disk)) == set()
    filler.unlink()
    with pytest.raises(RuntimeError, match="mine"), written_whole(disk / "a"):
        raise RuntimeError("mine")  # which is none of the disk's


def saved(path: Path, values: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, values)


def test_half_of_what_is_appended_goes_again(disk: Path) -> None:
    path = disk / "file"
    path.write_bytes(b"before")
    fill(disk, 2 * PAGE_BYTES)
    with path.open("r+b", buffering=0) as file:
        append_whole(file, b" and after")
        with pytest.raises(OSError, match=FULL):
            append_whole(file, bytes(16 * PAGE_BYTES))
    assert path.read_bytes() == b"before and after"
