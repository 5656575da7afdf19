"""EDF and BDF written byte by byte, so that tests can also write what is wrong.

Independent of the reader and of edfio: the layout stands here a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distilclip_eeg.eeg.recording import Recording


@dataclass(frozen=True)
class Signal:
    """One signal: its stored numbers and what the header says of them.

    `numbers` has as many values as the file's records hold together.
    """

    label: str | bytes
    numbers: ArrayLike
    dimension: str | bytes = "uV"
    physical: tuple[float | str, float | str] = (-3276.8, 3276.7)
    digital: tuple[float | str, float | str] = (-32768, 32767)
    n_samples: int | str | None = None  # per record; from the numbers if None


def write_edf(
    path: Path,
    signals: Sequence[Signal],
    *,
    n_records: int,
    record_s: float | str = 1,
    onsets_s: Sequence[float | None] | None = None,
    kind: str = "",
    is_bdf: bool = False,
    main: Mapping[str, str | bytes] | None = None,
    tail: bytes = b"",
) -> Path:
    """Write a file; with `onsets_s`, each record gets a time-keeping annotation.

    `main` replaces fields of the main header: version, patient, recording, date,
    time, n_bytes, reserved, n_records, record_s, n_signals.
    """
    width = 3 if is_bdf else 2
    columns = [_records(np.asarray(s.numbers), n_records, width) for s in signals]
    signals = list(signals)
    if onsets_s is not None:
        label = "BDF Annotations" if is_bdf else "EDF Annotations"
        columns.append(_annotations(onsets_s, 12 * width))
        signals.append(Signal(label, [], "", (-1, 1)))
    counts = [column.shape[1] // width for column in columns]
    fields = {
        "version": b"\xffBIOSEMI" if is_bdf else "0",
        "patient": "X X X X",
        "recording": "Startdate X X X X",
        "date": "02.03.04",
        "time": "05.06.07",
        "n_bytes": str(256 * (len(signals) + 1)),
        "reserved": kind,
        "n_records": str(n_records),
        "record_s": str(record_s),
        "n_signals": str(len(signals)),
    }
    header = _main_header({**fields, **(main or {})}) + _headers(signals, counts)
    path.write_bytes(header + np.hstack(columns).tobytes() + tail)
    return path


def _main_header(fields: Mapping[str, str | bytes]) -> bytes:
    widths = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
    return b"".join(map(_field, fields.values(), widths))


def _headers(signals: Sequence[Signal], counts: Sequence[int]) -> bytes:
    columns: list[tuple[int, list[object]]] = [
        (16, [s.label for s in signals]),
        (80, ["" for _ in signals]),
        (8, [s.dimension for s in signals]),
        (8, [s.physical[0] for s in signals]),
        (8, [s.physical[1] for s in signals]),
        (8, [s.digital[0] for s in signals]),
        (8, [s.digital[1] for s in signals]),
        (80, ["" for _ in signals]),
        (
            8,
            [
                c if s.n_samples is None else s.n_samples
                for s, c in zip(signals, counts, strict=True)
            ],
        ),
        (32, ["" for _ in signals]),
    ]
    return b"".join(_field(value, n) for n, values in columns for value in values)


def _field(value: object, width: int) -> bytes:
    text = value if isinstance(value, bytes) else str(value).encode()
    assert len(text) <= width, (text, width)
    return text.ljust(width)


def _records(numbers: NDArray[np.generic], n: int, width: int) -> NDArray[np.uint8]:
    """(n_records, n_bytes) of one signal."""
    wide = numbers.astype("<i4").reshape(n, -1)
    by_byte = wide.view(np.uint8).reshape(n, wide.shape[1], 4)
    return by_byte[:, :, :width].reshape(n, -1)


def _annotations(onsets_s: Sequence[float | None], n: int) -> NDArray[np.uint8]:
    texts = [b"" if o is None else b"%+.12g\x14\x14\x00" % o for o in onsets_s]
    joined = b"".join(text.ljust(n, b"\0") for text in texts)
    return np.frombuffer(joined, np.uint8).reshape(len(texts), n)


def ramp(n_records: int, per_record: int, start: int = 0) -> NDArray[np.int64]:
    return np.arange(n_records * per_record) % 30_000 + start


def everything(recording: Recording, segment: int = 0) -> NDArray[np.float32]:
    picks = range(len(recording.ch_names))
    return recording.read(picks, segment, 0, recording.segments[segment].n_times)


def plain(path: Path, **options: object) -> Path:
    """Two channels, 5 records of 10 samples; `options` go to the writer."""
    signals = [Signal("Fp1", ramp(5, 10)), Signal("Fp2", ramp(5, 10, -70))]
    return write_edf(path, signals, n_records=5, **options)  # type: ignore[arg-type]
