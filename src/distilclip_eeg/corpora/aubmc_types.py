"""Types of the seizures of the AUBMC data set, written down by its user.

`Seizure_times.py` gives no types, and the spreadsheet that comes with the data set is
not read. Who wants the four classes from the raw recordings writes `Seizure_types.tsv`
anywhere in its folder: `record` (p10_Record1), `start` (time of day, as in
`Seizure_times.py`) and `class`, numbered as in the shipped segments: 1 complex partial,
2 electrographic, 3 seen on video only. Without that file types stay unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from distilclip_eeg.corpora.aubmc_segments import CLASSES
from distilclip_eeg.corpora.clock import times_of_day
from distilclip_eeg.corpora.listing import read_lines
from distilclip_eeg.errors import CorpusError

TYPES_FILE: Final = "Seizure_types.tsv"
COLUMNS: Final = ("record", "start", "class")
EVENT_TYPES: Final = {1: "sz_foc_ia", 2: "sz_electrographic", 3: "sz_video"}
"""By number; HED-SCORE has no word for the last two, these are ours."""


class TypedSeizure(NamedTuple):
    """The type of one seizure, and its line in the file."""

    event_type: str
    line: int


def read_seizure_types(path: Path) -> dict[tuple[str, int], TypedSeizure]:
    """Read the type of each seizure by record, in lower case, and second of the day.

    Raises
    ------
    CorpusError
        With file and line, if a row is not understood or says a second thing of the
        same seizure.
    """
    found: dict[tuple[str, int], TypedSeizure] = {}
    for number, line in read_lines(path):
        fields = tuple(field.strip() for field in line.split("\t"))
        if fields == COLUMNS or line.startswith("#"):
            continue
        times = times_of_day(fields[1]) if len(fields) == len(COLUMNS) else []
        kinds = {str(kind): name for kind, name in EVENT_TYPES.items()}
        if len(times) != 1 or fields[2] not in kinds:
            said = "; ".join(f"{kind} {CLASSES[kind]}" for kind in EVENT_TYPES)
            raise CorpusError(
                f"{path}:{number}: found {line[:60]!r}, expected {' '.join(COLUMNS)} "
                f"apart by tabs, as p10_Record1 07:36:38 1 ({said})"
            )
        typed = TypedSeizure(kinds[fields[2]], number)
        known = found.setdefault((fields[0].lower(), times[0]), typed)
        if known.event_type != typed.event_type:
            raise CorpusError(
                f"{path}:{number}: found class {fields[2]} for a seizure that line "
                f"{known.line} puts elsewhere, expected one class for each"
            )
    return found
