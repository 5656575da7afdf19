"""Two folders of event tables, of experts and of any detector -> outcomes.

Tables are HED-SCORE (.tsv) or NEDC (.csv_bi), and the two folders need not agree in
which. Tables belong together that lie at the same place below their folders, or else
bear the same name. What has no counterpart is told, never passed over.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.corpora.store import marked
from distilclip_eeg.corpora.tusz_annotations import EVENT_TYPES, read_csv
from distilclip_eeg.eeg.annotations import BACKGROUND, Event, read_tsv
from distilclip_eeg.eeg.texts import read_text, table_rows
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.outcomes import Outcome

SUFFIXES: Final = (".tsv", ".csv_bi")
STEM_ENDS: Final = ("_events", "_eeg")
DURATION: Final = "recordingDuration"
EVENT_COLUMNS: Final = ("onset", "duration", "eventType")
PATIENTS: Final = (
    re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)(?:[_/]|$)"),  # BIDS
    re.compile(r"(?:^|/)([a-z]{8})_s\d{3}_t\d{3}$"),  # TUSZ
    re.compile(r"(?:^|/)(chb\d\d)[a-z]?_"),  # CHB-MIT
    re.compile(r"(?:^|/)(PN\d\d)-"),  # Siena
)
"""Where names of known data sets say who was recorded."""


@dataclass(frozen=True, slots=True)
class Table:
    """What one file says; `duration_s` is None if it does not say how long."""

    path: Path
    events: tuple[Event, ...]
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Matched:
    """Two folders side by side.

    Attributes
    ----------
    outcomes
        One for each table of the reference. Where the detector has none, nothing was
        found: a detector is not better for failing.
    missing
        Tables of the reference, below its folder, that the detector has none for.
    extra
        Tables of the detector that the reference has none for: not scored.
    no_tables
        Files with a fitting suffix that are no tables of events.
    """

    outcomes: tuple[Outcome, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    no_tables: tuple[str, ...]


def match_trees(
    reference: Path, hypothesis: Path, patient_pattern: str | None = None
) -> Matched:
    """Read two folders of event tables.

    Parameters
    ----------
    patient_pattern
        A regular expression whose first group finds the patient in a table's path
        below `reference`. Without it the names of BIDS, TUSZ, CHB-MIT and Siena are
        understood, else the folder is the patient, and without one the recording.

    Raises
    ------
    CorpusError
        If a folder holds no table, a table cannot be read, two could be meant, or
        nobody says how long a recording is.
    ConfigError
        If the pattern is no regular expression with a group, or finds nobody.
    """
    pattern = _compiled(patient_pattern)
    true, strange = _find(reference)
    found, strange_too = _find(hypothesis)
    by_name = defaultdict(list)
    for key in found:
        by_name[key.rpartition("/")[2]].append(key)
    partners = {key: _partner(key, found, by_name, hypothesis) for key in true}
    _check_single(partners)
    outcomes, missing = [], []
    for key, partner in partners.items():
        if partner is None:
            missing.append(_below(true[key], reference))
        outcomes.append(
            _outcome(
                key,
                _read(true[key]),
                None if partner is None else _read(found[partner]),
                _patient(key, pattern),
            )
        )
    extra = [found[key] for key in found.keys() - set(partners.values())]
    return Matched(
        tuple(outcomes),
        tuple(missing),
        tuple(sorted(_below(path, hypothesis) for path in extra)),
        tuple(sorted(map(str, [*strange, *strange_too]))),
    )


def _find(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Tables of events by their key, and other files; `*_events.tsv` where any are."""
    if not folder.is_dir():
        raise CorpusError(f"{folder}: found no such folder, expected tables of events")
    paths = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    if any(p.name.endswith("_events.tsv") for p in paths):
        kept = [p for p in paths if p.name.endswith(("_events.tsv", ".csv_bi"))]
    else:
        kept = [p for p in paths if p.suffix != ".tsv" or _is_table(p)]
    if not kept:
        raise CorpusError(
            f"{folder}: found no table of events, expected .tsv with the columns "
            f"{' '.join(EVENT_COLUMNS)}, or .csv_bi"
        )
    tables: dict[str, Path] = {}
    for path in kept:
        key = _key(path, folder)
        if key in tables:
            raise CorpusError(
                f"{path}: found {tables[key].name} of the same recording, expected one"
            )
        tables[key] = path
    return tables, [_below(p, folder) for p in paths if p not in kept]


