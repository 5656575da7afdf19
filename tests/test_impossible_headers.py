"""Headers that claim what cannot be: each is read as far as it can be, or refused.

Never with more memory than the file is worth, never for ever, always with a line that
says what was found.
"""

from __future__ import annotations

import math
import os
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilclip_eeg.corpora.listing import read_extent
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.detection.stream import StreamDetector
from distilclip_eeg.eeg.edf_notes import read_notes
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.errors import DistilClipError, UnreadableRecordingError
from edf_writer import Signal, everything, plain, ramp, write_edf
from tiny_model import write_tiny_folder

MEMORY_BYTES = 32 * 2**20


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


def written(tmp_path: Path, **main: str | bytes) -> Path:
    return plain(tmp_path / "a.edf", main=main)


@pytest.mark.parametrize("claimed", ["1000000000", "99999999", "1e9", "9" * 8])
def test_a_billion_records(tmp_path: Path, claimed: str) -> None:
    path = written(tmp_path, n_records=claimed[:8])
    with little_memory():
        recording = open_recording(path)
        assert everything(recording).shape == (2, 50)
        assert read_extent(path).duration_s == 5
    assert any("records: 5 found" in line for line in recording.warnings)


def test_4096_signals(tmp_path: Path) -> None:
    labels = [*LEADS, *(f"X{number}" for number in range(4096 - len(LEADS)))]
    signals = [Signal(label, [1, 2]) for label in labels]
    path = write_edf(tmp_path / "a.edf", signals, n_records=2)
    with little_memory():
        recording = open_recording(path)
        assert len(recording.ch_names) == 4096
        montage = plan_montage(recording.ch_names)
        assert len(montage.picks) == len(LEADS)
        assert recording.read(montage.picks, 0, 0, 2).shape == (len(LEADS), 2)


def test_4096_signals_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecordingError, match="for 4096 signals"):
        open_recording(written(tmp_path, n_signals="4096"))


@pytest.mark.parametrize("length", ["0", "0.0", "-1", "1e-400", "nan", "inf", ""])
def test_records_without_length(tmp_path: Path, length: str) -> None:
    path = written(tmp_path, record_s=length)
    with pytest.raises(UnreadableRecordingError, match="expected more than 0"):
        open_recording(path)


@pytest.mark.parametrize("length", ["1e-30", "1e30", "99999999"])
def test_records_of_impossible_length(tmp_path: Path, length: str) -> None:
    with pytest.raises(UnreadableRecordingError, match="sampling rate of"):
        open_recording(written(tmp_path, record_s=length))


@pytest.mark.parametrize("count", ["-1", "-5", "-9999999"])
def test_negative_number_of_records(tmp_path: Path, count: str) -> None:
    recording = open_recording(written(tmp_path, n_records=count))
    assert everything(recording).shape == (2, 50)
    assert "number of records was never written: 5 found" in recording.warnings


@pytest.mark.parametrize("count", ["-1", "0", "-0", "nan", "1e4", "0.5"])
def test_impossible_number_of_signals(tmp_path: Path, count: str) -> None:
    with pytest.raises(UnreadableRecordingError, match=r"number of signals|bytes"):
        open_recording(written(tmp_path, n_signals=count))


@pytest.mark.parametrize("count", ["-1", "nan", "1e9", "2.5", "99999999"])
def test_impossible_samples_per_record(tmp_path: Path, count: str) -> None:
    signals = [Signal("Fp1", ramp(5, 10)), Signal("Fp2", ramp(5, 10), n_samples=count)]
    path = write_edf(tmp_path / "a.edf", signals, n_records=5)
    with little_memory(), pytest.raises(UnreadableRecordingError):
        open_recording(path)


SCALINGS: Mapping[str, Mapping[str, Any]] = {
    "not a number": {"physical": ("nan", "nan")},
    "zero": {"physical": ("0", "0")},
    "no span of numbers": {"digital": ("0", "0")},
    "digital not a number": {"digital": ("nan", "32767")},
    "infinite": {"physical": ("-inf", "inf")},
    "huge": {"physical": ("-1e308", "1e308")},
    "too large to square": {"physical": ("-1e20", "1e20")},
    "words": {"physical": ("low", "high")},
}


@pytest.mark.parametrize("how", SCALINGS)
def test_scaling_that_is_none(tmp_path: Path, how: str) -> None:
    signals = [Signal("Fp1", ramp(5, 10)), Signal("Fp2", ramp(5, 10), **SCALINGS[how])]
    path = write_edf(tmp_path / "a.edf", signals, n_records=5)
    recording = open_recording(path)
    data = everything(recording)
    assert np.isfinite(data[0]).all()
    assert np.isnan(data[1]).all()
    assert any("no usable scaling for Fp2" in line for line in recording.warnings)


def test_scaling_that_is_large_but_possible(tmp_path: Path) -> None:
    signals = [Signal("Fp1", ramp(5, 10), physical=("-99999", "99999"))]
    recording = open_recording(write_edf(tmp_path / "a.edf", signals, n_records=5))
    assert np.isfinite(everything(recording)).all()


def test_gaps_of_years(tmp_path: Path) -> None:
    onsets = [0, 1, 2, 3e9, 9e11]
    path = plain(tmp_path / "a.edf", kind="EDF+D", onsets_s=onsets)
    with little_memory():
        recording = open_recording(path)
        assert recording.duration_s == 5
        read_notes(path)
    assert any("impossible start time" in line for line in recording.warnings)


def test_sparse_file_of_a_terabyte(tmp_path: Path) -> None:
    path = written(tmp_path, n_records="99999999")
    try:
        os.truncate(path, 10**12)
    except OSError:
        pytest.skip("this drive holds no sparse files")
    with little_memory():
        recording = open_recording(path)
        n_times = recording.segments[0].n_times
        assert n_times > 10**10
        assert recording.read([0], 0, n_times - 100, n_times).shape == (1, 100)


@pytest.mark.parametrize("value", [2e15, 1e20, 1e300, -1e300, math.inf, math.nan])
def test_no_voltage_overflows(tmp_path: Path, value: float) -> None:
    model = load_model(write_tiny_folder(tmp_path / "model").path, threads=1)
    x = np.random.default_rng(0).normal(0, 40, (len(LEADS), 256 * 12))
    x[3, 500:600] = value  # in the second and the third second
    stream = StreamDetector(model, LEADS, 256.0)
    stream.push(x)  # a warning of numpy would be an error here
    stream.close()
    found = stream.result()
    assert found.quality["P7-O1"]["faults_s"]["not_a_number"] == 2
    assert np.isfinite(found.seizure_probability).all()


def test_an_array_that_float32_cannot_hold() -> None:
    x = np.full((2, 512), 1e300)
    recording = ArrayRecording(x, 256.0, ["Fp1", "F7"])
    assert not np.isfinite(recording.read([0], 0, 0, 512)).any()


@pytest.mark.parametrize("size", [0, 1, 8, 255, 256, 511, 767, 768, 769])
def test_cut_anywhere(tmp_path: Path, size: int) -> None:
    path = written(tmp_path)
    os.truncate(path, size)
    with pytest.raises(DistilClipError) as caught:
        everything(open_recording(path))
    assert str(caught.value).isprintable()
