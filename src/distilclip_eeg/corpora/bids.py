"""A BIDS-EEG tree with HED-SCORE events, as SzCORE lays it out -> its recordings.

`sub-01/ses-01/eeg/sub-01_ses-01_task-szMonitoring_run-00_{eeg.edf,events.tsv,eeg.json}`;
the session may be absent, the format is any that can be read. Numbers of subjects
begin anew in every tree, so a patient's name carries the name of the data set. Of the
side-car files only the length is compared.

Source: bids-specification.readthedocs.io (EEG), eegstandards.com (SzCORE, Dan 2024).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.listing import TOLERANCE_S, Listing, Placed, read_lines
from distilclip_eeg.eeg.annotations import BACKGROUND, read_tsv
from distilclip_eeg.eeg.files import RECORDING_SUFFIXES
from distilclip_eeg.errors import CorpusError

NAME: Final = "bids"

_FOLDERS = ("sub-*/eeg", "sub-*/ses-*/eeg")
_DESCRIPTION = "dataset_description.json"
_DATA_OF_VHDR = ".eeg"


@dataclass(frozen=True, slots=True)
class Naming:
    """The parts of a BIDS name that a catalog needs."""

    subject: str
    session: str
    stem: str  # without `_eeg` or `_events`


def read_bids(root: Path) -> Catalog:
    """Read a BIDS-EEG tree.

    A table of events that cannot be understood costs its own recording only.

    Raises
    ------
    CorpusError
        If there is no `sub-*` with a folder `eeg`.
    """
    folders = sorted(f for pattern in _FOLDERS for f in root.glob(pattern))
    if not folders:
        raise CorpusError(
            f"{root}: found no sub-*/eeg or sub-*/ses-*/eeg, expected "
            "sub-01/ses-01/eeg/sub-01_ses-01_task-szMonitoring_run-00_eeg.edf, ..."
        )
    description = _json(root / _DESCRIPTION)
    listing = Listing(_slug(str(description.get("Name") or NAME)), root)
    for folder in folders:
        paths = sorted(_recordings(folder))
        for path in paths:
            _take(listing, path)
        stems = {_naming(path).stem for path in paths}
        for events in sorted(folder.glob("*_events.tsv")):
            if _naming(events).stem not in stems:
                listing.problem("orphan", events, "no recording beside it")
    return listing.catalog(str(description.get("DatasetVersion") or ""))


def _recordings(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*_eeg.*"):
        suffix = path.suffix.lower()
        if suffix in RECORDING_SUFFIXES and suffix != _DATA_OF_VHDR:
            yield path


def _naming(path: Path) -> Naming:
    stem = path.name.rpartition("_")[0]
    entities = dict(part.partition("-")[::2] for part in stem.split("_"))
    session = f"ses-{entities['ses']}" if "ses" in entities else ""
    return Naming(f"sub-{entities.get('sub', '')}", session, stem)


def _take(listing: Listing, path: Path) -> None:
    naming = _naming(path)
    table = path.with_name(f"{naming.stem}_events.tsv")
    if not table.is_file():
        listing.problem("unannotated", path, f"no {table.name}, expected it beside it")
        return
    try:
        events = read_tsv(table)
    except CorpusError as error:
        listing.malformed(path, error)
        return
    if not events:
        listing.problem(
            "unannotated",
            table,
            "found no row, expected one that says bckg if there is no seizure",
        )
        return
    extent = listing.extent(path)
    if extent is None:
        return
    _compare_lengths(listing, path, table, extent.duration_s)
    # Rows and lines differ by the header; blank lines are rare enough.
    placed = [
        Placed(event, listing.where(table, number))
        for number, event in enumerate(events, start=2)
    ]
    for other in placed:
        if not other.event.is_seizure and other.event.event_type != BACKGROUND:
            text = f"{other.event.event_type} at {other.event.onset:g} s"
            listing.problem("not_counted", other.where, text)
    listing.add(
        path,
        extent,
        f"{listing.dataset}:{naming.subject}",
        [p for p in placed if p.event.is_seizure],
        session=naming.session,
    )


def _compare_lengths(
    listing: Listing, path: Path, table: Path, duration_s: float
) -> None:
    """List where table or side-car give the recording another length."""
    sidecar = table.with_name(f"{_naming(path).stem}_eeg.json")
    stated = {table: _stated_duration(table)}
    if sidecar.is_file():
        try:
            stated[sidecar] = _number(_json(sidecar).get("RecordingDuration"))
        except CorpusError as error:
            listing.malformed(sidecar, error)
    else:
        listing.problem("missing", sidecar, f"side-car of {path.name}: not needed")
    for source, stated_s in stated.items():
        if stated_s is not None and abs(stated_s - duration_s) > TOLERANCE_S:
            listing.problem(
                "contradiction",
                source,
                f"found a recording of {stated_s:g} s, expected the {duration_s:g} s "
                f"of {path.name}: recording believed",
            )


def _stated_duration(table: Path) -> float | None:
    """Read `recordingDuration` off the first row."""
    lines = [line.split("\t") for _, line in read_lines(table)[:2]]
    row = dict(zip(*lines, strict=False)) if len(lines) == 2 else {}
    return _number(row.get("recordingDuration"))


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise CorpusError(f"{path}:{line}: found no JSON ({error})") from None
    if not isinstance(content, dict):
        raise CorpusError(f"{path}:1: found JSON that is no object, expected one")
    return content


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or NAME
