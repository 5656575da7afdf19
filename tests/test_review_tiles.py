"""Tiles join without a seam, and a pyramid says what a direct look would."""

from __future__ import annotations

import json
import struct
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.recording import ArrayRecording, Recording
from distilclip_eeg.errors import DistilClipError, UnreadableRecordingError
from distilclip_eeg.review.derivations import derivations
from distilclip_eeg.review.filters import (
    HIGHPASS_HZ,
    LOWPASS_HZ,
    NOTCH_HZ,
    ViewFilter,
)
from distilclip_eeg.review.overview import spectrogram
from distilclip_eeg.review.pyramids import Pyramids
from distilclip_eeg.review.tiles import BIN_S, Pyramid, View, n_tiles, tile_s

NAMES = ("Fp1", "F7", "T3", "T5", "O1", "Fp2", "F8", "T4", "T6", "O2")
PLAIN = ViewFilter(0.0, 0.0, 0.0)


def recording(seconds: float, sfreq: float = 128.0) -> ArrayRecording:
    rng = np.random.default_rng(1)
    data = rng.normal(200, 60, (len(NAMES), round(seconds * sfreq)))
    return ArrayRecording(data, sfreq, NAMES)


def view(source: Recording, chosen: ViewFilter = PLAIN) -> View:
    return View(source, derivations(source.ch_names)["as recorded"], chosen)


@pytest.mark.parametrize("sfreq", [128.0, 199.9, 1000.0])
def test_tiles_of_samples_are_the_recording(sfreq: float) -> None:
    source = recording(25.3, sfreq)
    tiles = [view(source).tile(0, i) for i in range(n_tiles(0, source.duration_s))]
    whole = np.concatenate([tile.values for tile in tiles], axis=1)
    data = source.read(range(len(NAMES)), 0, 0, source.segments[0].n_times)
    if sfreq <= 512:
        np.testing.assert_allclose(whole, data, atol=1e-3)
        for a, b in pairwise(tiles):
            end_s = a.start_s + a.values.shape[1] * a.step_s
            assert b.start_s == pytest.approx(end_s, abs=1e-6)
    else:
        assert whole.min() == pytest.approx(data.min(), abs=1e-3)
        assert whole.max() == pytest.approx(data.max(), abs=1e-3)
        assert whole.shape[1] < data.shape[1]


@pytest.mark.parametrize("highpass", [0.1, 0.5])
def test_filtered_tiles_show_no_seam(highpass: float) -> None:
    source = recording(60)
    chosen = ViewFilter(highpass, 30.0, 50.0)
    tiles = [view(source, chosen).tile(0, i).values for i in range(6)]
    _, whole = view(source, chosen).samples(0, 60)
    np.testing.assert_allclose(np.concatenate(tiles, axis=1), whole, atol=0.5)


def test_pyramid_agrees_with_a_direct_look() -> None:
    source = recording(700)
    pyramid = Pyramid(view(source))
    while (block := pyramid.next_block(300.0)) is not None:
        pyramid.build(block)
    data = source.read(range(len(NAMES)), 0, 0, source.segments[0].n_times)
    for level in range(2, len(BIN_S)):
        width = round(BIN_S[level] * source.sfreq)
        tile = pyramid.tile(level, 0)
        assert tile.is_whole
        for b in (0, 3):
            piece = data[:, b * width : (b + 1) * width]
            if piece.size:
                np.testing.assert_allclose(
                    tile.values[:, 2 * b], piece.min(axis=1), atol=1e-3
                )
                np.testing.assert_allclose(
                    tile.values[:, 2 * b + 1], piece.max(axis=1), atol=1e-3
                )


def test_blocks_near_the_reader_are_built_first() -> None:
    pyramid = Pyramid(view(recording(1000)))
    assert pyramid.next_block(500.0) == 2
    pyramid.build(2)
    assert pyramid.next_block(500.0) == 1
    assert not pyramid.tile(2, 0).is_whole
    assert pyramid.tile(2, 2).is_whole
    assert np.isnan(pyramid.tile(2, 0).values).all()


def test_gap_is_nothing(gap_edf: Path) -> None:
    source = open_recording(gap_edf)
    shown = view(source, ViewFilter())
    assert np.isnan(shown.tile(0, 5).values).all()
    assert np.isnan(shown.tile(0, 1).values[:, 3 * 256 :]).all()
    assert np.isfinite(shown.tile(0, 1).values[:, : 2 * 256]).all()
    low, _ = shown.bins(0, 120, 1.0)
    assert np.isnan(low[:, 12:112]).all()
    assert np.isfinite(low[:, 112:]).all()


def test_only_tiles_that_are_there() -> None:
    shown = view(recording(25))
    with pytest.raises(IndexError):
        shown.tile(0, 3)
    with pytest.raises(IndexError):
        shown.tile(0, -1)


