"""What a live stream showed -> EDF+ or BDF+, record by record as it comes.

The file can be read at any moment and after any end of the process; it goes on after a
restart. Gaps stay gaps: the file becomes EDF+D with the first. Layout after the EDF+
specification, https://www.edfplus.info/specs/edfplus.html. Names nobody.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.whole_files import append_whole, written_whole
from distilclip_eeg.errors import OutputExistsError, StateError

UV_PER_STEP: Final = 0.1
MAX_STEPS: Final = {".edf": 32_767, ".bdf": 8_000_000}  # 24 bits for DC amplifiers
WIDTH: Final = {".edf": 2, ".bdf": 3}
ANNOTATION_BYTES: Final = 510  # of each record; a multiple of both widths
_MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"


class Recorder:
    """Writes one stream.

    Parameters
    ----------
    path
        `.edf` keeps ±3.2 mV, `.bdf` ±800 mV, both in steps of 0.1 µV.
    start
        Local time of the first sample of the stream.
    time_s
        Where in the stream the next sample lies; not 0 after a restart.
    go_on
        Whether a file that is there is continued.

    Raises
    ------
    OutputExistsError
        If the file exists and is not to be continued.
    StateError
        If it is to be continued and is of other channels.
    """

    def __init__(
        self,
        path: Path,
        ch_names: Sequence[str],
        sfreq: float,
        start: datetime,
        *,
        time_s: float = 0.0,
        go_on: bool = False,
    ) -> None:
        self._suffix, self._sfreq = path.suffix.lower(), sfreq
        self._n, self._n_chans = max(1, round(sfreq)), len(ch_names)
        self._width, self._max = WIDTH[self._suffix], MAX_STEPS[self._suffix]
        self._record_s = self._n / sfreq
        self._pending = np.zeros((self._n_chans, 0), np.int32)
        self._ready: tuple[float, bytes] | None = None  # a record, not yet written
        self._annotations: list[bytes] = []
        self._n_records, self._end_s = 0, 0.0
        self.n_clipped = 0
        header = self._header(ch_names, start)
        if path.exists():
            if not go_on:
                raise OutputExistsError(
                    f"{path} exists already; --force writes over it, or name another"
                )
        else:
            with written_whole(path) as partial:
                partial.write_bytes(header)
        self._file: BinaryIO = path.open("r+b", buffering=0)
        self._continue(path, header)
        self._time_s = max(time_s, self._end_s)  # of the next sample

    def push(self, uv: NDArray[np.floating]) -> None:
        """Take in (n_chans, n) microvolts; not-a-number is written as zero."""
        steps = np.nan_to_num(uv.astype(np.float64), posinf=0.0, neginf=0.0)
        steps = np.rint(steps / UV_PER_STEP)
        self.n_clipped += int((np.abs(steps) > self._max).sum())
        kept = np.clip(steps, -self._max, self._max).astype(np.int32)
        self._pending = np.concatenate([self._pending, kept], axis=1)
        while self._pending.shape[1] >= self._n:
            self._complete()

    def gap(self, onset_s: float, duration_s: float) -> None:
        """Pass over time of the stream without samples, and annotate it."""
        self.annotate(onset_s, duration_s, "gap")
        n_pending, until_s = self._pending.shape[1], onset_s + duration_s
        missing_s = until_s - self._time_s - n_pending / self._sfreq
        n_blank = min((-n_pending) % self._n, max(0, round(missing_s * self._sfreq)))
        if n_blank:
            blank = np.zeros((self._n_chans, n_blank), np.int32)
            self._pending = np.concatenate([self._pending, blank], axis=1)
        if self._pending.shape[1] >= self._n:
            self._complete()
        if not self._pending.shape[1]:
            self._time_s = max(until_s, self._time_s)

    def annotate(self, onset_s: float, duration_s: float, text: str) -> None:
        """Write something about a time of the stream."""
        times = f"+{_decimal(onset_s)}\x15{_decimal(duration_s)}"
        self._annotations.append(f"{times}\x14{text}\x14\0".encode())

    def close(self) -> None:
        """Write what is left; the last record is filled up by holding."""
        if n := self._pending.shape[1]:
            held = np.repeat(self._pending[:, -1:], self._n - n, axis=1)
            self._pending = np.concatenate([self._pending, held], axis=1)
            self._complete()
        self._write_ready()
        self._file.close()

    def abandon(self) -> None:
        """Leave the file as it is: what is left cannot be written."""
        self._file.close()

    def _complete(self) -> None:
        """Keep a record back until the next is there, for annotations to come."""
        self._write_ready()
        record, self._pending = np.split(self._pending, [self._n], axis=1)
        raw = np.ascontiguousarray(record, "<i4").view(np.uint8)
        raw = raw.reshape(*record.shape, 4)
        self._ready = (self._time_s, raw[..., : self._width].tobytes())
        self._time_s += self._record_s

    def _write_ready(self) -> None:
        if self._ready is None:
            return
        onset_s, samples = self._ready
        self._ready = None
        if self._n_records and abs(onset_s - self._end_s) > 0.5 / self._sfreq:
            self._patch(196, b"D")  # of EDF+D: from here on records do not touch
        text = f"+{_decimal(onset_s)}\x14\x14\0".encode()
        while self._annotations:
            if len(text) + len(self._annotations[0]) > ANNOTATION_BYTES:
                break
            text += self._annotations.pop(0)
        append_whole(self._file, samples + text.ljust(ANNOTATION_BYTES, b"\0"))
        self._n_records += 1
        self._end_s = onset_s + self._record_s
        self._patch(236, f"{self._n_records:<8d}".encode())

    def _patch(self, at: int, value: bytes) -> None:
        os.pwrite(self._file.fileno(), value, at)

    @property
    def _record_bytes(self) -> int:
        return self._n_chans * self._n * self._width + ANNOTATION_BYTES

    def _continue(self, path: Path, header: bytes) -> None:
        theirs = self._file.read(len(header))
        if theirs[256:] != header[256:] or theirs[244:252] != header[244:252]:
            self._file.close()
            raise StateError(
                f"{path}: holds other channels or another rate than the stream; name "
                "another recording"
            )
        size = self._file.seek(0, os.SEEK_END) - len(header)
        self._n_records = size // self._record_bytes
        end = len(header) + self._n_records * self._record_bytes
        self._file.truncate(end)
        if self._n_records:
            self._file.seek(end - ANNOTATION_BYTES)
            onset = self._file.read(32).partition(b"\x14")[0]
            self._end_s = float(onset) + self._record_s
        self._file.seek(end)

    def _header(self, ch_names: Sequence[str], start: datetime) -> bytes:
        bdf = self._suffix == ".bdf"
        kind = "BDF" if bdf else "EDF"
        month = _MONTHS[3 * start.month - 3 : 3 * start.month]  # whatever the locale
        date = f"{start:%d}-{month}-{start.year}"
        n_signals = self._n_chans + 1
        version = b"\xffBIOSEMI" if bdf else b"0       "
        main = "".join(
            text.ljust(width)
            for text, width in (
                ("X X X X", 80),
                (f"Startdate {date} X X DistilCLIP-EEG", 80),
                (f"{start:%d.%m.%y}", 8),
                (f"{start:%H.%M.%S}", 8),
                (str(256 * (n_signals + 1)), 8),
                (f"{kind}+C", 44),
                ("0", 8),
                (f"{self._record_s:.9f}"[:8], 8),
                (str(n_signals), 4),
            )
        )
        uv = f"{self._max * UV_PER_STEP:g}"
        n_chans = self._n_chans
        extreme = 8_388_607 if bdf else 32_767
        columns: list[tuple[list[str], int]] = [
            ([*map(_label, ch_names), f"{kind} Annotations"], 16),
            ([""] * n_signals, 80),
            (["uV"] * n_chans + [""], 8),
            ([f"-{uv}"] * n_chans + ["-1"], 8),
            ([uv] * n_chans + ["1"], 8),
            ([str(-self._max)] * n_chans + [str(-extreme - 1)], 8),
            ([str(self._max)] * n_chans + [str(extreme)], 8),
            ([""] * n_signals, 80),
            ([str(self._n)] * n_chans + [str(ANNOTATION_BYTES // self._width)], 8),
            ([""] * n_signals, 32),
        ]
        signals = "".join(v.ljust(width) for values, width in columns for v in values)
        return version + (main + signals).encode("ascii")


def _label(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "_" for c in name)[:16]


def _decimal(seconds: float) -> str:
    text = f"{seconds:.6f}".rstrip("0").rstrip(".")
    return text or "0"
