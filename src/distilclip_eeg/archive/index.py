"""What is known of every recording <-> one Parquet file, a row for each.

DuckDB, pandas or anything else that reads Parquet can ask it. No field of a recording's
header is in it: not the patient's name, not a date. Knows neither queue nor detector.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.eeg.annotations import written_whole

if TYPE_CHECKING:
    import pyarrow

INDEX: Final = "index.parquet"
FORMAT_VERSION: Final = 1
_KEY: Final = b"distilclip_eeg"


class Row(TypedDict):
    """What is known of one recording; JSON values only.

    `sha256` is that of the file, as `sha256sum` prints it; of a recording in several
    files, that of their sums. `events` are as `Event.to_dict` gives them, `quality` is
    `LeadQuality` with its `lead`. `stamp` and `table_sha256` stay out of the Parquet
    file: they serve the next scan.
    """

    recording: str
    size_bytes: int
    sha256: str | None
    table: str | None
    model: str
    model_sha256: str
    settings: dict[str, Any]
    package_version: str
    duration_s: float | None
    events: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    warnings: list[str]
    failure: str | None
    cpu_s: float
    scanned_at: str
    stamp: str
    table_sha256: str | None


def write_index(path: Path, rows: Iterable[Row], present: Collection[str]) -> None:
    """Write the Parquet file; it appears whole or not at all.

    Parameters
    ----------
    rows
        One for each recording.
    present
        Names of the recordings that the archive holds now.

    Raises
    ------
    ModuleNotFoundError
        If pyarrow is not installed.
    """
    import pyarrow
    from pyarrow import parquet

    ordered = sorted(rows, key=lambda row: row["recording"])
    about = {"format_version": FORMAT_VERSION}
    schema = _schema(pyarrow).with_metadata({_KEY: json.dumps(about).encode()})
    values = [_values(row, row["recording"] in present) for row in ordered]
    table = pyarrow.Table.from_pylist(values, schema=schema)
    with written_whole(path) as partial:
        parquet.write_table(table, partial, compression="zstd")


def _values(row: Row, is_present: bool) -> dict[str, Any]:
    quality = [
        {**entry, "faults_s": list(entry["faults_s"].items())}
        for entry in row["quality"]
    ]
    return {
        **row,
        "recording": _utf8(row["recording"]),
        "table": None if row["table"] is None else _utf8(row["table"]),
        "failure": None if row["failure"] is None else _utf8(row["failure"]),
        "warnings": [_utf8(warning) for warning in row["warnings"]],
        "present": is_present,
        "n_events": None if row["failure"] else len(row["events"]),
        "quality": quality,
        "scanned_at": datetime.fromisoformat(row["scanned_at"]),
    }


def _utf8(text: str) -> str:
    """Parquet wants UTF-8, names of files may be any bytes: those as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _schema(arrow: Any) -> pyarrow.Schema:
    text, number, whole = arrow.string(), arrow.float64(), arrow.int64()
    event = {
        "onset": number,
        "duration": number,
        "eventType": text,
        "confidence": number,
        "channels": arrow.list_(text),
        "raised_s": number,
        "type_confidence": number,
        "side": text,
        "side_confidence": number,
        "lobe": text,
        "lobe_confidence": number,
    }
    lead = {
        "lead": text,
        "usable_s": whole,
        "missing_s": whole,
        "faults_s": arrow.map_(text, whole),
    }
    settings = dict.fromkeys(DetectionConfig.model_fields, number)
    return arrow.schema(
        {
            "recording": text,
            "present": arrow.bool_(),
            "size_bytes": whole,
            "sha256": text,
            "table": text,
            "model": text,
            "model_sha256": text,
            "settings": arrow.struct({**settings, "precision": text}),
            "package_version": text,
            "duration_s": number,
            "n_events": whole,
            "events": arrow.list_(arrow.struct(event)),
            "quality": arrow.list_(arrow.struct(lead)),
            "warnings": arrow.list_(text),
            "failure": text,
            "cpu_s": number,
            "scanned_at": arrow.timestamp("ms", tz="UTC"),
        }
    )
