"""The Siena scalp EEG database -> its recordings.

`PN00/Seizures-list-PN00.txt` was typed by hand: times of day with `.` or `:`, names of
files that do not quite exist, registration times once for two seizures. Its parser
takes what its 14 lists are known to hold and refuses the rest; wherever it had to
decide, the catalog lists what it decided. `subject_info.csv` gives type, side and lobe
of a patient's seizures; side and lobe become the leads that lie there.

Source: physionet.org/content/siena-scalp-eeg/1.0.0 (Detti 2020), CC BY 4.0.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from distilclip_eeg.corpora.catalog import Catalog
from distilclip_eeg.corpora.clock import after, clock_text, start_of_day_s
from distilclip_eeg.corpora.listing import TOLERANCE_S, Extent, Listing, Placed
from distilclip_eeg.corpora.siena_lists import ListedSeizure, read_seizure_list
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import REGIONS, Lobe, Side, side_of
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.texts import read_text, table_rows
from distilclip_eeg.errors import CorpusError

NAME: Final = "siena"
VERSION: Final = "1.0.0"  # the only release
EVENT_TYPES: Final = {"IAS": "sz_foc_ia", "WIAS": "sz_foc_a", "FBTC": "sz_foc_f2b"}
"""Seizure types of `subject_info.csv` as HED-SCORE types."""

_LOBES: Final[dict[str, Lobe]] = {
    "F": "frontal",
    "T": "temporal",
    "C": "central",
    "P": "parietal",
    "O": "occipital",
}
_PATIENT = re.compile(r"PN\d\d")
_HOUR_S = 3600


class Subject(NamedTuple):
    """What `subject_info.csv` says of a patient's seizures."""

    event_type: str = "sz"
    channels: tuple[str, ...] = ()
    n_seizures: int | None = None


def read_siena(root: Path) -> Catalog:
    """Read a copy of the Siena database, whole or of some patients.

    Raises
    ------
    CorpusError
        If there is no folder of a patient, or a list cannot be understood.
    """
    listing = Listing(NAME, root)
    folders = [p for p in sorted(root.iterdir()) if _PATIENT.fullmatch(p.name)]
    if not folders:
        raise CorpusError(
            f"{root}: found no folder of a patient, expected PN00 with "
            "Seizures-list-PN00.txt and PN00-1.edf in it, ..."
        )
    info = root / "subject_info.csv"
    subjects = read_subjects(info) if info.is_file() else {}
    for folder in folders:
        _read_patient(listing, folder, subjects.get(folder.name, Subject()))
    notes = () if subjects else ("no subject_info.csv: types of seizures unknown",)
    return listing.catalog(VERSION, notes)


def read_subjects(path: Path) -> dict[str, Subject]:
    """Read `subject_info.csv`, by patient.

    Raises
    ------
    CorpusError
        With file and line, if a column or a value is not as expected.
    """
    needed = ("patient_id", "seizure", "localization", "lateralization")
    subjects = {}
    for number, fields in table_rows(path, read_text(path), ",", needed):
        row = {name: field.strip() for name, field in fields.items()}
        subjects[row["patient_id"]] = _subject(f"{path}:{number}", row)
    return subjects


def _subject(where: str, row: dict[str, str]) -> Subject:
    kind = row.get("seizure", "")
    if kind not in EVENT_TYPES:
        raise CorpusError(
            f"{where}: found seizure {kind!r}, expected one of {' '.join(EVENT_TYPES)}"
        )
    count = row.get("number_seizures", "")
    return Subject(
        EVENT_TYPES[kind],
        leads_of(
            side_of(row.get("lateralization", "")),
            _LOBES.get(row.get("localization", ""), "unknown"),
        ),
        int(count) if count.isdecimal() and len(count) < 10 else None,
    )


def leads_of(side: Side, lobe: Lobe) -> tuple[str, ...]:
    """Return the leads that lie on a side and over a lobe.

    `findings.place_of_leads` gives side and lobe back. Without a side there are none,
    as leads of both sides would say that the seizure is bilateral.
    """
    digits = {"left": "1357", "right": "2468", "bilateral": "12345678"}.get(side, "")
    return tuple(
        lead
        for lead in LEADS
        if lead[-1] in digits and lobe in ("unknown", REGIONS[lead])
    )


def _read_patient(listing: Listing, folder: Path, subject: Subject) -> None:
    paths = sorted(folder.glob("*.edf"))
    source = folder / f"Seizures-list-{folder.name}.txt"
    listed: list[ListedSeizure] = []
    if source.is_file():
        listed = read_seizure_list(source)
    else:
        listing.problem("missing", source, "no such list: seizures are unknown")
    if subject.n_seizures not in (None, len(listed)) and source.is_file():
        listing.problem(
            "contradiction",
            source,
            f"found {len(listed)} seizures, expected {subject.n_seizures} as in "
            "subject_info.csv: the list believed",
        )
    for seizure in listed:
        for doubt in seizure.doubts:
            where = listing.where(source, doubt.line)
            listing.problem("contradiction", where, doubt.text)
    of_path = _by_path(listing, source, listed, paths)
    for path in paths:
        if path in of_path:
            _take(listing, path, source, of_path[path], subject)
        else:
            text = f"not in {source.name}, expected it there"
            listing.problem("unannotated", path, text)


