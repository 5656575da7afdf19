from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import mne_writers
from distilclip_eeg.eeg.files import (
    RECORDING_SUFFIXES,
    find_recordings,
    open_recording,
)
from distilclip_eeg.eeg.mne_files import FORMATS, RawRecording, open_with_mne
from distilclip_eeg.eeg.recording import Segment
from distilclip_eeg.errors import UnreadableRecordingError
from mne_writers import LABELS, SFREQ

Writer = Callable[[Path, NDArray[np.float64]], Path]
WRITERS: dict[str, Writer] = {
    ".fif": mne_writers.write_fif,
    ".vhdr": mne_writers.write_brainvision,
    ".set": mne_writers.write_eeglab,
    ".lay": mne_writers.write_persyst,
    ".gdf": mne_writers.write_gdf,
    ".EEG": mne_writers.write_nihon_kohden,
}


def microvolts(n_times: int = 10 * SFREQ) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return np.round(rng.normal(0, 50, (len(LABELS), n_times)), 1)


def raw_array(n_times: int = 1000, first_samp: int = 0) -> mne.io.RawArray:
    info = mne.create_info(list(LABELS), SFREQ, "eeg", verbose="ERROR")
    data = microvolts(n_times) * 1e-6
    return mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")


@pytest.mark.parametrize("suffix", WRITERS)
def test_each_format_gives_its_microvolts_in_chunks(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = microvolts()
    recording = open_recording(WRITERS[suffix](tmp_path / f"x{suffix}", data))
    assert recording.name == "x"
    assert recording.warnings == () or suffix == ".EEG"  # it lacks its .PNT and .21E
    assert recording.ch_names[: len(LABELS)] == LABELS
    assert recording.sfreq == SFREQ
    assert recording.duration_s == pytest.approx(10.0)
    assert recording.segments == (Segment(0.0, data.shape[1]),)
    blocks = list(recording.blocks([3, 0], 0, block_s=3.3))
    assert all(block.dtype == np.float32 for block in blocks)
    step = 0.1 if suffix == ".EEG" else 1e-3
    np.testing.assert_allclose(np.hstack(blocks), data[[3, 0]], atol=step)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".vhdr", ".lay", ".gdf"])
def test_start_time_is_the_local_time_in_the_file(tmp_path: Path, suffix: str) -> None:
    recording = open_recording(WRITERS[suffix](tmp_path / f"x{suffix}", microvolts()))
    assert recording.start_time == datetime(2020, 1, 2, 3, 4, 5)


def test_every_suffix_has_a_reader_in_mne() -> None:
    assert {*FORMATS, ".edf", ".bdf"} == RECORDING_SUFFIXES
    assert {suffix.lower() for suffix in WRITERS} == {*FORMATS} - {".cnt"}
    assert all(callable(getattr(mne.io, reader)) for _, reader in FORMATS.values())


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"no recording\n" * 500, b"\0" * 3000, b"x"])
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, suffix: str, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnreadableRecordingError) as caught:
        open_recording(path)
    assert FORMATS[suffix][0] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_companion_is_refused_in_one_line(tmp_path: Path) -> None:
    path = mne_writers.write_brainvision(tmp_path / "x.vhdr", microvolts())
    path.with_suffix(".eeg").unlink()
    with pytest.raises(UnreadableRecordingError, match="companion files"):
        open_recording(path)


