"""Headers as they come: spellings, repairs, and what is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.eeg.edf import EdfRecording
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.errors import UnreadableRecordingError
from edf_writer import Signal, everything, plain, ramp, write_edf


@pytest.mark.parametrize(
    ("dimension", "factor"),
    [
        ("uV", 1.0),
        ("UV", 1.0),
        (b"\xb5V", 1.0),
        ("µV", 1.0),
        ("\u03bcV", 1.0),
        ("mV", 1e3),
        ("V", 1e6),
        ("nV", 1e-3),
    ],
)
def test_every_voltage_unit_becomes_microvolts(
    tmp_path: Path, dimension: str | bytes, factor: float
) -> None:
    signal = Signal("Cz", ramp(2, 8), dimension)
    recording = EdfRecording(write_edf(tmp_path / "x.edf", [signal], n_records=2))
    assert recording.warnings == ()
    expected = ramp(2, 8) * 0.1 * factor
    np.testing.assert_allclose(everything(recording)[0], expected, rtol=1e-3, atol=1e-4)


def test_a_channel_without_unit_or_scaling_is_named(tmp_path: Path) -> None:
    signals = [
        Signal("Fp1", ramp(2, 8), ""),
        Signal("Fp2", ramp(2, 8), digital=(5, 5)),
        Signal("F3", ramp(2, 8), physical=("nan", 1)),
        Signal("F4", ramp(2, 8), physical=(0, 0)),
        Signal("C3", ramp(2, 8), physical=("-1e99", "1e99")),
        Signal("-", ramp(2, 8), physical=(0, 0)),
        Signal("Cz", ramp(2, 8)),
    ]
    recording = EdfRecording(write_edf(tmp_path / "x.edf", signals, n_records=2))
    unit, scaling = recording.warnings
    assert "no voltage unit for Fp1" in unit
    assert "Fp2, F3, F4 and 1 more" in scaling
    finite = np.isfinite(everything(recording)).all(axis=1)
    assert finite.tolist() == [True, False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("date", "clock", "expected"),
    [
        ("01:01:85", "00:00:00", datetime(1985, 1, 1)),
        ("1.2.20", "3.4.5", datetime(2020, 2, 1, 3, 4, 5)),
        ("31-12-84", "23:59:59", datetime(2084, 12, 31, 23, 59, 59)),
        ("1.2.2020", "03.04.05", datetime(2020, 2, 1, 3, 4, 5)),
        ("32.13.99", "00.00.00", None),
        ("00.00.00", "00.00.00", None),
        ("01.01.01", "25.61.61", None),
        ("X", "", None),
        ("", "", None),
    ],
)
def test_dates_and_times_in_many_spellings(
    tmp_path: Path, date: str, clock: str, expected: datetime | None
) -> None:
    path = plain(tmp_path / "x.edf", main={"date": date, "time": clock})
    recording = EdfRecording(path)
    assert recording.start_time == expected
    assert len(recording.warnings) == (expected is None and bool(date or clock))


@pytest.mark.parametrize(
    ("main", "tail", "warning"),
    [
        ({"n_records": "-1"}, b"", "never written: 5 found"),
        ({"n_records": "-77"}, b"", "never written: 5 found"),
        ({"n_records": "many"}, b"", "never written: 5 found"),
        ({"n_records": "10000000"}, b"", "claims 10000000 records: 5 found"),
        ({"n_records": "1e9"}, b"", "claims 1e9 records: 5 found"),
        ({"n_records": "2"}, b"", "claims 2 records: 5 found"),
        ({}, b"abc", "incomplete (3 of 40 bytes)"),
        ({"n_bytes": "256"}, b"", "states a length of '256' bytes: 768 used"),
        ({"n_bytes": "junk"}, b"", "states a length of '????' bytes: 768 used"),
    ],
)
def test_wrong_sizes_are_repaired_and_told(
    tmp_path: Path, main: dict[str, str], tail: bytes, warning: str
) -> None:
    recording = EdfRecording(plain(tmp_path / "x.edf", main=main, tail=tail))
    assert len(recording.warnings) == 1
    assert warning in recording.warnings[0]
    np.testing.assert_allclose(everything(recording)[0], ramp(5, 10) * 0.1, atol=1e-4)


def test_a_longer_header_is_believed_where_the_records_fit(tmp_path: Path) -> None:
    path = plain(tmp_path / "x.edf", main={"n_bytes": "1000"})
    content = path.read_bytes()
    path.write_bytes(content[:768] + b" " * 232 + content[768:])
    recording = EdfRecording(path)
    assert "longer than its signals need" in recording.warnings[0]
    np.testing.assert_allclose(everything(recording)[0], ramp(5, 10) * 0.1, atol=1e-4)


def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = plain(tmp_path / "x.edf")
    path.write_bytes(path.read_bytes()[:-7])
    recording = EdfRecording(path)
    assert recording.duration_s == 4.0
    assert any("incomplete (33 of 40 bytes)" in line for line in recording.warnings)
    np.testing.assert_allclose(everything(recording)[0], ramp(4, 10) * 0.1, atol=1e-4)


def test_4096_signals_are_fine(tmp_path: Path) -> None:
    signals = [Signal(f"X{i}", ramp(2, 4, i)) for i in range(4096)]
    recording = EdfRecording(write_edf(tmp_path / "x.edf", signals, n_records=2))
    last = recording.read([4095], 0, 0, 8)[0]
    np.testing.assert_allclose(last, ramp(2, 4, 4095) * 0.1, atol=1e-4)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("This is no EDF.\n" * 100)


def magic_only(path: Path) -> None:
    path.write_bytes(b"0       ")


def half_header(path: Path) -> None:
    path.write_bytes(plain(path).read_bytes()[:500])


def header_only(path: Path) -> None:
    path.write_bytes(plain(path).read_bytes()[:768])


def folder(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    pass


def with_main(**fields: str) -> Callable[[Path], object]:
    return lambda path: plain(path, main=fields)


def with_samples(count: str) -> Callable[[Path], object]:
    signal = Signal("Fp1", ramp(2, 8), n_samples=count)
    return lambda path: write_edf(path, [signal], n_records=2)


def annotations_only(path: Path) -> None:
    write_edf(path, [], n_records=2, onsets_s=[0, 1], kind="EDF+C", record_s=1)


def too_slow(path: Path) -> None:
    plain(path, record_s=1000000)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (empty, "empty (0 bytes)"),
        (text, "begins with neither b'0       ' (EDF)"),
        (magic_only, "in a header of 8 bytes"),
        (half_header, "found 500 bytes"),
        (header_only, "found 0 bytes after the header"),
        (folder, "found a folder"),
        (nothing, "No such file"),
        (with_main(n_signals="0"), "found '0' as number of signals"),
        (with_main(n_signals="-3"), "found '-3' as number of signals"),
        (with_main(n_signals="x"), "found '?' as number of signals"),
        (with_main(n_signals="4096"), "expected a header of 1048832 bytes"),
        (with_main(record_s="0"), "records of '0' seconds"),
        (with_main(record_s="-1"), "records of '-1' seconds"),
        (with_main(record_s="nan"), "records of '???' seconds"),
        (with_main(record_s="1e-300"), "sampling rate of"),
        (with_samples("-8"), "found '-8' samples per record for signal 1"),
        (with_samples("1.5"), "found '1.5' samples"),
        (with_samples("nan"), "found '???' samples"),
        (with_samples("1e99"), "found '1e99' samples"),
        (with_samples("99999999"), "at least one record of 199999998 bytes"),
        (with_samples("0"), "annotations only"),
        (annotations_only, "annotations only"),
        (too_slow, "sampling rate of 1e-05 Hz"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    tmp_path: Path, damage: Callable[[Path], object], found: str
) -> None:
    path = tmp_path / "x.edf"
    damage(path)
    with pytest.raises(UnreadableRecordingError) as caught:
        open_recording(path)
    message = str(caught.value)
    assert found in message
    assert "\n" not in message
    assert "expected" in message


@settings(max_examples=200, deadline=None)
@given(
    position=st.integers(0, 767),
    junk=st.binary(min_size=1, max_size=40),
    data=st.data(),
)
def test_any_header_gives_a_recording_or_the_one_error(
    position: int,
    junk: bytes,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.edf"
    content = plain(path, kind="EDF+D", onsets_s=[0, 1, 5, 6, 7]).read_bytes()
    content = content[:position] + junk + content[position + len(junk) :]
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        recording = EdfRecording(path)
    except UnreadableRecordingError:
        return
    for i in range(len(recording.segments)):
        assert everything(recording, i).shape[1] == recording.segments[i].n_times
