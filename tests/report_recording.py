"""A short EDF+ with loud stretches, notes and a patient, for tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from conftest import LABELS
from edf_writer import Signal, write_edf

SFREQ = 256
PATIENT = "MCH-0234567 F 02-MAY-1951 Haagse_Harriet"
HOSTILE = '<script>alert(1)</script> & "more" of Harriet\'s'


def annotation_signal(lists: Sequence[bytes], n_records: int, n_bytes: int) -> Signal:
    """One list of annotations per record; records without one keep time alone."""
    texts = [b"%+d\x14\x14\0" % second for second in range(n_records)]
    for record, more in enumerate(lists):
        texts[record] += more
    data = b"".join(text.ljust(n_bytes, b"\0") for text in texts)
    return Signal("EDF Annotations", np.frombuffer(data, "<i2"), "", (-1, 1))


def write_recording(
    path: Path,
    n_seconds: int = 60,
    loud_s: Sequence[tuple[int, int]] = ((15, 24), (40, 52)),
    *,
    loud_uv: float = 60.0,
    labels: Sequence[str] = LABELS,
    patient: str = PATIENT,
) -> Path:
    """Quiet noise with stretches in which every electrode is loud."""
    rng = np.random.default_rng(3)
    uv = rng.normal(0, 4, (len(labels), n_seconds * SFREQ))
    for start, stop in loud_s:
        here = slice(start * SFREQ, stop * SFREQ)
        uv[:, here] += rng.normal(0, loud_uv, uv[:, here].shape)
    signals = [
        Signal(label, np.clip(np.round(10 * row), -32768, 32767))
        for label, row in zip(labels, uv, strict=True)
    ]
    lists = [
        b"",
        b"+2.5\x15" + b"4\x14" + HOSTILE.encode() + b"\x14\0",
        b"+16\x14push button\x14\0",
    ]
    notes = annotation_signal(lists, n_seconds, 120)
    return write_edf(
        path,
        [*signals, notes],
        n_records=n_seconds,
        kind="EDF+C",
        main={"patient": patient, "date": "02.03.19", "time": "23.59.50"},
    )
