"""EDF/BDF header bytes -> what lies where in the records, and how it becomes µV.

Repairs what real exporters get wrong and says so in `EdfHeader.warnings`; refuses only
what leaves no way to find the samples. Reads no sample and keeps no patient field.
edfio refuses many of these headers and maps the file into memory, so it writes EDF
for us and serves as oracle in the tests, but does not read.

Sources: Kemp 1992 (EDF), Kemp & Olivan 2003 (EDF+), biosemi.com (BDF).
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from distilclip_eeg.errors import UnreadableRecordingError

EDF_MAGIC = b"0       "
BDF_MAGIC = b"\xffBIOSEMI"

_MAIN_BYTES = 256
_MAX_SIGNALS = 9999  # the field has four characters
_WIDTHS = {
    "label": 16,
    "transducer": 80,
    "dimension": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefilter": 80,
    "n_samples": 8,
    "reserved": 32,
}
MAX_UV = 1e15
_UV_PER_UNIT = {"nv": 1e-3, "uv": 1.0, "microv": 1.0, "mv": 1e3, "v": 1e6}
_ANNOTATION_LABELS = ("EDF Annotations", "BDF Annotations")
_DUMMY_LABELS = ("", "-", "--", ".")
_THREE_NUMBERS = re.compile(r"(\d{1,2})\s*[.:'/ -]\s*(\d{1,2})\s*[.:'/ -]\s*(\d{1,4})")
_NOT_OF_NUMBERS = re.compile(r"[^\d+\-.,:/ eE]|(?<!\d)[eE]")
_ELECTRODE = re.compile(
    r"(EEG\b|(EEG[ -]*)?((FP|AF|FC|FT|CP|TP|PO|[FCTPOAM])(Z|\d{1,2})|0[12])(?![A-Z\d]))"
)


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal: where it lies in a record and how its numbers become µV.

    Attributes
    ----------
    first
        Position of its first sample in a record, in samples of all signals.
    n_samples
        Samples per record.
    gain, offset
        µV = gain * number + offset; not a number where the header gives no scaling.
    """

    label: str
    first: int
    n_samples: int
    gain: float
    offset: float
    is_annotation: bool

    @property
    def is_readable(self) -> bool:
        return self.n_samples > 0 and math.isfinite(self.gain + self.offset)


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What lies where in an EDF or BDF file.

    Attributes
    ----------
    data_start
        Offset of the first record in bytes.
    n_records
        Whole records that the file holds, whatever the header claims.
    record_s
        Seconds per record.
    sample_bytes
        2 for EDF, 3 for BDF.
    """

    signals: tuple[EdfSignal, ...]
    data_start: int
    n_records: int
    record_s: float
    sample_bytes: int
    is_plus: bool
    is_discontinuous: bool
    start_time: datetime | None
    warnings: tuple[str, ...]

    @property
    def record_bytes(self) -> int:
        return self.sample_bytes * sum(signal.n_samples for signal in self.signals)


def is_edf(magic: bytes) -> bool:
    """Whether a file that begins with these 8 bytes is EDF or BDF."""
    return magic[:8] in (EDF_MAGIC, BDF_MAGIC)


def looks_like_eeg(label: str) -> bool:
    """Whether a label begins like an electrode of the 10-20 system or says EEG."""
    return _ELECTRODE.match(label.strip().upper()) is not None


def named(labels: Sequence[str]) -> str:
    """Up to three labels, then how many more: warnings stay one line."""
    text = ", ".join(labels[:3])
    return f"{text} and {len(labels) - 3} more" if len(labels) > 3 else text


def read_header(path: Path) -> EdfHeader:
    """Read and repair the header of an EDF, EDF+, BDF or BDF+ file.

    Raises
    ------
    UnreadableRecordingError
        If the file cannot be opened or its records cannot be located.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            main = file.read(_MAIN_BYTES)
            n_signals = _n_signals(path.name, main)
            fields = file.read(_MAIN_BYTES * n_signals)
    except OSError as error:
        raise UnreadableRecordingError(
            f"{path.name}: cannot be opened ({error.strerror}), expected a file"
        ) from None
    if len(fields) < _MAIN_BYTES * n_signals:
        raise UnreadableRecordingError(
            f"{path.name}: found {size} bytes, expected a header of "
            f"{_MAIN_BYTES * (n_signals + 1)} bytes for {n_signals} signals; "
            "the file was cut off, copy it again"
        )
    return _parse(path.name, main, _columns(fields, n_signals), size)


