"""What a reader chooses to see -> causal filters for viewing.

First-order high pass, as the time constant of an amplifier; second-order low pass;
notch. They run forward only, so nothing is seen before it happened. Only the values
listed here can be asked for. What the model hears is filtered elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

HIGHPASS_HZ: Final = (0.0, 0.1, 0.3, 0.5, 1.0, 1.6, 5.0)
LOWPASS_HZ: Final = (0.0, 15.0, 30.0, 50.0, 70.0)
NOTCH_HZ: Final = (0.0, 50.0, 60.0)
NOTCH_Q: Final = 10.0
HIGHEST_SHARE: Final = 0.45  # of the rate; a filter above does nothing
SETTLED: Final = 12.0  # time constants: a step of 10 mV is then below 0.1 µV
LEAST_WARM_UP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class ViewFilter:
    """Hz of each edge; 0 means that there is none."""

    highpass_hz: float = 0.5
    lowpass_hz: float = 70.0
    notch_hz: float = 0.0

    @property
    def warm_up_s(self) -> float:
        """How much must be heard before the output can be shown."""
        if not self.highpass_hz:
            return LEAST_WARM_UP_S
        return max(LEAST_WARM_UP_S, SETTLED / (2 * math.pi * self.highpass_hz))

    def sections(self, sfreq: float) -> NDArray[np.float64]:
        """Give second-order sections (n, 6) for this rate."""
        parts = [np.zeros((0, 6))]
        highest = HIGHEST_SHARE * sfreq
        if 0 < self.highpass_hz < highest:
            parts.append(
                butter(1, self.highpass_hz, "highpass", fs=sfreq, output="sos")
            )
        if 0 < self.lowpass_hz < highest:
            parts.append(butter(2, self.lowpass_hz, fs=sfreq, output="sos"))
        if 0 < self.notch_hz < highest:
            parts.append(tf2sos(*iirnotch(self.notch_hz, NOTCH_Q, fs=sfreq)))
        return np.concatenate(parts)

    def apply(self, x: NDArray[np.float32], sfreq: float) -> NDArray[np.float32]:
        """Filter rows (n_rows, n), as if each had stood at its first value before.

        Samples that are no numbers are passed over as zeros and given back as they
        were.
        """
        sections = self.sections(sfreq)
        if not len(sections) or not x.size:
            return x
        bad = ~np.isfinite(x)
        clean = np.where(bad, np.float32(0), x)
        state = sosfilt_zi(sections)[:, None, :] * clean[None, :, :1]
        y, _ = sosfilt(
            sections.astype(np.float32), clean, axis=1, zi=state.astype(np.float32)
        )
        y[bad] = np.nan
        return np.asarray(y, np.float32)
