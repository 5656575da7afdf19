"""Samples -> the lowest and the highest value of every bin.

What is drawn from them has the outline of what would be drawn from all samples. Values
that are not there are NaN and count for nothing. Knows no time and no recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def lowest_and_highest(x: Samples, edges: NDArray[np.intp]) -> tuple[Samples, Samples]:
    """Reduce (n_rows, n) to two arrays (n_rows, n_bins).

    Parameters
    ----------
    edges
        (n_bins + 1,) ascending positions in `x`; bin b holds edges[b] to edges[b + 1].

    Returns
    -------
    lowest, highest
        NaN where a bin is empty or holds no number.
    """
    n_bins = len(edges) - 1
    shape = (x.shape[0], n_bins)
    low, high = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    filled = np.flatnonzero(np.diff(edges) > 0)
    if len(filled):
        starts, used = edges[:-1][filled], x[:, : edges[-1]]
        low[:, filled] = np.fmin.reduceat(used, starts, axis=1)
        high[:, filled] = np.fmax.reduceat(used, starts, axis=1)
    return low, high


def coarser(low: Samples, high: Samples, factor: int) -> tuple[Samples, Samples]:
    """Join `factor` bins to one; the last may hold fewer."""
    edges = np.arange(0, low.shape[1] + factor, factor)
    edges[-1] = min(edges[-1], low.shape[1])
    edges = np.unique(np.minimum(edges, low.shape[1]))
    lows, _ = lowest_and_highest(low, edges)
    _, highs = lowest_and_highest(high, edges)
    return lows, highs


def interleaved(low: Samples, high: Samples) -> Samples:
    """Give (n_rows, 2 * n_bins): lowest, highest, lowest, ... of bin after bin."""
    return np.stack([low, high], axis=2).reshape(low.shape[0], -1)