def _by_path(
    listing: Listing, source: Path, listed: Sequence[ListedSeizure], paths: list[Path]
) -> dict[Path, list[ListedSeizure]]:
    """Find the file that each seizure means, as lists misspell names."""
    found: dict[Path, list[ListedSeizure]] = defaultdict(list)
    for seizure in listed:
        path = meant_file(seizure.file, paths)
        where = listing.where(source, seizure.line)
        if path is None:
            text = f"{seizure.file} with a seizure is not on disk"
            listing.problem("missing", where, text)
            continue
        if path.name != seizure.file:
            text = f"found the name {seizure.file}, taken for {path.name}"
            listing.problem("contradiction", where, text)
        found[path].append(seizure)
    return found


def meant_file(name: str, paths: Sequence[Path]) -> Path | None:
    """Find the file that a list means: `PNO6-1.edf` is PN06-1.edf, O for zero.

    `PN01.edf` and `PN11-.edf` are the only recording of their patient.
    """
    plain = {_plain(path.stem): path for path in paths}
    stem = _plain(name.strip().removesuffix(".edf"))
    if stem in plain:
        return plain[stem]
    numberless = "-" not in stem
    return paths[0] if numberless and len(paths) == 1 else None


def _plain(stem: str) -> str:
    return stem.upper().replace("O", "0").rstrip("-")


def _take(
    listing: Listing,
    path: Path,
    source: Path,
    listed: Sequence[ListedSeizure],
    subject: Subject,
) -> None:
    extent = listing.extent(path)
    if extent is None:
        return
    where = listing.where(source, listed[0].line)
    start_s = _start_s(listing, where, path, extent, listed)
    if start_s is None:
        return
    seizures = []
    for seizure in listed:
        where = listing.where(source, seizure.line)
        onset_s = after(seizure.start_s, start_s)
        end_s = _end_s(listing, where, onset_s, after(seizure.end_s, start_s), extent)
        if end_s <= onset_s:
            text = (
                f"found a seizure from {clock_text(seizure.start_s)} to "
                f"{clock_text(seizure.end_s)}, expected it in {path.name}, which "
                f"begins at {clock_text(start_s)}: the file is left out"
            )
            listing.problem("past_end", where, text)
            return
        event = Event(
            onset=float(onset_s),
            duration=float(end_s - onset_s),
            event_type=subject.event_type,
            channels=subject.channels,
        )
        seizures.append(Placed(event, where))
    listing.add(path, extent, path.parent.name, seizures)


def _start_s(
    listing: Listing,
    where: str,
    path: Path,
    extent: Extent,
    listed: Sequence[ListedSeizure],
) -> int | None:
    """Decide at which time of day a recording began: list and header may disagree.

    Where they do, the one is believed whose start and the length of the file come
    nearer to the end that the list gives.
    """
    header_s = start_of_day_s(extent.start_time)
    list_s = next((s.registered_s for s in listed if s.registered_s is not None), None)
    end_s = next((s.closed_s for s in listed if s.closed_s is not None), None)
    known = [s for s in (list_s, header_s) if s is not None]
    if not known:
        text = f"found no start of {path.name}, neither here nor in its header"
        listing.problem("unreadable", where, f"{text}: left out")
        return None
    if len(known) < 2 or _apart_s(known[0], known[1]) <= TOLERANCE_S:
        return known[0]
    chosen = known[0]
    if end_s is not None:
        length_s = round(extent.duration_s)
        chosen = min(known, key=lambda s: _apart_s(s + length_s, end_s))
    listing.problem(
        "contradiction",
        where,
        f"found a registration start of {clock_text(known[0])}, the header of "
        f"{path.name} says {clock_text(known[1])}: {clock_text(chosen)} believed",
    )
    return chosen


def _apart_s(one_s: int, other_s: int) -> int:
    return min(after(one_s, other_s), after(other_s, one_s))


def _end_s(
    listing: Listing, where: str, onset_s: int, end_s: int, extent: Extent
) -> int:
    """Repair an end past the end of the file that is wrong by one hour (PN00-3)."""
    past = end_s > extent.duration_s + TOLERANCE_S
    if past and onset_s < end_s - _HOUR_S <= extent.duration_s:
        listing.problem(
            "contradiction",
            where,
            f"found a seizure that ends at {end_s} s, after the {extent.duration_s:g} "
            f"s of the file, and fits one hour earlier: {end_s - _HOUR_S} s believed",
        )
        return end_s - _HOUR_S
    return end_s
