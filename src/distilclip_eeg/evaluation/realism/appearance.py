"""A window of EEG -> named numbers that say how it looks, for telling EEG apart.

What a reader sees: how loud, which rhythms, how sharp, how uneven in time, how alike
over the scalp. Each number is either an absolute loudness or does not change when all
leads are multiplied by one factor. Frequencies end at 45 Hz: notches and low-pass
filters of amplifiers lie above.

Does not know where a window came from. Slopes of waves after Hjorth 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft, rfftfreq
from scipy.signal import butter, sosfilt

from distilclip_eeg.eeg.montage import LEADS

BANDS_HZ: Final = ((0.5, 2), (2, 4), (4, 8), (8, 13), (13, 20), (20, 30), (30, 45))
HIGHEST_HZ: Final = 45.0
LOWEST_SFREQ: Final = 128  # holds them; what is above only costs time
SLOW_HZ, FAST_HZ = (0.5, 8.0), (13.0, 45.0)
_BAND_NAMES: Final = tuple(f"{low:g}-{high:g} Hz" for low, high in BANDS_HZ)
_STEEPNESS_HZ = (2.0, 40.0)
_RHYTHM_S = (0.1, 1.5)  # periods of a rhythm
_SAWTOOTH_S = 0.03
_TINY = 1e-9

_LOUD: Final = (*(f"loudness {name}" for name in _BAND_NAMES), "loudness", "largest")
_SCALE_FREE: Final = (
    *(f"share of {name}" for name in _BAND_NAMES),
    *("steepness of spectrum", "bend of spectrum", "height of peak", "peak Hz"),
    *("roughness of spectrum", "line length", "complexity", "crest"),
    *("spikiness", "spikiness of slopes", "skewness", "sawtooth", "rhythmicity"),
    *("unevenness in time", "unevenness of 4-13 Hz", "unevenness of 20-45 Hz"),
)
_REGIONS: Final = ("front over back", "temples over crown", "difference of sides")
_TOPOGRAPHY_HZ: Final = ((0.5, 4.0), (8.0, 13.0), (20.0, 45.0))
_PARTS: Final = ("loud", "free", "alike", "topography")
_ALIKE: Final = ("chain", "across", "same electrode", "all", "first factor")


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured lead by lead in some windows, n of them.

    Attributes
    ----------
    loud
        (n, 18, len(loud names)) log10 µV.
    free
        (n, 18, len(scale-free names)) the same at any loudness.
    alike
        (n, 2, 18, 18) correlation of leads, of slow and of fast activity.
    topography
        (n, 18, 3) log10 µV of delta, alpha and fast activity.
    """

    loud: NDArray[np.float32]
    free: NDArray[np.float32]
    alike: NDArray[np.float32]
    topography: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.loud)

    def of(self, index: NDArray[np.intp]) -> Measured:
        """Return the windows at `index`."""
        return Measured(
            self.loud[index],
            self.free[index],
            self.alike[index],
            self.topography[index],
        )


def joined(parts: Sequence[Measured]) -> Measured:
    """Put windows of several recordings into one row."""
    return Measured(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _PARTS)
    )


