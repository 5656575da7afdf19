"""No output names who was recorded: every command, on a header that names somebody.

Fields of identification are filled with words that stand nowhere else, and every byte
that comes out is searched for them. Not searched: what a user wrote into file names
and notes, and the annotated copy of `detect OUT.edf`, which is the recording itself.
"""

from __future__ import annotations

import ast
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from starlette.testclient import TestClient

from conftest import LABELS
from distilclip_eeg.cli import main
from distilclip_eeg.detection.embeddings import kept_embeddings
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.detection.stream_state import read_state
from distilclip_eeg.eeg.annotations import Event, write_edf_annotations
from distilclip_eeg.eeg.anonymous import anonymize
from distilclip_eeg.eeg.edf_notes import read_notes
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.live.alarms import AlarmDesk
from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.session import Outputs, Session
from distilclip_eeg.review.app import create_app
from distilclip_eeg.review.desk import open_desk
from distilclip_eeg.review.guard import access_for
from edf_writer import Signal, plain, write_edf
from tiny_model import write_tiny_model

PACKAGE = Path(__file__).parent.parent / "src" / "distilclip_eeg"
SECONDS = 60
NAME = "Zimmerqvist"  # of a person
SECRETS = (NAME, "QJX7731", "02-MAY-1951", "ADMQ99", "Techquilp", "Apparatquz")
MAIN = {
    "patient": f"QJX7731 F 02-MAY-1951 {NAME}_Zelma",
    "recording": "Startdate 02-MAR-2004 ADMQ99 Techquilp Apparatquz",
}

Run = Callable[..., str]


def found_in(data: bytes | str) -> list[str]:
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    return [word for word in SECRETS if word.casefold() in text.casefold()]


def assert_names_nobody(root: Path) -> None:
    """Search every file below a folder, names of files included."""
    files = [path for path in root.rglob("*") if path.is_file()]
    assert files
    for path in files:
        for content in contents(path):
            assert not found_in(content), path
        assert not found_in(path.relative_to(root).as_posix())


