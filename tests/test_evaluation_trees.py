"""Two folders of event tables are put side by side, and nothing is dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.eeg.annotations import Event, write_tsv
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.trees import match_trees

HEADER = "channel,start_time,stop_time,label,confidence"


def tsv(path: Path, *spans: tuple[float, float], duration_s: float = 3600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(path, [Event(on, end - on) for on, end in spans], duration_s)
    return path


def csv_bi(path: Path, *spans: tuple[float, float], duration_s: float = 3600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"TERM,{on:.4f},{end:.4f},seiz,1.0000" for on, end in spans]
    rows = rows or [f"TERM,0.0000,{duration_s:.4f},bckg,1.0000"]
    top = ["# version = csv_v1.0.0", f"# duration = {duration_s:.2f} secs", "#"]
    path.write_text("\n".join([*top, HEADER, *rows]) + "\n")
    return path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "experts", tmp_path / "detector"


def test_by_place_whatever_the_format(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    tsv(experts / "sub-01/eeg/sub-01_run-00_events.tsv", (100, 150))
    tsv(experts / "sub-02/eeg/sub-02_run-00_events.tsv", (10, 20), (500, 600))
    tsv(detector / "sub-01/eeg/sub-01_run-00_eeg.tsv", (120, 130))
    csv_bi(detector / "sub-02/eeg/sub-02_run-00.csv_bi", (510, 520))
    (experts / "participants.tsv").write_text("participant_id\tage\n")
    matched = match_trees(experts, detector)
    assert (matched.missing, matched.extra) == ((), ())
    assert matched.no_tables == ("participants.tsv",)
    assert [o.patient for o in matched.outcomes] == ["sub-01", "sub-02"]
    assert [o.hypothesis for o in matched.outcomes] == [[(120, 130)], [(510, 520)]]
    assert [len(o.seizures) for o in matched.outcomes] == [1, 2]


def test_by_name_where_places_differ(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    stem = "aaaaaajy_s001_t000"
    csv_bi(experts / "dev" / "aaaaaajy" / "s001_2003" / f"{stem}.csv_bi", (5, 15))
    tsv(detector / f"{stem}.tsv", (6, 10))
    (outcome,) = match_trees(experts, detector).outcomes
    assert outcome.patient == "aaaaaajy"
    assert outcome.hypothesis == [(6, 10)]


def test_what_has_no_counterpart_is_told(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    tsv(experts / "a.tsv", (5, 15))
    tsv(experts / "b.tsv", (5, 15))
    tsv(detector / "a.tsv", (5, 15))
    tsv(detector / "c.tsv", (5, 15))
    matched = match_trees(experts, detector)
    assert (matched.missing, matched.extra) == (("b.tsv",), ("c.tsv",))
    assert [len(o.events) for o in matched.outcomes] == [1, 0]


def test_background_and_other_rows_are_no_seizures(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    path = tsv(experts / "a.tsv")
    assert "bckg" in path.read_text()
    csv_bi(detector / "a.csv_bi")
    path.write_text(path.read_text() + "5.00\t3.00\tart\tn/a\tn/a\tn/a\t3600.00\n")
    (outcome,) = match_trees(experts, detector).outcomes
    assert (outcome.seizures, outcome.events) == ((), ())


def test_who_was_recorded(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    names = {
        "chb21_01": "chb01",  # the same person, later
        "chb17a_03": "chb17",
        "PN00-1": "PN00",
        "ward/x1": "ward",
        "alone": "alone",
    }
    for name in names:
        tsv(experts / f"{name}.tsv")
        tsv(detector / f"{name}.tsv")
    found = {o.name: o.patient for o in match_trees(experts, detector).outcomes}
    assert found == names
    given = match_trees(experts, detector, r"(\w)\w*$")
    assert {o.patient for o in given.outcomes} == {"c", "1", "x", "a"}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "expected a pattern"), ("x", "expected a group"), ("(zz)", "nobody")],
)
def test_a_pattern_that_helps_nobody(
    folders: tuple[Path, Path], pattern: str, said: str
) -> None:
    experts, detector = folders
    tsv(experts / "a.tsv")
    tsv(detector / "a.tsv")
    with pytest.raises(ConfigError, match=said):
        match_trees(experts, detector, pattern)


def test_how_long_it_is_stands_in_one_of_the_tables(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    bare = "onset\tduration\teventType\n5\t10\tsz\n"
    experts.mkdir()
    (experts / "a.tsv").write_text(bare)
    tsv(detector / "a.tsv", duration_s=900)
    (outcome,) = match_trees(experts, detector).outcomes
    assert outcome.duration_s == 900
    (detector / "a.tsv").write_text("onset\tduration\teventType\n0\t800\tbckg\n")
    (outcome,) = match_trees(experts, detector).outcomes
    assert outcome.duration_s == 800
    (detector / "a.tsv").write_text(bare)
    with pytest.raises(CorpusError, match="found no recordingDuration"):
        match_trees(experts, detector)


def test_what_cannot_be_told_apart_is_refused(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    tsv(experts / "x/a.tsv")
    for place in ("y", "z"):
        tsv(detector / place / "a.tsv")
    with pytest.raises(CorpusError, match="could belong to x/a"):
        match_trees(experts, detector)
    tsv(experts / "w/a.tsv")
    (detector / "z/a.tsv").unlink()
    with pytest.raises(CorpusError, match="found 2 recordings"):
        match_trees(experts, detector)
    csv_bi(experts / "x/a.csv_bi")
    with pytest.raises(CorpusError, match="of the same recording"):
        match_trees(experts, detector)


def test_folders_without_tables_are_refused(folders: tuple[Path, Path]) -> None:
    experts, detector = folders
    with pytest.raises(CorpusError, match="no such folder"):
        match_trees(experts, detector)
    experts.mkdir()
    (experts / "votes.tsv").write_text("segment\tvotes\n")
    with pytest.raises(CorpusError, match="no table of events"):
        match_trees(experts, detector)


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    return int(done.value.code or 0)


def test_the_command(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experts, detector = folders
    tsv(experts / "p1/a_events.tsv", (100, 150), (2000, 2005))
    tsv(experts / "p2/b_events.tsv", (100, 150))
    tsv(experts / "p3/c_events.tsv")
    tsv(detector / "p1/a_events.tsv", (90, 130), (3000, 3010))
    tsv(detector / "p3/c_events.tsv")
    out = tmp_path / "scores.json"
    args = ("score", experts, detector, "--output", out, "--draws", 20)
    assert run(*args) == 0
    said = capsys.readouterr()
    assert "| SzCORE, events | 0.333" in said.out
    assert "1 recordings without a table" in said.out
    assert "no table for p2/b_events.tsv" in said.err
    scores: dict[str, Any] = json.loads(out.read_text())
    assert scores["missing"] == ["p2/b_events.tsv"]
    assert scores["scorers"]["szcore_event"] == "timescoring 0.0.7"
    event = scores["scores"]["szcore_event"]
    assert event["sensitivity"]["pooled"]["value"] == pytest.approx(1 / 3)
    assert event["sensitivity"]["mean"]["value"] == pytest.approx(1 / 4)
    assert scores["patients"]["p3"]["szcore_event"]["sensitivity"] is None
    assert str(tmp_path) not in out.read_text()
    assert run(*args) == 2  # it is there already
    assert run(*args, "--force") == 0
    assert run("score", experts, tmp_path / "nowhere") == 2