def _n_signals(name: str, main: bytes) -> int:
    if not main:
        raise UnreadableRecordingError(
            f"{name}: the file is empty (0 bytes), expected an EDF or BDF header; "
            "copy or export it again"
        )
    if not is_edf(main):
        raise UnreadableRecordingError(
            f"{name}: found a file that begins with neither {EDF_MAGIC!r} (EDF) nor "
            f"{BDF_MAGIC!r} (BDF), expected one of them; if it is of another format, "
            "give it the suffix of that format"
        )
    count = _number(main[252:256])
    if len(main) < _MAIN_BYTES or count is None or not 1 <= count <= _MAX_SIGNALS:
        found = _shown(main[252:256]) or "nothing"
        raise UnreadableRecordingError(
            f"{name}: found {found!r} as number of signals in a header of "
            f"{len(main)} bytes, expected 1 to {_MAX_SIGNALS}; the header is damaged, "
            "export the recording again"
        )
    return int(count)


def _columns(fields: bytes, n_signals: int) -> dict[str, list[bytes]]:
    columns, start = {}, 0
    for key, width in _WIDTHS.items():
        stop = start + width * n_signals
        columns[key] = [fields[i : i + width] for i in range(start, stop, width)]
        start = stop
    return columns


def _parse(
    name: str, main: bytes, columns: dict[str, list[bytes]], size: int
) -> EdfHeader:
    warnings: list[str] = []
    record_s = _number(main[244:252])
    if record_s is None or record_s <= 0:
        raise UnreadableRecordingError(
            f"{name}: found records of {_shown(main[244:252])!r} seconds, expected "
            "more than 0; the header is damaged, export the recording again"
        )
    sample_bytes = 3 if main.startswith(BDF_MAGIC) else 2
    signals = _signals(name, columns, warnings)
    record_bytes = sample_bytes * sum(signal.n_samples for signal in signals)
    data_start = _data_start(main, len(signals), size, record_bytes, warnings)
    kind = _text(main[192:236])
    return EdfHeader(
        signals=signals,
        data_start=data_start,
        n_records=_n_records(name, main, size - data_start, record_bytes, warnings),
        record_s=record_s,
        sample_bytes=sample_bytes,
        is_plus=kind.startswith(("EDF+", "BDF+")),
        is_discontinuous=kind.startswith(("EDF+D", "BDF+D")),
        start_time=_start_time(main, warnings),
        warnings=tuple(warnings),
    )


def _signals(
    name: str, columns: dict[str, list[bytes]], warnings: list[str]
) -> tuple[EdfSignal, ...]:
    signals, first = [], 0
    no_unit, no_scaling = [], []
    for i, label in enumerate(map(_text, columns["label"])):
        n_samples = _n_samples(name, i, label, columns["n_samples"][i])
        unit = _uv_per_unit(columns["dimension"][i])
        if unit is None and looks_like_eeg(label):
            no_unit.append(label)
        gain, offset = _scaling({key: columns[key][i] for key in columns}, unit or 1.0)
        is_annotation = label in _ANNOTATION_LABELS
        signal = EdfSignal(label, first, n_samples, gain, offset, is_annotation)
        is_dummy = is_annotation or label in _DUMMY_LABELS
        if not signal.is_readable and not is_dummy:
            no_scaling.append(label)
        signals.append(signal)
        first += n_samples
    if all(signal.is_annotation or not signal.n_samples for signal in signals):
        raise UnreadableRecordingError(
            f"{name}: found annotations only, expected at least one signal with "
            "samples; give the file that holds the EEG"
        )
    if no_unit:
        warnings.append(f"no voltage unit for {named(no_unit)}: taken as µV")
    if no_scaling:
        warnings.append(
            f"no usable scaling for {named(no_scaling)} (minimum equals maximum, or no "
            "number): read as not a number"
        )
    return tuple(signals)


