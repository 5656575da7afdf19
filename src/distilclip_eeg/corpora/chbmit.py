"""CHB-MIT as PhysioNet gives it -> its recordings.

`chbNN/chbNN-summary.txt` lists files and seizures of a case, seconds from the start of
the file. A file that the summary leaves out is not seizure-free, it is unknown (ten
files of chb24). The case chb21 is chb01 eighteen months later, one patient. Which
channels a file holds stands in its own header: summaries tell of some changes only.

Source: physionet.org/content/chbmit/1.0.0 (Shoeb 2009; Goldberger 2000), ODC-By 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from distilclip_eeg.corpora.catalog import Catalog, person_of
from distilclip_eeg.corpora.listing import Listing, Placed, read_lines
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.texts import lies_there
from distilclip_eeg.errors import CorpusError

NAME: Final = "chbmit"
VERSION: Final = "1.0.0"  # the only release
SEIZURE_LIST: Final = "RECORDS-WITH-SEIZURES"

_CASE = re.compile(r"chb\d\d")
_FILE = re.compile(r"File Name:\s*(\S+\.edf)", re.IGNORECASE)
_CLOCK = re.compile(r"File (Start|End) Time:\s*(\d{1,2}):(\d\d):(\d\d)", re.IGNORECASE)
_COUNT = re.compile(r"Number of Seizures in File:\s*(\d{1,9})", re.IGNORECASE)
# `Seizure Start Time:` and `Seizure 1 Start Time:` stand side by side, even in a case.
_SEIZURE = re.compile(
    r"Seizure(?:\s+\d+)?\s+(Start|End) Time:\s*(\d{1,9})\s*seconds?", re.IGNORECASE
)
_TELLS = re.compile(r"seizure|file name|file (start|end)", re.IGNORECASE)
_DAY_S = 86_400


@dataclass(slots=True)
class SummaryEntry:
    """What a summary says of one file.

    Attributes
    ----------
    line
        Where the summary begins to speak of the file.
    seizures
        (onset, end, line); seconds from the start of the file.
    listed_s
        Length by the clock times, None where there are none (chb24).
    """

    file: str
    line: int
    seizures: list[tuple[float, float, int]] = field(default_factory=list)
    listed_s: float | None = None


def read_summary(path: Path) -> list[SummaryEntry]:
    """Read one `chbNN-summary.txt`.

    Hours may have one digit or pass 24; both forms of the seizure line are read.

    Raises
    ------
    CorpusError
        With file and line, if a line about files or seizures is not understood, or
        the number of seizures is not the stated one.
    """
    blocks: list[list[tuple[int, str]]] = []
    for number, line in read_lines(path):
        if _FILE.fullmatch(line):
            blocks.append([])
        elif not blocks and _TELLS.match(line):
            raise _not_understood(path, number, line)
        if blocks:
            blocks[-1].append((number, line))
    entries = [_entry(path, block) for block in blocks]
    names = [entry.file for entry in entries]
    for position, entry in enumerate(entries):
        if entry.file in names[:position]:
            raise CorpusError(f"{path}:{entry.line}: found {entry.file} a second time")
    return entries


def _entry(path: Path, block: list[tuple[int, str]]) -> SummaryEntry:
    first, name = block[0]
    entry = SummaryEntry(name.partition(":")[2].strip(), first)
    clocks: dict[str, int] = {}
    stated: tuple[int, int] | None = None
    started: tuple[float, int] | None = None
    for number, line in block[1:]:
        if match := _CLOCK.fullmatch(line):
            hours, minutes, seconds = map(int, match.groups()[1:])
            clocks[match[1].lower()] = hours * 3600 + minutes * 60 + seconds
        elif match := _COUNT.fullmatch(line):
            stated = int(match[1]), number
        elif match := _SEIZURE.fullmatch(line):
            started = _seizure(path, entry, started, match, number)
        elif _TELLS.match(line):
            raise _not_understood(path, number, line)
    if stated is None or stated[0] != len(entry.seizures) or started:
        found = f"{len(entry.seizures)} whole seizures of {entry.file}"
        expected = "their number" if stated is None else f"{stated[0]} as stated"
        line_no = stated[1] if stated else first
        raise CorpusError(f"{path}:{line_no}: found {found}, expected {expected}")
    if len(clocks) == 2:
        entry.listed_s = float((clocks["end"] - clocks["start"]) % _DAY_S)
    return entry


def _seizure(
    path: Path,
    entry: SummaryEntry,
    started: tuple[float, int] | None,
    match: re.Match[str],
    number: int,
) -> tuple[float, int] | None:
    """Take one half of a seizure; return the half that still waits for its end."""
    at_s = float(match[2])
    if (match[1].lower() == "end") == (started is None):
        expected = "start" if started is None else "end"
        raise CorpusError(
            f"{path}:{number}: found {match[0]!r}, expected the {expected} of a seizure"
        )
    if started is None:
        return at_s, number
    if at_s <= started[0]:
        raise CorpusError(
            f"{path}:{number}: found a seizure from {started[0]:g} to {at_s:g} s, "
            "expected it to end after it begins"
        )
    entry.seizures.append((started[0], at_s, started[1]))
    return None


def _not_understood(path: Path, number: int, line: str) -> CorpusError:
    return CorpusError(
        f"{path}:{number}: found {line[:60]!r}, expected a line such as 'File Name: "
        "chb01_03.edf', 'File Start Time: 13:43:04', 'Number of Seizures in File: 1' "
        "or 'Seizure 1 Start Time: 2996 seconds'"
    )


def read_chbmit(root: Path) -> Catalog:
    """Read a copy of CHB-MIT, whole or of some cases.

    Raises
    ------
    CorpusError
        If there is no folder of a case, or a summary cannot be understood.
    """
    listing = Listing(NAME, root)
    cases = sorted(p for p in root.iterdir() if p.is_dir() and _CASE.fullmatch(p.name))
    if not cases:
        raise CorpusError(
            f"{root}: found no folder of a case, expected chb01 with chb01-summary.txt "
            "and chb01_01.edf in it, ..."
        )
    entries: dict[str, SummaryEntry] = {}
    for case in cases:
        entries |= _read_case(listing, case)
    names = {case.name for case in cases}
    _compare_records(listing, names, entries)
    _compare_seizure_list(listing, names, entries)
    return listing.catalog(version=VERSION)


def _read_case(listing: Listing, case: Path) -> dict[str, SummaryEntry]:
    """Take the files of one case; return what its summary says of each."""
    summary = case / f"{case.name}-summary.txt"
    entries = {}
    if summary.is_file():
        entries = {f"{case.name}/{e.file}": e for e in read_summary(summary)}
    else:
        listing.problem("missing", summary, "no such summary: seizures are unknown")
    for name, entry in entries.items():
        _take(listing, case, listing.root / name, entry)
    for path in sorted(case.glob("*.edf")):
        if listing.where(path) not in entries:
            listing.problem(
                "unannotated", path, f"not in {summary.name}, expected it there"
            )
    return entries


def _take(listing: Listing, case: Path, path: Path, entry: SummaryEntry) -> None:
    summary = case / f"{case.name}-summary.txt"
    if not lies_there(path):
        listing.problem(
            "missing",
            listing.where(summary, entry.line),
            f"{path.name} is not on disk, seizures in it: {len(entry.seizures)}",
        )
    elif extent := listing.extent(path):
        seizures = [
            Placed(Event(start, end - start), listing.where(summary, line))
            for start, end, line in entry.seizures
        ]
        patient = person_of(case.name)
        listing.add(path, extent, patient, seizures, session=case.name)


def _compare_records(
    listing: Listing, cases: set[str], entries: dict[str, SummaryEntry]
) -> None:
    """List files that `RECORDS` names, that are not there and in no summary."""
    for number, name in _named_in(listing.root / "RECORDS"):
        absent = not lies_there(listing.root / name)
        if name.partition("/")[0] in cases and name not in entries and absent:
            listing.problem("missing", f"RECORDS:{number}", f"{name} is not on disk")


def _compare_seizure_list(
    listing: Listing, cases: set[str], entries: dict[str, SummaryEntry]
) -> None:
    """List where `RECORDS-WITH-SEIZURES` and the summaries disagree."""
    path = listing.root / SEIZURE_LIST
    if not path.is_file():
        return
    named = {name: number for number, name in _named_in(path)}
    for name, number in named.items():
        entry = entries.get(name)
        if name.partition("/")[0] in cases and not (entry and entry.seizures):
            listing.problem(
                "contradiction",
                f"{SEIZURE_LIST}:{number}",
                f"found {name}, whose summary knows no seizure in it: summary believed",
            )
    for name, entry in entries.items():
        if entry.seizures and name not in named:
            listing.problem(
                "contradiction",
                name,
                f"not in {SEIZURE_LIST}, and its summary knows a seizure in it: "
                "summary believed",
            )


def _named_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and `chb01/chb01_03.edf`; copies exist that leave out the folder."""
    if not path.is_file():
        return
    for number, line in read_lines(path):
        file = PurePosixPath(line).name
        yield number, f"{file[:5]}/{file}"
