"""A recording: microvolts in chunks, whatever the format it came from.

Turns a file, an array or an MNE object into consecutive chunks of float32 µV, with
gaps kept as gaps. Knows neither file formats nor which channels make a lead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distilclip_eeg.errors import UnreadableRecordingError

# Beyond these no EEG amplifier works; a header that says so is damaged.
MIN_SFREQ = 1.0
MAX_SFREQ = 100_000.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A contiguous stretch of samples.

    Attributes
    ----------
    onset_s
        Seconds after the start of the recording.
    n_times
        Samples at `Recording.sfreq`.
    """

    onset_s: float
    n_times: int


class Recording(ABC):
    """Microvolts in chunks.

    Attributes
    ----------
    name
        Stem of the file, or "array".
    ch_names
        Labels as they stand in the file, EEG or not; duplicates are kept. A pick is a
        position in this tuple.
    sfreq
        Hz of the EEG channels, the one rate that `read` returns.
    start_time
        Local time of the first sample; None if absent or impossible.
    duration_s
        From the first sample to the last, gaps included.
    segments
        In order of time, without overlap.
    warnings
        One clear line each: what is unusual about the file and what was done about it.
    """

    name: str
    ch_names: tuple[str, ...]
    sfreq: float
    start_time: datetime | None
    duration_s: float
    segments: tuple[Segment, ...]
    warnings: tuple[str, ...]

    @abstractmethod
    def read(
        self, picks: Sequence[int], segment: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        """Samples `start` to `stop` of one segment.

        Returns
        -------
        (n_picks, stop - start) float32 µV; not finite where a channel has no scaling.
        The values do not depend on how a segment is cut into reads.

        Raises
        ------
        IndexError
            If the span lies outside the segment, or a pick outside `ch_names`.
        UnreadableRecordingError
            If the file has become shorter or vanished since it was opened.
        """

    def blocks(
        self, picks: Sequence[int], segment: int, block_s: float = 60.0
    ) -> Iterator[NDArray[np.float32]]:
        """Consecutive chunks of a segment, each (n_picks, n) µV; the last is short."""
        n_times = self.segments[segment].n_times
        step = max(1, round(block_s * self.sfreq))
        for start in range(0, n_times, step):
            yield self.read(picks, segment, start, min(start + step, n_times))

    def _check_span(
        self, picks: Sequence[int], segment: int, start: int, stop: int
    ) -> None:
        if not 0 <= segment < len(self.segments):
            raise IndexError(f"segment {segment} of {len(self.segments)}")
        n_times = self.segments[segment].n_times
        if not 0 <= start <= stop <= n_times:
            raise IndexError(f"samples {start}:{stop} of a segment of {n_times}")
        n_chans = len(self.ch_names)
        if any(not 0 <= pick < n_chans for pick in picks):
            raise IndexError(f"picks {list(picks)} of {n_chans} channels")


def checked_sfreq(name: str, sfreq: float) -> float:
    """The rate in Hz, if an EEG can have it.

    Raises
    ------
    UnreadableRecordingError
        If it is not a number between 1 Hz and 100 kHz.
    """
    if not MIN_SFREQ <= sfreq <= MAX_SFREQ:
        raise UnreadableRecordingError(
            f"{name}: found a sampling rate of {sfreq:g} Hz, expected {MIN_SFREQ:g} to "
            f"{MAX_SFREQ:g} Hz; export the recording again"
        )
    return float(sfreq)


def as_float32(microvolts: NDArray[np.generic]) -> NDArray[np.float32]:
    """Samples in single precision; what is too large for it is infinite, not told."""
    with np.errstate(over="ignore"):
        return microvolts.astype(np.float32)


class ArrayRecording(Recording):
    """A recording from an array.

    Parameters
    ----------
    data
        (n_chans, n_times) µV, of any real type; NaN is allowed.
    sfreq
        Hz.
    ch_names
        One label per row of `data`.

    Raises
    ------
    UnreadableRecordingError
        If shape, type, labels and rate do not fit together.
    """

    def __init__(
        self,
        data: ArrayLike,
        sfreq: float,
        ch_names: Sequence[str],
        *,
        name: str = "array",
        start_time: datetime | None = None,
    ) -> None:
        self.name = name
        self.ch_names = tuple(ch_names)
        self._data = self._checked(data)
        self.sfreq = checked_sfreq(name, sfreq)
        self.start_time = start_time
        self.duration_s = self._data.shape[1] / self.sfreq
        self.segments = (Segment(0.0, self._data.shape[1]),)
        self.warnings = ()

    def _checked(self, data: ArrayLike) -> NDArray[np.generic]:
        array = np.asarray(data)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise UnreadableRecordingError(
                f"{self.name}: found an array of shape {array.shape} and type "
                f"{array.dtype}, expected real numbers in the shape (n_chans, n_times)"
            )
        if array.shape[0] != len(self.ch_names) or not array.size:
            raise UnreadableRecordingError(
                f"{self.name}: found an array of shape {array.shape} and "
                f"{len(self.ch_names)} channel names, expected one name per row and at "
                "least one sample"
            )
        return array

    def read(
        self, picks: Sequence[int], segment: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        self._check_span(picks, segment, start, stop)
        rows = np.asarray(picks, dtype=np.intp)
        return as_float32(self._data[rows, start:stop])