def _n_samples(name: str, position: int, label: str, field: bytes) -> int:
    count = _number(field)
    if count is None or not 0 <= count < 1e8 or count != int(count):
        raise UnreadableRecordingError(
            f"{name}: found {_shown(field)!r} samples per record for signal "
            f"{position + 1} ({label}), expected a whole number; the header is "
            "damaged, export the recording again"
        )
    return int(count)


def _uv_per_unit(field: bytes) -> float | None:
    # NFKC makes one letter of the two signs for micro that Unicode has.
    unit = unicodedata.normalize("NFKC", _text(field)).lower().replace("μ", "u")
    return _UV_PER_UNIT.get(unit)


def _scaling(fields: dict[str, bytes], unit: float) -> tuple[float, float]:
    limits = [_number(fields[f"physical_{end}"]) for end in ("min", "max")]
    numbers = [_number(fields[f"digital_{end}"]) for end in ("min", "max")]
    low, high, first, last = (math.nan if x is None else x for x in limits + numbers)
    if not (last - first) or not (high - low):
        return math.nan, math.nan
    gain = unit * (high - low) / (last - first)
    offset = unit * low - gain * first
    # Whatever 24 bits hold must be a voltage that float32 can square.
    largest = abs(gain) * 2.0**23 + abs(offset)
    return (gain, offset) if largest < MAX_UV else (math.nan, math.nan)


def _data_start(
    main: bytes,
    n_signals: int,
    size: int,
    record_bytes: int,
    warnings: list[str],
) -> int:
    computed = _MAIN_BYTES * (n_signals + 1)
    declared, claimed = _number(main[184:192]), _number(main[236:244])
    if declared == computed:
        return computed
    stated = _shown(main[184:192])
    fits = claimed and declared and size - declared == claimed * record_bytes
    if declared and declared > computed and fits:
        warnings.append(f"header of {stated} bytes is longer than its signals need")
        return int(declared)
    warnings.append(f"header states a length of {stated!r} bytes: {computed} used")
    return computed


def _n_records(
    name: str, main: bytes, data_bytes: int, record_bytes: int, warnings: list[str]
) -> int:
    claimed, stated = _number(main[236:244]), _shown(main[236:244])
    present, rest = divmod(max(data_bytes, 0), record_bytes)
    if not present:
        raise UnreadableRecordingError(
            f"{name}: found {max(data_bytes, 0)} bytes after the header, expected at "
            f"least one record of {record_bytes} bytes; the file was cut off, copy it "
            "again"
        )
    if claimed is None or claimed < 0:
        warnings.append(f"number of records was never written: {present} found")
    elif claimed != present:
        warnings.append(f"header claims {stated} records: {present} found")
    if rest:
        warnings.append(
            f"last record is incomplete ({rest} of {record_bytes} bytes): left out"
        )
    return present


def _start_time(main: bytes, warnings: list[str]) -> datetime | None:
    date, time = _text(main[168:176]), _text(main[176:184])
    day, clock = _three_numbers(date), _three_numbers(time)
    try:
        if day is None or clock is None:
            raise ValueError
        # Clause 2.1.3.2 of EDF+: two digits, and 85 is the first year.
        year = day[2] + (1900 if day[2] >= 85 else 2000) if day[2] < 100 else day[2]
        if not 1900 <= year <= 2200:
            raise ValueError
        return datetime(year, day[1], day[0], *clock)
    except ValueError:
        if date or time:
            found = f"{_shown(main[168:176])!r} {_shown(main[176:184])!r}"
            warnings.append(f"start {found} is no date and time: none used")
        return None


def _three_numbers(text: str) -> tuple[int, int, int] | None:
    match = _THREE_NUMBERS.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _text(field: bytes) -> str:
    """Latin-1 where it is no UTF-8: the standard wants ASCII, exporters differ."""
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError:
        text = field.decode("latin-1")
    return "".join(c for c in text if c.isprintable()).strip()


def _shown(field: bytes) -> str:
    """A field of numbers as a message may quote it.

    Where a writer counted bytes wrongly, it holds a piece of the patient's name.
    """
    return _NOT_OF_NUMBERS.sub("?", _text(field))


def _number(field: bytes) -> float | None:
    """A finite number, also with a decimal comma; None if there is none."""
    try:
        value = float(_text(field).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