@pytest.mark.parametrize("name", ["x.txt", "x", "x.pdf"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("hello")
    with pytest.raises(UnreadableRecordingError, match=r"\.bdf .* \.vhdr"):
        open_recording(tmp_path / name)


@pytest.mark.parametrize("name", ["x.rec", "x.vhdr", "x"])
def test_edf_bytes_are_read_as_edf_whatever_the_name(
    small_edf: Path, name: str
) -> None:
    recording = open_recording(small_edf.rename(small_edf.with_name(name)))
    assert recording.sfreq == 256.0


def test_the_data_file_of_brainvision_opens_its_header(tmp_path: Path) -> None:
    mne_writers.write_brainvision(tmp_path / "x.vhdr", microvolts())
    assert open_recording(tmp_path / "x.eeg").ch_names == LABELS


def test_folders_are_searched_without_companions(
    tmp_path: Path, small_edf: Path
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".trash").mkdir()
    mne_writers.write_brainvision(tmp_path / "sub" / "x.vhdr", microvolts())
    names = ("a.EDF", "b_raw.fif", "b_raw-1.fif", "c_split-02_eeg.fif", "notes.txt")
    for name in (*names, ".hidden.edf", ".trash/old.edf"):
        (tmp_path / name).write_bytes(b"x")
    found = [str(p.relative_to(tmp_path)) for p in find_recordings(tmp_path)]
    assert found == ["a.EDF", "b_raw.fif", "small.edf", "sub/x.vhdr"]
    assert find_recordings(small_edf) == [small_edf]
    with pytest.raises(UnreadableRecordingError, match="neither a file nor a folder"):
        find_recordings(tmp_path / "absent")


def test_warnings_of_mne_become_lines(tmp_path: Path) -> None:
    path = mne_writers.write_nihon_kohden(tmp_path / "x.EEG", microvolts())
    lines = open_with_mne(path).warnings
    assert any("No PNT file exists" in line for line in lines)
    assert len(lines) == len(set(lines))
    assert not any("\n" in line for line in lines)


# --- MNE objects ---------------------------------------------------------------------


@pytest.mark.parametrize("first_samp", [0, 500])
@pytest.mark.parametrize("is_dated", [False, True])
def test_skipped_stretches_are_gaps(first_samp: int, is_dated: bool) -> None:
    raw = raw_array(first_samp=first_samp)
    offset_s = 0.0
    if is_dated:
        raw.set_meas_date(datetime(2020, 1, 2, tzinfo=UTC))
        offset_s = first_samp / SFREQ
    skips = mne.Annotations(
        np.array([1.0, 2.0, 4.0]) + offset_s,
        [0.5, 0.25, 9.0],
        ["BAD_ACQ_SKIP", "bad_acq_skip", "BAD_ACQ_SKIP"],
        orig_time=raw.info["meas_date"],
    )
    raw.set_annotations(skips, verbose="ERROR")
    recording = RawRecording(raw)
    assert recording.segments == (
        Segment(0.0, 200),
        Segment(1.5, 100),
        Segment(2.25, 350),
    )
    expected = microvolts(1000)[[1], 450:500]
    np.testing.assert_allclose(recording.read([1], 2, 0, 50), expected, atol=1e-3)
    assert recording.duration_s == 5.0
    assert recording.name == "array"


def test_nothing_but_gaps_is_refused() -> None:
    raw = raw_array()
    raw.set_annotations(mne.Annotations([0.0], [5.0], ["BAD_ACQ_SKIP"]))
    with pytest.raises(UnreadableRecordingError, match="no samples outside of gaps"):
        RawRecording(raw)


def test_start_time_counts_from_the_first_sample_kept() -> None:
    raw = raw_array(first_samp=300)
    assert RawRecording(raw).start_time is None
    raw.set_meas_date(datetime(2020, 1, 2, tzinfo=UTC))
    assert RawRecording(raw).start_time == datetime(2020, 1, 2, 0, 0, 1, 500_000)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=5))
def test_any_chunking_gives_the_same_samples(cuts: list[int]) -> None:
    recording = RawRecording(raw_array(), name="x")
    parts = [
        recording.read([2, 2, 0], 0, a, b)
        for a, b in pairwise([0, *sorted(cuts), 1000])
    ]
    whole = recording.read([2, 2, 0], 0, 0, 1000)
    np.testing.assert_array_equal(np.hstack(parts), whole)
    np.testing.assert_allclose(whole, microvolts(1000)[[2, 2, 0]], atol=1e-3)
