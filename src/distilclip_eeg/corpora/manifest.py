"""A folder with `manifest.tsv` -> its recordings.

Tab-separated columns: recording, events (paths relative to the folder; events may be
empty), kind, labelled ("start-end" in seconds or empty), source, patient, fold. A
column `split` (train, dev, eval or empty) and a column `session` may follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, cast, get_args

from distilclip_eeg.corpora.catalog import (
    Catalog,
    CorpusRecording,
    Kind,
    Part,
    person_of,
)
from distilclip_eeg.corpora.listing import Listing, Placed
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.eeg.texts import lies_there, read_text, table_rows
from distilclip_eeg.errors import CorpusError

NAME: Final = "manifest"
MANIFEST: Final = "manifest.tsv"
COLUMNS = ("recording", "events", "kind", "labelled", "source", "patient", "fold")


def read_manifest(root: Path) -> list[CorpusRecording]:
    """Read `root/manifest.tsv` and the events it points to.

    Raises
    ------
    CorpusError
        With file and line, if a column, a file or a value is not as expected.
    """
    recordings = []
    for where, row in _rows(root):
        if not lies_there(root / row["recording"]):
            raise CorpusError(f"{where}: no such recording: {row['recording']}")
        recordings.append(_recording(root, where, row))
    return recordings


def read_manifest_catalog(root: Path) -> Catalog:
    """Read `root/manifest.tsv` and the headers of the recordings it lists.

    Recordings that are not there become problems, and so do EDF files that the
    manifest does not list.

    Raises
    ------
    CorpusError
        With file and line, if a column or a value is not as expected.
    """
    listing = Listing(NAME, root)
    listed = set()
    for where, row in _rows(root):
        path = root / row["recording"]
        short = where.removeprefix(f"{root}/")
        listed.add(path)
        if not lies_there(path):
            listing.problem("missing", short, f"{row['recording']} is not on disk")
            continue
        recording = _recording(root, where, row)
        extent = listing.extent(path)
        if extent is not None:
            whole = replace(recording, duration_s=extent.duration_s)
            source = row["events"] or short
            listing.check(whole, [Placed(e, source) for e in recording.events])
    for path in sorted(set(root.rglob("*.edf")) - listed):
        listing.problem("unannotated", path, f"not in {MANIFEST}")
    return listing.catalog()


def _rows(root: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with the file and line where it stands."""
    path = root / MANIFEST
    if not path.is_file():
        raise CorpusError(f"{path}: not found; a manifest lists the recordings there")
    for number, row in table_rows(path, read_text(path), "\t", COLUMNS):
        yield f"{path}:{number}", row


def _recording(root: Path, where: str, row: dict[str, str]) -> CorpusRecording:
    kinds = get_args(Kind)
    if row["kind"] not in kinds:
        raise CorpusError(
            f"{where}: kind {row['kind']!r}; expected one of {', '.join(kinds)}"
        )
    split = row.get("split")
    if split and split not in get_args(Part):
        raise CorpusError(
            f"{where}: split {split!r}; expected one of {', '.join(get_args(Part))}"
        )
    try:
        fold = int(row["fold"]) if row["fold"] else None
        start, _, end = row["labelled"].partition("-")
        labelled = (float(start), float(end)) if row["labelled"] else None
    except ValueError as error:
        raise CorpusError(f"{where}: fold or labelled is no number: {error}") from None
    if labelled and not 0 <= labelled[0] < labelled[1]:
        raise CorpusError(
            f"{where}: labelled {row['labelled']!r} is no stretch of time"
        )
    events = read_tsv(root / row["events"]) if row["events"] else []
    return CorpusRecording(
        name=row["recording"],
        path=root / row["recording"],
        dataset=row["source"],
        patient=person_of(row["patient"]),
        kind=cast(Kind, row["kind"]),
        fold=fold,
        events=tuple(e for e in events if e.event_type.startswith("sz")),
        labelled_s=labelled,
        session=row.get("session") or "",
        split=cast(Part, split) if split else None,
    )
