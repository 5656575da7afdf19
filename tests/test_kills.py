"""kill -9 at any moment: what is there is whole, and done again it is all there, once.

Every kill is a SIGKILL to a process of its own, at a moment drawn from a seed. The
quick tests kill each command once; the slow one ten times in a row, each time from the
beginning, and counts.
"""

from __future__ import annotations

import json
import random
import shutil
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("uvicorn", reason="the extra `review` is not installed")

import torch
from safetensors.torch import load_file

from distilclip_eeg.corpora.index import INDEX, read_index
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.review.store import DATABASE, Store
from fed_session import DOWN_S, DURATION_S, SEIZURES
from forked import Forked, Parent, wait_for
from small_archive import rows_of, write_recording
from small_corpus import write_corpus
from test_commands import CONFIG
from tiny_model import write_tiny_model

N_IN_A_ROW = 10
N_DECISIONS = 12
MODULES = (
    *("distilclip_eeg.detection.detector", "distilclip_eeg.detection.outputs"),
    *("distilclip_eeg.corpora.datasets", "distilclip_eeg.corpora.store"),
    *("distilclip_eeg.archive.scan", "distilclip_eeg.training.commands"),
    *("distilclip_eeg.review.app", "distilclip_eeg.live.session", "pyarrow.parquet"),
)


@dataclass
class Made:
    """What all commands work with."""

    parent: Parent
    model: Path
    archive: Path
    corpus: Path
    config: Path


@dataclass
class Job:
    """A command, where it writes, and what it must have written in the end.

    Attributes
    ----------
    begin
        Starts it in a folder.
    kept
        Files of the folder that are the same, byte for byte, with and without a kill.
    events
        Counts what was found, each with what tells it from the others.
    check
        Looks at whatever a kill left.
    counted
        What events are.
    """

    begin: Callable[[Path], Forked]
    kept: Sequence[str]
    events: Callable[[Path], Counter[Any]]
    check: Callable[[Path], None] = lambda folder: None
    counted: str = "events"
    undisturbed: Path = field(init=False)
    needs_s: float = field(init=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("kills")
    for number in range(4):
        path = root / "archive" / f"ward{number // 2}" / f"rec{number}.edf"
        write_recording(path, n_events=number % 3, seed=number)
    (root / "toy.toml").write_text(CONFIG.format(validation="1"))
    with Parent(*MODULES) as parent:
        yield Made(
            parent,
            write_tiny_model(root / "tiny"),
            root / "archive",
            write_corpus(root / "corpus"),
            root / "toy.toml",
        )


def files(folder: Path, patterns: Sequence[str]) -> dict[str, bytes]:
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if path.is_file() and not path.name.startswith(".")
    }


def leftovers(folder: Path) -> list[str]:
    hidden = [p.name for p in folder.rglob(".*") if p.name != ".scan"]
    return hidden + [path.name for path in folder.rglob("*.part")]


# ---- the commands


def detect(made: Made) -> Job:
    def begin(folder: Path) -> Forked:
        args = ("detect", made.archive, "--output", folder / "out", "--force")
        return made.parent.start(folder / "said", *args, "--model", made.model)

    return Job(begin, ("out/**/*",), lambda folder: tables(folder / "out"))


def prepare(made: Made) -> Job:
    def begin(folder: Path) -> Forked:
        args = ("prepare", "manifest", made.corpus, folder / "store", "--workers", "1")
        return made.parent.start(folder / "said", *args)

    def check(folder: Path) -> None:
        for path in (folder / "store").glob("0*.json"):
            assert json.loads(path.read_text())["n_seconds"] > 0
            assert path.with_suffix(".signal.npy").exists()
            assert path.with_suffix(".usable.npy").exists()

    def events(folder: Path) -> Counter[Any]:
        entries = read_index(folder / "store").entries
        return Counter(
            (e["name"], s["onset_s"]) for e in entries for s in e["seizures"]
        )

    return Job(begin, ("store/*",), events, check, "seizures")


def train(made: Made) -> Job:
    def begin(folder: Path) -> Forked:
        args = ("train", made.config, "--data", made.corpus, "--run", folder / "run")
        return made.parent.start(folder / "said", *args)

    def check(folder: Path) -> None:
        for path in (folder / "run").glob("best.safetensors"):
            load_file(path)
        for path in (folder / "run").glob("checkpoint.pt"):
            torch.load(path, weights_only=True)

    def events(folder: Path) -> Counter[Any]:
        kept = torch.load(folder / "run" / "checkpoint.pt", weights_only=True)
        validations = (folder / "run" / "history.jsonl").read_text().splitlines()
        return Counter(validations) + Counter(values(kept))

    kept = ("run/best.safetensors", "run/config.json", "run/history.jsonl")
    counted = "validations and parts of the checkpoint"
    return Job(begin, kept, events, check, counted)