def measure_windows(windows: NDArray[np.float32], sfreq: int) -> Measured:
    """Measure each lead of each window.

    Parameters
    ----------
    windows
        (n, 18, T) µV, T of some whole seconds, at least two.
    """
    sections = butter(6, HIGHEST_HZ, fs=sfreq, output="sos").astype(np.float32)
    step = max(1, sfreq // LOWEST_SFREQ)
    return joined(
        [
            _measure(sosfilt(sections, window, axis=1)[:, ::step], sfreq // step)
            for window in windows
        ]
    )


def describe(
    measured: Measured, rows: Sequence[int]
) -> tuple[NDArray[np.float32], tuple[str, ...], NDArray[np.bool_]]:
    """Summarise windows over the leads `rows`.

    Returns
    -------
    tuple
        (n, k) numbers, their k names, and (k,) which of them tell absolute loudness.
    """
    rows = list(rows)
    loud, free = measured.loud[:, rows], measured.free[:, rows]
    alike, alike_names = _likeness(measured.alike, rows)
    shape, shape_names = _shape_on_scalp(measured.topography, rows)
    columns = [
        loud.mean(1),
        free.mean(1),
        free.std(1),
        loud.std(1),  # of logarithms: a factor does not change it
        alike,
        shape,
    ]
    names = (
        *_LOUD,
        *_SCALE_FREE,
        *(f"{name}, spread over leads" for name in _SCALE_FREE),
        *(f"{name}, spread over leads" for name in _LOUD),
        *alike_names,
        *shape_names,
    )
    absolute = np.arange(len(names)) < len(_LOUD)
    return np.concatenate(columns, axis=1).astype(np.float32), names, absolute


def _measure(leads: NDArray[np.floating], sfreq: int) -> Measured:
    spectra, hz = _spectra(leads, sfreq)  # (18, segments, bins)
    power = spectra.mean(axis=1)
    bands = np.stack([_between(power, hz, band) for band in BANDS_HZ], axis=1)
    total = bands.sum(axis=1)
    leads = leads - leads.mean(axis=1, keepdims=True)
    rms = np.sqrt(np.mean(leads**2, axis=1)) + _TINY
    largest = np.abs(leads).max(axis=1)
    loud = [0.5 * np.log10(bands + _TINY), _log(rms), _log(largest)]
    free = [
        np.log10((bands + _TINY) / (total[:, None] + _TINY)),
        _of_spectrum(power, hz),
        _of_waves(leads / rms[:, None], sfreq),
        _of_course(leads, spectra, hz, sfreq),
    ]
    alike = [_correlation(leads, sfreq, band) for band in (SLOW_HZ, FAST_HZ)]
    topography = [_between(power, hz, band) for band in _TOPOGRAPHY_HZ]
    parts = (
        np.column_stack(loud),
        np.column_stack(free),
        np.stack(alike),
        0.5 * np.log10(np.stack(topography, axis=1) + _TINY),
    )
    return Measured(*(part[None].astype(np.float32) for part in parts))


def _log(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.log10(values + _TINY))


def _spectra(
    leads: NDArray[np.floating], sfreq: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Power in µV² per bin of pieces of 2 s that overlap by half."""
    length, n_times = 2 * sfreq, leads.shape[1]
    taper = np.hanning(length).astype(np.float32)
    starts = range(0, n_times - length + 1, sfreq)
    pieces = np.stack([leads[:, s : s + length] for s in starts], axis=1)
    pieces = pieces - pieces.mean(axis=2, keepdims=True)
    power = np.abs(rfft(pieces * taper, axis=2)) ** 2
    return power * (2 / (length * np.sum(taper**2))), rfftfreq(length, 1 / sfreq)


def _between(
    power: NDArray[np.floating], hz: NDArray[np.floating], band: tuple[float, float]
) -> NDArray[np.floating]:
    inside = (hz >= band[0]) & (hz < band[1])
    return np.asarray(power[..., inside].sum(axis=-1))


def _of_spectrum(
    power: NDArray[np.floating], hz: NDArray[np.floating]
) -> NDArray[np.floating]:
    """(18, 5): steepness, bend, height and place of the peak, roughness."""
    inside = (hz >= _STEEPNESS_HZ[0]) & (hz <= _STEEPNESS_HZ[1])
    octaves, level = np.log10(hz[inside]), _log(power[:, inside])
    steep, height = np.polyfit(octaves, level.T, 1)
    low = octaves < np.log10(12)
    bend = np.polyfit(octaves[low], level[:, low].T, 1)[0]
    bend = bend - np.polyfit(octaves[~low], level[:, ~low].T, 1)[0]
    above = level - (steep[:, None] * octaves + height[:, None])
    peak = above.argmax(axis=1)
    return np.column_stack(
        [steep, bend, above.max(axis=1), hz[inside][peak], above.std(axis=1)]
    )


def _of_waves(unit: NDArray[np.floating], sfreq: int) -> NDArray[np.floating]:
    """(18, 8) of leads of unit size, see `_SCALE_FREE` from the line length on."""
    slope = np.diff(unit, axis=1)
    mobility = slope.std(axis=1) + _TINY
    complexity = np.diff(slope, axis=1).std(axis=1) / mobility**2
    lag = max(1, round(_SAWTOOTH_S * sfreq))
    steps = unit[:, lag:] - unit[:, :-lag]
    # Products, not powers: of arrays, a power of 3 or 4 takes fifty times as long.
    square, steep, stepped = unit * unit, slope * slope, steps * steps
    sawtooth = np.mean(stepped * steps, axis=1) / (stepped.mean(axis=1) + _TINY) ** 1.5
    return np.column_stack(
        [
            _log(np.abs(slope).mean(axis=1)),
            _log(complexity),
            _log(np.abs(unit).max(axis=1)),
            _log(np.mean(square * square, axis=1)),
            _log(np.mean(steep * steep, axis=1) / mobility**4),
            np.abs(np.mean(square * unit, axis=1)),
            np.abs(sawtooth),
            _rhythmicity(unit, sfreq),
        ]
    )


def _rhythmicity(unit: NDArray[np.floating], sfreq: int) -> NDArray[np.floating]:
    """The highest autocorrelation after its first zero, at periods of a rhythm."""
    n = unit.shape[1]
    own = irfft(np.abs(rfft(unit, 2 * n, axis=1)) ** 2, axis=1)[:, :n]
    own = own / (own[:, :1] + _TINY)
    after_zero = np.cumsum(own < 0, axis=1) > 0
    first, last = (round(s * sfreq) for s in _RHYTHM_S)
    heights = np.where(after_zero, own, 0)[:, first:last]
    return np.asarray(heights.max(axis=1))


def _of_course(
    leads: NDArray[np.floating],
    spectra: NDArray[np.floating],
    hz: NDArray[np.floating],
    sfreq: int,
) -> NDArray[np.floating]:
    """(18, 3): how uneven in time all, medium and fast activity is."""
    whole = leads.shape[1] // sfreq
    seconds = leads[:, : whole * sfreq].reshape(len(leads), whole, sfreq)
    return np.column_stack(
        [
            _log(seconds.std(axis=2)).std(axis=1),
            _log(_between(spectra, hz, (4, 13))).std(axis=1),
            _log(_between(spectra, hz, (20, 45))).std(axis=1),
        ]
    )


def _correlation(
    leads: NDArray[np.floating], sfreq: int, band: tuple[float, float]
) -> NDArray[np.floating]:
    hz = rfftfreq(leads.shape[1], 1 / sfreq)
    inside = (hz >= band[0]) & (hz <= band[1])
    spectrum = rfft(leads * np.hanning(leads.shape[1]).astype(np.float32), axis=1)[
        :, inside
    ]
    cross = (spectrum @ spectrum.conj().T).real
    size = np.sqrt(np.diag(cross)) + _TINY
    return np.asarray(cross / size / size[:, None])


def _likeness(
    alike: NDArray[np.float32], rows: Sequence[int]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(n, 10): neighbours, mirror images, shared electrodes, all, first factor."""
    names = tuple(
        f"likeness, {which}, {speed}" for speed in ("slow", "fast") for which in _ALIKE
    )
    columns = []
    for matrix in (alike[:, 0], alike[:, 1]):
        columns += [
            np.mean([matrix[:, i, j] for i, j in pairs], axis=0)
            for pairs in (_chain(rows), _across(rows), _sharing(rows))
        ]
        here = matrix[:, rows][:, :, rows]
        upper = np.triu_indices(len(rows), 1)
        columns.append(np.abs(here[:, upper[0], upper[1]]).mean(axis=1))
        columns.append(np.linalg.eigvalsh(here)[:, -1] / len(rows))
    return np.stack(columns, axis=1), names


def _chain(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Leads that follow each other: one ends where the next begins."""
    ends = [lead.split("-") for lead in LEADS]
    return [(i, j) for i in rows for j in rows if ends[i][1] == ends[j][0]]


def _sharing(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Leads that begin, or end, at the same electrode."""
    ends = [lead.split("-") for lead in LEADS]
    return [
        (i, j)
        for i in rows
        for j in rows
        if i < j and (ends[i][0] == ends[j][0] or ends[i][1] == ends[j][1])
    ]


def _across(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Leads that mirror each other."""
    to_right = str.maketrans("1357", "2468")
    row_of = {LEADS[row]: row for row in rows}
    pairs = ((row, row_of.get(LEADS[row].translate(to_right))) for row in rows)
    return [(i, j) for i, j in pairs if j is not None and i != j]


def _shape_on_scalp(
    topography: NDArray[np.float32], rows: Sequence[int]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """(n, 9): where delta, alpha and fast activity are larger, as log ratios."""
    front = [r for r in rows if LEADS[r].startswith("FP")]
    back = [r for r in rows if LEADS[r].split("-")[1] in ("P3", "P4", "P7", "P8")]
    temples = [r for r in rows if set(LEADS[r].split("-")) & {"T7", "T8"}]
    crown = [r for r in rows if set(LEADS[r].split("-")) & {"C3", "C4", "CZ"}]
    pairs = _across(rows)
    columns = [
        topography[:, front].mean(1) - topography[:, back].mean(1),
        topography[:, temples].mean(1) - topography[:, crown].mean(1),
        np.mean([np.abs(topography[:, i] - topography[:, j]) for i, j in pairs], 0),
    ]
    names = tuple(
        f"{region}, {low:g}-{high:g} Hz"
        for region in _REGIONS
        for low, high in _TOPOGRAPHY_HZ
    )
    return np.concatenate(columns, axis=1), names
