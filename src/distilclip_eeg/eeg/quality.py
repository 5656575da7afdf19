"""One second of one channel -> what is wrong with it.

Looks at the samples of that second alone, never at the whole recording, so a live
stream and a file agree. Thresholds are chosen to flag what no brain produces; a
suppressed EEG of a few microvolts passes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]

FAULTS: Final = ("not_a_number", "flat", "clipped", "disconnected")
FLAT_UV: Final = 0.5  # peak to peak in a second; amplifier noise alone exceeds it
CLIP_RUN: Final = 4  # equal neighbours at the extreme, in samples at any rate
CLIP_SHARE: Final = 0.05  # of the second spent in such runs
CLIP_MIN_UV: Final = 50.0  # below, equal neighbours are coarse digitisation
HUM_UV: Final = 100.0  # rms of 50/60 Hz in a bipolar lead ...
HUM_RATIO: Final = 5.0  # ... and this much more than everything else
HUGE_UV: Final = 5000.0  # in band; scalp EEG and movement stay below


def channel_faults(block: Samples, starts: NDArray[np.intp]) -> dict[str, Flags]:
    """Judge raw channels second by second.

    Parameters
    ----------
    block
        (n_chans, n) microvolts, non-finite samples allowed.
    starts
        First sample of each second, ascending from 0.

    Returns
    -------
    dict
        Fault -> (n_chans, n_s).
    """
    finite = np.isfinite(block)
    if finite.all():
        bad = np.zeros((len(block), len(starts)), bool)
    else:
        bad = ~np.logical_and.reduceat(finite, starts, axis=1)
        block = np.where(finite, block, np.float32(0))
    high = np.maximum.reduceat(block, starts, axis=1)
    low = np.minimum.reduceat(block, starts, axis=1)
    spread = high - low
    clipped = _clipped(block, starts, high, low) & (spread > CLIP_MIN_UV) & ~bad
    return {"not_a_number": bad, "flat": (spread < FLAT_UV) & ~bad, "clipped": clipped}


def _clipped(
    block: Samples, starts: NDArray[np.intp], high: Samples, low: Samples
) -> Flags:
    """Whether a second sits at its own extreme in runs, as a full amplifier does."""
    lengths = np.diff(starts, append=block.shape[1])
    held = block[:, 1:] == block[:, :-1]
    if not held.any():
        return np.zeros(high.shape, bool)
    at_rail = (block == np.repeat(high, lengths, axis=1)) | (
        block == np.repeat(low, lengths, axis=1)
    )
    # A run ends with its second: else the chunk that a second came in would count.
    since_start = np.arange(block.shape[1]) - np.repeat(starts, lengths)
    run = at_rail & (since_start >= CLIP_RUN - 1)
    for shift in range(1, CLIP_RUN):
        run[:, shift:] &= at_rail[:, :-shift]
    share = np.add.reduceat(run, starts, axis=1, dtype=np.int64) / lengths
    return np.asarray(share > CLIP_SHARE)


def lead_faults(with_hum: Samples, clean: Samples, sfreq: int) -> dict[str, Flags]:
    """Judge leads after the band pass, before (`with_hum`) and after the notches.

    Both are (n_leads, sfreq * n_s) microvolts. A lead whose two electrodes are
    bridged is flat here although each channel is not.
    """
    shape = (len(clean), -1, sfreq)
    eeg = clean.reshape(shape)
    hum = (with_hum - clean).reshape(shape)
    eeg_rms = np.sqrt(np.mean(eeg * eeg, axis=2))
    hum_rms = np.sqrt(np.mean(hum * hum, axis=2))
    high, low = eeg.max(axis=2), eeg.min(axis=2)
    loose = (hum_rms > HUM_UV) & (hum_rms > HUM_RATIO * eeg_rms)
    return {
        "disconnected": loose | (np.maximum(high, -low) > HUGE_UV),
        "flat": (high - low) < FLAT_UV,
    }
