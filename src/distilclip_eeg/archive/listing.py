"""A folder, a list file or a URL -> the recordings that lie there.

Each with a name that stays the same from scan to scan, the files that it consists of,
and a stamp that changes when they do. What cannot be looked into is named, never passed
over. Opens no recording.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from distilclip_eeg.eeg.files import RECORDING_SUFFIXES, is_recording
from distilclip_eeg.errors import ArchiveError, MissingExtraError

# What belongs to a recording and lies beside it under the same stem.
_COMPANIONS: Final[dict[str, tuple[str, ...]]] = {
    ".vhdr": (".eeg", ".vmrk", ".dat", ".avg", ".seg"),
    ".set": (".fdt",),
    ".lay": (".dat",),
    ".eeg": (".pnt", ".log", ".21e", ".cmt", ".cn2"),
}
_FIRST_PART = re.compile(r"(.*_split-)0*1(_\w+)\.fif", re.IGNORECASE)
_STAMPS: Final = (
    *("ETag", "etag", "checksum", "md5Hash", "CRC", "mtime", "LastModified"),
    *("last_modified", "created"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """One recording of an archive.

    Attributes
    ----------
    name
        Its path below the root, with `/`: what it is known by in every later scan.
    files
        The recording, then its companions: local paths, or paths within `store`.
    size_bytes
        Of all files.
    stamp
        Size and time of change of all files; empty if they could not be asked.
    store
        URL that fsspec opens; empty for local files.
    """

    name: str
    files: tuple[str, ...]
    size_bytes: int
    stamp: str
    store: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a root.

    Attributes
    ----------
    root
        The root, written so that the same place is always written the same.
    sources
        By name; no name stands twice.
    problems
        Folder -> why it could not be looked into.
    notes
        One line each, for a person.
    """

    root: str
    sources: tuple[Source, ...]
    problems: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def list_archive(root: str) -> Listing:
    """Find every recording below a folder or URL, or named in a list file.

    Parameters
    ----------
    root
        A folder; a recording; a text file with one path or URL on each line; a URL.

    Raises
    ------
    ArchiveError
        If there is no such place, or no recording in it.
    MissingExtraError
        If it is a URL and fsspec, or what it needs for this kind, is not installed.
    """
    if "://" in root:
        listing = _list_url(root)
    elif Path(root).is_dir():
        listing = _list_folder(Path(root))
    elif Path(root).exists():
        listing = _list_file(Path(root))
    else:
        raise ArchiveError(f"{root}: found neither a file nor a folder; check the path")
    if not listing.sources and not listing.problems:
        raise ArchiveError(f"{root}: no recordings in this place or below")
    return listing


