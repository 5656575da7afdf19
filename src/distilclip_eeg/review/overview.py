"""A recording -> the course of its frequencies on the left and on the right.

A colour density spectral array of at most two thousand columns: in each, the median
over the leads of one side of the power in a few windows of two seconds. Long recordings
are sampled, not read through. Knows nothing of seizures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.review.derivations import Derivation
from distilclip_eeg.review.filters import ViewFilter
from distilclip_eeg.review.tiles import View

WINDOW_S: Final = 2
MAX_COLUMNS: Final = 2000
WINDOWS_PER_COLUMN: Final = 4
HIGHEST_HZ: Final = 30.0
SILENT_DB: Final = -60.0  # of a flat line, whose logarithm is none
SIDES: Final = ("left", "right")


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Power by time, side and frequency.

    Attributes
    ----------
    column_s
        Seconds that a column stands for.
    step_hz
        Between two frequencies; the lowest is one step.
    db
        (2, n_hz, n_columns) 10 log10 of µV²/Hz, left before right; NaN where nothing
        was recorded or a side has no lead.
    """

    column_s: float
    step_hz: float
    db: NDArray[np.float32]


def spectrogram(recording: Recording, derivation: Derivation) -> Spectrogram:
    """Compute it from the traces of a montage that lie on a side.

    Raises
    ------
    UnreadableRecordingError
        If the file cannot be read to its end any more.
    """
    duration_s = recording.duration_s
    windows = max(1, math.ceil(duration_s / WINDOW_S / MAX_COLUMNS))
    column_s = float(WINDOW_S * windows)
    n_columns = max(1, math.ceil(duration_s / column_s - 1e-9))
    n_hz = round(min(HIGHEST_HZ, 0.45 * recording.sfreq) * WINDOW_S)
    db = np.full((len(SIDES), n_hz, n_columns), np.nan, np.float32)
    view = View(recording, derivation, ViewFilter(0.0, 0.0, 0.0))
    sides = np.array([trace.side for trace in derivation.traces])
    for column in range(n_columns):
        power = _power(view, column * column_s, column_s, n_hz)
        if power is None:
            continue
        for i, side in enumerate(SIDES):
            own = power[sides == side]
            own = own[np.isfinite(own).all(axis=1)]
            if len(own):
                db[i, :, column] = _decibel(np.median(own, axis=0))
    return Spectrogram(column_s, 1 / WINDOW_S, db)


def _power(
    view: View, start_s: float, column_s: float, n_hz: int
) -> NDArray[np.float64] | None:
    """Mean power (n_traces, n_hz) over windows spread over a column; None without."""
    duration_s = view.recording.duration_s
    n_windows = round(min(WINDOWS_PER_COLUMN, column_s / WINDOW_S))
    onsets_s = start_s + np.arange(n_windows) * column_s / n_windows
    spectra = []
    for onset_s in onsets_s.tolist():
        if onset_s + WINDOW_S > duration_s + 1e-6:
            continue
        _, x = view.samples(onset_s, min(onset_s + WINDOW_S, duration_s))
        if not np.isnan(x).all():
            spectra.append(_periodogram(x, view.recording.sfreq)[:, 1 : n_hz + 1])
    return np.mean(spectra, axis=0) if spectra else None


def _periodogram(x: NDArray[np.float32], sfreq: float) -> NDArray[np.float64]:
    window = np.hanning(x.shape[1])
    centred = x - x.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred * window, axis=1)) ** 2
    return np.asarray(2 * spectrum / (sfreq * np.sum(window**2)))


def _decibel(power: NDArray[np.float64]) -> NDArray[np.float32]:
    floor = 10 ** (SILENT_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(power, floor)), np.float32)
