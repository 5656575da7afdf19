"""Recordings with events in them: the same samples, every annotation, never half."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import (
    Event,
    annotation_text,
    write_edf_annotations,
    write_recording,
)
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording, Segment
from distilclip_eeg.errors import (
    DistilClipError,
    OutputExistsError,
    UnreadableRecordingError,
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
in_order = st.lists(events, min_size=1, max_size=6, unique_by=lambda e: e.onset).map(
    lambda found: sorted(found, key=lambda e: e.onset)
)


def write_edf(path: Path, seconds: int = 10, **options: Any) -> NDArray[np.int16]:
    rng = np.random.default_rng(0)
    digital = rng.integers(-2000, 2000, (2, seconds * 64)).astype(np.int16)
    signals = [
        edfio.EdfSignal.from_digital(
            row,
            64,
            label=label,
            physical_dimension="uV",
            physical_range=(-400, 400),
            prefiltering="HP:0.1Hz",
        )
        for row, label in zip(digital, ("EEG Fp1", "EEG F7"), strict=True)
    ]
    edfio.Edf(signals, **options).write(path)
    return digital


def test_failing_edf_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.edf"
    write_edf(source)

    def half(self: edfio.Edf, target: Path) -> None:
        target.write_bytes(b"0       half")
        raise OSError("disk full")

    monkeypatch.setattr(edfio.Edf, "write", half)
    recording = ArrayRecording(np.zeros((1, 64)), 64, ["Fp1"])
    with pytest.raises(OSError, match="disk full"):
        write_edf_annotations(source, tmp_path / "b.edf", [SEIZURE])
    with pytest.raises(OSError, match="disk full"):
        write_recording(recording, tmp_path / "c.edf", [SEIZURE])
    assert [p.name for p in tmp_path.iterdir()] == ["a.edf"]


def test_edf_keeps_samples_and_old_annotations(tmp_path: Path) -> None:
    source, out = tmp_path / "a.edf", tmp_path / "b.edf"
    old = edfio.EdfAnnotation(1.25, None, "Augen zu \N{MICRO SIGN}")
    digital = write_edf(
        source,
        patient=edfio.Patient(code="P7", sex="F"),
        recording=edfio.Recording(startdate=datetime(2021, 2, 3).date()),
        starttime=datetime(2021, 2, 3, 4, 5, 6, 250_000).time(),
        annotations=[old],
    )
    write_edf_annotations(source, out, [SEIZURE, Event(0, 10, "bckg")])
    copy = edfio.read_edf(out)
    assert copy.reserved == "EDF+C"
    assert copy.startdatetime == datetime(2021, 2, 3, 4, 5, 6, 250_000)
    assert (copy.patient.code, copy.patient.sex) == ("P7", "F")
    assert copy.annotations == (
        old,
        edfio.EdfAnnotation(3.5, 2.25, "sz confidence=0.93 leads=F7-T7,T7-P7"),
    )
    before = edfio.read_edf(source)
    for i, signal in enumerate(copy.signals):
        np.testing.assert_array_equal(signal.digital, digital[i])
        assert signal.label == before.signals[i].label
        assert signal.physical_range == before.signals[i].physical_range
        assert signal.prefiltering == "HP:0.1Hz"


def test_writing_twice_adds_nothing(tmp_path: Path) -> None:
    source, once, twice = (tmp_path / f"{name}.edf" for name in "abc")
    write_edf(source)
    write_edf_annotations(source, once, [SEIZURE])
    write_edf_annotations(once, twice, [SEIZURE])
    assert once.read_bytes() == twice.read_bytes()


@settings(deadline=None, max_examples=20)
@given(in_order)
def test_edf_gives_back_every_event(found: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "a.edf", Path(folder) / "b.edf"
        write_edf(source)
        write_edf_annotations(source, out, found)
        assert [
            (a.onset, a.duration, a.text) for a in edfio.read_edf(out).annotations
        ] == [
            (event.onset, event.duration, annotation_text(event))
            for event in found
            if event.event_type != "bckg"
        ]


def test_plain_edf_with_free_text_and_bad_time_becomes_edf_plus(tmp_path: Path) -> None:
    source, out = tmp_path / "a.edf", tmp_path / "b.edf"
    write_edf(source)
    raw = bytearray(source.read_bytes())
    raw[8:88] = "Müller ward 3".encode("latin-1").ljust(80)
    raw[88:168] = b"night".ljust(80)
    raw[168:184] = b"17:05:0399.99.99"
    source.write_bytes(raw)
    write_edf_annotations(source, out, [SEIZURE])
    copy = edfio.read_edf(out)
    assert copy.local_patient_identification == "X X X X M_ller ward 3"
    assert copy.local_recording_identification == "Startdate 17-MAY-2003 X X X night"
    assert copy.startdatetime == datetime(2003, 5, 17)


@pytest.mark.parametrize("day", [b"99.99.99", b"01.13.20", b"rubbish "])
def test_impossible_date_is_not_invented(tmp_path: Path, day: bytes) -> None:
    source, out = tmp_path / "a.edf", tmp_path / "b.edf"
    write_edf(source)
    raw = bytearray(source.read_bytes())
    raw[88:176] = b"".ljust(80) + day
    source.write_bytes(raw)
    write_edf_annotations(source, out, [SEIZURE])
    assert edfio.read_edf(out).local_recording_identification == "Startdate X X X X"


def test_bdf_keeps_24_bits(tmp_path: Path) -> None:
    source, out = tmp_path / "a.bdf", tmp_path / "b.bdf"
    digital = np.arange(-640, 640, dtype=np.int32) * 6000
    signal = edfio.BdfSignal.from_digital(digital, 128, label="Fp1")
    edfio.Bdf([signal]).write(source)
    write_edf_annotations(source, out, [SEIZURE])
    copy = edfio.read_bdf(out)
    assert copy.reserved == "BDF+C"
    np.testing.assert_array_equal(copy.signals[0].digital, digital)
    assert [a.onset for a in copy.annotations] == [3.5]
    with pytest.raises(DistilClipError, match=r"name the copy b\.bdf"):
        write_edf_annotations(source, tmp_path / "b.edf", [SEIZURE])


def test_cut_file_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    source, out = tmp_path / "a.edf", tmp_path / "b.edf"
    digital = write_edf(source)
    source.write_bytes(source.read_bytes()[:-100])
    write_edf_annotations(source, out, [SEIZURE])
    copy = edfio.read_edf(out)
    assert copy.duration == 9
    np.testing.assert_array_equal(copy.signals[0].digital, digital[0, : 9 * 64])


def test_recording_itself_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "a.edf"
    write_edf(source)
    before = source.read_bytes()
    with pytest.raises(OutputExistsError, match="another name"):
        write_edf_annotations(source, source, [SEIZURE])
    assert source.read_bytes() == before


def make_discontinuous(path: Path) -> None:
    write_edf(path, annotations=[edfio.EdfAnnotation(0, None, "start")])
    raw = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    path.write_bytes(raw.replace(b"+9\x14\x14\x00", b"+99\x14\x14", 1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "discontinuous"),
        (b"", "does not start like"),
        (b"0       ", "cannot be copied"),
        (b"RIFF" * 200, "does not start like"),
    ],
)
def test_what_cannot_be_copied_says_why(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    source = tmp_path / "a.edf"
    if content is None:
        make_discontinuous(source)
    else:
        source.write_bytes(content)
    with pytest.raises(UnreadableRecordingError, match=reason) as error:
        write_edf_annotations(source, tmp_path / "b.edf", [SEIZURE])
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.edf"]


def test_absent_recording_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecordingError, match="No such file"):
        write_edf_annotations(tmp_path / "a.edf", tmp_path / "b.edf", [])


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
@pytest.mark.parametrize("sfreq", [256.0, 199.9, 512.0307])
def test_any_recording_can_be_written(
    tmp_path: Path, sfreq: float, suffix: str
) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(0, 50, (3, int(sfreq * 65.3)))
    data[1, 100:200] = np.nan
    recording = ArrayRecording(
        data,
        sfreq,
        ["Fp1", "EKG", "F7-a-very-long-name"],
        start_time=datetime(2019, 5, 6, 7, 8, 9, 500_000),
    )
    out = tmp_path / f"b.{suffix}"
    write_recording(recording, out, [SEIZURE])
    read: Any = edfio.read_bdf if suffix == "bdf" else edfio.read_edf
    copy = read(out)
    assert copy.labels == ("Fp1", "F7-a-very-long-n")
    assert copy.startdatetime == datetime(2019, 5, 6, 7, 8, 9, 500_000)
    assert copy.signals[0].sampling_frequency == pytest.approx(sfreq, rel=1e-3)
    assert copy.signals[0].physical_dimension == "uV"
    written = copy.signals[0].data[: data.shape[1]]
    np.testing.assert_allclose(written, data[0], atol=0.01)
    assert [(a.onset, a.duration) for a in copy.annotations] == [(3.5, 2.25)]


class WithGap(ArrayRecording):
    """Ten seconds of samples with a pause of twenty after the fourth."""

    def __init__(self, data: NDArray[np.float64]) -> None:
        super().__init__(data, 100.0, ["Fp1"])
        self.segments = (Segment(0.0, 400), Segment(24.0, 600))
        self.duration_s = 30.0

    def read(
        self, picks: Any, segment: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        offset = 400 * segment
        return self._data[:, offset + start : offset + stop].astype(np.float32)


def test_gaps_stay_in_time(tmp_path: Path) -> None:
    out = tmp_path / "b.edf"
    write_recording(WithGap(np.full((1, 1000), 7.0)), out, [Event(25, 3)])
    copy = edfio.read_edf(out)
    data = copy.signals[0].data
    assert copy.duration == 30
    np.testing.assert_allclose(data[:400], 7, atol=0.01)
    np.testing.assert_allclose(data[400:2400], 0, atol=0.01)
    np.testing.assert_allclose(data[2400:], 7, atol=0.01)
    assert [tuple(a) for a in copy.annotations] == [(4, 20, "gap"), (25, 3, "sz")]


def test_dates_that_edf_cannot_say_are_left_out(tmp_path: Path) -> None:
    out = tmp_path / "b.edf"
    start = datetime(1970, 1, 1, 5)
    recording = ArrayRecording(np.zeros((1, 300)), 100, ["Fp1"], start_time=start)
    write_recording(recording, out, [])
    copy = edfio.read_edf(out)
    assert copy.local_recording_identification == "Startdate X X X X"
    assert copy.starttime == start.time()


def test_real_files_can_be_copied(data_dir: Path, tmp_path: Path) -> None:
    for name in ("chbmit/chb11/chb11_82_1_eeg.edf", "eegmat/Subject00_2.edf"):
        source, out = data_dir / name, tmp_path / "b.edf"
        write_edf_annotations(source, out, [SEIZURE])
        before, copy = edfio.read_edf(source), edfio.read_edf(out)
        assert copy.labels == before.labels
        assert copy.startdate == before.startdate
        assert set(before.annotations) < set(copy.annotations)
        np.testing.assert_array_equal(
            copy.signals[-1].digital, before.signals[-1].digital
        )
