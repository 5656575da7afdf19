"""Two processes on one output: the second is refused in one line, or both end right.

The first is stopped (SIGSTOP) while it holds what it writes to, so that the second
meets it there whatever the machine is busy with; then it goes on.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("uvicorn", reason="the extra `review` is not installed")

from distilclip_eeg.cli import main
from distilclip_eeg.corpora.index import read_index
from distilclip_eeg.corpora.workers import made_by_workers
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.eeg.whole_files import (
    LOCK,
    claim_folder,
    claimed,
    claimed_folder,
    partial_of,
)
from distilclip_eeg.errors import CorpusError, InUseError
from distilclip_eeg.review.decisions import Action
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.recordings import SALT
from distilclip_eeg.training.run_folder import load_run
from forked import Forked, Parent, wait_for
from small_archive import rows_of, write_recording
from small_corpus import write_corpus
from test_commands import CONFIG
from tiny_model import write_tiny_model

MODULES = (
    *("distilclip_eeg.detection.detector", "distilclip_eeg.corpora.datasets"),
    *("distilclip_eeg.corpora.store", "distilclip_eeg.archive.scan"),
    *("distilclip_eeg.training.commands", "pyarrow.parquet"),
)

# The lock by which it is seen that the first holds its output.
COMMANDS = {
    "detect": ("detect {rec} {out}/a.tsv --model {model}", ".a.tsv.lock"),
    "detect a folder": ("detect {root} --output {out} --model {model}", ".lock"),
    "explain": ("explain {rec} --output {out}/a.json --model {model}", ".a.json.lock"),
    "simulate": ("simulate {out}/a.edf --hours 0.02", ".a.edf.lock"),
    "prepare": ("prepare manifest {corpus} {out} --workers 1", ".lock"),
    "train": ("train {toml} --data {corpus} --run {out}/run", "run/.lock"),
    "scan": ("scan {root} --output {out} --model {model} --workers 1", ".scan/lock"),
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("read")
    (root / "toy.toml").write_text(CONFIG.format(validation=""))
    for number in range(3):
        path = root / "archive" / f"rec{number}.edf"
        write_recording(path, n_events=2, seed=number)
    return {
        "rec": root / "archive" / "rec0.edf",
        "root": root / "archive",
        "corpus": write_corpus(root / "corpus"),
        "toml": root / "toy.toml",
        "model": write_tiny_model(root / "tiny"),
    }


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    with Parent(*MODULES) as parent:
        yield parent


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(args))
    return int(stopped.value.code or 0)


def stopped_at(lock: Path, first: Forked) -> None:
    """Stop the first once it has signed its lock."""
    wait_for(lambda: lock.exists() and lock.read_text().startswith("process "))
    first.send(signal.SIGSTOP)


@pytest.mark.parametrize("case", COMMANDS)
def test_the_second_is_refused_and_the_first_ends_right(
    case: str,
    names: dict[str, Path],
    parent: Parent,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, lock = COMMANDS[case]
    out = tmp_path / "out"
    args = command.format(**names, out=out).split()
    first = parent.start(tmp_path / "said", *args)
    stopped_at(out / lock, first)
    try:
        assert run(*args) == 2
    finally:
        first.send(signal.SIGCONT)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"distilclip: {out}")
    assert f"writing here (process {first.pid} on " in line
    assert "another" in line
    assert first.wait() == 0, first.text()
    check(case, out)
    assert not [path for path in out.rglob(".*") if path.name != ".scan"]


def check(case: str, out: Path) -> None:
    match case:
        case "detect":
            assert len(read_tsv(out / "a.tsv")) == 2
        case "detect a folder" | "scan":
            assert [len(read_tsv(path)) for path in sorted(out.glob("*.tsv"))] == [
                2
            ] * 3
            assert case != "scan" or len(rows_of(out)) == 3
        case "explain":
            assert json.loads((out / "a.json").read_text())["model"] == "tiny"
        case "simulate":
            assert len(list(out.iterdir())) == 3
        case "prepare":
            assert len(read_index(out).entries) == 6
        case "train":
            assert load_run(out / "run")


HELD = {
    "stream": (
        "stream --replay {rec} --output {out}/a.jsonl --model {model}",
        "a.jsonl",
    ),
    "stream, its state": ("stream --replay {rec} --state {out}/s --model {model}", "s"),
    "quantize": ("quantize {out}/tiny", "tiny"),
    "anonymize": ("anonymize {rec} {out}/a.edf", "a.edf"),
}


@pytest.mark.parametrize("case", HELD)
def test_who_comes_to_a_held_output_is_refused(
    case: str,
    names: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("mne_lsl", reason="the extra `live` is not installed")
    command, output = HELD[case]
    write_tiny_model(tmp_path / "tiny")
    with held(tmp_path / output) as holder:
        assert run(*command.format(**names, out=tmp_path).split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"distilclip: {tmp_path / output}: another process")
    assert f"process {holder} on " in line


@contextmanager
def held(output: Path) -> Iterator[int]:
    """Let another process hold an output; gives its number."""
    ready = os.pipe()
    holder = os.fork()
    if not holder:
        with claimed(output):
            os.write(ready[1], b"x")
            signal.pause()
    os.read(ready[0], 1)
    try:
        yield holder
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        os.close(ready[0])
        os.close(ready[1])


def test_what_appeared_meanwhile_is_not_written_over(
    names: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first ends between the second's look and its turn."""
    out = tmp_path / "a.tsv"
    args = ["detect", str(names["rec"]), str(out), "--model", str(names["model"])]
    from distilclip_eeg.detection import models

    load = models.load_model

    def slowly(*some: object, **more: object) -> object:
        out.write_text("of the first")
        return load(*some, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "load_model", slowly)
        assert run(*args) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "of the first"


