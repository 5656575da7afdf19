"""`distilclip download` as a user meets it: questions, bars, kills, full disks."""

from __future__ import annotations

import io
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.corpora import fetch
from distilclip_eeg.corpora.fetch import size_of
from publisher import CHBMIT, EDF, Publisher, files_in, publishing

COMMAND = [sys.executable, "-m", "distilclip_eeg.cli", "download"]

Run = Callable[..., int]


@pytest.fixture(scope="module")
def one_server() -> Iterator[Publisher]:
    with publishing() as publisher:
        yield publisher


@pytest.fixture
def server(one_server: Publisher, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    monkeypatch.setenv("no_proxy", "*")
    one_server.clear()
    one_server.publish(CHBMIT)
    return one_server


@pytest.fixture
def run(server: Publisher, tmp_path: Path) -> Run:
    """Run `distilclip download chbmit data` in this process; gives the exit status."""

    def run(*args: str) -> int:
        call = ["download", "chbmit", str(tmp_path / "data"), "--from", server.url]
        with pytest.raises(SystemExit) as done:
            main([*call, *args])
        return int(done.value.code or 0)

    return run


def subprocess_args(server: Publisher, folder: Path) -> list[str]:
    return [*COMMAND, "chbmit", str(folder), "--yes", "--from", server.url]


def ended_half_way(
    server: Publisher, folder: Path, by: signal.Signals
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Send a signal once 70,000 bytes of EDF have come and no more will."""
    server.stalls = {EDF: 70_000}
    part = folder / f"{EDF}.part"
    args = subprocess_args(server, folder)
    with subprocess.Popen(args, stderr=subprocess.PIPE, text=True) as running:
        try:
            deadline = time.monotonic() + 120
            while size_of(part) < 70_000 and time.monotonic() < deadline:
                time.sleep(0.01)
            running.send_signal(by)
            _, err = running.communicate(timeout=120)
        finally:
            running.kill()
            server.goes_on.set()
    return subprocess.CompletedProcess(args, running.returncode, "", err), part


@pytest.mark.parametrize(
    ("answer", "status", "n_files"), [("y\n", 0, 7), ("n\n", 1, 0), ("", 2, 0)]
)
def test_asks_before_it_starts(
    run: Run,
    tmp_path: Path,
    answer: str,
    status: int,
    n_files: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert run() == status
    assert len(files_in(tmp_path / "data")) == n_files
    assert (tmp_path / "data").exists() == (n_files > 0)


def test_unknown_sizes_are_said(
    run: Run, server: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    server.says_sizes = False
    assert run("--yes") == 0
    assert "to come: 7 files of unknown size" in capsys.readouterr().err


def test_some_sizes_unknown(
    run: Run, server: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    del server.files["SUBJECT-INFO"]
    assert run("--yes") == 1
    said = capsys.readouterr().err
    assert "7 files, 130.1 kB and 1 file among them of unknown size" in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["tusz", "x"], "tusz"),
        (["chbmit"], "FOLDER"),
        (["chbmit", "there.txt"], "is a file, expected a folder"),
        (["chbmit", "there.txt/below"], "there.txt"),
        (["chbmit", "new", "--patients", ""], "expected a list"),
    ],
)
def test_misuse_is_status_2(
    server: Publisher,
    args: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.txt").write_text("a file")
    with pytest.raises(SystemExit) as done:
        main(["download", *args, "--yes", "--from", server.url])
    assert done.value.code == 2
    assert said in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["there.txt"]


def test_bar_only_on_a_terminal(server: Publisher, tmp_path: Path) -> None:
    watched, theirs = pty.openpty()
    running = subprocess.Popen(
        subprocess_args(server, tmp_path),
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(watched, 65536):
            seen += piece
    except OSError:  # Linux: the other end is closed
        pass
    os.close(watched)
    assert running.communicate(timeout=120)[0] == b""
    assert running.returncode == 0
    assert b"130.1/130.1 kB" in seen


def test_kill_and_rerun_fetches_every_byte_once(
    server: Publisher, tmp_path: Path
) -> None:
    _, part = ended_half_way(server, tmp_path, signal.SIGKILL)
    assert part.stat().st_size == 70_000
    assert not (tmp_path / EDF).exists()
    before = dict(server.sent)
    assert before["SUBJECT-INFO"]
    done = subprocess.run(
        subprocess_args(server, tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "60.0 kB" in done.stderr  # the rest of one file and the whole of another
    assert files_in(tmp_path) == CHBMIT
    assert server.sent[EDF] == len(CHBMIT[EDF])
    assert server.sent["SUBJECT-INFO"] == before["SUBJECT-INFO"]


def test_interrupt_is_status_130_and_keeps_what_came(
    server: Publisher, tmp_path: Path
) -> None:
    running, part = ended_half_way(server, tmp_path, signal.SIGINT)
    assert running.returncode == 130
    assert "Traceback" not in running.stderr
    assert part.stat().st_size == 70_000


def test_disk_that_takes_no_more_keeps_what_came(
    server: Publisher, tmp_path: Path
) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, resource.RLIM_INFINITY))

    args = subprocess_args(server, tmp_path)
    done = subprocess.run(
        args, preexec_fn=small, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"{EDF}.part: File too large; 4 files still to come" in last
    assert "Traceback" not in done.stderr
    assert subprocess.run(args, check=False, capture_output=True).returncode == 0
    assert files_in(tmp_path) == CHBMIT
    # The chunk at which it failed was on its way twice, and no more.
    assert server.sent[EDF] <= len(CHBMIT[EDF]) + fetch.CHUNK


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [("size=64k", "No space left on device; 4", 1), ("ro", "Read-only file system", 2)],
)
def test_disk_full_or_read_only(
    server: Publisher, tmp_path: Path, options: str, said: str, status: int
) -> None:
    mount = f'mount -t tmpfs -o {options} tmpfs "$0" && exec "$@"'
    unshare = shutil.which("unshare")
    if not unshare or os.geteuid() or subprocess.call([unshare, "-m", "true"]):
        pytest.skip("needs root, to mount a small disk")
    server.says_sizes = False
    args = subprocess_args(server, tmp_path)
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", mount, str(tmp_path), *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, said in done.stderr.splitlines()[-1]) == (status, True)
    assert "Traceback" not in done.stderr
