"""A folder with `manifest.tsv` -> its recordings.

Tab-separated columns: recording, events (paths relative to the folder; events may be
empty), kind, labelled ("start-end" in seconds or empty), source, patient, fold.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import cast, get_args

from distilclip_eeg.corpora.catalog import CorpusRecording, Kind
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.errors import CorpusError

COLUMNS = ("recording", "events", "kind", "labelled", "source", "patient", "fold")


def read_manifest(root: Path) -> list[CorpusRecording]:
    """Read `root/manifest.tsv` and the events it points to.

    Raises
    ------
    CorpusError
        With file and line, if a column, a file or a value is not as expected.
    """
    path = root / "manifest.tsv"
    if not path.is_file():
        raise CorpusError(f"{path}: not found; a manifest lists the recordings there")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        missing = [c for c in COLUMNS if c not in (rows.fieldnames or ())]
        if missing:
            raise CorpusError(
                f"{path}:1: no column {missing[0]!r}; expected {' '.join(COLUMNS)}"
            )
        return [_recording(root, f"{path}:{n}", row) for n, row in enumerate(rows, 2)]


def _recording(root: Path, where: str, row: dict[str, str]) -> CorpusRecording:
    path = root / row["recording"]
    if not path.is_file():
        raise CorpusError(f"{where}: no such recording: {row['recording']}")
    kinds = get_args(Kind)
    if row["kind"] not in kinds:
        raise CorpusError(
            f"{where}: kind {row['kind']!r}; expected one of {', '.join(kinds)}"
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
        path=path,
        dataset=row["source"],
        patient=row["patient"],
        kind=cast(Kind, row["kind"]),
        fold=fold,
        events=tuple(e for e in events if e.event_type.startswith("sz")),
        labelled_s=labelled,
    )
