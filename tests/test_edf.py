from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.edf import EdfRecording
from distilclip_eeg.eeg.edf_header import looks_like_eeg
from distilclip_eeg.eeg.edf_times import runs_of_records
from distilclip_eeg.errors import UnreadableRecordingError
from edf_writer import Signal, everything, plain, ramp, write_edf


def test_numbers_become_microvolts_in_order(tmp_path: Path) -> None:
    recording = EdfRecording(plain(tmp_path / "x.edf"))
    assert recording.name == "x"
    assert recording.ch_names == ("Fp1", "Fp2")
    assert (recording.sfreq, recording.duration_s) == (10.0, 5.0)
    assert recording.start_time == datetime(2004, 3, 2, 5, 6, 7)
    assert recording.warnings == ()
    data = everything(recording)
    assert data.dtype == np.float32
    np.testing.assert_allclose(data[0], ramp(5, 10) * 0.1, atol=1e-4)
    swapped = recording.read([1, 0], 0, 7, 31)
    np.testing.assert_array_equal(swapped, data[::-1, 7:31])


def test_24_bit_numbers_keep_their_sign(tmp_path: Path) -> None:
    numbers = [-8_388_608, -1, 0, 1, 8_388_607, -70_000]
    signal = Signal("A1", numbers, "uV", (-262144, 262144), (-8388608, 8388608))
    path = write_edf(tmp_path / "x.bdf", [signal], n_records=2, is_bdf=True)
    expected = np.array(numbers) / 32
    np.testing.assert_allclose(everything(EdfRecording(path))[0], expected, rtol=1e-6)


def test_positions_stay_true_with_dummies_duplicates_and_annotations(
    tmp_path: Path,
) -> None:
    numbers = [ramp(3, 8, start) for start in (0, 100, 200, 300)]
    labels = ("-", "T8-P8", "EDF Annotations", "T8-P8")
    signals = [Signal(*pair) for pair in zip(labels, numbers, strict=True)]
    recording = EdfRecording(
        write_edf(tmp_path / "x.edf", signals, n_records=3, kind="EDF+C")
    )
    assert recording.ch_names == labels
    assert recording.warnings == ()
    data = everything(recording)
    assert np.isnan(data[2]).all()
    for row in (0, 1, 3):
        np.testing.assert_allclose(data[row], numbers[row] * 0.1, atol=1e-4)


def test_labels_are_utf8_or_latin1(tmp_path: Path) -> None:
    signals = [Signal("Fp1 é", ramp(1, 8)), Signal(b"Fp2 \xe9", ramp(1, 8))]
    recording = EdfRecording(write_edf(tmp_path / "x.edf", signals, n_records=1))
    assert recording.ch_names == ("Fp1 é", "Fp2 é")


# --- gaps --------------------------------------------------------------------------


def test_gaps_of_edf_plus_d_cut_segments_at_their_true_onsets(gap_edf: Path) -> None:
    recording = EdfRecording(gap_edf)
    assert [(s.onset_s, s.n_times) for s in recording.segments] == [
        (0.0, 12 * 256),
        (112.0, 8 * 256),
    ]
    assert recording.duration_s == 120.0
    assert recording.warnings == ()
    stored = edfio.read_edf(gap_edf).signals[3].digital * 0.1
    second = recording.read([3], 1, 5, 700)[0]
    np.testing.assert_allclose(second, stored[12 * 256 :][5:700], atol=1e-3)


def test_start_time_includes_the_onset_of_the_first_record(tmp_path: Path) -> None:
    path = plain(
        tmp_path / "x.edf", kind="EDF+D", onsets_s=[0.25, 1.25, 9.25, 10.25, 11.25]
    )
    recording = EdfRecording(path)
    assert recording.start_time == datetime(2004, 3, 2, 5, 6, 7, 250_000)
    assert [s.onset_s for s in recording.segments] == [0.0, 9.0]


def test_a_continuous_file_has_one_segment(tmp_path: Path) -> None:
    path = plain(tmp_path / "x.edf", kind="EDF+C", onsets_s=[0, 1, 2, 3, 4])
    recording = EdfRecording(path)
    assert [s.onset_s for s in recording.segments] == [0.0]
    assert recording.warnings == ()


def test_gaps_announced_without_annotations_are_complained_about(
    tmp_path: Path,
) -> None:
    recording = EdfRecording(plain(tmp_path / "x.edf", kind="EDF+D"))
    assert len(recording.segments) == 1
    assert "taken as continuous" in recording.warnings[0]


