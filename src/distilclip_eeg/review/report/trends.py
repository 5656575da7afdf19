"""A recording -> the course of its spectrum and amplitude, left and right.

One pass over epochs of two seconds. Of each side the median over leads is kept, so
that one bad lead does not draw the picture; epochs become at most a thousand columns.
Memory grows by 16 bytes per epoch. Knows no model, no events and no drawing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from distilclip_eeg.eeg.montage import LEADS, Montage, plan_montage
from distilclip_eeg.eeg.quality import FLAT_UV, HUGE_UV
from distilclip_eeg.eeg.recording import Recording

Values = NDArray[np.float32]

EPOCH_S: Final = 2.0
MAX_HZ: Final = 25.0  # above, scalp EEG is mostly muscle
MAX_COLUMNS: Final = 1000  # what paper and screens can show
PERCENTILES: Final = (10, 50, 90)  # of the amplitude, among the epochs of a column

SIDES: Final = ("left", "right")
_ROWS: Final = tuple(
    np.array([i for i, lead in enumerate(LEADS) if lead[-1] in digits])
    for digits in ("1357", "2468")
)
_N_BINS: Final = round(MAX_HZ * EPOCH_S)  # from half a hertz on
_EPOCHS_AT_ONCE: Final = 60


@dataclass(frozen=True, eq=False)
class Trend:
    """Columns of equal length from the first second to the last.

    Attributes
    ----------
    column_s
        Seconds per column.
    power_db
        (2, F, N) left and right, dB above 1 µV²/Hz; NaN where nothing can be said.
    amplitude_uv
        (2, 3, N) root mean square of 0.5 to 25 Hz: `PERCENTILES` over a column.
    frequencies_hz
        (F,)
    """

    column_s: float
    power_db: Values
    amplitude_uv: Values
    frequencies_hz: NDArray[np.float64]

    @property
    def n_columns(self) -> int:
        return int(self.power_db.shape[2])


def trend_of(recording: Recording, max_columns: int = MAX_COLUMNS) -> Trend:
    """Read a recording once and keep its course.

    Raises
    ------
    TooFewLeadsError
        If fewer than four of the 18 leads can be computed.
    """
    montage = plan_montage(recording.ch_names)
    n_columns = max(1, min(max_columns, int(recording.duration_s // EPOCH_S)))
    tally = _Tally(n_columns, recording.duration_s / n_columns)
    for middles_s, epochs in _epochs(recording, montage):
        power, good = _spectra(epochs, recording.sfreq, montage.present)
        tally.add(middles_s, power, good)
    return tally.trend()


def _epochs(
    recording: Recording, montage: Montage
) -> Iterator[tuple[NDArray[np.float64], Values]]:
    """Times of the middles (E,) and leads (18, E, n); what is left over is dropped."""
    n = round(EPOCH_S * recording.sfreq)
    for number, segment in enumerate(recording.segments):
        last = segment.n_times // n * n
        for start in range(0, last, n * _EPOCHS_AT_ONCE):
            stop = min(last, start + n * _EPOCHS_AT_ONCE)
            microvolts = recording.read(montage.picks, number, start, stop)
            with np.errstate(invalid="ignore"):  # inf - inf; seen to afterwards
                leads = montage.leads(microvolts)
            firsts = np.arange(start, stop, n)
            middles_s = segment.onset_s + (firsts + 0.5 * n) / recording.sfreq
            epochs: Values = leads.reshape(len(LEADS), -1, n)
            yield middles_s.astype(np.float64), epochs


def _spectra(
    epochs: Values, sfreq: float, present: NDArray[np.bool_]
) -> tuple[Values, NDArray[np.bool_]]:
    """Power (18, E, F) in µV²/Hz, and which epochs can be trusted (18, E)."""
    n = epochs.shape[2]
    with np.errstate(invalid="ignore"):
        spread = epochs.max(axis=2) - epochs.min(axis=2)
        good = (spread > FLAT_UV) & (spread < HUGE_UV) & present[:, None]
        window = np.hanning(n).astype(np.float32)
        level = epochs.mean(axis=2, keepdims=True)
        found = rfft((epochs - level) * window, axis=2)[:, :, 1 : _N_BINS + 1]
        power = found.real**2 + found.imag**2
    power *= np.float32(2.0 / (sfreq * float((window**2).sum())))
    return power, good


class _Tally:
    """Sums of spectra by column, and the amplitude of every epoch."""

    def __init__(self, n_columns: int, column_s: float) -> None:
        self._column_s = column_s
        self._power = np.zeros((len(SIDES), n_columns, _N_BINS))
        self._n = np.zeros((len(SIDES), n_columns), np.int64)
        self._amplitude = [array("f") for _ in SIDES]
        self._columns = array("q")

    def add(
        self, middles_s: NDArray[np.float64], power: Values, good: NDArray[np.bool_]
    ) -> None:
        n_columns = self._n.shape[1]
        columns = (middles_s / self._column_s).astype(np.int64)
        columns = np.minimum(columns, n_columns - 1)
        self._columns.frombytes(columns.tobytes())
        for side, rows in enumerate(_ROWS):
            median, known = _median(power[rows], good[rows])
            np.add.at(self._power[side], columns[known], median[known])
            np.add.at(self._n[side], columns[known], 1)
            loud = np.sqrt(median.sum(axis=1) / EPOCH_S)
            loud[~known] = np.nan
            self._amplitude[side].frombytes(loud.astype(np.float32).tobytes())

    def trend(self) -> Trend:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (self._power / self._n[:, :, None]).swapaxes(1, 2)
            power_db = 10 * np.log10(mean)
        power_db[~np.isfinite(power_db)] = np.nan
        return Trend(
            self._column_s,
            power_db.astype(np.float32),
            self._percentiles(),
            np.arange(1, _N_BINS + 1) / EPOCH_S,
        )

    def _percentiles(self) -> Values:
        n_columns = self._n.shape[1]
        out = np.full((len(SIDES), len(PERCENTILES), n_columns), np.nan, np.float32)
        columns = np.array(self._columns, np.int64)
        edges = np.searchsorted(columns, np.arange(n_columns + 1))
        for side, amplitude in enumerate(self._amplitude):
            values = np.array(amplitude, np.float32)
            for column in range(n_columns):
                here = values[edges[column] : edges[column + 1]]
                here = here[np.isfinite(here)]
                if here.size:
                    out[side, :, column] = np.percentile(here, PERCENTILES)
        return out


def _median(power: Values, good: NDArray[np.bool_]) -> tuple[Values, NDArray[np.bool_]]:
    """Over leads that can be trusted, the lower of two middle ones: (E, F), (E,)."""
    n_good = good.sum(axis=0)
    ordered = np.sort(np.where(good[:, :, None], power, np.float32(np.inf)), axis=0)
    middle = np.maximum(n_good - 1, 0) // 2
    median = np.take_along_axis(ordered, middle[None, :, None], axis=0)[0]
    return median, n_good > 0
