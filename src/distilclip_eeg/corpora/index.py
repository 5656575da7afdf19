"""The index of a store <-> Parquet: one row per recording, with its seizures.

Any tool that reads Parquet can ask it: recordings, patients, splits, seconds, seizures
with type, side and lobe. Signal settings and what could not be read stand in the
file's metadata. Knows no signals.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow

INDEX: Final = "index.parquet"
FORMAT_VERSION: Final = 3
_KEY: Final = b"distilclip_eeg"


class Index(NamedTuple):
    """What `write_index` keeps.

    Attributes
    ----------
    signal
        The settings on which the stored samples depend.
    entries
        One per recording, in the order of the data set.
    skipped
        Recording -> why it is not there.
    """

    signal: dict[str, Any]
    entries: Sequence[dict[str, Any]]
    skipped: dict[str, str]


def write_index(folder: Path, index: Index) -> None:
    """Write `index.parquet` whole; before, the folder is no store."""
    arrow = _pyarrow()
    from pyarrow import parquet

    about = {
        "format_version": FORMAT_VERSION,
        "signal": index.signal,
        "skipped": index.skipped,
    }
    schema = _schema(arrow).with_metadata({_KEY: json.dumps(about).encode()})
    table = arrow.Table.from_pylist(list(index.entries), schema=schema)
    with written_whole(folder / INDEX) as partial:
        parquet.write_table(table, partial)


def read_index(folder: Path) -> Index:
    """Read what `write_index` wrote.

    Raises
    ------
    CorpusError
        If there is no index, or one of another version.
    """
    path = folder / INDEX
    if not path.is_file():
        raise CorpusError(f"{folder}: no {INDEX}; make the store with prepare")
    arrow = _pyarrow()
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        about = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    except (arrow.ArrowException, OSError, ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path}: not a Parquet file, or damaged: {error}: prepare the store again"
        ) from None
    about = about if isinstance(about, dict) else {}
    if about.get("format_version") != FORMAT_VERSION:
        raise CorpusError(
            f"{path}: format version {about.get('format_version')}, expected "
            f"{FORMAT_VERSION}: prepare the store again"
        )
    if not table.schema.equals(_schema(arrow)) or not _is_whole(table, about):
        raise CorpusError(
            f"{path}: found other columns or gaps in it, expected an index as prepare "
            "writes it: prepare the store again"
        )
    return Index(about["signal"], table.to_pylist(), about["skipped"])


def _is_whole(table: pyarrow.Table, about: dict[str, Any]) -> bool:
    """Whether nothing is empty but what may be."""
    needed = (name for name in table.column_names if name not in ("fold", "split"))
    told = (about.get("signal"), about.get("skipped"))
    return all(isinstance(value, dict) for value in told) and not any(
        table.column(name).null_count for name in needed
    )


def _schema(arrow: Any) -> pyarrow.Schema:
    text, number = arrow.string(), arrow.float64()
    seizure = {
        "onset_s": number,
        "end_s": number,
        "event_type": text,
        "side": text,
        "lobe": text,
    }
    pattern = {"onset_s": number, "end_s": number, "name": text}
    return arrow.schema(
        {
            "name": text,
            "dataset": text,
            "patient": text,
            "session": text,
            "kind": text,
            "fold": arrow.int32(),
            "split": text,
            "file": text,
            "n_seconds": arrow.int64(),
            "labelled_s": arrow.list_(number, 2),
            "seizures": arrow.list_(arrow.struct(seizure)),
            "patterns": arrow.list_(arrow.struct(pattern)),
        }
    )


def _pyarrow() -> Any:
    try:
        import pyarrow as arrow
    except ImportError:
        raise MissingExtraError(
            "a store needs pyarrow; try: pip install 'distilclip-eeg[train]'"
        ) from None
    return arrow