@pytest.mark.parametrize(
    ("onsets_s", "runs", "complaint"),
    [
        ([0, 1, 2, 3], [(0, 0.0)], None),
        ([0, 1.0004, 1.9996, 3], [(0, 0.0)], None),
        ([7, 8, 19, 20], [(0, 0.0), (2, 12.0)], None),
        ([0, 5, 9, 10], [(0, 0.0), (1, 5.0), (2, 9.0)], None),
        ([0, np.nan, 2, 3], [(0, 0.0)], "without"),
        ([np.nan] * 4, [(0, 0.0)], "without"),
        ([0, np.nan, 8, 9], [(0, 0.0), (2, 8.0)], "without"),
        ([0, 1, 0.5, 1.5], [(0, 0.0)], "before"),
        ([0, 1, 1e9, 3], [(0, 0.0)], "impossible"),
    ],
)
def test_runs_of_records(
    onsets_s: list[float], runs: list[tuple[int, float]], complaint: str | None
) -> None:
    found, complaints = runs_of_records(np.array(onsets_s), 1.0, 256.0)
    assert found == runs
    assert any(complaint in line for line in complaints) if complaint else True
    assert bool(complaints) == bool(complaint)


# --- several rates -----------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> EdfRecording:
    """A 5 Hz sine at 256, 200 and 512 Hz, and an EMG that is faster than all EEG."""

    def sine(sfreq: int) -> NDArray[np.float64]:
        return 1000 * np.sin(2 * np.pi * 5 * np.arange(20 * sfreq) / sfreq)

    signals = [
        Signal("Fp1", sine(256)),
        Signal("Fp2", sine(200)),
        Signal("EMG", sine(512)),
        Signal("SpO2", np.full(20, 97)),
    ]
    onsets_s = [*range(12), *range(40, 48)]
    path = write_edf(
        tmp_path / "x.edf", signals, n_records=20, onsets_s=onsets_s, kind="EDF+D"
    )
    return EdfRecording(path)


def test_other_rates_are_resampled_to_the_fastest_eeg(mixed: EdfRecording) -> None:
    assert mixed.sfreq == 256.0
    assert mixed.warnings == ("Fp2: resampled to 256 Hz",)
    data = mixed.read([0, 1, 2, 3], 0, 0, 12 * 256)
    inner = slice(256, -256)
    for row in (1, 2):
        np.testing.assert_allclose(data[row, inner], data[0, inner], atol=0.3)
    np.testing.assert_allclose(data[3, inner], 9.7, atol=0.05)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 12 * 256 - 1), max_size=6, unique=True))
