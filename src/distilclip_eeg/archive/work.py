"""One recording of an archive -> its row and its table of events, or why not.

The same on every machine and in every process: what comes in and goes out are plain
values, and nothing is written but temporary copies of recordings from far away. Does
not know who asks, nor what other recordings there are.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from distilclip_eeg.archive.index import Row
from distilclip_eeg.archive.listing import Source, open_store, reason_of, stamp_of
from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.outputs import tsv_text
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.errors import DistilClipError, UnreadableRecordingError
from distilclip_eeg.model_folder import sha256_of


@dataclass(frozen=True, slots=True)
class Recipe:
    """How every recording of a scan is examined.

    Attributes
    ----------
    model, model_sha256
        Name and identity of the model.
    settings
        What turns probabilities into events, and the precision.
    threshold, false_alarms_per_day, precision
        What was asked for; see `Model.settings` and `load_model`.
    package_version
        Of the program that asks.
    """

    model: str
    model_sha256: str
    settings: dict[str, Any]
    threshold: float | None
    false_alarms_per_day: float | None
    precision: Precision
    package_version: str


@dataclass(frozen=True, slots=True)
class Order:
    """One recording that is to be examined.

    Attributes
    ----------
    table
        Path of its table below the output folder.
    known_sha256
        Of the bytes that this recipe has examined before, if it has.
    """

    source: Source
    table: str
    known_sha256: str | None = None


class Outcome(NamedTuple):
    """What came of an order; `row` is None if the bytes are those known before."""

    row: Row | None
    table: str | None


def recipe_for(
    model: str | os.PathLike[str],
    threshold: float | None = None,
    false_alarms_per_day: float | None = None,
    precision: Precision = "auto",
) -> tuple[Recipe, Model]:
    """Load a model and settle how it is used; raises what these raise."""
    loaded = load_model(model, precision, threads=1)
    chosen = loaded.settings(
        threshold=threshold, false_alarms_per_day=false_alarms_per_day
    )
    recipe = Recipe(
        model=loaded.identity.name,
        model_sha256=loaded.identity.sha256,
        settings={**chosen.model_dump(mode="json"), "precision": precision},
        threshold=threshold,
        false_alarms_per_day=false_alarms_per_day,
        precision=precision,
        package_version=version("distilclip-eeg"),
    )
    return recipe, loaded


def examine(order: Order, recipe: Recipe, model: Model) -> Outcome:
    """Do one order. Whatever is wrong with the recording ends in its row."""
    began = time.process_time()
    row = _blank(order, recipe)
    try:
        with _at_hand(order.source) as files:
            return _examined(order, recipe, model, row, files, began)
    except (DistilClipError, OSError) as error:
        row["failure"] = _about(order.source, error)
    except MemoryError:
        row["failure"] = "it needs more memory than this machine has"
    except Exception as error:  # a defect met in one recording must not cost the others
        kind = type(error).__name__
        row["failure"] = f"{kind}: {reason_of(error)} (please report this)"
    row["cpu_s"] = round(time.process_time() - began, 3)
    return Outcome(row, None)


def failed(order: Order, recipe: Recipe, reason: str) -> Outcome:
    """Give the outcome of an order that nobody lived to finish."""
    row = _blank(order, recipe)
    row["failure"] = reason
    return Outcome(row, None)


def _examined(
    order: Order,
    recipe: Recipe,
    model: Model,
    row: Row,
    files: Sequence[str],
    began: float,
) -> Outcome:
    is_local = not order.source.store
    if is_local:
        row["size_bytes"], row["stamp"] = stamp_of(files)
    row["sha256"] = sha256_of_all(files)
    if row["sha256"] == order.known_sha256:
        return Outcome(None, None)
    found = detect(
        files[0],
        model=model,
        threshold=recipe.threshold,
        false_alarms_per_day=recipe.false_alarms_per_day,
    )
    if is_local and stamp_of(files)[1] != row["stamp"]:
        raise UnreadableRecordingError(
            "the file changed while it was read; scan again when it is complete"
        )
    table = tsv_text(found)
    _fill(row, found)
    row["table"] = order.table
    row["table_sha256"] = hashlib.sha256(table.encode()).hexdigest()
    row["cpu_s"] = round(time.process_time() - began, 3)
    return Outcome(row, table)


def _fill(row: Row, found: Detection) -> None:
    row["duration_s"] = found.duration_s
    row["events"] = [event.to_dict() for event in found.events]
    row["quality"] = [{"lead": lead, **entry} for lead, entry in found.quality.items()]
    row["warnings"] = list(found.warnings)
    json.dumps(row, allow_nan=False)  # what no journal can hold must fail here, alone


def _blank(order: Order, recipe: Recipe) -> Row:
    source = order.source
    return Row(
        recording=source.name,
        size_bytes=source.size_bytes,
        sha256=None,
        table=None,
        model=recipe.model,
        model_sha256=recipe.model_sha256,
        settings=recipe.settings,
        package_version=recipe.package_version,
        duration_s=None,
        events=[],
        quality=[],
        warnings=[],
        failure=None,
        cpu_s=0.0,
        scanned_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        stamp=source.stamp,
        table_sha256=None,
    )


def sha256_of_all(files: Sequence[str]) -> str:
    """Hash one file; of several, the list of their hashes and names."""
    if len(files) == 1:
        return sha256_of(Path(files[0]))
    lines = [f"{sha256_of(Path(file))}  {Path(file).name}\n" for file in files]
    return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()


@contextmanager
def _at_hand(source: Source) -> Iterator[Sequence[str]]:
    """Give local paths of a recording's files; copies from far away live as long."""
    if not source.store:
        yield source.files
        return
    files, _ = open_store(source.store)
    with tempfile.TemporaryDirectory(prefix="distilclip-") as folder:
        copies = [str(Path(folder) / Path(path).name) for path in source.files]
        for path, copy in zip(source.files, copies, strict=True):
            try:
                files.get_file(path, copy)
            except Exception as error:  # every kind of store raises its own
                raise UnreadableRecordingError(
                    f"cannot be fetched ({reason_of(error)})"
                ) from None
        yield copies


def _about(source: Source, error: Exception) -> str:
    """Say what is wrong without saying again which recording it is about."""
    path = source.files[0]
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        text = reason_of(error)
    for prefix in (f"{path}: ", f"{Path(path).name}: "):
        text = text.removeprefix(prefix)
    return text
