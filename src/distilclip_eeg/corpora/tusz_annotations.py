"""Annotation files of the TUH EEG Seizure Corpus -> seizures with type and leads.

`.csv_bi` says when (one row per stretch, channel TERM) and is what scorers use; `.csv`
says on which leads and of what type, one row per lead; the `.tse` of older releases
says when and of what type. Where both are there, times come from `.csv_bi`, types and
leads from `.csv`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.listing import read_lines
from distilclip_eeg.eeg.annotations import BACKGROUND, Event
from distilclip_eeg.eeg.montage import LEADS, lead_name
from distilclip_eeg.errors import CorpusError

EVENT_TYPES: Final = {
    "seiz": "sz",
    "fnsz": "sz_foc",
    "gnsz": "sz_gen",
    "spsz": "sz_foc_a",
    "cpsz": "sz_foc_ia",
    "absz": "sz_gen_nm",
    "tnsz": "sz_gen_m_tonic",
    "cnsz": "sz_gen_m_clonic",
    "tcsz": "sz_gen_m_tonicClonic",
    "atsz": "sz_gen_m_atonic",
    "mysz": "sz_gen_nm_myoclonic",
    BACKGROUND: BACKGROUND,
    "nesz": BACKGROUND,  # non-epileptic: not what is looked for
}
"""TUSZ labels as HED-SCORE types."""

NON_EPILEPTIC: Final = "nesz"

_COLUMNS = ("channel", "start_time", "stop_time", "label", "confidence")
_DURATION = re.compile(r"#\s*duration\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_TSE_VERSION = re.compile(r"version\s*=\s*tse_v", re.IGNORECASE)
_ALL = "TERM"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an annotation file; `channel` is TERM where all are meant."""

    channel: str
    start_s: float
    stop_s: float
    label: str
    line: int

    def overlap_s(self, start_s: float, stop_s: float) -> float:
        """Seconds that lie in both, negative if none do."""
        return min(self.stop_s, stop_s) - max(self.start_s, start_s)


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one annotation file says.

    Attributes
    ----------
    duration_s
        Of the recording as the annotator saw it; None if the file does not say.
    """

    path: Path
    rows: tuple[Row, ...]
    duration_s: float | None = None

    @property
    def seizures(self) -> list[Row]:
        """The rows with a label of epileptic seizures."""
        return [r for r in self.rows if EVENT_TYPES[r.label] != BACKGROUND]

    @property
    def non_epileptic(self) -> list[Row]:
        """The rows with the label of events that only look like seizures."""
        return [row for row in self.rows if row.label == NON_EPILEPTIC]


@dataclass(frozen=True, slots=True)
class MarkedSeizure:
    """A seizure and the line that gives its times."""

    event: Event
    line: int


def read_csv(path: Path) -> Annotation:
    """Read a `.csv` or `.csv_bi`.

    Raises
    ------
    CorpusError
        With file and line, if a row is not understood.
    """
    lines = read_lines(path)
    comments = [line for _, line in lines if line.startswith("#")]
    table = [(number, line) for number, line in lines if not line.startswith("#")]
    if not table or tuple(table[0][1].lower().split(",")) != _COLUMNS:
        found = f"{table[0][1][:60]!r}" if table else "no table"
        number = table[0][0] if table else 1
        raise CorpusError(
            f"{path}:{number}: found {found}, expected {','.join(_COLUMNS)}"
        )
    durations = [match[1] for match in map(_DURATION.match, comments) if match]
    rows = []
    for number, line in table[1:]:
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(_COLUMNS):
            raise CorpusError(
                f"{path}:{number}: found {len(fields)} fields, expected "
                f"{','.join(_COLUMNS)}"
            )
        rows.append(_row(f"{path}:{number}", number, fields[0], *fields[1:4]))
    return Annotation(path, tuple(rows), float(durations[0]) if durations else None)


def read_tse(path: Path) -> Annotation:
    """Read a `.tse` or `.tse_bi` of an older release.

    Raises
    ------
    CorpusError
        With file and line, if a row is not understood.
    """
    lines = [(n, line) for n, line in read_lines(path) if not line.startswith("#")]
    if not lines or not _TSE_VERSION.match(lines[0][1]):
        number, found = lines[0] if lines else (1, "nothing")
        raise CorpusError(
            f"{path}:{number}: found {found[:60]!r}, expected 'version = tse_v1.0.0'"
        )
    rows = []
    for number, line in lines[1:]:
        fields = line.split()
        if len(fields) != 4:
            raise CorpusError(
                f"{path}:{number}: found {line[:60]!r}, expected start, stop, label "
                "and confidence"
            )
        rows.append(_row(f"{path}:{number}", number, _ALL, *fields[:3]))
    return Annotation(path, tuple(rows))


def _row(where: str, line: int, channel: str, start: str, stop: str, label: str) -> Row:
    try:
        start_s, stop_s = float(start), float(stop)
    except ValueError:
        start_s = stop_s = math.nan
    if not 0 <= start_s < stop_s < math.inf:
        raise CorpusError(
            f"{where}: found {start} to {stop} s, expected a start and a later stop"
        )
    if label.lower() not in EVENT_TYPES:
        raise CorpusError(
            f"{where}: found label {label!r}, expected one of {' '.join(EVENT_TYPES)}"
        )
    return Row(channel, start_s, stop_s, label.lower(), line)


def seizures_of(when: Annotation, what: Annotation) -> list[MarkedSeizure]:
    """Join the rows of annotations of one recording to seizures.

    Parameters
    ----------
    when
        Its seizure rows give the times; those that touch are one seizure.
    what
        Its rows give types and leads; may be the same annotation.

    Returns
    -------
    list of MarkedSeizure
        In order of time. The type is the one that lasts longest over the leads, a
        special one before `seiz`; leads come in the order in which they join.
        What `what` calls non-epileptic throughout is left out.
    """
    found = []
    for start_s, stop_s, line in _joined(when.seizures):
        inside = [r for r in what.rows if r.overlap_s(start_s, stop_s) > 0]
        marked = [r for r in inside if EVENT_TYPES[r.label] != BACKGROUND]
        if not marked and any(r.label == NON_EPILEPTIC for r in inside):
            continue
        event = Event(
            onset=start_s,
            duration=stop_s - start_s,
            event_type=_type(marked, start_s, stop_s),
            channels=_leads(marked),
        )
        found.append(MarkedSeizure(event, line))
    return found


def alone(rows: Iterable[Row], others: Sequence[Row]) -> list[tuple[float, int]]:
    """Return start and line of the stretches that share no second with `others`."""
    return [
        (start_s, line)
        for start_s, stop_s, line in _joined(rows)
        if all(other.overlap_s(start_s, stop_s) <= 0 for other in others)
    ]


def _joined(rows: Iterable[Row]) -> list[tuple[float, float, int]]:
    spans: list[tuple[float, float, int]] = []
    for row in sorted(rows, key=lambda r: (r.start_s, r.line)):
        if spans and row.start_s <= spans[-1][1]:
            start_s, stop_s, line = spans[-1]
            spans[-1] = (start_s, max(stop_s, row.stop_s), line)
        else:
            spans.append((row.start_s, row.stop_s, row.line))
    return spans


def _type(rows: Sequence[Row], start_s: float, stop_s: float) -> str:
    lasted: dict[str, float] = defaultdict(float)
    for row in rows:
        lasted[row.label] += row.overlap_s(start_s, stop_s)
    special = [label for label in lasted if label != "seiz"]
    return EVENT_TYPES[max(special, key=lambda x: lasted[x])] if special else "sz"


def _leads(rows: Sequence[Row]) -> tuple[str, ...]:
    joined: dict[str, float] = {}
    for row in rows:
        name = lead_name(row.channel) or row.channel
        joined[name] = min(row.start_s, joined.get(name, row.start_s))
    joined.pop(_ALL, None)
    place = {lead: position for position, lead in enumerate(LEADS)}
    return tuple(sorted(joined, key=lambda x: (joined[x], place.get(x, len(LEADS)), x)))
