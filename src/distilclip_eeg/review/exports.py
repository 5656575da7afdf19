"""What a reviewer confirmed -> HED-SCORE table, EDF+ or BDF+, CSV_BI of TUSZ.

No file says who was recorded: of the header's patient and recording fields, and of
annotations that stood in the source, nothing is carried over.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import edfio

from distilclip_eeg.eeg.annotations import (
    Event,
    annotation_text,
    write_recording,
    write_tsv,
    written_whole,
)
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.evaluation.counts import disjoint

FORMATS: Final = ("tsv", "edf", "csv_bi")

_CSV_FREE = str.maketrans(dict.fromkeys("\r\n,#", "_"))


def export_suffix(kind: str, source: Path) -> str:
    """Give the suffix of an export; a BDF keeps its 24 bits."""
    if kind == "edf" and source.suffix.lower() == ".bdf":
        return ".bdf"
    return f".{kind}"


def write_export(
    kind: str, source: Path, recording: Recording, events: Sequence[Event], out: Path
) -> None:
    """Write confirmed seizures in one of `FORMATS`.

    Raises
    ------
    UnreadableRecordingError
        If the recording cannot be read to its end any more.
    """
    match kind:
        case "tsv":
            write_tsv(out, events, recording.duration_s, recording.start_time)
        case "csv_bi":
            write_csv_bi(out, events, recording.duration_s, recording.name)
        case "edf":
            _write_annotated(source, recording, events, out)
        case _:
            raise ValueError(f"{kind!r} is none of {', '.join(FORMATS)}")


def write_csv_bi(
    out: Path, events: Sequence[Event], duration_s: float, name: str
) -> None:
    """Write stretches of seizure and background, as TUSZ 2.0 has them."""
    spans = disjoint([(e.onset, e.onset + e.duration) for e in events], duration_s)
    lines = [
        "# version = csv_v1.0.0",
        f"# bname = {name.translate(_CSV_FREE)}",
        f"# duration = {duration_s:.4f} secs",
        "# montage_file = none",
        "#",
        "channel,start_time,stop_time,label,confidence",
    ]
    at = 0.0
    for start, stop in spans:
        if start > at:
            lines.append(f"TERM,{at:.4f},{start:.4f},bckg,1.0000")
        lines.append(f"TERM,{start:.4f},{stop:.4f},seiz,1.0000")
        at = stop
    if duration_s > at:
        lines.append(f"TERM,{at:.4f},{duration_s:.4f},bckg,1.0000")
    with written_whole(out) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_annotated(
    source: Path, recording: Recording, events: Sequence[Event], out: Path
) -> None:
    try:
        copy = _nameless_copy(source, recording, events)
    except Exception:  # edfio raises whatever the bytes provoke
        write_recording(recording, out, events)  # its EEG channels, read by us
        return
    with written_whole(out) as partial:
        copy.write(partial)


def _nameless_copy(
    source: Path, recording: Recording, events: Sequence[Event]
) -> edfio.Edf | edfio.Bdf:
    is_bdf = source.suffix.lower() == ".bdf"
    with warnings.catch_warnings():
        # Repairs of the header were reported when the recording was opened.
        warnings.simplefilter("ignore")
        old: Any = edfio.read_bdf(source) if is_bdf else edfio.read_edf(source)
        if old.reserved[3:5] == "+D" and not old.is_continuous:
            raise ValueError("it is discontinuous")
        start = recording.start_time
        copy: edfio.Edf | edfio.Bdf = type(old)(
            old.signals,
            recording=edfio.Recording(startdate=start.date() if start else None),
            starttime=start.time() if start else None,
            data_record_duration=old.data_record_duration,
            annotations=[
                edfio.EdfAnnotation(
                    round(event.onset, 3),
                    round(event.duration, 3),
                    annotation_text(event),
                )
                for event in events
            ],
        )
    return copy