def test_bytes_are_header_and_values() -> None:
    tile = view(recording(12)).tile(0, 1)
    data = tile.to_bytes()
    (size,) = struct.unpack("<I", data[:4])
    about = json.loads(data[4 : 4 + size])
    values = np.frombuffer(data[4 + size :], "<f4").reshape(about["shape"])
    assert size % 4 == 0
    assert about["start_s"] == 10.0
    np.testing.assert_array_equal(values, tile.values)


def test_pyramids_are_built_in_the_background() -> None:
    pyramids, shown = Pyramids(), view(recording(600))
    until = time.monotonic() + 20
    while not (tile := pyramids.tile("a", shown, 3, 0)).is_whole:
        assert time.monotonic() < until
        time.sleep(0.01)
    pyramids.close()
    low, high = shown.bins(0, 600, 1.0)
    np.testing.assert_array_equal(tile.values[:, ::2], low)
    np.testing.assert_array_equal(tile.values[:, 1::2], high)


def test_pyramids_forget_the_one_not_looked_at() -> None:
    shown = view(recording(300))
    pyramids = Pyramids(max_bytes=Pyramid(shown).n_bytes)
    for key in "aab":
        pyramids.tile(key, shown, 2, 0)
    assert list(pyramids._kept) == ["b"]
    pyramids.close()
    assert pyramids._thread is not None
    assert not pyramids._thread.is_alive()


class Vanished(ArrayRecording):
    def read(self, *_: object) -> np.ndarray:
        raise UnreadableRecordingError("it became shorter")


def test_a_file_that_vanished_is_said() -> None:
    rng = np.random.default_rng(0)
    gone = Vanished(rng.normal(0, 1, (len(NAMES), 1280)), 128.0, NAMES)
    pyramids, until = Pyramids(), time.monotonic() + 20
    pyramids.tile("a", view(gone), 2, 0)
    while not pyramids._failed and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(DistilClipError, match="shorter"):
        pyramids.tile("a", view(gone), 2, 0)
    pyramids.close()


@pytest.mark.parametrize("highpass", HIGHPASS_HZ)
@pytest.mark.parametrize("lowpass", LOWPASS_HZ)
@pytest.mark.parametrize("notch", NOTCH_HZ)
@pytest.mark.parametrize("sfreq", [100.0, 512.0])
def test_every_filter_on_the_list_is_stable(
    highpass: float, lowpass: float, notch: float, sfreq: float
) -> None:
    chosen = ViewFilter(highpass, lowpass, notch)
    flat = np.full((2, 2000), 5000.0, np.float32)
    y = chosen.apply(flat, sfreq)
    assert np.isfinite(y).all()
    assert np.abs(y).max() < (1.0 if highpass else 5001.0)


def test_filters_pass_and_stop() -> None:
    t = np.arange(0, 20, 1 / 256)

    def left(hz: float, chosen: ViewFilter) -> float:
        x = np.sin(2 * np.pi * hz * t)[None].astype(np.float32)
        return float(np.abs(chosen.apply(x, 256.0)[0, 256 * 10 :]).max())

    assert left(10, ViewFilter(0.5, 70, 50)) > 0.9
    assert left(50, ViewFilter(0.5, 70, 50)) < 0.05
    assert left(60, ViewFilter(0.5, 15, 0)) < 0.1
    assert left(0.1, ViewFilter(1.0, 0, 0)) < 0.15


def test_no_number_stays_no_number() -> None:
    x = np.ones((1, 500), np.float32)
    x[0, 100:110] = np.nan
    y = ViewFilter().apply(x, 128.0)
    assert np.isnan(y[0, 100:110]).all()
    assert np.isfinite(y[0, 110:]).all()


def test_spectrogram_finds_the_rhythm_on_its_side() -> None:
    sfreq, seconds = 128.0, 120
    t = np.arange(0, seconds, 1 / sfreq)
    rng = np.random.default_rng(0)
    data = rng.normal(0, 1, (len(NAMES), len(t)))
    data[2] += 80 * np.sin(2 * np.pi * 6 * t) * (t > 60)  # T3, a left electrode
    source = ArrayRecording(data, sfreq, NAMES)
    drawn = spectrogram(source, derivations(NAMES)["longitudinal"])
    at = round(6 / drawn.step_hz) - 1
    late = slice(round(70 / drawn.column_s), None)
    left, right = drawn.db
    assert left[:, late].mean(axis=1).argmax() == at
    assert left[at, late].mean() > right[at, late].mean() + 20
    assert left[at, late].mean() > left[at, : round(50 / drawn.column_s)].mean() + 20


def test_spectrogram_of_a_day_has_two_thousand_columns_at_most() -> None:
    day = ArrayRecording(np.zeros((len(NAMES), 1280)), 128.0, NAMES)
    day.duration_s = 86_400.0  # the rest is a gap
    drawn = spectrogram(day, derivations(NAMES)["longitudinal"])
    assert drawn.db.shape[2] <= 2000
    assert np.isnan(drawn.db[:, :, -1]).all()


def test_lengths_of_tiles_rise() -> None:
    lengths = [tile_s(level) for level in range(len(BIN_S))]
    assert lengths == sorted(lengths)
