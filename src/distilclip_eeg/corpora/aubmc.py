"""The AUBMC "Epileptic EEG Dataset" -> its recordings, and its shipped segments.

Raw EDF lie in `Raw_EDF_Files`; `Preprocessing_Scripts/Seizure_times.py` gives the time
of day and the length of each seizure as Python. That file is parsed and never run. It
gives no types: those may stand in `Seizure_types.tsv` (`aubmc_types.py`). The shipped
segments (`x_train.npy`, ...) mix the seconds of each patient over both parts and do not
say whose they are: they serve the `paper` protocol only.

Source: Mendeley Data 5pc2j46cbc v1 (Nasreddine 2021), CC BY 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.aubmc_segments import find_segments
from distilclip_eeg.corpora.aubmc_times import TimedSeizure, read_seizure_times
from distilclip_eeg.corpora.aubmc_types import (
    TYPES_FILE,
    TypedSeizure,
    read_seizure_types,
)
from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.clock import after, clock_text, start_of_day_s
from distilclip_eeg.corpora.listing import Listing, Placed
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import CorpusError

NAME: Final = "aubmc"
VERSION: Final = "1"  # the only release
TIMES_FILE: Final = "Seizure_times.py"

Types = dict[tuple[str, int], TypedSeizure]

_STEM = re.compile(r"p(\d+)_Record(\d+)", re.IGNORECASE)


def read_aubmc(root: Path) -> Catalog:
    """Read the raw recordings of a copy of the data set.

    Raises
    ------
    CorpusError
        If `Seizure_times.py` is not there or cannot be understood, nor can types
        written down beside it, or there are neither recordings nor segments.
    """
    listing = Listing(NAME, root)
    paths = {}
    for path in sorted(root.rglob("*.edf")):
        if match := _STEM.fullmatch(path.stem):
            paths[int(match[1]), int(match[2])] = path
        else:
            text = "not a name of this data set, expected p10_Record1.edf"
            listing.problem("unannotated", path, text)
    notes = find_segments(root)
    if not paths and not notes:
        raise CorpusError(
            f"{root}: found neither p10_Record1.edf, ... nor x_train.npy, expected "
            "the folder Raw_EDF_Files or the shipped segments"
        )
    if paths:
        _read_recordings(listing, paths)
    return listing.catalog(VERSION, notes)


def _read_recordings(listing: Listing, paths: dict[tuple[int, int], Path]) -> None:
    source = next(iter(sorted(listing.root.rglob(TIMES_FILE))), None)
    if source is None:
        raise CorpusError(
            f"{listing.root}: found no {TIMES_FILE}, expected it in "
            "Preprocessing_Scripts: without it no seizure is known"
        )
    times = read_seizure_times(source)
    beside = next(iter(sorted(listing.root.rglob(TYPES_FILE))), None)
    types = read_seizure_types(beside) if beside else {}
    for key, path in paths.items():
        if key in times:
            _take(listing, path, f"p{key[0]}", source, times[key], types)
        else:
            text = f"not in {TIMES_FILE}, expected record {key[1]} of patient {key[0]}"
            listing.problem("unannotated", path, text)
    for (patient, record), seizures in times.items():
        if (patient, record) not in paths:
            where = listing.where(source, seizures[0].line if seizures else None)
            name = f"p{patient}_Record{record}.edf"
            text = f"{name} is not on disk, seizures in it: {len(seizures)}"
            listing.problem("missing", where, text)
    if beside:
        _list_untimed(listing, beside, types, times)


def _list_untimed(
    listing: Listing,
    path: Path,
    types: Types,
    times: dict[tuple[int, int], list[TimedSeizure]],
) -> None:
    """List the types of seizures that nobody gives the time of."""
    timed = {
        (f"p{patient}_record{record}", seizure.start_s)
        for (patient, record), seizures in times.items()
        for seizure in seizures
    }
    for (record, start_s), typed in types.items():
        if (record, start_s) not in timed:
            text = (
                f"found the type of a seizure of {record} at {clock_text(start_s)} "
                f"that {TIMES_FILE} does not know: left out"
            )
            listing.problem("contradiction", listing.where(path, typed.line), text)


def _take(
    listing: Listing,
    path: Path,
    patient: str,
    source: Path,
    seizures: Sequence[TimedSeizure],
    types: Types,
) -> None:
    extent = listing.extent(path)
    if extent is None:
        return
    start_s = start_of_day_s(extent.start_time)
    if start_s is None and seizures:
        text = "found no start time in the header, expected one: seizures are given by"
        listing.problem("unreadable", path, f"{text} time of day; left out")
        return
    placed: list[Placed] = []
    seen: set[tuple[int, float]] = set()
    for seizure in seizures:
        where = listing.where(source, seizure.line)
        if (seizure.start_s, seizure.duration_s) in seen:
            listing.problem("duplicate", where, f"the same seizure of {path.name}")
            continue
        seen.add((seizure.start_s, seizure.duration_s))
        onset_s = float(after(seizure.start_s, start_s or 0))
        typed = types.get((path.stem.lower(), seizure.start_s))
        kind = typed.event_type if typed else "sz"
        placed.append(Placed(Event(onset_s, seizure.duration_s, kind), where))
    session = path.stem.partition("_")[2]
    listing.add(path, extent, patient, placed, session=session)