def _is_table(path: Path) -> bool:
    header = read_text(path).partition("\n")[0].rstrip("\r").split("\t")
    return set(EVENT_COLUMNS) <= {name.strip() for name in header}


def _key(path: Path, folder: Path) -> str:
    """The path below the folder, without suffix and without what says its kind."""
    stem = path.relative_to(folder).with_suffix("").as_posix()
    for end in STEM_ENDS:
        stem = stem.removesuffix(end)
    return stem


def _partner(
    key: str, found: dict[str, Path], by_name: dict[str, list[str]], folder: Path
) -> str | None:
    if key in found:
        return key
    same_name = by_name.get(key.rpartition("/")[2], [])
    if len(same_name) > 1:
        raise CorpusError(
            f"{folder}: found {len(same_name)} tables that could belong to {key}, such "
            f"as {same_name[0]} and {same_name[1]}, expected one"
        )
    return same_name[0] if same_name else None


def _check_single(partners: dict[str, str | None]) -> None:
    counted = Counter(partner for partner in partners.values() if partner is not None)
    for partner, n in counted.items():
        if n > 1:
            mine = [key for key, other in partners.items() if other == partner]
            raise CorpusError(
                f"{partner}: found {n} recordings that it could belong to, such as "
                f"{mine[0]} and {mine[1]}, expected one; lay both folders out alike"
            )


def _read(path: Path) -> Table:
    if path.suffix == ".tsv":
        events = tuple(read_tsv(path))
        return Table(path, events, _column_s(path) or _background_s(events))
    annotation = read_csv(path)
    events = tuple(
        Event(row.start_s, row.stop_s - row.start_s, EVENT_TYPES[row.label])
        for row in annotation.rows
    )
    return Table(path, events, annotation.duration_s)


def _column_s(path: Path) -> float | None:
    """The recording's length by the column of that name."""
    for _, row in table_rows(path, read_text(path), "\t", ()):
        try:
            duration_s = float(row.get(DURATION) or "nan")
        except ValueError:
            continue
        if 0 < duration_s < math.inf:
            return duration_s
    return None


def _background_s(events: Sequence[Event]) -> float | None:
    """The recording's length where all of it is background."""
    if len(events) == 1 and events[0].event_type == BACKGROUND and not events[0].onset:
        return events[0].duration
    return None


def _outcome(key: str, true: Table, found: Table | None, patient: str) -> Outcome:
    durations_s = [t.duration_s for t in (true, found) if t and t.duration_s]
    if not durations_s:
        raise CorpusError(
            f"{true.path}: found no {DURATION} in it nor in the detector's table, "
            "expected how long the recording is"
        )
    seizures = [marked(event) for event in _seizures(true.events)]
    return Outcome(
        name=key,
        dataset="",
        patient=patient,
        seizures=tuple(sorted(seizures)),
        events=tuple(
            sorted(_seizures(found.events if found else ()), key=lambda e: e.onset)
        ),
        duration_s=durations_s[0],
    )


def _seizures(events: Iterable[Event]) -> Sequence[Event]:
    """Rows that say seizure, of whatever kind, and last."""
    return [event for event in events if event.is_seizure and event.duration > 0]


def _patient(key: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is not None:
        if (match := pattern.search(key)) is None:
            raise ConfigError(
                f"{key}: found nobody with the pattern {pattern.pattern!r}, expected a "
                "patient in every path"
            )
        return person_of(match[1])
    for known in PATIENTS:
        if match := known.search(key):
            return person_of(match[1])
    folder, _, name = key.rpartition("/")
    return folder.partition("/")[0] or name


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"found {pattern!r}, expected a pattern: {error}") from None
    if not compiled.groups:
        raise ConfigError(
            f"found {pattern!r}, expected a group that is the patient, such as "
            "'(sub-[0-9]+)'"
        )
    return compiled


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
