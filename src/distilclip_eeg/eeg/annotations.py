"""Events <-> what others read: HED-SCORE tables, JSON, annotations in EDF+ and BDF+.

The table is the one of SzCORE (Dan 2024, https://eegstandards.com), the annotations
follow EDF+ (https://www.edfplus.info/specs/edfplus.html). Every file is written beside
its place and moved there when complete, so that a reader never meets half of one.

Does not know how events were found, nor which of them are right.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import edfio
import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.events import Event as Event
from distilclip_eeg.eeg.montage import derivation
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.texts import read_content
from distilclip_eeg.eeg.whole_files import remove_partial as remove_partial
from distilclip_eeg.eeg.whole_files import written_whole as written_whole
from distilclip_eeg.errors import (
    CorpusError,
    DistilClipError,
    OutputExistsError,
    UnreadableRecordingError,
)

TSV_COLUMNS: Final = (
    "onset",
    "duration",
    "eventType",
    "confidence",
    "channels",
    "dateTime",
    "recordingDuration",
)
BACKGROUND: Final = "bckg"
NOT_AVAILABLE: Final = "n/a"

_REQUIRED = TSV_COLUMNS[:3]
_SUBFIELD_DATE = r"(?:X|\d\d-[A-Z]{3}-\d{4})"
_EDF_PLUS_PATIENT = re.compile(rf"\S+ [FMX] {_SUBFIELD_DATE} \S+(?: .*)?")
_EDF_PLUS_RECORDING = re.compile(rf"Startdate {_SUBFIELD_DATE} \S+ \S+ \S+(?: .*)?")
_EDF_YEARS = range(1985, 2085)  # what two digits can say
_MAX_DRIFT_S = 0.05  # of a rate that EDF can write, over the whole recording
_MAX_UV = 9_999_999.0  # eight characters
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_]+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def write_tsv(
    path: Path,
    events: Iterable[Event],
    duration_s: float,
    start_time: datetime | None = None,
) -> None:
    """Write events as a HED-SCORE table, sorted by onset.

    Without any event one row says that the whole recording is background: evaluators
    count a table without rows as missing.

    Raises
    ------
    ValueError
        If a value has no place in the table: a time that is not finite or a
        negative duration, a confidence outside 0 to 1, a type with a hyphen.
    """
    text = table_text(events, duration_s, start_time)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def table_text(
    events: Iterable[Event], duration_s: float, start_time: datetime | None = None
) -> str:
    """Give the text of a HED-SCORE table, as `write_tsv` does."""
    rows = sorted(events, key=lambda event: (event.onset, event.duration))
    if not rows:
        rows = [Event(0.0, duration_s, BACKGROUND)]
    started = f"{start_time:%Y-%m-%d %H:%M:%S}" if start_time else NOT_AVAILABLE
    lines = ["\t".join(TSV_COLUMNS)]
    lines += [f"{_row(event)}\t{started}\t{duration_s:.2f}" for event in rows]
    return "\n".join(lines) + "\n"


def _row(event: Event) -> str:
    _check(event)
    confidence = (
        NOT_AVAILABLE if event.confidence is None else f"{event.confidence:.2f}"
    )
    channels = ",".join(event.channels) or NOT_AVAILABLE
    seconds = f"{event.onset:.2f}\t{event.duration:.2f}"
    return f"{seconds}\t{event.event_type}\t{confidence}\t{channels}"


def _check(event: Event) -> None:
    if not (math.isfinite(event.onset) and 0 <= event.duration < math.inf):
        raise ValueError(f"{event}: onset and duration must be finite seconds")
    if event.confidence is not None and not 0 <= event.confidence <= 1:
        raise ValueError(f"{event}: confidence must lie between 0 and 1")
    if not _EVENT_TYPE.fullmatch(event.event_type):
        raise ValueError(f"{event}: event_type must be of letters, digits and _")
    if any(not name or set(name) & set("\t\r\n,") for name in event.channels):
        raise ValueError(f"{event}: a channel name is empty or holds a tab or comma")


def read_tsv(path: Path) -> list[Event]:
    """Read the events of a HED-SCORE table, background rows included.

    Only onset, duration and eventType must be there. Hyphens in a type are read as
    underscores, as older tables have them.

    Raises
    ------
    CorpusError
        With file, line, what was found and what was expected.
    """
    try:
        if not path.exists():
            raise CorpusError(f"{path}: no such events file")
        text = read_content(path).decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be opened ({error.strerror}), expected a .tsv table"
        ) from None
    except UnicodeDecodeError:
        raise CorpusError(f"{path}: not UTF-8 text, expected a .tsv table") from None
    lines = [line.split("\t") for line in text.splitlines()]
    header = [name.strip() for name in lines[0]] if lines else []
    if missing := [name for name in _REQUIRED if name not in header]:
        raise CorpusError(
            f"{path}, line 1: found columns {' '.join(header) or 'none'}, "
            f"expected {' '.join(missing)} too, separated by tabs"
        )
    return [
        _parse_row(f"{path}, line {number}", header, fields)
        for number, fields in enumerate(lines[1:], start=2)
        if any(field.strip() for field in fields)
    ]


def _parse_row(where: str, header: Sequence[str], fields: Sequence[str]) -> Event:
    if len(fields) != len(header):
        raise CorpusError(
            f"{where}: found {len(fields)} fields, expected {len(header)} as in line 1"
        )
    values = dict(zip(header, (field.strip() for field in fields), strict=True))
    event_type = values["eventType"].replace("-", "_")
    if not _EVENT_TYPE.fullmatch(event_type):
        raise CorpusError(
            f"{where}: found eventType {values['eventType']!r}, expected a HED-SCORE "
            "type such as bckg, sz or sz_foc_ia"
        )
    confidence = values.get("confidence", NOT_AVAILABLE)
    channels = values.get("channels", NOT_AVAILABLE)
    return Event(
        onset=_number(where, "onset", values["onset"], low=-math.inf),
        duration=_number(where, "duration", values["duration"]),
        event_type=event_type,
        confidence=None
        if confidence in ("", NOT_AVAILABLE)
        else _number(where, "confidence", confidence, high=1.0),
        channels=()
        if channels in ("", NOT_AVAILABLE)
        else tuple(name.strip() for name in channels.split(",") if name.strip()),
    )


def _number(
    where: str, column: str, text: str, low: float = 0.0, high: float = math.inf
) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and low <= value <= high):
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) else ""
        raise CorpusError(
            f"{where}: found {column} {text!r}, expected a number{bounds}"
        )
    return value


def annotation_text(event: Event) -> str:
    """Say an event in one annotation: `sz confidence=0.93 leads=F7-T7,T7-P7`."""
    parts = [event.event_type]
    if event.confidence is not None:
        parts.append(f"confidence={event.confidence:.2f}")
    if event.channels:
        parts.append(f"leads={','.join(event.channels)}")
    if event.place:
        told = {"side": event.place.side, "lobe": event.place.lobe}
        parts += [f"{name}={value}" for name, value in told.items() if value]
    return " ".join(parts)


def _edf_annotations(events: Iterable[Event]) -> list[edfio.EdfAnnotation]:
    return [
        edfio.EdfAnnotation(
            round(event.onset, 3), round(event.duration, 3), annotation_text(event)
        )
        for event in events
        if event.event_type != BACKGROUND
    ]


def write_edf_annotations(source: Path, out: Path, events: Iterable[Event]) -> None:
    """Copy an EDF or BDF and add events to the annotations that it already holds.

    Samples, labels, scaling and start are those of `source`, to the bit; a plain EDF
    becomes EDF+, its free text about patient and recording an additional subfield.

    Raises
    ------
    UnreadableRecordingError
        If edfio cannot copy it without loss: no EDF, a broken header, an EDF+D with
        gaps, annotations that are not UTF-8. `write_recording` can then be used.
    OutputExistsError
        If `out` is `source`.
    DistilClipError
        If the suffix of `out` promises the other format.
    """
    if out.exists() and out.samefile(source):
        raise OutputExistsError(f"{out}: is the recording itself, choose another name")
    try:
        with source.open("rb") as file:
            header = file.read(256)
        copy = _annotated_copy(source, header, events)
    except Exception as error:  # edfio raises whatever the bytes provoke
        # It quotes header fields, which may hold a piece of a name.
        reason = _QUOTED.sub("'…'", " ".join(str(error).split()))
        reason = reason or type(error).__name__
        raise UnreadableRecordingError(
            f"{source}: cannot be copied as EDF+ ({reason})"
        ) from error
    kind = "BDF" if isinstance(copy, edfio.Bdf) else "EDF"
    if out.suffix.lower() != f".{kind.lower()}":
        raise DistilClipError(
            f"{out}: {source.name} is {kind}, name the copy {out.stem}.{kind.lower()}"
        )
    with written_whole(out) as partial:
        copy.write(partial)


def _annotated_copy(
    source: Path, header: bytes, events: Iterable[Event]
) -> edfio.Edf | edfio.Bdf:
    with warnings.catch_warnings():
        # Repairs of the header were reported when the recording was opened.
        warnings.simplefilter("ignore")
        old: Any = _read_with_edfio(source, header)
        if old.num_data_records < 1:
            raise ValueError("it holds no data records")
        if old.reserved[3:5] == "+D" and not old.is_continuous:
            raise ValueError("it is discontinuous")
        annotations = dict.fromkeys([*old.annotations, *_edf_annotations(events)])
        try:
            started = old.starttime
        except ValueError:
            started = time()
        copy: edfio.Edf | edfio.Bdf = type(old)(
            old.signals,
            recording=edfio.Recording(startdate=_header_date(header)),
            starttime=started,
            data_record_duration=old.data_record_duration,
            annotations=annotations,
        )
    patient = _header_text(old.local_patient_identification)
    if not _EDF_PLUS_PATIENT.fullmatch(patient):
        patient = f"{copy.local_patient_identification} {patient}"
    about = _header_text(old.local_recording_identification)
    if not _EDF_PLUS_RECORDING.fullmatch(about):
        about = f"{copy.local_recording_identification} {about}"
    copy.local_patient_identification = patient[:80].rstrip()
    copy.local_recording_identification = about[:80].rstrip()
    return copy


def _read_with_edfio(source: Path, header: bytes) -> edfio.Edf | edfio.Bdf:
    if header[:8] == b"\xffBIOSEMI":
        return edfio.read_bdf(source)
    if header[:8] != b"0       ":
        raise ValueError("it does not start like an EDF or BDF file")
    return edfio.read_edf(source)


def _header_text(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "_" for c in text)


def _header_date(header: bytes) -> date | None:
    found = re.fullmatch(rb"\s?(\d{1,2})\D(\d\d?)\D(\d\d)", header[168:176].rstrip())
    if not found:
        return None
    day, month, year = (int(number) for number in found.groups())
    try:
        return date(year + (1900 if year >= 85 else 2000), month, day)
    except ValueError:
        return None


def write_recording(recording: Recording, out: Path, events: Iterable[Event]) -> None:
    """Write the EEG channels of any recording in µV as EDF+ (or BDF+) with events.

    For recordings that `write_edf_annotations` cannot copy. The suffix `.bdf` keeps
    24 bits. Gaps are written as zeros and annotated, samples that are no numbers as
    zeros, and the last record is filled up by holding. Nothing is said of the patient.
    """
    edf = as_edf(recording, events, bdf=out.suffix.lower() == ".bdf")
    with written_whole(out) as partial:
        edf.write(partial)


def as_edf(
    recording: Recording, events: Iterable[Event], *, bdf: bool = False
) -> edfio.Edf | edfio.Bdf:
    """Give what `write_recording` writes."""
    rate = _writable_rate(recording.sfreq, recording.duration_s)
    n_records = math.ceil(round(recording.duration_s * rate) / rate.numerator)
    picks = [i for i, name in enumerate(recording.ch_names) if derivation(name)]
    if not picks:
        raise UnreadableRecordingError(
            f"{recording.name}: found no channel of EEG, expected names such as Fp1 or "
            "F7-T7; nothing can be written as EDF+"
        )
    signal: Any = edfio.BdfSignal if bdf else edfio.EdfSignal
    whole: Any = edfio.Bdf if bdf else edfio.Edf
    signals = []
    for pick in picks:
        data = _whole_channel(recording, pick, n_records * rate.numerator)
        signals.append(
            signal(
                data,
                _rate_for(len(data), n_records * rate.denominator, rate),
                label=_header_text(recording.ch_names[pick])[:16],
                physical_dimension="uV",
                physical_range=(math.floor(data.min()), math.ceil(data.max()) + 1),
            )
        )
    start = recording.start_time
    known = start is not None and start.year in _EDF_YEARS
    edf: edfio.Edf | edfio.Bdf = whole(
        signals,
        recording=edfio.Recording(startdate=start.date() if start and known else None),
        starttime=start.time() if start else None,
        data_record_duration=rate.denominator,
        annotations=[*_gaps(recording), *_edf_annotations(events)],
    )
    return edf


def _writable_rate(sfreq: float, duration_s: float) -> Fraction:
    # An EDF record holds whole samples in whole seconds, so the rate is a fraction.
    for seconds in range(1, 100):
        rate = Fraction(round(sfreq * seconds), seconds)
        if rate and abs(rate / Fraction(sfreq) - 1) * duration_s <= _MAX_DRIFT_S:
            return rate
    return Fraction(sfreq).limit_denominator(100)


def _rate_for(n_times: int, duration_s: int, rate: Fraction) -> float:
    # edfio wants n_times / rate to be exact; a neighbouring float may be needed.
    near = float(rate)
    near_by = (near, math.nextafter(near, 0), math.nextafter(near, math.inf))
    return next((f for f in near_by if n_times / f == duration_s), near)


def _whole_channel(
    recording: Recording, pick: int, n_times: int
) -> NDArray[np.float64]:
    data = np.zeros(n_times)
    at = 0
    for number, segment in enumerate(recording.segments):
        at = round(segment.onset_s * recording.sfreq)
        for block in recording.blocks([pick], number):
            stop = min(at + block.shape[1], n_times)
            data[at:stop] = block[0, : stop - at]
            at = stop
    data[at:] = data[at - 1] if at else 0.0
    return np.clip(np.nan_to_num(data, posinf=0.0, neginf=0.0), -_MAX_UV, _MAX_UV)


def _gaps(recording: Recording) -> list[edfio.EdfAnnotation]:
    ends = [s.onset_s + s.n_times / recording.sfreq for s in recording.segments]
    starts = [s.onset_s for s in recording.segments[1:]]
    return [
        edfio.EdfAnnotation(round(end, 3), round(start - end, 3), "gap")
        for end, start in zip(ends, starts, strict=False)
        if start - end > 1 / recording.sfreq
    ]
