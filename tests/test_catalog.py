"""What holds for the catalog of every data set, and the command that lists one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from corpus_replicas import (
    write_aubmc,
    write_bids,
    write_chbmit,
    write_seizeit2,
    write_siena,
    write_tusz,
)
from distilclip_eeg.cli import app, main, preparing
from distilclip_eeg.corpora.catalog import (
    PROBLEMS,
    Catalog,
    CorpusRecording,
    Problem,
    ProblemKind,
    in_folds,
    person_of,
)
from distilclip_eeg.corpora.datasets import CATALOGS, open_catalog
from distilclip_eeg.corpora.listing import Listing, read_extent, read_lines
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import CorpusError, UnreadableRecordingError
from small_corpus import CLIPS, write_corpus

WRITERS: dict[str, Callable[[Path], Path]] = {
    "chbmit": write_chbmit,
    "tusz": write_tusz,
    "aubmc": write_aubmc,
    "siena": write_siena,
    "bids": write_bids,
    "manifest": write_corpus,
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        name: write(tmp_path_factory.mktemp(name)) for name, write in WRITERS.items()
    }


def test_every_catalog_has_a_replica() -> None:
    assert set(WRITERS) == set(CATALOGS)
    assert get_args(get_args(preparing.DatasetName)[0]) == tuple(CATALOGS)


@pytest.mark.parametrize("name", CATALOGS)
def test_what_holds_for_every_catalog(name: str, roots: dict[str, Path]) -> None:
    catalog = open_catalog(name, roots[name])
    assert catalog.required() is catalog.recordings
    names = [recording.name for recording in catalog.recordings]
    assert names == sorted(set(names))
    for recording in catalog.recordings:
        assert recording.path == roots[name] / recording.name
        assert recording.path.is_file()
        assert recording.patient == person_of(recording.patient)
        assert recording.duration_s
        assert (recording.kind == "seizure") == bool(recording.events)
        assert recording.seizures == recording.events
        onsets = [event.onset for event in recording.events]
        assert onsets == sorted(onsets)
        for event in recording.events:
            assert event.is_seizure
            assert 0 <= event.onset < event.onset + event.duration
            assert event.onset + event.duration <= recording.duration_s
    files = {path.relative_to(roots[name]).as_posix() for path in edfs(roots[name])}
    accounted = {problem.where for problem in catalog.problems} | set(names)
    assert files <= accounted
    assert all("\n" not in str(problem) for problem in catalog.problems)


def edfs(root: Path) -> list[Path]:
    return list(root.rglob("*.edf"))


@pytest.mark.parametrize("name", CATALOGS)
def test_reading_changes_nothing_and_gives_the_same(
    name: str, roots: dict[str, Path]
) -> None:
    before = sorted(roots[name].rglob("*"))
    assert open_catalog(name, roots[name]) == open_catalog(name, roots[name])
    assert sorted(roots[name].rglob("*")) == before


def test_unknown_data_set(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match="'bonn', expected one of chbmit, tusz, aubmc"
    ):
        open_catalog("bonn", tmp_path)


@pytest.mark.parametrize("name", CATALOGS)
def test_no_such_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="found no such folder"):
        open_catalog(name, tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="found"):
        open_catalog(name, tmp_path)  # empty


# Problems ----------------------------------------------------------------------------


def test_every_kind_of_problem_is_explained() -> None:
    assert tuple(PROBLEMS) == get_args(ProblemKind)


def catalog_of(*problems: Problem, notes: tuple[str, ...] = ()) -> Catalog:
    return Catalog("chbmit", Path("data"), [], list(problems), notes=notes)


def test_problems_are_counted() -> None:
    one = Problem("orphan", "a.csv", "no a.edf beside it")
    two = Problem("missing", "RECORDS:3", "b.edf is not on disk")
    assert catalog_of(one, two, one).count() == {"missing": 1, "orphan": 2}
    assert str(two) == "RECORDS:3: b.edf is not on disk"


def test_why_nothing_can_be_used() -> None:
    problem = Problem("too_few_leads", "a.edf", "3 of the 18 leads")
    with pytest.raises(CorpusError) as raised:
        catalog_of(problem, notes=("release unknown",)).required()
    assert str(raised.value) == (
        "data: found no recording of chbmit that can be used: 1 too few leads; first: "
        "a.edf: 3 of the 18 leads (release unknown)"
    )
    with pytest.raises(CorpusError, match=r"chbmit that can be used$"):
        catalog_of().required()


def test_problems_are_sorted_by_kind_file_and_line(tmp_path: Path) -> None:
    listing = Listing("mine", tmp_path)
    for kind, where in (("orphan", "b:9"), ("orphan", "b:10"), ("missing", "c")):
        listing.problem(kind, where, "")  # type: ignore[arg-type]
    listing.problem("orphan", tmp_path / "a" / "x.csv", "")
    found = [problem.where for problem in listing.catalog().problems]
    assert found == ["c", "a/x.csv", "b:9", "b:10"]


def test_people_and_folds() -> None:
    assert (person_of("chb21"), person_of("chb01")) == ("chb01", "chb01")
    recording = CorpusRecording("a", Path("a"), "x", "p", "background", 3, ())
    assert in_folds([recording], (3,)) == [recording]
    assert (recording.session, recording.split, recording.duration_s) == (
        "",
        None,
        None,
    )


def test_headers(tmp_path: Path, small_edf: Path, gap_edf: Path) -> None:
    extent = read_extent(small_edf)
    assert (extent.duration_s, len(extent.ch_names)) == (12, 20)
    assert str(extent.start_time) == "2004-03-02 05:06:07"
    assert read_extent(gap_edf).duration_s == 120  # the gap counts
    with pytest.raises(UnreadableRecordingError, match=r"no\.edf: cannot be opened"):
        read_extent(tmp_path / "no.edf")


def test_lines_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n  two \n")
    assert read_lines(path) == [(1, "one"), (3, "two")]
    path.write_bytes(b"perch\xe9\n")
    assert read_lines(path) == [(1, "perché")]
    with pytest.raises(CorpusError, match="found no ordinary file"):
        read_lines(tmp_path)


# A plain manifest --------------------------------------------------------------------


def test_a_manifest_as_catalog(roots: dict[str, Path]) -> None:
    catalog = open_catalog("manifest", roots["manifest"])
    assert not catalog.problems
    found = {r.name: r for r in catalog.recordings}
    assert set(found) == {f"{clip.name}.edf" for clip in CLIPS}
    for clip in CLIPS:
        recording = found[f"{clip.name}.edf"]
        assert recording.duration_s == clip.seconds
        assert (recording.kind, recording.dataset) == (clip.kind, clip.dataset)
        spans = [(event.onset, event.duration) for event in recording.events]
        assert spans == list(clip.seizures)


def test_a_manifest_with_problems(roots: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(roots["manifest"], tmp_path / "copy")
    (root / "n1" / "bg.edf").unlink()
    (root / "n2" / "sz.edf").rename(root / "n2" / "other.edf")
    path = root / "n1" / "sz.tsv"
    path.write_text("onset\tduration\teventType\n30\t50\tsz\n")
    catalog = open_catalog("manifest", root)
    assert [(p.kind, p.where) for p in catalog.problems] == [
        ("missing", "manifest.tsv:3"),
        ("missing", "manifest.tsv:4"),
        ("unannotated", "n2/other.edf"),
        ("past_end", "n1/sz.tsv"),
    ]
    assert catalog.recordings[1].events == (Event(30, 10),)


def test_a_manifest_gives_sessions_and_an_official_split(tmp_path: Path) -> None:
    root = write_corpus(tmp_path)
    path = root / "manifest.tsv"
    head, *rows = path.read_text().splitlines()
    rows = [f"{row}\t{part}\ts1" for row, part in zip(rows, 6 * ["train"], strict=True)]
    path.write_text("\n".join([f"{head}\tsplit\tsession", *rows]) + "\n")
    recordings = open_catalog("manifest", root).recordings
    assert {(r.split, r.session) for r in recordings} == {("train", "s1")}
    path.write_text(path.read_text().replace("train", "test", 1))
    with pytest.raises(
        CorpusError, match=r"manifest\.tsv:2: split 'test'; expected one"
    ):
        open_catalog("manifest", root)


# The command -------------------------------------------------------------------------


def test_the_command_lists_what_was_found(roots: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["catalog", "chbmit", str(roots["chbmit"])])
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "chbmit 1.0.0",
        "recordings\t12",
        "patients\t5",
        "seizures\t11",
        "seconds\t360.0",
        "seizure_seconds\t125.0",
    ]
    assert lines[7] == "patient\trecordings\tseizures\tseconds\tseizure_seconds"
    assert lines[8] == "chb01\t3\t2\t90.0\t24.0"
    assert "problems\t3" in lines
    assert f"unannotated\t1\t{PROBLEMS['unannotated']}" in lines
    assert "  chb24/chb24_02.edf: not in chb24-summary.txt, expected it there" in lines


def test_the_command_gives_json(roots: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["catalog", "aubmc", str(roots["aubmc"]), "--json"])
    content = json.loads(done.stdout)
    assert content["recordings"] == len(content["files"]) == 4
    assert content["problem_counts"] == {"duplicate": 1}
    assert content["problems"][0]["where"].endswith("Seizure_times.py:9")
    assert content["files"][0] == {
        "name": "Raw_EDF_Files/p10_Record1.edf",
        "dataset": "aubmc",
        "patient": "p10",
        "session": "Record1",
        "kind": "seizure",
        "split": None,
        "fold": None,
        "seconds": 30.0,
        "seizures": [
            {"onset": 8.0, "duration": 12.0, "eventType": "sz", "channels": []}
        ],
    }


def test_nothing_to_use_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_seizeit2(tmp_path)
    with pytest.raises(SystemExit) as raised:
        main(["catalog", "bids", str(tmp_path)])
    assert raised.value.code == 2
    out, err = capsys.readouterr()
    assert "too_few_leads\t1\trecording with too few of the 18 leads" in out
    assert err.startswith("distilclip: ")
    assert "found no recording of seizeit2 that can be used" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("args", [["catalog", "bonn", "."], ["catalog", "chbmit"]])
def test_misuse(args: list[str]) -> None:
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 2
