"""Raw microvolts, in chunks of any size -> 18 conditioned leads in whole seconds.

Subtraction, resampling to 256 Hz, band pass and notches are causal and carry their
state, so a file and a live stream give bit-identical numbers for any chunking. Each
second of each lead says whether it can be used. Knows no file format and no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, firwin, iirnotch, sosfilt, tf2sos, upfirdn

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.montage import Montage
from distilclip_eeg.eeg.quality import FAULTS, channel_faults, lead_faults
from distilclip_eeg.errors import UnreadableRecordingError

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]

MIN_SFREQ_HZ: Final = 100.0  # below, the band that seizures live in is cut
MAX_SFREQ_DENOMINATOR: Final = 200  # rates of EDF are exact; the worst is off by 2e-5
MAX_UV: Final = 1e15  # float32 can still hold its square, summed over a second
FIR_HALF_LENGTH: Final = 10  # zero crossings each side, at the slower rate


@dataclass(frozen=True, slots=True)
class Conditioned:
    """Whole seconds of the standard montage.

    Attributes
    ----------
    leads
        (18, 256 * n_s) microvolts; where a lead is missing, zeros.
    usable
        (18, n_s) whether the second of the lead can be trusted.
    faults
        Kind of fault -> (18, n_s) where it was seen; missing leads carry none.
    """

    leads: Samples
    usable: Flags
    faults: dict[str, Flags]

    @property
    def n_seconds(self) -> int:
        return int(self.usable.shape[1])


class Resampler:
    """Causal polyphase resampling with carried state.

    The delay is 10 samples at the slower of the two rates, 50 ms from 200 Hz.

    Every output is one dot product over the same inputs whatever the chunking.
    """

    def __init__(self, up: int, down: int, n_rows: int) -> None:
        self.up, self.down = up, down
        half = FIR_HALF_LENGTH * max(up, down)
        taps = firwin(2 * half + 1, 1.0 / max(up, down), window=("kaiser", 5.0)) * up
        self._taps = taps.astype(np.float32)
        self._history = np.zeros((n_rows, 0), np.float32)
        self._first = 0  # index of the first sample kept, a multiple of `down`
        self._n_out = 0

    def push(self, x: Samples, n_out: int) -> Samples:
        """Return the next `n_out` outputs after taking in `x` (n_rows, n)."""
        self._history = np.concatenate([self._history, x], axis=1)
        start = self._n_out - self._first * self.up // self.down
        y = upfirdn(self._taps, self._history, self.up, self.down, axis=1)
        out = y[:, start : start + n_out]
        self._n_out += n_out
        needed = (self._n_out * self.down - len(self._taps) + 1) // self.up
        keep = max(self._first, needed // self.down * self.down)
        self._history = self._history[:, keep - self._first :]
        self._first = keep
        return np.asarray(out, np.float32)

    def state(self) -> dict[str, Any]:
        """Give what the next outputs rest on, as JSON values and arrays."""
        return {
            "history": self._history,
            "first": self._first,
            "n_out": self._n_out,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._history = state["history"]
        self._first, self._n_out = state["first"], state["n_out"]


class Conditioner:
    """One contiguous stretch of a recording, conditioned as it arrives.

    Parameters
    ----------
    montage
        Which channels make which lead.
    sfreq
        Rate of the input in Hz.

    Raises
    ------
    UnreadableRecordingError
        If the rate is under 100 Hz.
    """

    def __init__(self, montage: Montage, sfreq: float, config: SignalConfig) -> None:
        if not sfreq >= MIN_SFREQ_HZ:
            raise UnreadableRecordingError(
                f"sampled at {sfreq:g} Hz; at least {MIN_SFREQ_HZ:g} Hz is needed: "
                "use the recording at its original rate"
            )
        self._montage = montage
        self._sfreq = Fraction(sfreq).limit_denominator(MAX_SFREQ_DENOMINATOR)
        self._out_sfreq = round(config.sfreq)
        ratio = Fraction(self._out_sfreq) / self._sfreq
        n_leads = len(montage.paths)
        self._resampler = (
            Resampler(ratio.numerator, ratio.denominator, n_leads)
            if ratio != 1
            else None
        )
        band, notch = filter_sections(config)
        self._band, self._notch = _Filter(band, n_leads), _Filter(notch, n_leads)
        n_picks = len(montage.picks)
        self._pending = np.zeros((n_picks, 0), np.float32)
        self._n_in = 0  # samples of the seconds already given out
        self._n_seconds = 0
        self._begun: Flags | None = None  # which channels had a finite sample
        self._late = np.zeros((n_picks, 1), np.float32)  # first value, if after a gap
        self._hold = np.zeros((n_picks, 1), np.float32)  # last finite value
        self._offset: Samples | None = None  # first value of each lead: no transient

    def push(self, chunk: NDArray[np.floating]) -> Conditioned:
        """Take in (n_picks, n) microvolts, give out the seconds that are complete."""
        self._pending = np.concatenate([self._pending, _possible(chunk)], axis=1)
        n_total = self._n_in + self._pending.shape[1]
        n_complete = int(n_total / self._sfreq)
        edges = [
            self._edge(k) - self._n_in for k in range(self._n_seconds, n_complete + 1)
        ]
        block, self._pending = np.split(self._pending, [edges[-1]], axis=1)
        return self._condition(block, np.array(edges[:-1], np.intp))

    def close(self) -> Conditioned:
        """Give out the last, incomplete second, completed by holding its last value."""
        n_missing = self._edge(self._n_seconds + 1) - self._n_in
        n_missing -= self._pending.shape[1]
        if self._pending.shape[1] == 0:
            n_missing = 0
        return self.push(np.repeat(self._pending[:, -1:], n_missing, axis=1))

    def state(self) -> dict[str, Any]:
        """Give what the next seconds rest on, as JSON values and arrays.

        The arrays are those in use: they hold until the next `push`.
        """
        return {
            "pending": self._pending,
            "n_in": self._n_in,
            "n_seconds": self._n_seconds,
            "begun": self._begun,
            "late": self._late,
            "hold": self._hold,
            "offset": self._offset,
            "resampler": self._resampler and self._resampler.state(),
            "band": self._band.carried,
            "notch": self._notch.carried,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on, bit for bit, from what `state` gave for the same montage and rate."""
        self._pending = state["pending"]
        self._n_in, self._n_seconds = state["n_in"], state["n_seconds"]
        self._begun, self._offset = state["begun"], state["offset"]
        self._late, self._hold = state["late"], state["hold"]
        if self._resampler is not None:
            self._resampler.restore(state["resampler"])
        self._band.carried, self._notch.carried = state["band"], state["notch"]

    def _edge(self, second: int) -> int:
        return -int(-(second * self._sfreq) // 1)  # ceil: first sample of the second

    def _condition(self, block: Samples, starts: NDArray[np.intp]) -> Conditioned:
        n_s = len(starts)
        if n_s == 0:
            n_leads = len(self._montage.paths)
            nothing = np.zeros((n_leads, 0), bool)
            return Conditioned(
                np.zeros((n_leads, 0), np.float32),
                nothing,
                dict.fromkeys(FAULTS, nothing),
            )
        bad_channels = channel_faults(block, starts)
        leads = self._montage.leads(self._filled(block))
        if self._offset is None:
            self._offset = leads[:, :1].copy()
        leads -= self._offset
        n_out = n_s * self._out_sfreq
        if self._resampler is not None:
            leads = self._resampler.push(leads, n_out)
        with_hum = self._band(leads)
        clean = self._notch(with_hum)
        faults = {
            kind: self._montage.any_bad(bad) & self._montage.present[:, None]
            for kind, bad in bad_channels.items()
        }
        for kind, bad in lead_faults(with_hum, clean, self._out_sfreq).items():
            bad = bad & self._montage.present[:, None]
            faults[kind] = faults[kind] | bad if kind in faults else bad
        unusable = np.logical_or.reduce(list(faults.values()))
        self._n_in += block.shape[1]
        self._n_seconds += n_s
        return Conditioned(clean, self._montage.present[:, None] & ~unusable, faults)

    def _filled(self, block: Samples) -> Samples:
        """Replace non-finite samples by the last finite one of their channel.

        A channel that begins with none is 0 up to its first and measured from that: a
        step to an electrode's offset of millivolts would ring for seconds.
        """
        finite = np.isfinite(block)
        if self._begun is None:
            self._begun = finite[:, 0].copy()
        for channel in np.flatnonzero(finite.any(axis=1) & ~self._begun):
            self._late[channel] = block[channel, finite[channel].argmax()]
            self._begun[channel] = True
        block = block - self._late
        if not finite.all():
            block = np.concatenate([self._hold, block], axis=1)
            finite = np.isfinite(block)
            last = np.where(finite, np.arange(block.shape[1]), 0)
            np.maximum.accumulate(last, axis=1, out=last)
            block = np.take_along_axis(block, last, axis=1)[:, 1:]
        self._hold = block[:, -1:].copy()
        return block


def _possible(chunk: NDArray[np.floating]) -> Samples:
    """As float32; what no amplifier gives, and no filter could hold, as NaN."""
    with np.errstate(over="ignore"):
        chunk = chunk.astype(np.float32)
    highest = max(chunk.max(initial=0), -chunk.min(initial=0))
    if not highest < MAX_UV:  # also where one is NaN
        chunk[np.abs(chunk) >= MAX_UV] = np.nan
    return chunk


class _Filter:
    """Second-order sections over rows, float32, state carried."""

    def __init__(self, sections: NDArray[np.float64], n_rows: int) -> None:
        self._sections = sections.astype(np.float32)
        self.carried = np.zeros((len(sections), n_rows, 2), np.float32)

    def __call__(self, x: Samples) -> Samples:
        y, self.carried = sosfilt(self._sections, x, axis=1, zi=self.carried)
        return np.asarray(y)


def filter_sections(
    config: SignalConfig,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the band pass and the notches as second-order sections (n, 6)."""
    band = np.concatenate(
        [
            butter(2, config.highpass_hz, "highpass", fs=config.sfreq, output="sos"),
            butter(4, config.lowpass_hz, "lowpass", fs=config.sfreq, output="sos"),
        ]
    )
    notch = [
        tf2sos(*iirnotch(hz, config.notch_q, fs=config.sfreq)) for hz in config.notch_hz
    ]
    return band, np.concatenate(notch)
