"""Potentials at the electrodes -> what an amplifier would have stored.

Mains hum, another pass band, a common average reference, clipping, electrodes that
are dead from the start or die. Drawn once per recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from distilclip_eeg.corpora.simulation.waves import log_uniform, wander
from distilclip_eeg.eeg.montage import ELECTRODES


@dataclass(frozen=True, slots=True)
class Amplifier:
    """How a recording was made.

    Attributes
    ----------
    mains_hz, mains_uv
        Hum and its size in the worst electrode.
    low_hz, high_hz
        Pass band.
    clip_uv
        Where the converter ends.
    dead
        (electrode, from and to as a share of the recording) of each dead electrode.
    """

    mains_hz: float
    mains_uv: float
    low_hz: float
    high_hz: float
    clip_uv: float
    dead: tuple[tuple[int, float, float], ...]


def draw_amplifier(rng: Generator) -> Amplifier:
    """Draw one; most are good, most recordings carry some hum."""
    dead = []
    if rng.random() < 0.12:
        for row in rng.choice(len(ELECTRODES), rng.integers(1, 4), replace=False):
            first = rng.uniform(0, 1) if rng.random() < 0.5 else 0.0
            dead.append((int(row), float(first), float(rng.uniform(first, 1.5))))
    return Amplifier(
        mains_hz=float(rng.choice([50.0, 60.0])),
        mains_uv=log_uniform(rng, 0.2, 30) if rng.random() < 0.6 else 0.0,
        low_hz=log_uniform(rng, 0.05, 0.8),
        high_hz=log_uniform(rng, 38, 120),
        clip_uv=log_uniform(rng, 250, 1500) if rng.random() < 0.15 else 3200.0,
        dead=tuple(dead),
    )


def amplify(
    rng: Generator, amplifier: Amplifier, eeg: NDArray[np.float32], sfreq: float
) -> None:
    """Turn (19, n) µV into what is stored, in place."""
    n = eeg.shape[1]
    edges = (amplifier.low_hz, min(amplifier.high_hz, 0.45 * sfreq))
    sos = butter(1, edges, "bandpass", fs=sfreq, output="sos").astype(np.float32)
    for row in eeg:
        row[:] = sosfilt(sos, row)
    if amplifier.mains_uv and amplifier.mains_hz < sfreq / 2:
        times = np.arange(n) * (2 * np.pi * amplifier.mains_hz / sfreq)
        hum = np.sin(times + wander(rng, n, sfreq, 0.05)).astype(np.float32)
        hum *= np.exp(0.3 * wander(rng, n, sfreq, 0.02))
        for row in eeg:
            row += hum * np.float32(amplifier.mains_uv * rng.beta(0.5, 2))
    eeg -= eeg.mean(axis=0)
    for row, first, last in amplifier.dead:
        eeg[row, int(first * n) : int(last * n)] = 0.0
    np.clip(eeg, -amplifier.clip_uv, amplifier.clip_uv, out=eeg)
