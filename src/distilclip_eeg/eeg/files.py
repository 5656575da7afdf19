"""A path -> the reader that fits it.

The first bytes decide for EDF and BDF, whatever the name; the suffix decides for the
rest. Knows which files belong to a recording and which are only its companions.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from distilclip_eeg.eeg.edf import EdfRecording
from distilclip_eeg.eeg.edf_header import is_edf
from distilclip_eeg.eeg.mne_files import FORMATS, open_with_mne
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.errors import UnreadableRecordingError

_EDF_SUFFIXES = frozenset({".edf", ".bdf"})
RECORDING_SUFFIXES: frozenset[str] = _EDF_SUFFIXES | frozenset(FORMATS)

# MNE opens the later parts of a split FIF file with the first.
_LATER_PART = re.compile(r"(.*?)(-[1-9]\d*|_split-(?!0*1_)\d+_\w+)\.fif", re.IGNORECASE)


def open_recording(path: Path) -> Recording:
    """Open a recording of any known format; only its header is read.

    Raises
    ------
    UnreadableRecordingError
        If there is no such file, its format is unknown, or it is damaged.
    """
    magic = first_bytes(path)
    suffix = path.suffix.lower()
    if is_edf(magic) or suffix in _EDF_SUFFIXES:
        return EdfRecording(path)
    if suffix not in FORMATS:
        known = " ".join(sorted(RECORDING_SUFFIXES))
        raise UnreadableRecordingError(
            f"{path.name}: found a file of unknown kind, expected one of {known}; "
            "export the recording as EDF+"
        )
    header = path.with_suffix(".vhdr")
    if suffix == ".eeg" and header.is_file():
        return open_with_mne(header)
    return open_with_mne(path)


def find_recordings(root: Path) -> list[Path]:
    """All recordings under a folder, sorted; the file itself if `root` is one.

    Hidden files, BrainVision's data files and later parts of split FIF files are left
    out.

    Raises
    ------
    UnreadableRecordingError
        If there is neither such a file nor such a folder.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise UnreadableRecordingError(
            f"{root}: found neither a file nor a folder, expected one of them; "
            "check the path"
        )
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in RECORDING_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and is_recording(path.name, partial(_lies_beside, path))
    )


def is_recording(name: str, lies_beside: Callable[[str], bool]) -> bool:
    """Whether a file is called like a recording, and is no companion of another.

    Parameters
    ----------
    name
        Of the file, without its folder.
    lies_beside
        Tells of another name whether such a file lies in the same folder.
    """
    path = PurePosixPath(name)
    if name.startswith(".") or path.suffix.lower() not in RECORDING_SUFFIXES:
        return False
    if path.suffix.lower() == ".eeg":
        return not lies_beside(f"{path.stem}.vhdr")
    match = _LATER_PART.fullmatch(name)
    if match is None:
        return True
    return match[2].startswith("-") and not lies_beside(f"{match[1]}.fif")


def _lies_beside(path: Path, name: str) -> bool:
    return path.with_name(name).is_file()


def first_bytes(path: Path) -> bytes:
    """Read the 8 bytes that tell the format.

    Raises
    ------
    UnreadableRecordingError
        If it is no ordinary file, is empty or cannot be opened.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise UnreadableRecordingError(
                f"{path.name}: found a folder, expected a file; give one of the "
                "recordings in it"
            )
        if not stat.S_ISREG(kind):  # a pipe would never answer
            raise UnreadableRecordingError(
                f"{path.name}: found no ordinary file, expected a recording; copy it "
                "to one first"
            )
        with path.open("rb") as file:
            magic = file.read(8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableRecordingError(
            f"{path}: cannot be opened ({reason}), expected a readable file; "
            "check the path"
        ) from None
    if not magic:
        raise UnreadableRecordingError(
            f"{path.name}: the file is empty (0 bytes), expected a recording; "
            "copy or export it again"
        )
    return magic
