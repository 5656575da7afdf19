"""Time-keeping annotations of EDF+ -> when each run of records began.

In EDF+ the first annotation of a record says when the record starts (EDF+ clause
2.2.4). Only these few bytes are read. Knows no samples.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.edf_header import EdfHeader

_ONSET = re.compile(rb"[\s\0]*([+-]\d{1,12}(?:\.\d{0,12})?)[\x14\x15]")
_LONGEST_ONSET_BYTES = 64
# Clocks round to the millisecond; a longer step is a gap.
_CLOCK_S = 0.001
# Beyond these an onset is a writing error and would fill memory with empty seconds.
_LONGEST_GAP_S = 30 * 86_400.0
_LONGEST_RECORDING_S = 366 * 86_400.0


def record_onsets(
    path: Path, header: EdfHeader, n_records: int | None = None
) -> NDArray[np.float64]:
    """Seconds after the header's start time at which records begin.

    Parameters
    ----------
    n_records
        How many records from the first on; all if None.

    Returns
    -------
    (n_records,) seconds, NaN where a record does not say.
    """
    n_records = header.n_records if n_records is None else n_records
    onsets = np.full(n_records, np.nan)
    signal = next((s for s in header.signals if s.is_annotation and s.n_samples), None)
    if signal is None:
        return onsets
    n_bytes = min(signal.n_samples * header.sample_bytes, _LONGEST_ONSET_BYTES)
    start = header.data_start + signal.first * header.sample_bytes
    # Unbuffered, so that a small read does not fetch the samples around it.
    with path.open("rb", buffering=0) as file:
        for i in range(n_records):
            file.seek(start + i * header.record_bytes)
            match = _ONSET.match(file.read(n_bytes))
            if match:
                onsets[i] = float(match[1])
    return onsets


def runs_of_records(
    onsets: NDArray[np.float64], record_s: float, sfreq: float
) -> tuple[list[tuple[int, float]], list[str]]:
    """Cut records into runs without a gap.

    Parameters
    ----------
    onsets
        (n_records,) seconds, NaN where unknown.

    Returns
    -------
    runs
        For each run its first record and its onset in seconds after the first record.
    warnings
        What in the onsets could not be true.
    """
    tolerance_s = 1 / sfreq + _CLOCK_S
    expected = np.arange(len(onsets)) * record_s
    unknown = ~np.isfinite(onsets)
    origin = 0.0 if unknown[0] else float(onsets[0])
    # How much later than without any gap each record began; the last known one holds.
    known = np.maximum.accumulate(np.where(unknown, 0, np.arange(len(onsets))))
    delay = np.where(unknown[known], 0.0, (onsets - origin - expected)[known])
    step = np.diff(delay, prepend=0.0)
    nonsense = (step > _LONGEST_GAP_S) | (delay + expected > _LONGEST_RECORDING_S)
    gaps = (step > tolerance_s) & ~nonsense
    runs, end_s, first = [(0, 0.0)], 0.0, 0
    for record in np.flatnonzero(gaps).tolist():
        end_s = runs[-1][1] + (record - first) * record_s
        # A clock that was set back leaves the run where the one before ended.
        runs.append((record, max(float(delay[record] + expected[record]), end_s)))
        first = record
    return runs, _complaints(unknown, step < -tolerance_s, nonsense)


def _complaints(
    unknown: NDArray[np.bool_],
    backwards: NDArray[np.bool_],
    nonsense: NDArray[np.bool_],
) -> list[str]:
    found = {
        "without a start time": int(unknown.sum()),
        "that start before the one before them ends": int(backwards.sum()),
        "with an impossible start time": int(nonsense.sum()),
    }
    return [
        f"{count} records {what}: taken to follow the one before"
        for what, count in found.items()
        if count
    ]
