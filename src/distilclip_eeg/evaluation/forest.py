"""The baseline: a random forest on band power and line length of 10 s windows.

Mean, maximum and spread over the leads that can be used. It hears loudness and rhythm,
and sees no evolution: what a network gains over it is worth the network. Its scores
become log-odds per second, so that everything that scores a model scores it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft
from scipy.special import logit
from sklearn.ensemble import RandomForestClassifier

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import StoredRecording, overlap_per_second
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.material import stored_material
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from distilclip_eeg.evaluation.windows import HOP_S, ICTAL_SHARE, WINDOW_S

BANDS_HZ: Final = (0.5, 2, 4, 6, 8, 13, 20, 30, 45)
N_TREES: Final = 300
MIN_SAMPLES_LEAF: Final = 2
FLOOR: Final = 1e-3  # of power and slope: silence has a logarithm, too
SHARE_SEEN: Final = 0.5  # of a window's seconds that make a lead usable
BLOCK: Final = 32  # windows measured at a time: some 6 MB

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The W windows of one recording.

    Attributes
    ----------
    starts
        (W,) first second of each.
    values
        (W, 27) NaN where no lead can be used.
    ictal_share
        (W,) of the window; NaN where experts did not look at all of it.
    """

    starts: NDArray[np.int64]
    values: Samples
    ictal_share: NDArray[np.floating]


def window_features(eeg: Samples, usable: Flags, sfreq: float) -> Samples:
    """Measure windows.

    Parameters
    ----------
    eeg
        (W, 18, T) conditioned microvolts.
    usable
        (W, 18, S).

    Returns
    -------
    (W, 27) mean, maximum and spread over the usable leads of the logarithm of the power
    in eight bands and of the line length.
    """
    taper = np.hanning(eeg.shape[2]).astype(np.float32)
    spectrum = rfft(eeg * taper, axis=2)
    power = spectrum.real**2 + spectrum.imag**2
    edges = [round(hz * eeg.shape[2] / sfreq) for hz in BANDS_HZ]
    bands = np.add.reduceat(power[:, :, : edges[-1]], edges[:-1], axis=2)
    slope = np.abs(np.diff(eeg, axis=2)).mean(axis=2, keepdims=True)
    each = np.log10(np.concatenate([bands, slope], axis=2) + FLOOR)
    return _over_leads(each, usable.mean(axis=2) >= SHARE_SEEN)


def _over_leads(each: Samples, seen: Flags) -> Samples:
    """Summarise (W, 18, F) over the leads that are seen, (W, 3 F)."""
    mask = seen[:, :, None]
    n = np.maximum(mask.sum(axis=1), 1)
    mean = np.where(mask, each, 0).sum(axis=1) / n
    spread = np.sqrt(np.where(mask, (each - mean[:, None]) ** 2, 0).sum(axis=1) / n)
    highest = np.where(mask, each, -np.inf).max(axis=1)
    out = np.concatenate([mean, highest, spread], axis=1).astype(np.float32)
    out[~seen.any(axis=1)] = np.nan
    return out


def recording_features(recording: StoredRecording, signal: SignalConfig) -> Features:
    """Measure the windows of a stored recording; a last one ends with it."""
    starts = _starts(recording.n_seconds)
    values = [np.zeros((0, 3 * len(BANDS_HZ)), np.float32)]
    for eeg, usable in _cut(recording, starts, round(signal.sfreq)):
        values.append(window_features(eeg, usable, signal.sfreq))
    spans = [s[:2] for s in recording.seizures]
    seconds = starts[:, None] + np.arange(WINDOW_S)
    ictal = overlap_per_second(seconds.ravel().astype(float), spans)
    low, high = recording.labelled_s
    labelled = (starts >= low) & (
        np.minimum(starts + WINDOW_S, recording.n_seconds) <= high
    )
    width = max(1, min(WINDOW_S, recording.n_seconds))
    share = ictal.reshape(seconds.shape).sum(axis=1) / width
    return Features(starts, np.concatenate(values), np.where(labelled, share, np.nan))


