"""A piece of activity + a signal -> the signal with it, as loud as asked for.

The loudness of a piece is told against the background where the piece is strongest, so
that one ratio means the same for an infant and for the low voltage of old age. Works on
electrodes and on leads alike; whether the background was simulated or recorded does not
matter here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from distilclip_eeg.corpora.simulation.head import to_leads
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS
from distilclip_eeg.errors import DistilClipError

STRONGEST: Final = 4  # leads over which loudness is measured
LISTEN_S: Final = 20.0  # of background before a piece
_LOUDEST_S = 5.0
_HIGHEST = 14.0  # a peak, in root mean squares of the background; rare spikes reach it
_QUIETEST_UV = 1.0  # a disconnected background must not silence what is planted


def add(signal: NDArray[np.float32], at: int, piece: NDArray[np.float32]) -> None:
    """Add (rows, m) to (rows, n) in place from sample `at`; ends may stick out."""
    first, last = max(0, at), min(signal.shape[1], at + piece.shape[1])
    if last > first:
        signal[:, first:last] += piece[:, first - at : last - at]


def leads_of(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the (18, n) leads of a signal that has electrodes or leads as rows.

    Raises
    ------
    DistilClipError
        If it has neither 19 nor 18 rows.
    """
    if len(signal) == len(LEADS):
        return signal
    if len(signal) == len(ELECTRODES):
        return to_leads(signal)
    raise DistilClipError(
        f"found a signal of {len(signal)} rows, expected {len(ELECTRODES)} electrodes "
        f"or {len(LEADS)} leads, in the order of eeg.montage"
    )


def in_rows_of(
    signal: NDArray[np.float32], piece: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Give (19, m) electrodes in the montage of `signal`."""
    return to_leads(piece) if len(signal) == len(LEADS) else piece


def heard(leads: NDArray[np.float32], sfreq: float) -> NDArray[np.float32]:
    """Keep 1 to 30 Hz, where loudness is measured."""
    high_hz = min(30.0, 0.45 * sfreq)
    sos = butter(2, (1.0, high_hz), "bandpass", fs=sfreq, output="sos")
    return np.asarray(sosfilt(sos, leads - leads[:, :1], axis=1), np.float32)


def strongest_leads(piece: NDArray[np.float32]) -> NDArray[np.intp]:
    """Give the rows of the four leads in which (18, m) is strongest."""
    return np.argsort(np.mean(piece**2, axis=1))[::-1][:STRONGEST]


def scale_for(
    signal: NDArray[np.float32],
    at: int,
    piece: NDArray[np.float32],
    ratio: float,
    sfreq: float,
) -> float:
    """Find the factor that makes a piece `ratio` times as loud as the background.

    Parameters
    ----------
    signal
        (19 or 18, n) µV without the piece.
    at
        Sample at which the piece will begin.
    piece
        (19, m) electrodes, of any size.
    ratio
        Root mean square of the loudest seconds of the piece over that of the
        background before and under it, both from 1 to 30 Hz in the piece's strongest
        leads.
    """
    first = max(0, at - round(LISTEN_S * sfreq))
    under = leads_of(signal[:, first : at + piece.shape[1]])
    own = to_leads(piece)
    rows = strongest_leads(own)
    floor = np.median(_rms_per_second(heard(under[rows], sfreq), sfreq), axis=1)
    alive = floor > _QUIETEST_UV
    quiet = float(floor[alive].mean()) if alive.any() else _QUIETEST_UV
    seconds = _rms_per_second(heard(own[rows], sfreq), sfreq).mean(axis=0)
    n = max(1, min(len(seconds), round(_LOUDEST_S)))
    loud = float(np.sort(seconds)[-n:].mean())
    highest = max(float(np.abs(own[rows]).max()), 1e-6)
    return min(ratio * quiet / max(loud, 1e-6), _HIGHEST * quiet / highest)


def _rms_per_second(leads: NDArray[np.float32], sfreq: float) -> NDArray[np.float32]:
    second = max(1, min(round(sfreq), leads.shape[1]))
    whole = leads.shape[1] // second
    cut = leads[:, : whole * second].reshape(len(leads), whole, second)
    return np.asarray(np.sqrt(np.mean(cut**2, axis=2)), np.float32)
