"""The TUH EEG Seizure Corpus -> its recordings, with its official split.

New releases lie in `edf/{train,dev,eval}/<patient>/sNNN_YYYY/<montage>/`, older ones in
`edf/{train,dev}/<montage>/<digits>/<patient>/sNNN_YYYY_MM_DD/`; the file's name tells
patient, session and part in both. References (AR, LE) and missing electrodes are the
montage's business: labels stand in each header.

Source: isip.piconepress.com, TUSZ v1.5 to v2.0.3 (Shah 2018); registration needed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from distilclip_eeg.corpora.catalog import Catalog, Part
from distilclip_eeg.corpora.listing import TOLERANCE_S, Listing, Placed, read_lines
from distilclip_eeg.corpora.tusz_annotations import (
    Annotation,
    alone,
    read_csv,
    read_tse,
    seizures_of,
)
from distilclip_eeg.errors import CorpusError

NAME: Final = "tusz"
PARTS: Final[dict[str, Part]] = {
    "train": "train",
    "dev": "dev",
    "dev_test": "dev",
    "eval": "eval",
}
"""Folders of the official split."""

_READERS = {
    ".csv_bi": read_csv,
    ".csv": read_csv,
    ".tse": read_tse,
    ".tse_bi": read_tse,
}
_FOR_TIMES = (".csv_bi", ".csv", ".tse", ".tse_bi")
_FOR_TYPES = (".csv", ".tse", ".csv_bi", ".tse_bi")
_STEM = re.compile(r"(?P<patient>[a-z0-9]+)_s(?P<session>\d+)_t\d+", re.IGNORECASE)
_SESSION = re.compile(r"s\d+_\d{4}.*")
_VERSION = re.compile(r"version:\s*v?(\d+\.\d+\.\d+)", re.IGNORECASE)
_VERSION_FOLDER = re.compile(r"v(\d+\.\d+\.\d+)")


def read_tusz(root: Path) -> Catalog:
    """Read a copy of TUSZ, whole or of some patients.

    An annotation file that cannot be understood costs its own recording only.

    Raises
    ------
    CorpusError
        If there is no recording.
    """
    listing = Listing(NAME, root)
    paths = sorted(root.rglob("*.edf"))
    if not paths:
        raise CorpusError(
            f"{root}: found no .edf in it, expected edf/train, edf/dev and edf/eval "
            "with <patient>/sNNN_YYYY/<montage>/<patient>_sNNN_tNNN.edf"
        )
    kept = _without_copies(listing, paths)
    for path in kept:
        _take(listing, path)
    _list_orphans(listing, {path.with_suffix("") for path in paths})
    _list_shared(listing, kept)
    version = _version(root)
    return listing.catalog(version, () if version else ("release unknown",))


def part_of(root: Path, path: Path) -> Part | None:
    """Tell the part of the official split from the folders of a file."""
    folders = [root.name, *path.relative_to(root).parts[:-1]]
    return next((PARTS[f] for f in reversed(folders) if f in PARTS), None)


def _without_copies(listing: Listing, paths: list[Path]) -> list[Path]:
    """Leave out the same recording under a second montage.

    Of two the later montage is kept, as the maintainers did in v2.0.2.
    """
    copies: dict[tuple[Part | None, str], list[Path]] = defaultdict(list)
    for path in paths:
        copies[part_of(listing.root, path), path.stem].append(path)
    for same in copies.values():
        for path in same[:-1]:
            listing.problem(
                "duplicate", path, f"also there as {listing.where(same[-1])}: left out"
            )
    return sorted(same[-1] for same in copies.values())


def _take(listing: Listing, path: Path) -> None:
    stem = _STEM.fullmatch(path.stem)
    if stem is None:
        expected = "expected <patient>_sNNN_tNNN.edf"
        listing.problem("unannotated", path, f"not a name of TUSZ, {expected}")
        return
    try:
        annotations = _annotations(path)
    except CorpusError as error:
        listing.malformed(path, error)
        return
    if not annotations:
        names = " ".join(f"{path.stem}{suffix}" for suffix in _FOR_TIMES[:3])
        listing.problem("unannotated", path, f"expected one of {names} beside it")
        return
    extent = listing.extent(path)
    if extent is None:
        return
    _compare(listing, path, annotations, extent.duration_s)
    when, what = _first(annotations, _FOR_TIMES), _first(annotations, _FOR_TYPES)
    seizures = [
        Placed(marked.event, listing.where(when.path, marked.line))
        for marked in seizures_of(when, what)
    ]
    sessions = [part for part in path.parts if _SESSION.fullmatch(part)]
    listing.add(
        path,
        extent,
        stem["patient"].lower(),
        seizures,
        session=sessions[-1] if sessions else f"s{stem['session']}",
        split=part_of(listing.root, path),
    )


def _annotations(path: Path) -> dict[str, Annotation]:
    beside = {suffix: path.with_suffix(suffix) for suffix in _READERS}
    return {s: _READERS[s](p) for s, p in beside.items() if p.is_file()}


def _first(annotations: dict[str, Annotation], order: tuple[str, ...]) -> Annotation:
    return next(annotations[suffix] for suffix in order if suffix in annotations)


def _compare(
    listing: Listing, path: Path, annotations: dict[str, Annotation], length_s: float
) -> None:
    """List what annotation files say differently, and what is no epileptic seizure."""
    when, what = _first(annotations, _FOR_TIMES), _first(annotations, _FOR_TYPES)
    for annotation in annotations.values():
        stated_s = annotation.duration_s
        if stated_s is not None and abs(stated_s - length_s) > TOLERANCE_S:
            listing.problem(
                "contradiction",
                annotation.path,
                f"found a duration of {stated_s:g} s, expected the {length_s:g} s of "
                f"{path.name}: recording believed",
            )
    for start_s, line in alone(what.non_epileptic, ()):
        where = listing.where(what.path, line)
        listing.problem("not_counted", where, f"non-epileptic event at {start_s:g} s")
    known = [*what.seizures, *what.non_epileptic]
    only = [(when, what, found) for found in alone(when.seizures, known)]
    only += [(what, when, found) for found in alone(what.seizures, when.seizures)]
    for of, not_of, (start_s, line) in only:
        listing.problem(
            "contradiction",
            listing.where(of.path, line),
            f"found a seizure at {start_s:g} s that {not_of.path.name} does not know: "
            f"{when.path.name} believed",
        )


def _list_orphans(listing: Listing, stems: set[Path]) -> None:
    for suffix in _READERS:
        for path in sorted(listing.root.rglob(f"*_t*{suffix}")):
            if _STEM.fullmatch(path.stem) and path.with_suffix("") not in stems:
                listing.problem("orphan", path, f"no {path.stem}.edf beside it")


def _list_shared(listing: Listing, paths: list[Path]) -> None:
    """List patients in two parts: the official split cannot be used then."""
    parts: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        part = part_of(listing.root, path)
        if part and (stem := _STEM.fullmatch(path.stem)):
            parts[stem["patient"].lower()].add(part)
    for patient, found in parts.items():
        if len(found) > 1:
            listing.problem(
                "contradiction",
                patient,
                f"found the patient in {' and '.join(sorted(found))}, expected one "
                "part: the official split cannot be used",
            )


def _version(root: Path) -> str:
    """Read the release off the read-me, or off the name of a folder."""
    for folder in (root, root.parent):
        for path in sorted(folder.glob("*AAREADME.txt")):
            for _, line in read_lines(path):
                if match := _VERSION.match(line):
                    return match[1]
    folders = [_VERSION_FOLDER.fullmatch(part) for part in reversed(root.parts)]
    return next((match[1] for match in folders if match), "")