def shown(name: str) -> str:
    """Write a name of a file so that it stays on one line of a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def stamp_of(files: Iterable[str]) -> tuple[int, str]:
    """Size in bytes of local files, and what changes when one of them does.

    Raises
    ------
    OSError
        If one cannot be asked, or is none: reading a pipe would never end.
    """
    size, parts = 0, []
    for path in files:
        about = Path(path).stat()
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "no ordinary file"
            raise OSError(f"{kind}, expected a recording")
        size += about.st_size
        parts.append(f"{about.st_size}:{about.st_mtime_ns}")
    return size, " ".join(parts)


def companions(name: str, beside: Iterable[str]) -> tuple[str, ...]:
    """Which of the names beside a recording belong to it, sorted."""
    own = PurePosixPath(name)
    suffix = own.suffix.lower()
    if suffix == ".fif":
        return tuple(sorted(filter(_later_parts(name).fullmatch, beside)))
    wanted = _COMPANIONS.get(suffix, ())
    others = (PurePosixPath(other) for other in beside if other != name)
    return tuple(
        sorted(
            other.name
            for other in others
            if other.stem == own.stem and other.suffix.lower() in wanted
        )
    )


def _later_parts(name: str) -> re.Pattern[str]:
    if first := _FIRST_PART.fullmatch(name):
        text = rf"{re.escape(first[1])}(?!0*1_)\d+{re.escape(first[2])}\.fif"
    else:
        text = rf"{re.escape(name[:-4])}-[1-9]\d*\.fif"
    return re.compile(text, re.IGNORECASE)


def _list_folder(root: Path) -> Listing:
    sources: list[Source] = []
    problems: dict[str, str] = {}
    linked: list[Path] = []

    def cannot(error: OSError) -> None:
        problems[str(error.filename)] = error.strerror or str(error)

    for place, folders, names in os.walk(root, onerror=cannot):
        folder = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked += [folder / name for name in folders if (folder / name).is_symlink()]
        beside = set(names)
        sources += [
            _local(folder / name, root, beside)
            for name in sorted(names)
            if is_recording(name, beside.__contains__)
        ]
    notes = [f"{shown(str(path))}: a linked folder, not followed" for path in linked]
    if len(notes) > 3:
        notes[3:] = [f"{len(notes) - 3} more linked folders were not followed"]
    return Listing(str(root.resolve()), _by_name(sources), problems, tuple(notes))


def _local(path: Path, root: Path, beside: Iterable[str] | None = None) -> Source:
    # Absolute: the worker of another process stands elsewhere. Links stay links.
    path = Path(os.path.normpath(path.absolute()))
    top = Path(os.path.normpath(root.absolute()))
    names = companions(path.name, _beside(path) if beside is None else beside)
    files = (str(path), *(str(path.with_name(name)) for name in names))
    try:
        size, stamp = stamp_of(files)
    except OSError:  # whoever opens it says why
        size, stamp = 0, ""
    below = path.relative_to(top if path.is_relative_to(top) else path.anchor)
    return Source(below.as_posix(), files, size, stamp)


def _beside(path: Path) -> list[str]:
    try:
        return [other.name for other in path.parent.iterdir()]
    except OSError:
        return []


def _list_file(path: Path) -> Listing:
    if path.suffix.lower() in RECORDING_SUFFIXES:
        return Listing(str(path.resolve()), (_local(path, path.parent),))
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text[:4096]:
        known = " ".join(sorted(RECORDING_SUFFIXES))
        raise ArchiveError(
            f"{path}: found neither a list of recordings nor a recording ({known})"
        )
    named = [line.strip() for line in text.split("\n")]
    named = [line for line in named if line and not line.startswith("#")]
    sources = [
        _remote(line) if "://" in line else _local(path.parent / line, path.parent)
        for line in named
    ]
    return Listing(str(path.resolve()), _by_name(sources))


def _by_name(sources: Iterable[Source]) -> tuple[Source, ...]:
    unique = {source.name: source for source in sources}
    return tuple(unique[name] for name in sorted(unique))


def _list_url(url: str) -> Listing:
    files, top = open_store(url)
    if "file" in _protocols(files):
        return list_archive(top)
    try:
        files.invalidate_cache()  # what was listed a scan ago
        found = files.find(top, detail=True)
    except Exception as error:  # every kind of store raises its own
        raise ArchiveError(f"{url}: cannot be listed ({reason_of(error)})") from None
    names = _by_folder(found)
    sources = []
    for path in found:
        folder, _, name = path.rpartition("/")
        below = name if path == top else path.removeprefix(top).lstrip("/")
        is_hidden = any(part.startswith(".") for part in below.split("/"))
        if not is_hidden and is_recording(name, names[folder].__contains__):
            sources.append(_stored(url, path, below, found, names[folder]))
    return Listing(url.rstrip("/"), _by_name(sources))


def _remote(url: str) -> Source:
    """One recording by its URL; companions are those that its folder shows."""
    files, path = open_store(url)
    if "file" in _protocols(files):
        return _local(Path(path), Path(path).parent)
    folder, name = path.rpartition("/")[0], path.lstrip("/")
    try:
        listed = files.ls(folder, detail=True)
        found = {about["name"]: about for about in listed}
        return _stored(url, path, name, found, _by_folder(found)[folder])
    except Exception:  # whoever fetches it says why
        return Source(name, (path,), 0, "", url)


def _by_folder(found: Iterable[str]) -> dict[str, set[str]]:
    names: dict[str, set[str]] = defaultdict(set)
    for path in found:
        folder, _, name = path.rpartition("/")
        names[folder].add(name)
    return names


def _stored(
    url: str, path: str, name: str, found: Mapping[str, Any], beside: Iterable[str]
) -> Source:
    folder, slash, own = path.rpartition("/")
    more = (f"{folder}{slash}{other}" for other in companions(own, beside))
    files = (path, *more)
    sizes = [int(found[file].get("size") or 0) for file in files]
    stamps = [
        next((str(found[file][key]) for key in _STAMPS if found[file].get(key)), "")
        for file in files
    ]
    parts = (f"{size}:{stamp}" for size, stamp in zip(sizes, stamps, strict=True))
    return Source(name, files, sum(sizes), " ".join(parts), url)


def open_store(url: str) -> tuple[Any, str]:
    """The file system that a URL means, and the path in it.

    Raises
    ------
    MissingExtraError
        If fsspec, or the package that it needs for this kind of URL, is missing.
    ArchiveError
        If there is no such kind.
    """
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url)
    except ImportError as error:
        raise MissingExtraError(
            f"{url}: {reason_of(error)}; a URL needs fsspec and what it asks for: "
            'pip install "distilclip-eeg[archive]"'
        ) from None
    except Exception as error:  # every kind of store raises its own
        raise ArchiveError(f"{url}: cannot be opened ({reason_of(error)})") from None
    return files, str(path)


def _protocols(files: Any) -> tuple[str, ...]:
    protocol = files.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def reason_of(error: BaseException) -> str:
    """Say what went wrong in one line of at most 300 characters."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:300] or type(error).__name__