class TestClaims:
    def test_a_process_may_claim_again(self, tmp_path: Path) -> None:
        with claimed_folder(tmp_path / "run"), claimed_folder(tmp_path / "run"):
            assert (tmp_path / "run" / LOCK).exists()
        assert not (tmp_path / "run").exists()

    def test_the_lock_dies_with_its_holder_and_not_with_its_children(
        self, tmp_path: Path
    ) -> None:
        """A forked worker that outlives the holder must not keep others out."""
        ready, go_on = os.pipe(), os.pipe()
        holder = os.fork()
        if not holder:
            claim_folder(tmp_path)
            worker = os.fork()
            if not worker:
                os.read(go_on[0], 1)
                os._exit(0)
            os.write(ready[1], b"x")
            signal.pause()
        os.read(ready[0], 1)
        with pytest.raises(InUseError, match=f"process {holder} on "):
            claim_folder(tmp_path)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        with claimed_folder(tmp_path):
            os.write(go_on[1], b"x")
        for number in (*ready, *go_on):
            os.close(number)

    def test_who_waits_gets_it_when_it_is_free(self, tmp_path: Path) -> None:
        told: list[str] = []

        def waiting(line: str) -> None:
            told.append(line)
            threading.Timer(0.3, os.kill, (holder, signal.SIGKILL)).start()

        with held(tmp_path / "a") as holder, claimed(tmp_path / "a", waiting=waiting):
            pass
        assert len(told) == 1
        assert f"waiting for another process (process {holder} on " in told[0]

    def test_what_a_kill_left_of_the_same_file_goes(self, tmp_path: Path) -> None:
        mine, other = tmp_path / "a[1]", tmp_path / "a[1].b"
        for target in (mine, other):
            partial_of(target).write_text("half")
        partial_of(mine).mkdir()
        with claimed(mine):
            left = [p for p in tmp_path.iterdir() if p.name.endswith(".part")]
            assert [path.name.startswith(".a[1].b.") for path in left] == [True]


class TestTrainingsSideBySide:
    def test_they_share_a_store_one_after_the_other(
        self, names: dict[str, Path], parent: Parent, tmp_path: Path
    ) -> None:
        """Runs beside each other wait for what they share, and both end right."""
        args = ("train", names["toml"], "--data", names["corpus"], "--run")
        first = parent.start(tmp_path / "first", *args, tmp_path / "a")
        stopped_at(tmp_path / "store-folds-0-1" / LOCK, first)
        second = parent.start(tmp_path / "second", *args, tmp_path / "b")
        wait_for(lambda: "waiting for another process" in second.text())
        first.send(signal.SIGCONT)
        assert first.wait() == second.wait() == 0
        weights = [tmp_path / run / "best.safetensors" for run in "ab"]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_two_servers_keep_what_both_are_told(
    names: dict[str, Path], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    desks = [open_desk(names["root"], state=state, detects=False) for _ in range(2)]
    assert len((state / SALT).read_bytes()) == 32
    (recording, *_) = desks[0].library.entries

    def decide(number: int) -> None:
        for n in range(50):
            desks[number].store.add(
                key=f"key-{number}-{n:05d}",
                recording=recording,
                reviewer=f"reviewer {number}",
                action=Action.COMMENT,
                details={"text": str(n)},
            )

    both = [threading.Thread(target=decide, args=(number,)) for number in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    kept = desks[0].store.decisions(recording)
    for number in range(2):
        texts = [d.details["text"] for d in kept[f"reviewer {number}"]]
        assert texts == [str(n) for n in range(50)]
    for desk in desks:
        desk.close()


def killed_by_the_system(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_is_killed_is_told_in_one_line() -> None:
    with pytest.raises(CorpusError, match="worker processes was killed"):
        list(made_by_workers(killed_by_the_system, range(4), 1))
    assert list(made_by_workers(abs, [-1, -2], 1)) == [1, 2]


def modules_of_this_process(_: int) -> set[str]:
    return set(sys.modules)


def test_a_worker_is_no_copy_of_a_process_with_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "loaded_by_the_parent", sys)
    (loaded,) = made_by_workers(modules_of_this_process, [0], 1)
    assert "loaded_by_the_parent" not in loaded


def test_a_script_without_a_guard_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from distilclip_eeg.corpora.workers import made_by_workers\n"
        "print(list(made_by_workers(abs, [-1], 1)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'under `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