def test_resampling_leaves_no_seam(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    recording = EdfRecording(rates_file(tmp_path_factory))
    n_times = recording.segments[0].n_times
    whole = recording.read([1, 2, 3], 0, 0, n_times)
    edges = [0, *sorted(cuts), n_times]
    parts = [recording.read([1, 2, 3], 0, a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.hstack(parts), whole)


def rates_file(factory: pytest.TempPathFactory) -> Path:
    path = factory.getbasetemp() / "rates.edf"
    if not path.exists():
        rng = np.random.default_rng(2)
        rates = {"Fp1": 256, "Fp2": 200, "EMG": 400, "SpO2": 1}
        signals = [
            Signal(label, rng.normal(0, 999, 12 * sfreq))
            for label, sfreq in rates.items()
        ]
        write_edf(path, signals, n_records=12)
    return path


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(1, 32 * 7 - 1), max_size=8, unique=True))
@pytest.mark.parametrize("wide", [False, True])
def test_any_chunking_gives_the_same_samples(
    wide: bool, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "chunks.bdf"
    if not path.exists():
        rng = np.random.default_rng(3)
        signals = [
            Signal(f"C{i}", rng.integers(-90_000, 90_000, 32 * 7)) for i in range(3)
        ]
        write_edf(path, signals, n_records=7, is_bdf=True)
    recording = EdfRecording(path)
    edges = [0, *sorted(cuts), 32 * 7]
    with pytest.MonkeyPatch.context() as patch:
        if wide:
            patch.setattr("distilclip_eeg.eeg.edf._WIDE_RECORD_BYTES", 10)
        else:
            patch.setattr("distilclip_eeg.eeg.edf._RUN_BYTES", 600)
        parts = [recording.read([2, 0], 0, a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.hstack(parts), everything(recording)[[2, 0]])


def test_the_rate_is_that_of_the_eeg(tmp_path: Path) -> None:
    assert looks_like_eeg("EEG Fp1-Ref")
    assert looks_like_eeg("T8-P8")
    assert looks_like_eeg("01")
    assert not any(map(looks_like_eeg, ("ECG", "EMG", "SpO2", "Pulse", "-", "Status")))
    signals = [Signal(f"ch{i}", ramp(2, 50)) for i in range(3)]
    signals.append(Signal("trigger", ramp(2, 1000)))
    path = write_edf(tmp_path / "x.edf", signals, n_records=2)
    assert EdfRecording(path).sfreq == 50.0


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = plain(tmp_path / "x.edf")
    recording = EdfRecording(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableRecordingError, match="became shorter"):
        recording.read([0], 0, 45, 50)
    path.unlink()
    with pytest.raises(UnreadableRecordingError, match="No such file"):
        recording.read([0], 0, 0, 1)


# --- real recordings, time and memory ----------------------------------------------


@pytest.mark.parametrize(
    "clip",
    [
        "eegmat/Subject00_1.edf",
        "iiic_segments/GPD_sample1_eeg.edf",
        "siena/PN00/*.edf",
        "chbmit/chb01/*.edf",
        "chbmit/chb12/*.edf",
        "chbmit/chb17/*.edf",
    ],
)
def test_values_are_those_of_edfio_on_real_clips(data_dir: Path, clip: str) -> None:
    for path in sorted(data_dir.glob(clip))[:2]:
        recording = EdfRecording(path)
        assert recording.warnings == ()
        oracle = edfio.read_edf(path)
        assert recording.start_time is not None
        assert recording.start_time.time() == oracle.starttime
        rows = [i for i, label in enumerate(recording.ch_names) if "Annot" not in label]
        assert [recording.ch_names[i] for i in rows] == list(oracle.labels)
        n_times = recording.segments[0].n_times
        data = recording.read(rows, 0, 0, n_times)
        for row, signal in zip(data, oracle.signals, strict=True):
            factor = {"mV": 1e3}.get(signal.physical_dimension, 1.0)
            expected = signal.data * factor
            atol = 1e-6 * factor * abs(signal.physical_max)
            np.testing.assert_allclose(row, expected, rtol=1e-6, atol=atol)


def test_every_real_clip_opens_without_a_warning(data_dir: Path) -> None:
    paths = sorted(data_dir.rglob("*.edf"))
    assert paths
    noisy = {p.name: EdfRecording(p).warnings for p in paths}
    assert not {name: lines for name, lines in noisy.items() if lines}


def test_memory_stays_flat_on_five_days(tmp_path: Path) -> None:
    path = tmp_path / "long.edf"
    n_records = 5 * 86_400
    signals = [Signal(f"C{i}", np.zeros(256)) for i in range(19)]
    write_edf(path, signals, n_records=1, main={"n_records": str(n_records)})
    with path.open("r+b") as file:  # sparse: takes no space on the disk
        file.truncate(256 * 20 + n_records * 19 * 512)
    tracemalloc.start()
    recording = EdfRecording(path)
    assert recording.duration_s == n_records
    blocks = recording.blocks(range(19), 0)
    for _ in range(20):
        next(blocks)
    recording.read([3], 0, recording.segments[0].n_times - 9, n_records * 256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


@pytest.mark.slow
def test_a_day_is_read_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "day.edf"
    rng = np.random.default_rng(4)
    signals = [Signal(f"C{i}", rng.normal(0, 300, 256 * 60)) for i in range(19)]
    record = write_edf(tmp_path / "m.edf", signals, n_records=60).read_bytes()[5120:]
    write_edf(path, signals, n_records=60, main={"n_records": "86400"})
    with path.open("ab") as file:
        for _ in range(1439):
            file.write(record)
    recording = EdfRecording(path)
    begin = time.perf_counter()
    n_times = sum(block.shape[1] for block in recording.blocks(range(19), 0))
    assert n_times == 86_400 * 256
    assert time.perf_counter() - begin < 10  # about one second on an idle machine


def test_opening_an_edf_does_not_import_mne(small_edf: Path) -> None:
    code = (
        "import sys, pathlib; from distilclip_eeg.eeg.files import open_recording;"
        f"open_recording(pathlib.Path({str(small_edf)!r}));"
        "assert not {'mne', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