def contents(path: Path) -> Iterator[bytes | str]:
    """Give the bytes of a file, and what is compressed in it."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        yield f"{table.schema.metadata} {table.to_pylist()}"
    elif path.suffix == ".npz":
        with zipfile.ZipFile(path) as entries:
            for name in entries.namelist():
                yield entries.read(name)


def write_recording(path: Path, **main: str) -> Path:
    """Write 60 s of EDF+ with two loud stretches; its header names somebody."""
    rng = np.random.default_rng(0)
    uv = rng.normal(0, 40, (len(LABELS), SECONDS * 256))
    for start in (20, 45):
        uv[:, start * 256 : (start + 10) * 256] *= 60
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_edf(
        path,
        [Signal(label, x) for label, x in zip(LABELS, uv, strict=True)],
        n_records=SECONDS,
        onsets_s=list(range(SECONDS)),
        kind="EDF+C",
        main={**MAIN, **main},
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording") / "rec.edf")


@pytest.fixture
def recording(written_once: Path, tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return Path(shutil.copy(written_once, tmp_path / "in" / "rec.edf"))


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Run:
    """Run a command in this process; gives all that it says, wherever it says it."""

    def call(*args: str | Path, status: int = 0) -> str:
        with pytest.raises(SystemExit) as done:
            main([*map(str, args)])
        out, err = capfd.readouterr()
        said = out + err + caplog.text
        assert int(done.value.code or 0) == status, said
        assert not found_in(said), said
        return said

    return call


def test_the_words_are_there_to_be_found(recording: Path) -> None:
    assert found_in(recording.read_bytes()) == list(SECRETS)


def test_a_recording_does_not_know_them(recording: Path) -> None:
    """No reader of signals gets at them, so nothing after it can."""
    opened = open_recording(recording)
    assert not found_in(f"{vars(opened)}")


@pytest.mark.parametrize("suffix", [".tsv", ".json"])
def test_detect(
    run: Run, recording: Path, model: Path, tmp_path: Path, suffix: str
) -> None:
    assert "\tsz" in run("detect", recording, "--model", model)
    (tmp_path / "out").mkdir()
    drawn = ("--picture", tmp_path / "out" / "page.svg")
    run("detect", recording, tmp_path / f"out/e{suffix}", "--model", model, *drawn)
    assert_names_nobody(tmp_path / "out")


def test_report(run: Run, recording: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "page.html"
    run("detect", recording, "--model", model, "--report", out)
    assert_names_nobody(tmp_path / "out")
    with pytest.raises(SystemExit):  # it can: only when it is asked for
        main(["detect", str(recording), "--model", str(model), "--report", str(out),
              "--identify", "--force"])  # fmt: skip
    assert NAME in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".svg", ".json", ".tsv"])
def test_explain(
    run: Run, recording: Path, model: Path, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "out").mkdir()
    run("explain", recording, "--model", model, "--output", tmp_path / f"out/m{suffix}")
    assert_names_nobody(tmp_path / "out")


def test_scan(run: Run, recording: Path, model: Path, tmp_path: Path) -> None:
    """The tables, the index, the journal, and what is said of files that fail."""
    damage(recording, recording.with_name("bad.edf"), 5)
    options = ("--workers", "1", "--model", model, "--output", tmp_path / "out")
    assert "bad.edf" in run("scan", recording.parent, *options, status=1)
    assert (tmp_path / "out" / "index.parquet").is_file()
    assert (tmp_path / "out" / "rec.tsv").is_file()
    assert_names_nobody(tmp_path / "out")


def test_embeddings(recording: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "rec.parquet"
    kept_embeddings(recording, out, load_model(model))
    assert_names_nobody(tmp_path / "out")


@pytest.fixture
def data_set(recording: Path) -> Path:
    """The recording as a data set with a manifest."""
    columns = "recording\tevents\tkind\tlabelled\tsource\tpatient\tfold"
    events = recording.with_suffix(".tsv")
    events.write_text("onset\tduration\teventType\n20\t10\tsz\n45\t10\tsz\n")
    fields = ("rec.edf", "rec.tsv", "seizure", "", "ward", "p1", "0")
    listed = columns + "\n" + "\t".join(fields) + "\n"
    (recording.parent / "manifest.tsv").write_text(listed)
    return recording.parent


def test_catalog_and_store(run: Run, data_set: Path, tmp_path: Path) -> None:
    assert "rec.edf" in run("catalog", "manifest", data_set, "--json")
    run("prepare", "manifest", data_set, tmp_path / "out", "--workers", "1")
    assert_names_nobody(tmp_path / "out")


@pytest.mark.slow
def test_scores(run: Run, data_set: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("evaluate", data_set, "--model", model, "--output", out, "--draws", "0")
    assert_names_nobody(out)


def test_stream(recording: Path, model: Path, tmp_path: Path) -> None:
    """Lines, markers, the kept state and the recording of what was seen."""
    opened, sent = open_recording(recording), list[dict[str, Any]]()
    folder = tmp_path / "out"
    folder.mkdir()
    loaded = load_model(model, threads=1)
    session = Session(
        loaded,
        Layout(opened.name, opened.ch_names[: len(LABELS)]),
        loaded.settings(),
        Outputs(
            Lines(folder / "lines.jsonl"),
            Sink(sent),
            folder / "seen.edf",
            folder / "state.npz",
        ),
        AlarmDesk(),
        lambda: 0.0,
    )
    picks = list(range(len(LABELS)))
    for second in range(SECONDS):
        x = opened.read(picks, 0, second * 256, (second + 1) * 256)
        stamps = second + np.arange(256) / 256
        session.take(x, stamps, second + 1.0)
    session.suspend("stopped")
    assert any(line.get("kind") == "raise" for line in sent)
    assert not found_in(json.dumps(sent))
    assert not found_in(f"{read_state(folder / 'state.npz')}")
    assert_names_nobody(folder)


class Layout:
    speed, sfreq = 1.0, 256.0

    def __init__(self, name: str, ch_names: tuple[str, ...]) -> None:
        self.name, self.ch_names = name, ch_names


class Sink:
    """Takes what would be sent on as markers."""

    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self._sent = sent

    def push(self, values: dict[str, Any], stamp: float) -> None:
        self._sent.append(values)


def test_review(run: Run, recording: Path, model: Path, tmp_path: Path) -> None:
    """Every answer of the page, of good files and bad, and what it keeps on disk."""
    damage(recording, recording.with_name("bad.edf"), 5)
    beside = recording.with_suffix(".json")
    run("detect", recording, beside, "--model", model)
    state = tmp_path / "out"
    desk = open_desk(recording.parent, state=state, model=str(model), detects=False)
    app = create_app(desk, access_for("127.0.0.1", 8420))
    with TestClient(app, base_url="http://127.0.0.1:8420") as client:
        listed = client.get("/api/recordings")
        bad, good = listed.json()["recordings"]
        answers = [listed, client.get("/")]
        for entry in (bad, good):
            here = f"/api/recordings/{entry['id']}"
            made = {
                "key": f"key-{entry['id']}",
                "reviewer": "me",
                "action": "add",
                "event": "e1",
                "onset": 1.0,
                "duration": 2.0,
            }
            answers.append(client.post(f"{here}/decisions", json=made))
            answers += [client.get(f"{here}/{what}") for what in ASKED]
        statuses = [answer.status_code for answer in answers[-len(ASKED) :]]
        assert set(statuses) == {200}, list(zip(ASKED, statuses, strict=True))
    for answer in answers:
        assert not found_in(answer.content), answer.url
        assert not found_in(f"{answer.headers}"), answer.url
    assert (state / "decisions.sqlite").is_file()
    assert_names_nobody(state)


ASKED = (
    "about",
    "probability",
    "spectrogram",
    "map?at=25",
    "tile?montage=longitudinal&level=0&index=0",
    "candidates?threshold=0.5",
    "reviews",
    "decisions",
    "agreement",
    "patient-threshold?reviewer=me",
    "export?reviewer=me&kind=tsv",
    "export?reviewer=me&kind=edf",
    "export?reviewer=me&kind=csv_bi",
)


def test_anonymize(run: Run, recording: Path, tmp_path: Path) -> None:
    damage(recording, recording.with_name("bad.edf"), 5)
    run("anonymize", recording.parent, tmp_path / "out", status=1)
    assert_names_nobody(tmp_path / "out")


def test_other_formats(run: Run, model: Path, tmp_path: Path) -> None:
    """What MNE reads of the patient goes no further."""
    rng = np.random.default_rng(0)
    names = [label.split()[1].split("-")[0] for label in LABELS]
    raw = mne.io.RawArray(
        rng.normal(0, 4e-5, (len(names), SECONDS * 256)),
        mne.create_info(names, 256.0, "eeg", verbose="ERROR"),
        verbose="ERROR",
    )
    raw.info["subject_info"] = {"his_id": "QJX7731", "last_name": NAME}
    raw.info["experimenter"] = "Techquilp"
    path = tmp_path / "rec_raw.fif"
    raw.save(path, verbose="ERROR")
    assert NAME in path.read_bytes().decode("latin-1")
    (tmp_path / "out").mkdir()
    run("detect", path, tmp_path / "out" / "e.json", "--model", model,
        "--report", tmp_path / "out" / "page.html")  # fmt: skip
    assert_names_nobody(tmp_path / "out")


def damage(source: Path, out: Path, n_bytes: int) -> Path:
    """Copy a recording whose writer counted bytes wrongly: every field is displaced."""
    data = source.read_bytes()
    at = 60  # within the patient field
    shifted = data[at:] if n_bytes > 0 else data[at - n_bytes :]
    out.write_bytes(data[:at] + b"Q" * max(n_bytes, 0) + shifted)
    return out


WORD = "ZQXJ"
PAIRS = ("ZQ", "QX", "XJ", "JZ")
FILLED = {
    "patient": WORD * 20,
    "recording": WORD * 20,
}
PLUS = {
    "patient": f"7 F 02-MAY-1951 {WORD}",
    "recording": f"Startdate 02-MAR-2002 {WORD} {WORD} {WORD}",
}
IMPOSSIBLE = {
    "patient": f"7 F 33-MAY-1951 {WORD}",
    "recording": f"Startdate {WORD} {WORD} {WORD} {WORD}",
    "date": WORD * 2,
    "time": WORD * 2,
}


@pytest.mark.parametrize("kind", ["", "EDF+C", "EDF+D"])
@pytest.mark.parametrize(
    "main", [FILLED, PLUS, IMPOSSIBLE], ids=["full", "plus", "bad"]
)
def test_damaged_headers_are_not_quoted(
    tmp_path: Path, main: dict[str, str], kind: str
) -> None:
    """Not even two letters of a name, wherever in the header they have slipped to."""
    onsets = list(range(5)) if kind else None
    good = plain(tmp_path / "good.edf", main=main, kind=kind, onsets_s=onsets)
    for n_bytes in (*range(-12, 0), 0, *range(1, 13)):
        path = damage(good, tmp_path / "bad.edf", n_bytes)
        for line in all_that_is_said(path):
            assert not [pair for pair in PAIRS if pair in line], line


def test_files_of_other_kinds_are_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "bad.edf"
    for n_bytes in (1, 4, 8, 300):
        path.write_bytes((WORD * 100).encode()[:n_bytes])
        for line in all_that_is_said(path):
            assert not [pair for pair in PAIRS if pair in line], line


def all_that_is_said(path: Path) -> list[str]:
    """Open, read and copy a recording; gives its warnings and errors."""
    said: list[str] = []
    out = path.with_name("out.edf")
    works: tuple[Callable[[], object], ...] = (
        lambda: said.extend(open_recording(path).warnings),
        lambda: read_notes(path),
        lambda: write_edf_annotations(path, out, [Event(0, 1)]),
        lambda: anonymize(path, out, overwrite=True),
    )
    for work in works:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                work()
            except DistilClipError as error:
                said.append(str(error))
        said += [str(warning.message) for warning in caught]
    return said


MAY_READ_IDENTIFICATION = {
    "eeg/annotations.py",  # a copy of the recording with events is one with its header
    "eeg/anonymous.py",  # to take it out
    "review/recordings.py",  # to hash it, with a salt of the folder
    "review/report/identity.py",  # to withhold it
}


def test_who_reads_the_identification() -> None:
    """A new reader of these fields must be thought about, and added here."""
    fields = {"local_patient_identification", "local_recording_identification"}
    fields |= {"subject_info", "experimenter", "his_id"}
    readers = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "88" not in text and not any(field in text for field in fields):
            continue  # to parse every file takes seconds
        for node in ast.walk(ast.parse(text)):
            named = isinstance(node, ast.Attribute) and node.attr in fields
            named |= isinstance(node, ast.Constant) and node.value in fields
            if named or is_cut(node):
                readers.add(path.relative_to(PACKAGE).as_posix())
    assert readers == MAY_READ_IDENTIFICATION


def is_cut(node: ast.AST) -> bool:
    """Whether this is `slice(8, 88)` or `[8:88]`: the patient field of a header."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = node.args if node.func.id == "slice" else []
    elif isinstance(node, ast.Slice):
        parts = [bound for bound in (node.lower, node.upper) if bound]
    else:
        return False
    bounds = [part.value for part in parts if isinstance(part, ast.Constant)]
    return bounds == [8, 88] or bounds == [88, 168]
