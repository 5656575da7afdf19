"""What tests of live streams listen to: loud seizures in quiet noise, in 18 leads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def signal(
    duration_s: float,
    seizures: Sequence[tuple[float, float]] = (),
    sfreq: float = 256.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Noise (18, n) in microvolts; a 4 Hz rhythm in four leads during seizures."""
    n_times = round(duration_s * sfreq)
    x = np.random.default_rng(seed).normal(0, 8, (18, n_times))
    t = np.arange(n_times) / sfreq
    for onset, end in seizures:
        ictal = (t >= onset) & (t < end)
        x[:4] += 500 * np.sin(2 * np.pi * 4 * t) * ictal
    return x.astype(np.float32)
