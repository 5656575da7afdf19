"""Events reach other people's readers unchanged, and never half."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.eeg.annotations import (
    TSV_COLUMNS,
    Event,
    annotation_text,
    read_tsv,
    remove_partial,
    write_tsv,
    written_whole,
)
from distilclip_eeg.eeg.events import Place
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import (
    CorpusError,
)

HEADER = (
    "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
)
SEIZURE = Event(3.5, 2.25, "sz", 0.93, ("F7-T7", "T7-P7"), 6.0)

hundredths = st.integers(0, 10**8).map(lambda n: n / 100)
events = st.builds(
    Event,
    onset=hundredths,
    duration=hundredths,
    event_type=st.sampled_from(["sz", "sz_foc_ia_m_tonic", "bckg", "sz_gen"]),
    confidence=st.none() | st.integers(0, 100).map(lambda n: n / 100),
    channels=st.lists(st.sampled_from(LEADS), unique=True).map(tuple),
)
sure = st.floats(0, 1)
places = st.builds(
    lambda side, lobe, a, b: Place(
        side, a if side else None, lobe, b if lobe else None
    ),
    st.none() | st.sampled_from(["left", "right", "bilateral"]),
    st.none() | st.sampled_from(["frontal", "temporal"]),
    sure,
    sure,
)
in_order = st.lists(events, min_size=1, max_size=6, unique_by=lambda e: e.onset).map(
    lambda found: sorted(found, key=lambda e: e.onset)
)


def test_table_is_the_standard_one_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_tsv(path, [SEIZURE], 3600, datetime(2020, 1, 2, 3, 4, 5, 600))
    row = "3.50\t2.25\tsz\t0.93\tF7-T7,T7-P7\t2020-01-02 03:04:05\t3600.00\n"
    assert path.read_bytes() == (HEADER + row).encode()


def test_no_event_is_one_row_of_background(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_tsv(path, [], 1234.567)
    row = "0.00\t1234.57\tbckg\tn/a\tn/a\tn/a\t1234.57\n"
    assert path.read_text() == HEADER + row
    assert read_tsv(path) == [Event(0.0, 1234.57, "bckg")]


def test_rows_are_sorted_by_onset(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_tsv(path, [Event(50, 5), Event(2, 5), Event(20, 5)], 60)
    assert [event.onset for event in read_tsv(path)] == [2, 20, 50]


@settings(deadline=None)
@given(in_order)
def test_table_gives_back_what_was_written(found: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        write_tsv(path, found, 1e6)
        assert read_tsv(path) == found


@given(events)
def test_json_gives_back_what_was_written(event: Event) -> None:
    values = json.loads(json.dumps(event.to_dict()))
    assert Event.from_dict(values) == event
    told = ["type_confidence", "side", "side_confidence", "lobe", "lobe_confidence"]
    assert list(values) == [*TSV_COLUMNS[:5], "raised_s", *told]


@given(places)
def test_json_gives_back_the_place(place: Place) -> None:
    event = Event(1.0, 2.0, "sz_foc", type_confidence=0.9, place=place)
    kept = None if place == Place() else place  # nothing said is nothing known
    assert Event.from_dict(event.to_dict()) == replace(event, place=kept)


def test_an_annotation_says_what_is_known() -> None:
    event = replace(SEIZURE, place=Place("left", 0.9, "temporal", 0.8))
    leads = "leads=F7-T7,T7-P7"
    assert annotation_text(event) == (
        f"sz confidence=0.93 {leads} side=left lobe=temporal"
    )
    one_side = replace(SEIZURE, place=Place("bilateral", 0.9))
    assert annotation_text(one_side) == f"sz confidence=0.93 {leads} side=bilateral"
    assert [str(Place()), str(Place("left", 0.9, "temporal", 0.8))] == [
        "",
        "left temporal",
    ]


def test_json_may_be_short() -> None:
    assert Event.from_dict({"onset": 1.0, "duration": 2.0}) == Event(1.0, 2.0)
    assert Event.from_dict(SEIZURE.to_dict()).raised_s == 6.0


def test_kinds_of_seizure() -> None:
    kinds = ["sz", "sz_foc_ia", "bckg", "szx", "artf"]
    assert [Event(0, 1, kind).is_seizure for kind in kinds] == [1, 1, 0, 0, 0]


def test_scorer_finds_our_events_perfect(tmp_path: Path) -> None:
    annotations = pytest.importorskip("timescoring.annotations")
    scoring = pytest.importorskip("timescoring.scoring")
    path = tmp_path / "a.tsv"
    truth = [(100, 160), (1000, 1030)]
    write_tsv(path, [Event(a, b - a, "sz_foc") for a, b in truth], 3600)
    table = np.loadtxt(path, str, delimiter="\t", skiprows=1)
    duration = float(table[0, 6])
    spans = [(float(row[0]), float(row[0]) + float(row[1])) for row in table]
    made = annotations.Annotation(spans, 10, int(duration * 10))
    known = annotations.Annotation(truth, 10, 36000)
    scores = scoring.EventScoring(known, made)
    assert (scores.tp, scores.fp, scores.refTrue) == (2, 0, 2)


def test_every_real_table_is_read(data_dir: Path) -> None:
    paths = sorted(data_dir.rglob("*_events.tsv"))
    assert paths
    for path in paths:
        found = read_tsv(path)
        assert found, path
        assert {event.event_type for event in found} <= {"sz", "bckg"}


def test_foreign_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(
        b"\xef\xbb\xbfeventType\tduration\tonset\tchannels\r\n"
        b"sz-foc-ia\t5\t-1.5\tall\r\n\r\nsz\t1e1\t2\tn/a\r\n"
    )
    assert read_tsv(path) == [
        Event(-1.5, 5.0, "sz_foc_ia", channels=("all",)),
        Event(2.0, 10.0),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["line 1", "none", "onset duration eventType"]),
        (b"onset,duration,eventType\n", ["line 1", "onset,duration", "tabs"]),
        (b"onset\tduration\teventType\n1\t2\n", ["line 2", "found 2", "expected 3"]),
        (b"onset\tduration\teventType\n0\t1\tsz\nx\t2\tsz\n", ["line 3", "onset 'x'"]),
        (b"onset\tduration\teventType\n1\t-2\tsz\n", ["line 2", "duration '-2'"]),
        (b"onset\tduration\teventType\n1\tnan\tsz\n", ["duration 'nan'", "number"]),
        (b"onset\tduration\teventType\n1\t2\t\n", ["eventType ''", "HED-SCORE"]),
        (
            b"onset\tduration\teventType\tconfidence\n1\t2\tsz\t7\n",
            ["confidence '7'", "from 0 to 1"],
        ),
        (b"\xff\xfe\x00", ["not UTF-8"]),
    ],
)
def test_broken_tables_name_file_line_found_and_expected(
    tmp_path: Path, content: bytes, words: list[str]
) -> None:
    path = tmp_path / "broken_events.tsv"
    path.write_bytes(content)
    with pytest.raises(CorpusError) as error:
        read_tsv(path)
    assert "\n" not in str(error.value)
    for word in ["broken_events.tsv", "expected", *words]:
        assert word in str(error.value)


def test_absent_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent\.tsv: no such events file"):
        read_tsv(tmp_path / "absent.tsv")


@pytest.mark.parametrize(
    "event",
    [
        Event(float("nan"), 1),
        Event(0, float("inf")),
        Event(0, -1),
        Event(0, 1, confidence=1.5),
        Event(0, 1, "sz-foc"),
        Event(0, 1, channels=("a,b",)),
        Event(0, 1, channels=("a\tb",)),
    ],
)
def test_what_has_no_place_in_the_table_leaves_the_old_file(
    tmp_path: Path, event: Event
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("old")
    with pytest.raises(ValueError, match="Event"):
        write_tsv(path, [event], 10)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tsv"]
    assert path.read_text() == "old"


def write_half(target: Path) -> None:
    with written_whole(target) as partial:
        assert partial.parent == target.parent
        partial.write_text("half")
        raise OSError("disk full")


@pytest.mark.parametrize("existing", [None, "old"])
def test_failing_write_leaves_nothing(tmp_path: Path, existing: str | None) -> None:
    target = tmp_path / "a.txt"
    if existing:
        target.write_text(existing)
    with pytest.raises(OSError, match="disk full"):
        write_half(target)
    assert [p.read_text() for p in tmp_path.iterdir()] == ([existing] * bool(existing))


def test_only_what_a_kill_left_of_our_writing_is_removed(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    with written_whole(below / "events.tsv") as partial:
        partial.write_text("half")
        left = below / partial.name.replace("events", "older")
        left.write_text("half")
    others = [tmp_path / ".thesis.part", below / "film.part"]
    for path in others:
        path.write_text("somebody else's")
    remove_partial(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in [*others, below / "events.tsv"])
