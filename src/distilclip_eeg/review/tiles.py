"""A recording, a montage and a filter -> tiles of traces to scroll through.

Level 0 has every sample, each level above it bins four times as wide, drawn from their
lowest and highest value. A tile says of every trace the same stretch of time; tiles of
one level lie side by side from the start of the recording on. Levels 0 and 1 are
computed from the file when they are asked for, the others from a pyramid.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.review.decimation import (
    coarser,
    interleaved,
    lowest_and_highest,
)
from distilclip_eeg.review.derivations import Derivation
from distilclip_eeg.review.filters import ViewFilter

BIN_S: Final = (0.0, 1 / 16, 1 / 4, 1.0, 4.0, 16.0)  # by level; 0: samples
BINS_PER_TILE: Final = 960
SAMPLES_TILE_S: Final = 10.0
FINEST_BIN_S: Final = 1 / 256  # of level 0, where the rate is above MAX_SAMPLES_HZ
MAX_SAMPLES_HZ: Final = 512.0
PYRAMID_LEVEL: Final = 2  # the finest that a pyramid keeps

Samples = NDArray[np.float32]


def tile_s(level: int) -> float:
    """Seconds that a tile of this level covers."""
    return BIN_S[level] * BINS_PER_TILE if level else SAMPLES_TILE_S


def n_tiles(level: int, duration_s: float) -> int:
    """Tiles of this level that a recording has."""
    return max(1, math.ceil(duration_s / tile_s(level) - 1e-9))


@dataclass(frozen=True, eq=False)
class Tile:
    """Traces of one stretch.

    Attributes
    ----------
    start_s, step_s
        Time of the first value, and between two.
    values
        (n_traces, n) µV, NaN where nothing was recorded; of bins in turn the lowest
        and the highest.
    is_whole
        False while a part has not been computed yet.
    """

    start_s: float
    step_s: float
    values: Samples
    is_whole: bool = True

    def to_bytes(self) -> bytes:
        """Give header and values: length, JSON, then float32, little-endian."""
        about = {
            "start_s": self.start_s,
            "step_s": self.step_s,
            "shape": list(self.values.shape),
            "is_whole": self.is_whole,
        }
        return packed(about, self.values)


def packed(about: dict[str, Any], values: NDArray[np.generic]) -> bytes:
    """Put a JSON header before float32 values, both on a border of four bytes."""
    text = json.dumps(about, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    size = len(text).to_bytes(4, "little")
    return size + text + np.ascontiguousarray(values, "<f4").tobytes()


@dataclass(frozen=True, eq=False)
class View:
    """What a reader looks at: a recording as these traces through this filter."""

    recording: Recording
    derivation: Derivation
    filter: ViewFilter

    def tile(self, level: int, index: int) -> Tile:
        """Compute a tile of level 0 or 1.

        Raises
        ------
        IndexError
            If the recording has no such tile.
        """
        start_s, stop_s = self.span(level, index)
        if level == 0 and self.recording.sfreq <= MAX_SAMPLES_HZ:
            first, x = self.samples(start_s, stop_s)
            sfreq = self.recording.sfreq
            return Tile(first / sfreq, 1 / sfreq, x)
        bin_s = BIN_S[level] if level else FINEST_BIN_S
        low, high = self.bins(start_s, stop_s, bin_s)
        return Tile(start_s, bin_s / 2, interleaved(low, high))

    def span(self, level: int, index: int) -> tuple[float, float]:
        """Give the first and the last second of a tile, cut to the recording."""
        duration_s = self.recording.duration_s
        if not 0 <= index < n_tiles(level, duration_s):
            raise IndexError(f"tile {index} of {n_tiles(level, duration_s)}")
        start_s = index * tile_s(level)
        return start_s, min(start_s + tile_s(level), duration_s)

    def bins(
        self, start_s: float, stop_s: float, bin_s: float
    ) -> tuple[Samples, Samples]:
        """Give the lowest and highest values (n_traces, n_bins) from `start_s` on."""
        first, x = self.samples(start_s, stop_s)
        n_bins = max(1, math.ceil((stop_s - start_s) / bin_s - 1e-6))
        times_s = start_s + bin_s * np.arange(n_bins + 1)
        edges = np.ceil(times_s * self.recording.sfreq - 1e-6).astype(np.intp) - first
        return lowest_and_highest(x, np.clip(edges, 0, x.shape[1]))

    def samples(self, start_s: float, stop_s: float) -> tuple[int, Samples]:
        """Give the filtered traces of a stretch.

        Returns
        -------
        first
            Number of the first sample, counted at `sfreq` from the recording's start.
        x
            (n_traces, n) µV, NaN in gaps.
        """
        sfreq = self.recording.sfreq
        first = math.ceil(start_s * sfreq - 1e-6)
        stop = math.ceil(stop_s * sfreq - 1e-6)
        out = np.full((len(self.derivation.traces), stop - first), np.nan, np.float32)
        for k, segment in enumerate(self.recording.segments):
            begin = round(segment.onset_s * sfreq)
            low = max(first, begin)
            high = min(stop, begin + segment.n_times)
            if low < high:
                piece = self._piece(k, low - begin, high - begin)
                out[:, low - first : high - first] = piece
        return first, out

    def _piece(self, segment: int, start: int, stop: int) -> Samples:
        """Filter samples of one segment, heard from a little before on."""
        sfreq = self.recording.sfreq
        early = max(0, start - round(self.filter.warm_up_s * sfreq))
        x = self.recording.read(self.derivation.picks, segment, early, stop)
        y = self.filter.apply(self.derivation.apply(x), sfreq)
        return y[:, start - early :]


class Pyramid:
    """The lowest and highest values of a whole recording in bins of a quarter second.

    Built block by block, in any order; a block is a tile of level 2. Reading while
    another thread builds gives what is there.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        duration_s = view.recording.duration_s
        n_bins = max(1, math.ceil(duration_s / BIN_S[PYRAMID_LEVEL] - 1e-9))
        shape = (len(view.derivation.traces), n_bins)
        self._low = np.full(shape, np.nan, np.float32)
        self._high = np.full(shape, np.nan, np.float32)
        self._built = np.zeros(n_tiles(PYRAMID_LEVEL, duration_s), np.bool_)

    @property
    def n_bytes(self) -> int:
        return self._low.nbytes + self._high.nbytes

    @property
    def is_whole(self) -> bool:
        return bool(self._built.all())

    def next_block(self, near_s: float) -> int | None:
        """Name the block that is not built and nearest to a time; None if all are."""
        open_blocks = np.flatnonzero(~self._built)
        if not len(open_blocks):
            return None
        middle = (open_blocks + 0.5) * tile_s(PYRAMID_LEVEL)
        return int(open_blocks[np.argmin(np.abs(middle - near_s))])

    def build(self, block: int) -> None:
        """Compute one block."""
        start_s, stop_s = self.view.span(PYRAMID_LEVEL, block)
        low, high = self.view.bins(start_s, stop_s, BIN_S[PYRAMID_LEVEL])
        at = slice(block * BINS_PER_TILE, block * BINS_PER_TILE + low.shape[1])
        self._low[:, at], self._high[:, at] = low, high
        self._built[block] = True

    def tile(self, level: int, index: int) -> Tile:
        """Give a tile of level 2 or above from what is built so far."""
        start_s, _ = self.view.span(level, index)
        factor = round(BIN_S[level] / BIN_S[PYRAMID_LEVEL])
        first = index * BINS_PER_TILE * factor
        at = slice(first, first + BINS_PER_TILE * factor)
        blocks = self._built[index * factor : (index + 1) * factor]
        low, high = coarser(self._low[:, at], self._high[:, at], factor)
        is_whole = bool(blocks.all())
        return Tile(start_s, BIN_S[level] / 2, interleaved(low, high), is_whole)
