"""What was seen can be read by others at any moment, with its gaps and its events."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.errors import OutputExistsError, StateError
from distilclip_eeg.live.recorder import Recorder

LABELS = ("EEG Fp1-REF", "F7", "ECG µ")
START = datetime(2026, 3, 2, 14, 5, 6)


def noise(seconds: float, sfreq: float = 256.0, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 100, (3, round(seconds * sfreq)))


def recorder(path: Path, sfreq: float = 256.0, **options: object) -> Recorder:
    return Recorder(path, LABELS, sfreq, START, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize("sfreq", [256.0, 500.0, 173.61])
def test_reads_back(tmp_path: Path, suffix: str, sfreq: float) -> None:
    path, x = tmp_path / f"seen{suffix}", noise(20, sfreq)
    it = recorder(path, sfreq)
    for chunk in np.array_split(x, 77, axis=1):
        it.push(chunk)
    it.annotate(3.25, 7.5, "sz confidence=0.93 leads=F7-T7")
    it.close()
    back = open_recording(path)
    assert back.warnings == ()
    assert back.sfreq == pytest.approx(sfreq, rel=1e-6)
    assert back.start_time == START
    n = x.shape[1]
    np.testing.assert_allclose(back.read([0, 1, 2], 0, 0, n), x, atol=0.0501)
    reader = edfio.read_edf if suffix == ".edf" else edfio.read_bdf
    theirs = reader(path)
    assert theirs.signals[0].label == "EEG Fp1-REF"
    (note,) = theirs.annotations
    assert (note.onset, note.duration) == (3.25, 7.5)
    assert note.text == "sz confidence=0.93 leads=F7-T7"
    assert theirs.local_patient_identification == "X X X X"


def test_mne_reads_it(tmp_path: Path) -> None:
    path, x = tmp_path / "seen.edf", noise(10)
    it = recorder(path)
    it.push(x)
    it.annotate(2, 3, "sz")
    it.close()
    raw = mne.io.read_raw_edf(path, verbose="error")
    np.testing.assert_allclose(raw.get_data() * 1e6, x, atol=0.0501)
    assert list(raw.annotations.description) == ["sz"]


@pytest.mark.parametrize("gap_s", [0.25, 100.0])
def test_gaps_stay_gaps(tmp_path: Path, gap_s: float) -> None:
    path, x = tmp_path / "seen.edf", noise(20)
    it = recorder(path)
    at = 8 * 256 + 100
    it.push(x[:, :at])
    it.gap(at / 256, gap_s)
    it.push(x[:, at:])
    it.close()
    back = open_recording(path)
    after = at / 256 + gap_s
    if gap_s < 1:  # within a record: zeros
        (segment,) = back.segments
        start = round(after * 256)
    else:
        segment = back.segments[1]
        assert len(back.segments) == 2
        assert segment.onset_s == pytest.approx(after, abs=1e-6)
        start = 0
    n = x.shape[1] - at
    number = len(back.segments) - 1
    np.testing.assert_allclose(
        back.read([0, 1, 2], number, start, start + n), x[:, at:], atol=0.0501
    )
    notes = edfio.read_edf(path).annotations
    assert [(a.text, a.duration) for a in notes] == [("gap", gap_s)]


def test_can_be_read_while_it_grows_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    path, x = tmp_path / "seen.edf", noise(30)
    it = recorder(path)
    it.push(x[:, : 256 * 10 + 77])
    assert open_recording(path).duration_s == 9  # the last whole record is kept back
    it._file.write(b"half a record")  # then the process was killed
    it._file.close()
    again = recorder(path, time_s=10.0, go_on=True)
    again.gap(10.0, 5.5)
    again.push(x[:, 256 * 15 :])
    again.close()
    back = open_recording(path)
    assert [s.onset_s for s in back.segments] == [0, 15.5]
    assert [s.n_times for s in back.segments] == [9 * 256, 15 * 256]
    np.testing.assert_allclose(
        back.read([0, 1, 2], 1, 0, 15 * 256), x[:, 15 * 256 :], atol=0.0501
    )


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    x = np.full((3, 512), 100_000.0)
    x[1] = np.nan
    for suffix, n in ((".edf", 1024), (".bdf", 0)):
        it = recorder(tmp_path / f"dc{suffix}")
        it.push(x)
        assert it.n_clipped == n
        it.close()
    back = open_recording(tmp_path / "dc.bdf").read([0, 1], 0, 0, 512)
    np.testing.assert_allclose(back[0], 100_000, atol=0.1)
    np.testing.assert_array_equal(back[1], 0)


def test_refuses_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "seen.edf"
    recorder(path).close()
    with pytest.raises(OutputExistsError, match="--force"):
        recorder(path)
    with pytest.raises(StateError, match="other channels"):
        Recorder(path, ("Fp1", "F7"), 256.0, START, go_on=True)
