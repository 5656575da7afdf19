"""A folder -> its recordings, each by an id that tells nothing, and what lies beside.

Pages name recordings by these ids alone, so no path ever comes from outside. Who was
recorded is known from a manifest, a BIDS folder, or the header's patient field, and
only as a number and as a hash, whose salt never leaves the state folder.
"""

from __future__ import annotations

import csv
import hashlib
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from distilclip_eeg.eeg.files import find_recordings, open_recording
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.whole_files import claimed, silently, written_whole
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.outputs_beside import Found, read_found

STATE_FOLDER: Final = "distilclip-review"
ID_DIGITS: Final = 16
SALT: Final = "patients.salt"
SALT_BYTES: Final = 32
MAX_OPEN: Final = 8  # headers and lists of records, not signals

Stamp = tuple[int, ...]

_BIDS_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
_NOBODY = frozenset({"", "X", "ANONYMOUS", "ANONYM", "UNKNOWN", "NONE", "N/A", "NA"})
_EDF_PATIENT = slice(8, 88)


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording of the folder.

    Attributes
    ----------
    id
        Names it on the page; from its path, so it stays the same.
    name
        Its path within the folder.
    patient_key
        The same for all recordings of a person, today and next year, and without
        meaning; "" if nothing says who was recorded.
    patient
        Number of the person in this folder, from 1; 0 if unknown.
    """

    id: str
    name: str
    path: Path
    patient_key: str
    patient: int


@dataclass(eq=False)
class Library:
    """The recordings below a folder.

    Parameters
    ----------
    root
        Where they lie.
    state
        Where what this package writes is kept, `root / STATE_FOLDER` by default.

    Raises
    ------
    DistilClipError
        If there is no such folder or no recording in it.
    """

    root: Path
    state: Path
    entries: dict[str, Entry] = field(init=False)
    left_out: tuple[str, ...] = field(init=False)
    _open: dict[str, Recording] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise DistilClipError(
                f"{self.root}: found no folder; give one that holds recordings"
            )
        home, found, outside = self.root.resolve(), list[Path](), list[str]()
        for path in find_recordings(self.root):
            if path.resolve().is_relative_to(home):
                found.append(path)
            else:
                outside.append(path.relative_to(self.root).as_posix())
        if not found:
            raise DistilClipError(f"{self.root}: no recordings in this folder or below")
        self.left_out = tuple(outside)
        keys = patient_keys(self.root, found, _salt(self.state))
        numbers = {"": 0}
        entries = [
            _entry(self.root, path, key, numbers.setdefault(key, len(numbers)))
            for path, key in zip(found, keys, strict=True)
        ]
        self.entries = {entry.id: entry for entry in entries}

    def open(self, entry: Entry) -> Recording:
        """Open a recording, or give the one that is open.

        Raises
        ------
        UnreadableRecordingError
            If it cannot be read.
        """
        with self._lock:
            known = self._open.pop(entry.id, None)
            recording = known or open_recording(entry.path)
            self._open[entry.id] = recording
            while len(self._open) > MAX_OPEN:
                del self._open[next(iter(self._open))]
            return recording

    def found(self, entry: Entry) -> Found | None:
        """Read what a detector says of a recording; None if none was run.

        What this page let a detector find comes after what was there before.

        Raises
        ------
        DistilClipError
            If what lies there does not fit the recording.
        """
        duration_s = self.open(entry).duration_s
        for path in self._places(entry):
            if path.is_file() and (found := read_found(path, duration_s)):
                return found
        return None

    def stamp(self, entry: Entry) -> Stamp:
        """Give what changes when somebody detects anew, without reading it."""
        return tuple(
            path.stat().st_mtime_ns if path.is_file() else 0
            for path in self._places(entry)
        )

    def _places(self, entry: Entry) -> tuple[Path, ...]:
        """Where a detection may lie, in the order in which one is taken."""
        beside = (entry.path.with_suffix(".json"), entry.path.with_suffix(".tsv"))
        return (*beside, self.detection_path(entry))

    def detection_path(self, entry: Entry) -> Path:
        """Where a detection that this page runs is kept."""
        return self.state / "detections" / f"{entry.id}.json"


def _entry(root: Path, path: Path, patient_key: str, patient: int) -> Entry:
    name = path.relative_to(root).as_posix()
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    shown = name.encode("utf-8", "replace").decode("utf-8")
    return Entry(digest[:ID_DIGITS], shown, path, patient_key, patient)


def _salt(state: Path) -> bytes:
    """Random bytes, drawn once for a folder and kept beside the decisions."""
    path = state / SALT
    if not path.is_file():
        with claimed(path, waiting=silently):  # of two servers that begin one draws
            if not path.is_file():
                _draw_salt(path)
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise DistilClipError(
            f"{path}: found {len(salt)} bytes, expected {SALT_BYTES}; remove it, and "
            "thresholds kept for patients are forgotten"
        )
    return salt


def _draw_salt(path: Path) -> None:
    with written_whole(path) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(secrets.token_bytes(SALT_BYTES))


def patient_keys(root: Path, paths: Sequence[Path], salt: bytes) -> list[str]:
    """Say which recordings are of one person, without saying of whom."""
    listed = _manifest_patients(root)
    keys = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        subject = _BIDS_SUBJECT.search(name)
        known = listed.get(name) or (subject[0] if subject else _header_patient(path))
        digest = hashlib.blake2b(known.encode(), key=salt, digest_size=16)
        keys.append(digest.hexdigest() if known else "")
    return keys


def _manifest_patients(root: Path) -> dict[str, str]:
    path = root / "manifest.tsv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {
            row["recording"]: row["patient"]
            for row in rows
            if row.get("recording") and row.get("patient")
        }


def _header_patient(path: Path) -> str:
    """The patient field of an EDF or BDF header; "" if it says nothing."""
    if path.suffix.lower() not in (".edf", ".bdf"):
        return ""
    try:
        with path.open("rb") as file:
            about = file.read(_EDF_PATIENT.stop)[_EDF_PATIENT]
    except OSError:
        return ""  # named as unreadable when it is opened
    text = about.decode("latin-1").strip()
    return text if _names_somebody(text) else ""


def _names_somebody(text: str) -> bool:
    """Whether two people would hardly share this field.

    EDF+ has code, sex, birth date and name, X for what is not told; sex and birth date
    alone are shared by many.
    """
    words = text.upper().split()
    if len(words) >= 4 and words[1] in ("F", "M", "X"):
        words = [words[0], *words[3:]]
    return any(word not in _NOBODY for word in words)
