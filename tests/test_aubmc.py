"""AUBMC: raw recordings by time of day, Python read as data, shipped segments."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from corpus_replicas import write_aubmc
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.aubmc import read_aubmc
from distilclip_eeg.corpora.aubmc_segments import (
    CHANNELS,
    CLASSES,
    EVENT_TYPES,
    PROTOCOL,
    read_segments,
)
from distilclip_eeg.corpora.aubmc_times import read_seizure_times
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.splits import leave_one_out
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.errors import CorpusError

TIMES = Path("Preprocessing_Scripts/Seizure_times.py")


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_aubmc(tmp_path_factory.mktemp("aubmc"))


@pytest.fixture(scope="module")
def catalog(replica: Path) -> Catalog:
    return read_aubmc(replica)


@pytest.fixture
def copy(replica: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(replica, tmp_path / "copy"))


def told(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in catalog.problems]


def test_times_of_day_become_seconds_of_the_recording(catalog: Catalog) -> None:
    found = {
        r.path.stem: [(e.onset, e.duration) for e in r.events]
        for r in catalog.recordings
    }
    assert found == {
        "p10_Record1": [(8, 12)],
        "p10_Record2": [],
        "p11_Record1": [(4, 6), (16, 8)],  # begins before midnight, goes on after it
        "p12_Record1": [(5, 11)],
    }
    assert catalog.patients == ["p10", "p11", "p12"]
    assert catalog.recordings[0].session == "Record1"


def test_leave_one_patient_out_of_the_raw_recordings(catalog: Catalog) -> None:
    rounds = list(leave_one_out(catalog.recordings).rounds())
    assert [r.test for r in rounds] == ["p10", "p11", "p12"]
    assert rounds[0].train == ("p11", "p12")


def test_replicates_count_once(catalog: Catalog) -> None:
    assert told(catalog) == [f"{TIMES}:9: the same seizure of p12_Record1.edf"]
    assert [p.kind for p in catalog.problems] == ["duplicate"]


def test_recordings_can_be_prepared(catalog: Catalog, tmp_path: Path) -> None:
    """21 electrodes at 500 Hz, an ECG and a channel of marks."""
    store = prepare(catalog.recordings, tmp_path / "store", SignalConfig())
    assert not store.skipped
    assert all(r.crop(5, 20).usable.all() for r in store.recordings)


# Seizure_times.py --------------------------------------------------------------------


def test_the_times_are_read_and_never_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, trace = tmp_path / "Seizure_times.py", tmp_path / "was_run"
    path.write_text(
        f"open({str(trace)!r}, 'w').close()\n"
        "print('run')\n"
        "seizures_10 = {1: [(7, 36, 38, 445)], 'Record2': ((6, 29, 14, 305),)}\n"
        "seizures_11: dict = {'p11_Record3.edf': []}\n"
        "raise SystemExit\n"
    )
    assert read_seizure_times(path) == {
        (10, 1): [(7 * 3600 + 36 * 60 + 38, 445, 3)],
        (10, 2): [(6 * 3600 + 29 * 60 + 14, 305, 3)],
        (11, 3): [],
    }
    assert not trace.exists()
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seizures_10 = {1: [(7, 36, 38)]}", ":1: found (7, 36, 38), expected"),
        ("\n\nseizures_10 = {1: [(25, 0, 0, 4)]}", ":3: found (25, 0, 0, 4)"),
        ("seizures_10 = {1: [(7, 60, 0, 4)]}", "found (7, 60, 0, 4)"),
        ("seizures_10 = {1: [(7, 6, 0, -4)]}", "found (7, 6, 0, -4)"),
        ("seizures_10 = {1: [(7, 6, 0, 'x')]}", "found (7, 6, 0, 'x')"),
        ("seizures_10 = {\n1: [__import__('os')]}", ":2: found __import__('os')"),
        ("seizures_10 = {1: [(open('x'), 0, 0, 1)]}", "found (open('x'), 0, 0, 1)"),
        ("seizures_10 = load()", ":1: found load(), expected seizures_10 = {1:"),
        ("seizures_10 = {**other}", ":1: found {**other}"),
        ("seizures_10 = {first: []}", ":1: found first"),
        ("seizures_10 = {True: []}", ":1: found True"),
        ("seizures_10 = {1: 5}", ":1: found 1, expected"),
        ("x = 1", ":1: found no times of seizures, expected"),
        ("seizures_10 = {", ":1: found no Python"),
        ("a = 1\0", ":1: found no Python"),
    ],
)
def test_what_is_said_of_wrong_times(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "Seizure_times.py"
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        read_seizure_times(path)
    assert str(raised.value).startswith(f"{path}:")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


# What is not as it should be ---------------------------------------------------------


def test_missing_and_unlisted_recordings(copy: Path) -> None:
    raw = copy / "Raw_EDF_Files"
    (raw / "p12_Record1.edf").rename(raw / "p12_Record7.edf")
    (raw / "p10_Record2.edf").rename(raw / "other.edf")
    catalog = read_aubmc(copy)
    assert len(catalog.recordings) == 2
    assert told(catalog) == [
        f"{TIMES}: p10_Record2.edf is not on disk, seizures in it: 0",
        f"{TIMES}:9: p12_Record1.edf is not on disk, seizures in it: 2",
        (
            "Raw_EDF_Files/other.edf: not a name of this data set, expected "
            "p10_Record1.edf"
        ),
        (
            "Raw_EDF_Files/p12_Record7.edf: not in Seizure_times.py, expected record 7 "
            "of patient 12"
        ),
    ]


def test_a_recording_that_does_not_say_when_it_began(copy: Path) -> None:
    path = copy / "Raw_EDF_Files" / "p10_Record1.edf"
    data = bytearray(path.read_bytes())
    data[176:184] = b"        "
    path.write_bytes(data)
    catalog = read_aubmc(copy)
    assert len(catalog.recordings) == 3
    assert "p10_Record1.edf: found no start time in the header" in told(catalog)[0]


def test_a_seizure_before_the_start_lies_past_the_end(copy: Path) -> None:
    path = copy / TIMES
    path.write_text(path.read_text().replace("(7, 36, 46, 12)", "(7, 36, 30, 12)"))
    catalog = read_aubmc(copy)
    assert f"{TIMES}:4: found a seizure that begins at 86392 s" in told(catalog)[0]
    assert "p10_Record1" not in {r.path.stem for r in catalog.recordings}


def test_without_times(copy: Path) -> None:
    (copy / TIMES).unlink()
    with pytest.raises(CorpusError, match=r"no Seizure_times\.py, expected it in"):
        read_aubmc(copy)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"neither p10_Record1\.edf, \.\.\. nor x_tr"):
        read_aubmc(tmp_path)


# The shipped segments ----------------------------------------------------------------


def test_segments_stay_on_disk(replica: Path) -> None:
    train, test = read_segments(replica)
    assert (train.part, train.eeg.shape) == ("train", (40, 19, 500))
    assert (test.part, test.eeg.shape) == ("test", (8, 19, 500))
    assert isinstance(train.eeg, np.memmap)
    assert set(train.classes.tolist()) == set(range(len(CLASSES))) == {0, 1, 2, 3}
    assert len(CHANNELS) == len(set(CHANNELS)) == 19
    assert EVENT_TYPES[0] == "bckg"


def test_segments_serve_one_protocol_only(catalog: Catalog, tmp_path: Path) -> None:
    assert PROTOCOL == "paper"
    assert catalog.notes == (
        (
            "40 + 8 shipped segments of 1 s: protocol 'paper' only, their split mixes "
            "patients"
        ),
    )
    shutil.copy(catalog.root / "x_train.npy", tmp_path)
    for name in ("y_train", "x_test", "y_test"):
        shutil.copy(catalog.root / f"{name}.npy", tmp_path)
    alone = read_aubmc(tmp_path)
    assert not hasattr(read_segments(tmp_path)[0], "patient")
    with pytest.raises(CorpusError, match="protocol 'paper' only"):
        alone.required()


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("x_train", np.zeros((4, 19, 400)), "shape (4, 19, 400), expected numbers of"),
        ("x_train", np.zeros((40, 19, 500), bool), "found bool of shape"),
        ("x_test", np.zeros((19, 500)), "found float64 of shape (19, 500)"),
        ("y_train", np.zeros(39, int), "found shape (39,), expected one class for"),
        ("y_test", np.full(8, 4), "found class 4, expected 0 to 3"),
        ("y_test", np.full(8, 0.5), "found class 0.5"),
        ("y_test", np.array([{}] * 8), "found no plain array"),
    ],
)
def test_wrong_segments(
    copy: Path, name: str, array: np.ndarray[tuple[int, ...], np.dtype], said: str
) -> None:
    np.save(copy / f"{name}.npy", array)
    with pytest.raises(CorpusError) as raised:
        read_segments(copy)
    assert str(raised.value).startswith(str(copy / f"{name}.npy"))
    assert said in str(raised.value)


def test_a_missing_part(copy: Path) -> None:
    (copy / "y_test.npy").unlink()
    with pytest.raises(CorpusError, match=r"found no y_test\.npy"):
        read_segments(copy)
