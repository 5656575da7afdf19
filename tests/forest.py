"""The detector that a simulation has to be too hard for.

A random forest on band power and line length of 10 s windows: mean, maximum and spread
over the 18 leads. It hears loudness and rhythm, and sees no evolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.simulation.recording import Simulated
from distilclip_eeg.corpora.store import overlap_per_second
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.signal import Conditioner

WINDOW_S, HOP_S, SFREQ = 10, 5, 256
BANDS_HZ = (0.5, 2, 4, 6, 8, 13, 20, 30, 45)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one recording, and the seizures that lie in it."""

    features: NDArray[np.float32]  # (n, f)
    share: NDArray[np.float32]  # (n,) of the window that is ictal
    seizures: tuple[Event, ...]
    duration_s: float


def windows_of(recording: Simulated) -> Windows:
    """Condition a recording as for a model and measure its windows."""
    montage = plan_montage(recording.ch_names)
    conditioner = Conditioner(montage, recording.sfreq, SignalConfig())
    parts = [conditioner.push(recording.eeg[list(montage.picks)]), conditioner.close()]
    leads = np.concatenate([part.leads for part in parts], axis=1)
    starts = np.arange(0, leads.shape[1] // SFREQ - WINDOW_S + 1, HOP_S)
    spans = [(e.onset, e.onset + e.duration, "sz") for e in recording.events]
    share = sum(overlap_per_second(starts + k, spans) for k in range(WINDOW_S))
    cut = (leads[:, s * SFREQ : (s + WINDOW_S) * SFREQ] for s in starts)
    features = np.stack([_measure(window) for window in cut])
    return Windows(
        features,
        np.asarray(share / WINDOW_S, np.float32),
        recording.events,
        recording.duration_s,
    )


def _measure(leads: NDArray[np.float32]) -> NDArray[np.float32]:
    taper = np.hanning(leads.shape[1]).astype(np.float32)
    power = np.abs(np.fft.rfft(leads * taper, axis=1)) ** 2
    edges = [round(hz * WINDOW_S) for hz in BANDS_HZ]
    sums = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    lengths = np.abs(np.diff(leads, axis=1)).mean(axis=1, keepdims=True)
    each = np.log10(np.concatenate([sums, lengths], axis=1) + 1e-3)
    return np.concatenate([each.mean(0), each.max(0), each.std(0)]).astype(np.float32)


def balanced(
    recordings: Sequence[Windows], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pool ictal windows and as many others; windows half ictal are left out."""
    features = np.concatenate([r.features for r in recordings])
    share = np.concatenate([r.share for r in recordings])
    ictal, others = np.flatnonzero(share >= 0.5), np.flatnonzero(share == 0)
    drawn = rng.choice(others, len(ictal), replace=False)
    rows = np.concatenate([ictal, drawn])
    return features[rows], share[rows] >= 0.5


def train(recordings: Sequence[Windows], seed: int = 0) -> RandomForestClassifier:
    """Fit the forest to balanced windows."""
    forest = RandomForestClassifier(300, min_samples_leaf=2, random_state=seed)
    return forest.fit(*balanced(recordings, np.random.default_rng(seed)))


def sensitivity_at(
    per_day: float, forest: RandomForestClassifier, recordings: Sequence[Windows]
) -> float:
    """Find the share of seizures caught at a rate of false alarms.

    Alarms less than 90 s apart are one; one that touches a seizure, 30 s before to
    60 s after it, is right.
    """
    scores = [forest.predict_proba(r.features)[:, 1] for r in recordings]
    days = sum(r.duration_s for r in recordings) / 86400
    n_seizures = sum(len(r.seizures) for r in recordings)
    best = 0.0
    for threshold in np.unique(np.concatenate(scores))[::-1]:
        counts = np.array(
            [_count(r, s >= threshold) for r, s in zip(recordings, scores, strict=True)]
        )
        hits, false = counts.sum(axis=0)
        if false > per_day * days:
            break
        best = max(best, float(hits / n_seizures))
    return best


def _count(recording: Windows, alarm: NDArray[np.bool_]) -> tuple[int, int]:
    starts = np.flatnonzero(alarm) * HOP_S
    if not len(starts):
        return 0, 0
    breaks = np.flatnonzero(np.diff(starts) > 90 + WINDOW_S) + 1
    runs = [(run[0], run[-1] + WINDOW_S) for run in np.split(starts, breaks)]
    spans = [(e.onset - 30, e.onset + e.duration + 60) for e in recording.seizures]
    hits = sum(any(a < end and b > on for a, b in runs) for on, end in spans)
    false = sum(not any(a < end and b > on for on, end in spans) for a, b in runs)
    return hits, false
