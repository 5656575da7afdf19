"""A recording -> the embedding of each of its windows, kept in a Parquet file.

Made once for a recording and a model, and made again when either changes. Nothing of
the recording's header is in the file. Knows no words and no ranking.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.detector import encode_eeg
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg.annotations import written_whole

SUFFIX: Final = ".embeddings.parquet"
FORMAT_VERSION: Final = 1
_KEY: Final = b"distilclip_eeg"


@dataclass(frozen=True, slots=True)
class WindowEmbeddings:
    """What a model makes of the windows of one recording.

    Attributes
    ----------
    onset_s
        (n,) seconds after the start of the recording.
    embedding
        (n, D) float32 unit rows; NaN where a window holds no usable lead.
    """

    onset_s: NDArray[np.float64]
    embedding: NDArray[np.float32]


def kept_embeddings(recording: Path, kept: Path, model: Model) -> WindowEmbeddings:
    """Read the embeddings of a recording, or make and keep them.

    Parameters
    ----------
    recording
        Any that `detect` reads.
    kept
        The Parquet file; it appears whole or not at all.

    Raises
    ------
    DistilClipError
        If the recording cannot be read.
    ModuleNotFoundError
        If pyarrow is not installed.
    """
    found = read_embeddings(recording, kept, model)
    if found is not None:
        return found
    about = _about(recording, model)  # before it is read: it may change meanwhile
    embedding, onset_s = encode_eeg(recording, model)
    made = WindowEmbeddings(onset_s, embedding)
    _write(kept, made, about)
    return made


def read_embeddings(
    recording: Path, kept: Path, model: Model
) -> WindowEmbeddings | None:
    """Read what was kept; None if there is nothing that still holds."""
    return _read(kept, _about(recording, model))


def _about(recording: Path, model: Model) -> dict[str, Any]:
    """Say what decides the embeddings, to know whether they still hold."""
    stat = recording.stat()
    return {
        "format_version": FORMAT_VERSION,
        "model_sha256": model.folder.sha256,
        "size_bytes": stat.st_size,
        "changed_ns": stat.st_mtime_ns,
    }


def _read(path: Path, about: dict[str, Any]) -> WindowEmbeddings | None:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(path)
        kept = json.loads(table.schema.metadata[_KEY])
        is_whole = _is_whole(table)  # also whether its names are text
    except (OSError, ArrowException, KeyError, TypeError, ValueError, RecursionError):
        return None  # absent, damaged or somebody else's: made anew
    if kept != about or not is_whole:
        return None
    rows = table.column("embedding").combine_chunks()
    width = rows.type.list_size
    values = rows.flatten().to_numpy(zero_copy_only=False)
    return WindowEmbeddings(
        table.column("onset_s").to_numpy(),
        values.reshape(-1, width).astype(np.float32),
    )


def _is_whole(table: Any) -> bool:
    from pyarrow import types

    if table.column_names != ["onset_s", "embedding"]:
        return False
    onset, rows = table.schema.types
    return (
        types.is_float64(onset)
        and types.is_fixed_size_list(rows)
        and types.is_float16(rows.value_type)
        and rows.list_size > 0
        and not any(column.null_count for column in table.columns)
    )


def _write(path: Path, made: WindowEmbeddings, about: dict[str, Any]) -> None:
    import pyarrow
    from pyarrow import parquet

    # Half precision moves a cosine by less than 0.001.
    flat = pyarrow.array(made.embedding.astype(np.float16).ravel())
    width = made.embedding.shape[1]
    table = pyarrow.table(
        {
            "onset_s": made.onset_s,
            "embedding": pyarrow.FixedSizeListArray.from_arrays(flat, width),
        }
    ).replace_schema_metadata({_KEY: json.dumps(about).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        parquet.write_table(table, partial, compression="zstd")