def _starts(n_seconds: int) -> NDArray[np.int64]:
    latest = max(0, n_seconds - WINDOW_S)
    return np.array(sorted({*range(0, latest, HOP_S), latest}), np.int64)


def _cut(
    recording: StoredRecording, starts: NDArray[np.int64], sfreq: int
) -> Iterator[tuple[Samples, Flags]]:
    for first in range(0, len(starts), BLOCK):
        here = starts[first : first + BLOCK]
        low = int(here[0])
        crop = recording.crop(low, int(here[-1]) - low + WINDOW_S)
        at = here - low
        width = WINDOW_S * sfreq
        yield (
            np.stack([crop.eeg[:, a * sfreq : a * sfreq + width] for a in at]),
            np.stack([crop.usable[:, a : a + WINDOW_S] for a in at]),
        )


def train(features: Sequence[Features], seed: int = 0) -> RandomForestClassifier:
    """Fit a forest to the ictal windows and as many others.

    Raises
    ------
    CorpusError
        If there are no ictal windows, or no others.
    """
    values = np.concatenate([f.values for f in features])
    share = np.concatenate([f.ictal_share for f in features])
    seen = ~np.isnan(values[:, 0])
    ictal = np.flatnonzero(seen & (share >= ICTAL_SHARE))
    others = np.flatnonzero(seen & (share == 0))
    if not (len(ictal) and len(others)):
        raise CorpusError(
            f"found {len(ictal)} ictal windows and {len(others)} others, expected both "
            "to train a forest"
        )
    rng = np.random.default_rng(seed)
    n = min(len(ictal), len(others))
    rows = np.concatenate(
        [rng.choice(kind, n, replace=False) for kind in (ictal, others)]
    )
    forest = RandomForestClassifier(
        N_TREES, min_samples_leaf=MIN_SAMPLES_LEAF, random_state=seed
    )
    return forest.fit(values[rows], share[rows] >= ICTAL_SHARE)


def predicted(
    forest: RandomForestClassifier, recording: StoredRecording, features: Features
) -> Prediction:
    """Score a recording; a second has the mean log-odds of the windows it lies in."""
    odds = log_odds(forest, features.values)
    total, n = np.zeros(recording.n_seconds), np.zeros(recording.n_seconds)
    for start, value in zip(features.starts.tolist(), odds.tolist(), strict=True):
        if value == value:
            total[start : start + WINDOW_S] += value
            n[start : start + WINDOW_S] += 1
    per_second = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return stored_material(recording).predicted((_stretch(per_second),))


def log_odds(forest: RandomForestClassifier, values: Samples) -> NDArray[np.floating]:
    """(W,) of a seizure; all trees of one mind are half a tree from certainty."""
    odds = np.full(len(values), np.nan)
    seen = ~np.isnan(values[:, 0])
    if seen.any():
        share = forest.predict_proba(values[seen])[:, 1]
        odds[seen] = logit(np.clip(share, 0.5 / N_TREES, 1 - 0.5 / N_TREES))
    return odds


def _stretch(log_odds: NDArray[np.floating]) -> Stretch:
    """A second is known when the last window that contains it is over."""
    n = len(log_odds)
    end_s = np.arange(n) // HOP_S * HOP_S + WINDOW_S
    return Stretch(0.0, float(n), log_odds, np.minimum(end_s, n).astype(float))


def forest_scores(
    training: Sequence[StoredRecording],
    test: Sequence[StoredRecording],
    seed: int = 0,
    signal: SignalConfig | None = None,
) -> list[Prediction]:
    """Train the baseline on some recordings and let it score others.

    Parameters
    ----------
    signal
        With which the store was made; the defaults if not given.

    Raises
    ------
    CorpusError
        If the training recordings lack one of the classes, or share a patient with
        the test recordings.
    """
    if both := {r.patient for r in training} & {r.patient for r in test}:
        raise CorpusError(
            f"found patient {min(both)} in training and in test, expected in one"
        )
    signal = signal or SignalConfig()
    forest = train([recording_features(r, signal) for r in training], seed)
    return [predicted(forest, r, recording_features(r, signal)) for r in test]
