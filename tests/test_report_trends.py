"""The course of a recording is its spectrum and amplitude, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import periodogram

from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.review.report import trends
from distilclip_eeg.review.report.trends import EPOCH_S, trend_of

SFREQ = 256
LEFT = [i for i, lead in enumerate(LEADS) if lead[-1] in "1357"]
RIGHT = [i for i, lead in enumerate(LEADS) if lead[-1] in "2468"]


def noise(n_seconds: int, uv: float = 10.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return rng.normal(0, uv, (len(LEADS), n_seconds * SFREQ))


def test_a_rhythm_stands_at_its_frequency_on_its_side() -> None:
    x = noise(40, 1.0)
    wave = 50 * np.sin(2 * np.pi * 10 * np.arange(x.shape[1]) / SFREQ)
    x[LEFT] += wave
    trend = trend_of(ArrayRecording(x, SFREQ, LEADS))
    peak = trend.frequencies_hz[trend.power_db[0].argmax(axis=0)]
    assert peak.tolist() == [10.0] * trend.n_columns
    assert trend.amplitude_uv[0, 1] == pytest.approx(50 / np.sqrt(2), rel=0.03)
    assert (trend.power_db[0, 19] - trend.power_db[1, 19] > 20).all()


def test_power_is_what_scipy_says() -> None:
    x = noise(2)
    x[LEFT] = x[LEFT[0]]  # the median of equals
    trend = trend_of(ArrayRecording(x + 3000, SFREQ, LEADS))
    window = np.hanning(int(EPOCH_S * SFREQ))
    hz, expected = periodogram(x[LEFT[0]], SFREQ, window, detrend="constant")
    here = (hz > 0) & (hz <= 25)
    assert trend.frequencies_hz == pytest.approx(hz[here])
    np.testing.assert_allclose(
        trend.power_db[0, :, 0], 10 * np.log10(expected[here]), atol=0.02
    )


def test_one_bad_lead_draws_no_picture() -> None:
    x = noise(20)
    before = trend_of(ArrayRecording(x, SFREQ, LEADS))
    x[RIGHT[2]] *= 400
    x[LEFT[1]] = np.nan
    x[LEFT[2]] = 7.0
    after = trend_of(ArrayRecording(x, SFREQ, LEADS))
    assert np.isfinite(after.power_db).all()
    assert abs(after.amplitude_uv - before.amplitude_uv).max() < 2.0


def test_nothing_is_said_where_nothing_was_recorded(gap_edf: Path) -> None:
    trend = trend_of(open_recording(gap_edf))
    assert trend.column_s * trend.n_columns == pytest.approx(120)
    known = np.isfinite(trend.power_db).all(axis=(0, 1))
    middles_s = (np.arange(trend.n_columns) + 0.5) * trend.column_s
    assert known.tolist() == ((middles_s < 12) | (middles_s > 112)).tolist()
    assert (np.isfinite(trend.amplitude_uv).all(axis=(0, 1)) == known).all()


def test_a_missing_side_is_left_out() -> None:
    x = noise(10)[:8]
    trend = trend_of(ArrayRecording(x, SFREQ, LEADS[:8]))
    assert np.isfinite(trend.power_db[0]).all()
    assert np.isnan(trend.power_db[1]).all()


@pytest.mark.parametrize("sfreq", [200, 256, 499.7])
def test_blocks_do_not_matter(sfreq: float, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = ArrayRecording(noise(60), sfreq, LEADS)
    whole = trend_of(recording, max_columns=7)
    monkeypatch.setattr(trends, "_EPOCHS_AT_ONCE", 3)
    cut = trend_of(recording, max_columns=7)
    assert whole.n_columns == cut.n_columns == 7
    np.testing.assert_allclose(whole.power_db, cut.power_db, atol=1e-4)
    np.testing.assert_allclose(whole.amplitude_uv, cut.amplitude_uv, rtol=1e-5)


@pytest.mark.parametrize("n_times", [1, 200, 512, 700])
def test_the_shortest_recordings(n_times: int) -> None:
    trend = trend_of(ArrayRecording(noise(4)[:, :n_times], SFREQ, LEADS))
    assert trend.n_columns == 1
    assert np.isfinite(trend.power_db).all() == (n_times >= 512)
