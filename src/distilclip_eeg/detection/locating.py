"""A window of a seizure, and one from before it -> side, lobe and kind, and how sure.

A linear model on what a reader of the montage compares: how loud each lead is in nine
bands beside the other leads and beside how it was before, and how neighbouring leads
go together (a phase reversal is a negative correlation). Its numbers lie in
`locator.npz`; `evaluation.locator_fit` makes them from simulated seizures, and they
belong to no network. Left and right are exact mirror images. Knows neither events nor
recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.leads import Heard
from distilclip_eeg.eeg.events import Place
from distilclip_eeg.eeg.findings import Kind, Lobe, Side
from distilclip_eeg.eeg.montage import FEW_LEADS, LEADS

Values: TypeAlias = NDArray[np.float64]

NUMBERS: Final = Path(__file__).with_name("locator.npz")
LOBES: Final[tuple[Lobe, ...]] = (
    "frontal", "temporal", "central", "parietal", "occipital", "insular",
)  # fmt: skip
CLASSES: Final[tuple[tuple[Kind, Side, Lobe], ...]] = (
    *(("focal", "left", lobe) for lobe in LOBES),
    *(("focal", "right", lobe) for lobe in LOBES),
    ("focal", "bilateral", "unknown"),
    ("generalised", "bilateral", "unknown"),
)
MIRRORED: Final = np.array([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13])
"""Position of each class after left and right are exchanged."""
_ACROSS = str.maketrans("12345678", "21436587")
MIRROR: Final = np.array([LEADS.index(lead.translate(_ACROSS)) for lead in LEADS])
"""Position of each lead after left and right are exchanged."""

EDGES_HZ: Final = (1.0, 2.5, 4.0, 6.0, 8.0, 10.5, 13.0, 20.0, 30.0, 45.0)
SLOW, FAST = slice(0, 4), slice(4, 8)  # bands in which leads are correlated
PIECE_S: Final = 2  # of a window, half overlapping
LEAST_PIECES: Final = 3  # for a lead to count
FLOOR_UV2: Final = 0.1
SIDE_SURE, LOBE_SURE, KIND_SURE = 0.5, 0.4, 0.8
"""Less sure, nothing is said."""

_N_BANDS = len(EDGES_HZ) - 1
_PAIRS = np.triu_indices(len(LEADS), 1)


class Located(NamedTuple):
    """What is said of a seizure; confidences are probabilities, 0 to 1.

    Attributes
    ----------
    kind
        `unknown` if neither is sure enough.
    """

    kind: Kind
    kind_confidence: float
    place: Place

    @property
    def event_type(self) -> str:
        """The HED-SCORE type."""
        return {"focal": "sz_foc", "generalised": "sz_gen"}.get(self.kind, "sz")


@dataclass(frozen=True, eq=False)
class Locator:
    """A linear model of F features.

    Attributes
    ----------
    mean, scale
        (F,) of the features it was fitted on.
    weight, bias
        (14, F) and (14,), in the order of `CLASSES`.
    """

    mean: Values
    scale: Values
    weight: Values
    bias: Values

    def log_probabilities(self, features: Values) -> Values:
        """Give (14,) for (F,) features; those that are NaN say nothing."""
        known = np.nan_to_num((features - self.mean) / self.scale, nan=0.0)
        scores = self.weight @ known + self.bias
        return np.asarray(scores - np.logaddexp.reduce(scores))


@lru_cache(maxsize=1)
def load_locator() -> Locator:
    """Read the numbers that come with the package."""
    with np.load(NUMBERS, allow_pickle=False) as numbers:
        names = ("mean", "scale", "weight", "bias")
        return Locator(*(numbers[name].astype(np.float64) for name in names))


def locate(
    window: Heard, before: Heard | None, locator: Locator | None = None
) -> Located | None:
    """Say where a seizure begins and of which kind it is.

    Parameters
    ----------
    window
        Of the seizure.
    before
        Of the same person before it, if there is one.
    locator
        Other numbers than those of the package.

    Returns
    -------
    Located, or None
        None with fewer than ten usable leads, or fewer than three on either side.
    """
    if not _is_seen(window):
        return None
    past = None if before is None else loudness(before)
    return located(
        (locator or load_locator()).log_probabilities(features(window, past))
    )


def located(log_probability: Values) -> Located:
    """Turn (14,) log-probabilities, up to a constant, into what is said."""
    share = np.exp(log_probability - np.logaddexp.reduce(log_probability))
    n = len(LOBES)
    sides: dict[str, float] = {
        "left": float(share[:n].sum()),
        "right": float(share[n : 2 * n].sum()),
        "bilateral": float(share[2 * n :].sum()),
    }
    lobes = dict(zip(LOBES, (share[:n] + share[n : 2 * n]).tolist(), strict=True))
    kinds: dict[Kind, float] = {
        "focal": float(share[:-1].sum()),
        "generalised": float(share[-1]),
    }
    kind, kind_sure = max(kinds.items(), key=lambda item: item[1])
    side, side_sure = _sure(sides, SIDE_SURE)
    lobe, lobe_sure = _sure(lobes, LOBE_SURE)
    return Located(
        kind if kind_sure >= KIND_SURE else "unknown",
        round(kind_sure, 4),
        Place(side, side_sure, lobe, lobe_sure),
    )


def loudness(window: Heard) -> Values:
    """Give the logarithm of the power of each lead in each band, (18, 9)."""
    return np.asarray(np.log(_spectra(window)[0] + FLOOR_UV2))


def features(window: Heard, past: Values | None) -> Values:
    """Measure what the model weighs, (F,); NaN where a lead or the past is not known.

    In order: loudness by lead and band beside the past, beside the other leads; then
    the correlation of each pair of leads in slow and in fast activity.

    Parameters
    ----------
    past
        `loudness` of a window before the seizure.
    """
    power, together = _spectra(window)
    loud = np.log(power + FLOOR_UV2)
    grown = np.full_like(loud, np.nan) if past is None else loud - past
    seen = np.isfinite(loud[:, 0])
    beside = loud - loud[seen].mean(axis=0) if seen.any() else loud
    pairs = [
        _correlation(together[bands].sum(axis=0), seen)[_PAIRS]
        for bands in (SLOW, FAST)
    ]
    return np.concatenate([grown.ravel(), beside.ravel(), *pairs])


def mirrored(window: Heard) -> Heard:
    """Exchange left and right."""
    return Heard(window.eeg[MIRROR], window.usable[MIRROR])


def mirror_of_features() -> NDArray[np.intp]:
    """(F,) position that each feature comes from when left and right are exchanged."""
    n = len(LEADS)
    by_band = np.arange(n * _N_BANDS).reshape(n, _N_BANDS)[MIRROR].ravel()
    place = np.zeros((n, n), np.intp)
    place[_PAIRS] = np.arange(len(_PAIRS[0]))
    pairs = (place + place.T)[np.ix_(MIRROR, MIRROR)][_PAIRS]
    first = 2 * len(by_band)
    return np.concatenate(
        [by_band, len(by_band) + by_band, first + pairs, first + len(pairs) + pairs]
    )


def _sure(shares: dict[str, float], least: float) -> tuple[str | None, float | None]:
    name, share = max(shares.items(), key=lambda item: item[1])
    return (name, round(share, 4)) if share >= least else (None, None)


def _is_seen(window: Heard) -> bool:
    counted = _pieces_usable(window).sum(axis=1) >= LEAST_PIECES
    sides = [sum(counted[i] for i in _leads_of(digits)) for digits in ("1357", "2468")]
    return bool(counted.sum() >= FEW_LEADS and min(sides) >= 3)


def _leads_of(digits: str) -> list[int]:
    return [i for i, lead in enumerate(LEADS) if lead[-1] in digits]


def _pieces_usable(window: Heard) -> NDArray[np.bool_]:
    return np.asarray(window.usable[:, :-1] & window.usable[:, 1:])


def _spectra(window: Heard) -> tuple[Values, Values]:
    """(18, 9) µV² by lead and band, NaN if unusable; (9, 18, 18) shared by leads."""
    n_leads, n_seconds = window.usable.shape
    rate = window.eeg.shape[1] // n_seconds
    seconds = window.eeg.reshape(n_leads, n_seconds, rate)
    pieces = np.concatenate([seconds[:, :-1], seconds[:, 1:]], axis=2)
    pieces = (pieces - pieces.mean(axis=2, keepdims=True)) * _taper(PIECE_S * rate)
    usable = _pieces_usable(window)
    waves = np.fft.rfft(pieces, axis=2) * usable[:, :, None]
    n_pieces = np.maximum(usable.sum(axis=1), 1)[:, None]
    power = np.empty((n_leads, _N_BANDS))
    together = np.empty((_N_BANDS, n_leads, n_leads))
    for band, (low, high) in enumerate(_bins()):
        part = waves[:, :, low:high].reshape(n_leads, -1)
        shared = part.real @ part.real.T + part.imag @ part.imag.T
        together[band] = shared
        power[:, band] = np.diag(shared)
    power /= n_pieces
    power[usable.sum(axis=1) < LEAST_PIECES] = np.nan
    return power, together


@lru_cache(maxsize=2)
def _taper(n: int) -> NDArray[np.float32]:
    """Hann's window, such that squares of a transform add up to µV²."""
    taper = np.hanning(n + 1)[:-1]
    return np.asarray(taper / np.sqrt(n * (taper**2).sum() / 2), np.float32)


def _bins() -> list[tuple[int, int]]:
    edges = [round(hz * PIECE_S) for hz in EDGES_HZ]
    return list(pairwise(edges))


def _correlation(together: Values, seen: NDArray[np.bool_]) -> Values:
    """(18, 18) from -1 to 1; NaN with a lead that is not seen."""
    size = np.sqrt(np.diag(together) + FLOOR_UV2)
    return np.where(np.outer(seen, seen), together / np.outer(size, size), np.nan)
