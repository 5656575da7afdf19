"""EDF, EDF+, BDF and BDF+ records -> float32 µV, read by offset.

Memory does not grow with the file: a read fetches the records it needs and nothing is
mapped, since mapped pages count as memory. Channels at another rate than the EEG are
resampled on reading. Knows neither montage nor annotations.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, upfirdn

from distilclip_eeg.eeg.edf_header import (
    EdfHeader,
    EdfSignal,
    looks_like_eeg,
    named,
    read_header,
)
from distilclip_eeg.eeg.edf_times import record_onsets, runs_of_records
from distilclip_eeg.eeg.recording import Recording, Segment, checked_sfreq
from distilclip_eeg.errors import UnreadableRecordingError

_RUN_BYTES = 16 * 2**20  # read at once, however long the span
_WIDE_RECORD_BYTES = 2 * 2**20  # from here on single signals are fetched, not records
_MAX_RATIO = 10_000  # longer anti-alias filters serve no signal of the body
_FILTER_PERIODS = 10  # as scipy.signal.resample_poly


class EdfRecording(Recording):
    """A recording in an EDF or BDF file.

    `sfreq` is the highest rate among the channels that look like EEG. Annotation
    signals keep their place in `ch_names` and read as NaN.

    Raises
    ------
    UnreadableRecordingError
        If the header does not tell where the samples are.
    """

    def __init__(self, path: Path) -> None:
        header = read_header(path)
        self._path, self._header = path, header
        self._n_samples = _main_n_samples(header.signals)
        self.name = path.stem
        self.ch_names = tuple(signal.label for signal in header.signals)
        self.sfreq = checked_sfreq(path.name, self._n_samples / header.record_s)
        runs, complaints = self._runs()
        self._first_records = [first for first, _ in runs]
        ends = [*self._first_records[1:], header.n_records]
        self.segments = tuple(
            Segment(onset_s, (end - first) * self._n_samples)
            for (first, onset_s), end in zip(runs, ends, strict=True)
        )
        self.duration_s = runs[-1][1] + (ends[-1] - runs[-1][0]) * header.record_s
        self.start_time = self._start_time()
        self.warnings = (*header.warnings, *complaints, *self._about_rates())

    def read(
        self, picks: Sequence[int], segment: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        self._check_span(picks, segment, start, stop)
        out = np.full((len(picks), stop - start), np.nan, np.float32)
        jobs: list[tuple[EdfSignal, NDArray[np.float32]]] = []
        with _File(self._path, self._header) as file:
            for row, pick in zip(out, picks, strict=True):
                signal = self._header.signals[pick]
                if not signal.is_readable or signal.is_annotation:
                    continue
                if signal.n_samples == self._n_samples:
                    jobs.append((signal, row))
                else:
                    self._resample(file, signal, segment, start, row)
            file.fill(jobs, self._first_records[segment] * self._n_samples + start)
        return out

    def _runs(self) -> tuple[list[tuple[int, float]], list[str]]:
        if not self._header.is_discontinuous:
            return [(0, 0.0)], []
        if not any(signal.is_annotation for signal in self._header.signals):
            return [(0, 0.0)], ["gaps announced but not written: taken as continuous"]
        onsets = record_onsets(self._path, self._header)
        return runs_of_records(onsets, self._header.record_s, self.sfreq)

    def _start_time(self) -> datetime | None:
        start = self._header.start_time
        if start is None or not self._header.is_plus:
            return start
        # The header has whole seconds; the rest is the onset of the first record.
        onset_s = float(record_onsets(self._path, self._header, n_records=1)[0])
        return (
            start + timedelta(seconds=onset_s) if 0 <= onset_s < 366 * 86_400 else start
        )

    def _about_rates(self) -> list[str]:
        others = [
            signal
            for signal in self._header.signals
            if looks_like_eeg(signal.label)
            and signal.n_samples not in (0, self._n_samples)
        ]
        hopeless = [s.label for s in others if max(self._ratio(s)) > _MAX_RATIO]
        resampled = [s.label for s in others if s.label not in hopeless]
        about = {
            f"resampled to {self.sfreq:g} Hz": resampled,
            "at a rate too far from the others, read as not a number": hopeless,
        }
        return [f"{named(labels)}: {what}" for what, labels in about.items() if labels]

    def _ratio(self, signal: EdfSignal) -> tuple[int, int]:
        divisor = math.gcd(self._n_samples, signal.n_samples)
        return self._n_samples // divisor, signal.n_samples // divisor

    def _resample(
        self,
        file: _File,
        signal: EdfSignal,
        segment: int,
        start: int,
        row: NDArray[np.float32],
    ) -> None:
        """Fill `row` with the segment's samples from `start` on, at `sfreq`.

        Each output sample is the same sum over the same input samples wherever a read
        begins, so chunks join without a seam. Ends of a segment are held.
        """
        up, down = self._ratio(signal)
        if max(up, down) > _MAX_RATIO or not row.size:
            return
        taps = _anti_alias(max(up, down))
        half = len(taps) // 2
        n_in = self.segments[segment].n_times // self._n_samples * signal.n_samples
        low = (start * down - half) // up
        # The first output must fall on the grid of `down`: begin a little earlier.
        low -= (low - half * pow(up, -1, down)) % down if down > 1 else 0
        high = -(-((start + row.size) * down + half) // up) + 1
        source = np.empty(min(high, n_in) - max(low, 0), np.float32)
        origin = self._first_records[segment] * signal.n_samples
        file.fill([(signal, source)], origin + max(low, 0))
        held = np.pad(source, (max(-low, 0), max(high - n_in, 0)), mode="edge")
        first = (start * down + half - low * up) // down
        filtered = upfirdn(taps * up, held.astype(np.float64), up, down)
        row[:] = filtered[first : first + row.size]


@lru_cache(maxsize=8)
def _anti_alias(ratio: int) -> NDArray[np.float64]:
    n_taps = 2 * _FILTER_PERIODS * ratio + 1
    return np.asarray(firwin(n_taps, 1 / ratio, window=("kaiser", 5.0)))


def _main_n_samples(signals: Sequence[EdfSignal]) -> int:
    """Samples per record of the fastest channels that look like EEG.

    Without such labels: what most channels have, the faster of two equals.
    """
    counts = [s.n_samples for s in signals if s.n_samples and not s.is_annotation]
    eeg = [s.n_samples for s in signals if looks_like_eeg(s.label)]
    if any(eeg):
        return max(eeg)
    return max(Counter(counts).items(), key=lambda item: (item[1], item[0]))[0]


@dataclass
class _File:
    """An open EDF file that fills rows with µV; closed by `with`."""

    path: Path
    header: EdfHeader

    def __enter__(self) -> _File:
        try:
            self._file: BinaryIO = self.path.open("rb", buffering=0)
        except OSError as error:
            raise self._gone(error.strerror or "cannot be opened") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fill(
        self, jobs: Sequence[tuple[EdfSignal, NDArray[np.float32]]], start: int
    ) -> None:
        """Fill rows of equal length, each from sample `start` of its signal on.

        All signals must have the same number of samples per record.
        """
        if not jobs:
            return
        per_record, n_times = jobs[0][0].n_samples, jobs[0][1].size
        n_bytes = self.header.record_bytes
        wide = n_bytes > _WIDE_RECORD_BYTES
        step = per_record * (1 if wide else max(1, _RUN_BYTES // n_bytes))
        low, stop = start, start + n_times
        while low < stop:
            high = min(stop, (low // step + 1) * step)
            part = [(signal, row[low - start : high - start]) for signal, row in jobs]
            (self._fill_slices if wide else self._fill_records)(part, low)
            low = high

    def _fill_records(
        self, jobs: Sequence[tuple[EdfSignal, NDArray[np.float32]]], start: int
    ) -> None:
        per_record, n_times = jobs[0][0].n_samples, jobs[0][1].size
        first, end = start // per_record, -(-(start + n_times) // per_record)
        n_bytes, width = self.header.record_bytes, self.header.sample_bytes
        data = self._bytes(first * n_bytes, (end - first) * n_bytes)
        records = data.reshape(end - first, n_bytes)
        skip = start - first * per_record
        for signal, row in jobs:
            begin = signal.first * width
            own = records[:, begin : begin + per_record * width]
            microvolts = _microvolts(own, width, signal)
            row[:] = microvolts.reshape(-1)[skip : skip + n_times]

    def _fill_slices(
        self, jobs: Sequence[tuple[EdfSignal, NDArray[np.float32]]], start: int
    ) -> None:
        width = self.header.sample_bytes
        for signal, row in jobs:
            record, skip = divmod(start, signal.n_samples)
            offset = record * self.header.record_bytes + (signal.first + skip) * width
            data = self._bytes(offset, row.size * width)
            row[:] = _microvolts(data[None, :], width, signal)[0]

    def _bytes(self, offset: int, n_bytes: int) -> NDArray[np.uint8]:
        try:
            self._file.seek(self.header.data_start + offset)
            data = self._file.read(n_bytes)
        except OSError as error:
            raise self._gone(error.strerror or "cannot be read") from None
        if len(data) < n_bytes:
            raise self._gone("it became shorter")
        return np.frombuffer(data, np.uint8)

    def _gone(self, reason: str) -> UnreadableRecordingError:
        return UnreadableRecordingError(
            f"{self.path.name}: the file changed while it was read ({reason}); "
            "expected the records that its header was read with, copy it again"
        )


def _microvolts(
    data: NDArray[np.uint8], width: int, signal: EdfSignal
) -> NDArray[np.float32]:
    """(n_records, n_bytes) of one signal -> (n_records, n) µV; 24 bit fits float32."""
    if width == 2:
        numbers: NDArray[np.int16 | np.int32] = data.view("<i2")
    else:
        four = np.zeros((data.shape[0], data.shape[1] // 3, 4), np.uint8)
        four[..., 1:] = data.reshape(data.shape[0], -1, 3)
        numbers = four.view("<i4")[..., 0] >> 8
    out = np.multiply(numbers, np.float32(signal.gain), dtype=np.float32)
    out += np.float32(signal.offset)
    return out
