"""Notes of EDF+ are read as they were written, and nothing else is."""

from __future__ import annotations

import shutil
from datetime import time
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distilclip_eeg.eeg.edf_notes import MAX_TEXT, Note, read_notes
from distilclip_eeg.errors import UnreadableRecordingError
from edf_writer import Signal, plain, ramp, write_edf

TEXTS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1
).filter(lambda text: len(text) <= MAX_TEXT)
NOTES = st.lists(
    st.tuples(st.integers(0, 9000), st.integers(0, 5000), TEXTS),
    max_size=8,
    unique=True,
)


def with_lists(path: Path, *records: bytes, n_bytes: int = 120) -> Path:
    data = b"".join(record.ljust(n_bytes, b"\0") for record in records)
    signals = [
        Signal("Fp1", ramp(len(records), 10)),
        Signal("EDF Annotations", np.frombuffer(data, "<i2"), "", (-1, 1)),
    ]
    return write_edf(path, signals, n_records=len(records), kind="EDF+C")


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NOTES)
def test_reads_what_edfio_writes(
    tmp_path: Path, notes: list[tuple[int, int, str]]
) -> None:
    edf = edfio.Edf(
        [edfio.EdfSignal(np.linspace(-1, 1, 100), 10, physical_range=(-1, 1))],
        starttime=time(1, 2, 3, 250_000),
        annotations=[
            edfio.EdfAnnotation(at / 1000, lasts / 1000 or None, text)
            for at, lasts, text in notes
        ],
    )
    path = tmp_path / "noted.edf"
    edf.write(path)
    found = read_notes(path)
    assert [note.onset_s for note in found] == sorted(note.onset_s for note in found)
    assert len(found) == len(notes)
    for at, lasts, text in notes:
        assert any(
            note.text == text
            and note.onset_s == pytest.approx(at / 1000, abs=1e-6)
            and note.duration_s == pytest.approx(lasts / 1000, abs=1e-6)
            for note in found
        )


def test_texts_that_share_an_onset_are_two_notes(tmp_path: Path) -> None:
    path = with_lists(tmp_path / "x.edf", b"+0\x14\x14\0+0.5\x14a\x14b\x14\0")
    assert read_notes(path) == (Note(0.5, 0.0, "a"), Note(0.5, 0.0, "b"))


def test_time_counts_from_the_first_sample(tmp_path: Path) -> None:
    path = with_lists(tmp_path / "x.edf", b"+0.25\x14\x14\0+3\x152\x14late\x14\0")
    assert read_notes(path) == (Note(2.75, 2.0, "late"),)


def test_a_note_that_every_record_repeats_is_one(tmp_path: Path) -> None:
    again = b"+1\x14here\x14\0"
    path = with_lists(
        tmp_path / "x.edf", b"+0\x14\x14\0" + again, b"+1\x14\x14\0" + again
    )
    assert read_notes(path) == (Note(1.0, 0.0, "here"),)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Anf\xe4lle", "Anfälle"),  # Latin-1, as many exporters write
        ("Anfälle".encode(), "Anfälle"),
        (b"two\r\nlines\x07", "two lines"),
        (b"x" * 100, "x" * 100),
    ],
)
def test_text_is_one_readable_line(tmp_path: Path, written: bytes, read: str) -> None:
    path = with_lists(
        tmp_path / "x.edf", b"+0\x14\x14\0+1\x14" + written + b"\x14\0", n_bytes=130
    )
    assert [note.text for note in read_notes(path)] == [read]


@pytest.mark.parametrize(
    "nonsense", [b"", b"\xff" * 100, b"+\x14a\x14\0", b"1\x14a\x14\0", b"+1 a\0"]
)
def test_what_is_no_list_is_passed_over(tmp_path: Path, nonsense: bytes) -> None:
    assert read_notes(with_lists(tmp_path / "x.edf", nonsense)) == ()


def test_plain_edf_and_other_files_hold_none(tmp_path: Path) -> None:
    assert read_notes(plain(tmp_path / "plain.edf")) == ()
    (tmp_path / "text.set").write_text("no recording")
    assert read_notes(tmp_path / "text.set") == ()


def test_file_that_went_away_is_one_clear_line(tmp_path: Path) -> None:
    path = with_lists(tmp_path / "x.edf", b"+0\x14\x14\0")
    shutil.move(path, tmp_path / "y.edf")
    with pytest.raises(UnreadableRecordingError, match="cannot be read"):
        read_notes(path)