def values(kept: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a checkpoint; its file has its temporary name in it."""
    if isinstance(kept, torch.Tensor):
        yield name, kept.numpy().tobytes()
    elif isinstance(kept, dict):
        for key, value in kept.items():
            yield from values(value, f"{name}.{key}")
    else:
        yield name, repr(kept)


def scan(made: Made) -> Job:
    def begin(folder: Path) -> Forked:
        args = ("scan", made.archive, "--output", folder / "out", "--workers", "1")
        return made.parent.start(folder / "said", *args, "--model", made.model)

    def events(folder: Path) -> Counter[Any]:
        found = tables(folder / "out")
        rows = rows_of(folder / "out")
        in_index = [
            (f"out/{row['table']}", event["onset"])
            for row in rows.values()
            for event in row["events"]
        ]
        assert Counter((name, round(onset, 2)) for name, onset in in_index) == found
        return found

    return Job(begin, ("out/**/*.tsv",), events)


def tables(folder: Path) -> Counter[Any]:
    return Counter(
        (path.relative_to(folder.parent).as_posix(), event.onset)
        for path in folder.rglob("*.tsv")
        for event in read_tsv(path)
        if event.is_seizure
    )


JOBS = (detect, prepare, train, scan)


@pytest.fixture(scope="module", params=JOBS, ids=[job.__name__ for job in JOBS])
def job(
    request: pytest.FixtureRequest,
    made: Made,
    tmp_path_factory: pytest.TempPathFactory,
) -> Job:
    """A command that has been left alone once."""
    job: Job = request.param(made)
    job.undisturbed = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    alone = job.begin(job.undisturbed)
    assert alone.wait() == 0, alone.text()
    job.needs_s = time.monotonic() - began
    return job


def killed_once(job: Job, folder: Path, chance: random.Random) -> float:
    """Kill it in the middle, look, and do it again; when it was killed."""
    moment = chance.uniform(0.02, 0.95)
    while not job.begin(folder).killed(moment * job.needs_s):
        shutil.rmtree(folder)  # it was faster this time
        folder.mkdir()
        moment *= 0.7
    expected = files(job.undisturbed, job.kept)
    if job.kept[0] != "run/best.safetensors":  # which gets better as it goes on
        for name, content in files(folder, job.kept).items():
            assert content == expected[name], f"{name} is not whole"
    job.check(folder)
    again = job.begin(folder)
    assert again.wait() == 0, again.text()
    assert "Traceback" not in again.text()
    return moment


def test_killed_once(job: Job, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    killed_once(job, folder, random.Random(7))
    assert files(folder, job.kept) == files(job.undisturbed, job.kept)
    assert job.events(folder) == job.events(job.undisturbed)
    assert not leftovers(folder)


@pytest.mark.slow
def test_ten_times_in_a_row(job: Job, tmp_path: Path) -> None:
    moments = []
    for seed in range(N_IN_A_ROW):
        folder = tmp_path / str(seed)
        folder.mkdir()
        moments.append(killed_once(job, folder, random.Random(100 + seed)))
        assert files(folder, job.kept) == files(job.undisturbed, job.kept)
        assert job.events(folder) == job.events(job.undisturbed)
        assert not leftovers(folder)
    n = sum(job.events(job.undisturbed).values())
    when = ", ".join(f"{100 * moment:.0f} %" for moment in sorted(moments))
    what = f"{n} {job.counted} each time, 0 lost, 0 doubled"
    print(f"\n{len(moments)} kills, at {when} of the way; {what}")


def test_a_killed_prepare_leaves_no_worker_behind(made: Made, tmp_path: Path) -> None:
    begun = prepare(made).begin(tmp_path)
    workers = wait_for(lambda: children(begun.pid))
    assert begun.killed()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


# ---- a live stream


def fed(made: Made, folder: Path, kills: Sequence[tuple[int, float]] = ()) -> None:
    """Feed a session to its end; killed so long after so many lines were told."""
    args = (folder / "said", "fed_session", "feed", folder, made.model)
    told = folder / "lines.jsonl"
    for n_lines, later_s in kills:
        process = made.parent.call(*args)
        wait_for(partial(has_lines, told, n_lines))
        assert process.killed(later_s), "it was done before it was killed"
    last = made.parent.call(*args)
    assert last.wait() == 0, last.text()


def has_lines(path: Path, n: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= n


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    told = map(json.loads, (folder / "lines.jsonl").read_text().splitlines())
    return [line for line in told if line["type"] == kind]


def check_stream(folder: Path, undisturbed: Path, n_killed: int) -> None:
    alarms = Counter((line["kind"], line["id"]) for line in lines(folder, "alarm"))
    for number in range(1, len(SEIZURES) + 1):
        assert alarms["raise", number] == alarms["clear", number] == 1, alarms
    assert {number for _, number in alarms} == {1, 2, 3}
    told = (folder / "lines.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in told] == [*range(1, len(told) + 1)]
    expected = [round(e["onset"]) for e in lines(undisturbed, "event")]
    found = lines(folder, "event")
    assert len(expected) == len(SEIZURES)
    gaps = [line["onset"] for line in lines(folder, "gap")]
    assert len(gaps) <= n_killed
    if not any(a - 15 < gap < b + 15 for gap in gaps for a, b in SEIZURES):
        # The grid of windows begins anew after a gap, and moves an onset by a second.
        assert [e["onset"] for e in found] == pytest.approx(expected, abs=2)
    seen = open_recording(folder / "seen.edf")
    assert seen.duration_s == pytest.approx(DURATION_S, abs=2 + n_killed * DOWN_S)
    assert not leftovers(folder)


@pytest.fixture(scope="module")
def whole_stream(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream heard without a kill."""
    folder = tmp_path_factory.mktemp("whole")
    fed(made, folder)
    return folder


@pytest.mark.parametrize(
    "n", [1, pytest.param(N_IN_A_ROW, marks=pytest.mark.slow)], ids=["once", "ten"]
)
def test_a_stream_loses_and_doubles_no_alarm(
    made: Made, whole_stream: Path, tmp_path: Path, n: int
) -> None:
    chance = random.Random(n)
    moments = sorted(chance.sample(range(5, 240), n))
    fed(made, tmp_path, [(at, chance.uniform(0, 0.02)) for at in moments])
    check_stream(tmp_path, whole_stream, n)
    n_alarms = len([a for a in lines(tmp_path, "alarm") if a["kind"] == "raise"])
    print(f"\n{n} kills; {n_alarms} alarms of 3 seizures, 0 lost, 0 doubled")


# ---- the page for review


def served(made: Made, folder: Path) -> tuple[Forked, str]:
    said = folder / "said"
    said.unlink(missing_ok=True)
    args = ("review", folder / "recordings", "--model", made.model, "--port", "0")
    server = made.parent.start(said, *args)
    return server, wait_for(lambda: address(server.text()))


def address(text: str) -> str:
    found = [line for line in text.splitlines(True) if line.startswith("http")]
    return found[0].strip() if found and found[0].endswith("\n") else ""


def decided(url: str, number: int) -> None:
    """Send a decision as the page does, with a key of its own."""
    recording = json.loads(asked(f"{url}api/recordings"))["recordings"][0]["id"]
    body = {
        "key": f"key-{number:028d}",
        "reviewer": "me",
        "action": "comment",
        "event": "",
        "text": str(number),
    }
    asked(f"{url}api/recordings/{recording}/decisions", json.dumps(body).encode())


def asked(url: str, body: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def reviewed_with_kills(
    made: Made, folder: Path, n_kills: int, seed: int
) -> tuple[list[str], int]:
    """Decide one thing after the other; some are killed while they are stored.

    Those are sent again with their key, as the page does. Returns what was kept of the
    decisions, in order, and how many events were found.
    """
    write_recording(folder / "recordings" / "a.edf", n_events=2)
    chance = random.Random(seed)
    at = set(chance.sample(range(1, N_DECISIONS), n_kills))
    server, url = served(made, folder)
    for number in range(N_DECISIONS):
        if number in at:
            with ThreadPoolExecutor(1) as hand:
                sent = hand.submit(decided, url, number)
                assert server.killed(chance.uniform(0, 0.02))
                if isinstance(error := sent.exception(), Exception):
                    assert isinstance(error, (OSError, HTTPException)), error
            server, url = served(made, folder)
        decided(url, number)  # again: its answer may have been lost
    state = folder / "recordings" / "distilclip-review"
    wait_for(lambda: list((state / "detections").glob("*.json")))
    assert server.killed()
    store = Store(state / DATABASE)
    (recording,) = store.reviewed()
    texts = [d.details["text"] for d in store.decisions(recording)["me"]]
    store.close()
    (found,) = (state / "detections").glob("*.json")
    return texts, len(json.loads(found.read_text())["events"])


ONCE_EACH = [str(number) for number in range(N_DECISIONS)]


def test_a_killed_review_keeps_every_decision_once(made: Made, tmp_path: Path) -> None:
    assert reviewed_with_kills(made, tmp_path, 1, seed=7) == (ONCE_EACH, 2)


@pytest.mark.slow
def test_ten_kills_of_a_review(made: Made, tmp_path: Path) -> None:
    assert reviewed_with_kills(made, tmp_path, N_IN_A_ROW, seed=8) == (ONCE_EACH, 2)
    print(f"\n{N_IN_A_ROW} kills; {N_DECISIONS} decisions, 0 lost, 0 doubled")


def test_the_index_names_what_it_holds(made: Made, tmp_path: Path) -> None:
    """Without its index a store is none: what a kill left is never learned from."""
    begun = prepare(made).begin(tmp_path)
    store = tmp_path / "store"
    wait_for(lambda: list(store.glob("000001.json")))
    assert begun.killed()
    if (store / INDEX).exists():
        assert len(read_index(store).entries) == 6
    else:
        args = ("train", made.config, "--data", store, "--run", tmp_path / "run")
        refused = made.parent.start(tmp_path / "refused", *args)
        assert refused.wait() == 2
        assert "manifest.tsv" in refused.text()
