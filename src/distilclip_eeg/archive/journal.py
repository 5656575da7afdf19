"""What a scan has done so far, in a file that survives any kill.

One line of JSON for each recording, on disk before its table is written: a scan that
was killed at any moment goes on from here, and knows which tables are its own. Holds
the lock that keeps a second scan out; the system lets go of it when the holder dies.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from distilclip_eeg.archive.index import Row
from distilclip_eeg.archive.listing import reason_of, shown
from distilclip_eeg.eeg.annotations import remove_partial, written_whole
from distilclip_eeg.eeg.texts import lies_there
from distilclip_eeg.errors import ArchiveError

FOLDER: Final = ".scan"
FORMAT_VERSION: Final = 1


class Journal:
    """The rows of a scan's output folder; used by `with`, which holds the lock.

    Parameters
    ----------
    output
        Folder of the results; made if absent.
    root
        What is scanned; a folder holds the results of one root.
    force
        Take over what was found below another root.

    Attributes
    ----------
    rows
        Name of a recording -> what is known of it last.
    n_damaged
        Lines that could not be read; their recordings are scanned again.

    Raises
    ------
    ArchiveError
        On entering: another scan is at work, the folder holds the results of another
        root or version, or cannot be written.
    """

    def __init__(self, output: Path, root: str, *, force: bool = False) -> None:
        self.rows: dict[str, Row] = {}
        self.n_damaged = 0
        self._output, self._root, self._force = output, root, force
        self._path = output / FOLDER / "journal.jsonl"
        self._tables: dict[str, set[str]] = defaultdict(set)
        self._lock = self._file = -1

    def __enter__(self) -> Self:
        with writing(self._output):
            if self._output.exists() and not self._output.is_dir():
                raise ArchiveError(f"{self._output} is a file, expected a folder")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._path.with_name("lock"), self._output)
            try:
                remove_partial(self._output)
                self._load()
                self._open()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        for number in (self._file, self._lock):
            if number >= 0:
                os.close(number)
        self._file = self._lock = -1

    def append(self, row: Row) -> None:
        """Keep a row; when this returns it survives a loss of power."""
        with writing(self._output):
            _append(self._file, _line(dict(row)))
        self._take(row)

    def compact(self) -> None:
        """Forget rows that later ones replaced."""
        with writing(self._output):
            with written_whole(self._path) as partial, partial.open("wb") as file:
                file.write(_line(self._header()))
                file.writelines(_line(dict(row)) for row in self.rows.values())
                file.flush()
                os.fsync(file.fileno())
            os.close(self._file)
            self._file = -1
            self._open()

    def is_own(self, table: str) -> bool:
        """Whether a table is absent, or just as a scan wrote it there."""
        path = self._output / table
        return not path.exists() or _sha256(path) in self._tables[table]

    def is_settled(self, row: Row) -> bool:
        """Whether the table of a row is there; a change made by hand is respected."""
        if row["table"] is None:
            return False
        path = self._output / row["table"]
        if not lies_there(path):
            return False
        older = self._tables[row["table"]] - {row["table_sha256"] or ""}
        return not older or _sha256(path) not in older

    def orphans(self) -> list[str]:
        """Tables that a scan wrote, and that no recording has any more."""
        tables = {row["table"] for row in self.rows.values()}
        return [table for table in self._tables if table not in tables]

    def _header(self) -> dict[str, Any]:
        return {"format_version": FORMAT_VERSION, "root": self._root}

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # a kill in the middle of a line
            os.truncate(self._path, len(whole))
        header = self._header()
        for line in whole.split(b"\n")[:-1]:
            try:
                values = json.loads(line)
                if "format_version" in values:
                    header = values
                elif isinstance(values["recording"], str):
                    self._take(values)
            except (ValueError, KeyError, TypeError, RecursionError):
                self.n_damaged += 1
        self._check(header)

    def _check(self, header: dict[str, Any]) -> None:
        if header["format_version"] != FORMAT_VERSION or "root" not in header:
            raise ArchiveError(
                f"{self._output}: was scanned by another version (format "
                f"{header['format_version']}, this one writes {FORMAT_VERSION}): "
                "update distilclip-eeg, or choose another --output"
            )
        if header["root"] != self._root and not self._force:
            raise ArchiveError(
                f"{self._output}: holds the results of {shown(header['root'])}, not of "
                f"{shown(self._root)}: choose another --output; if the archive has "
                "moved, --force goes on with them"
            )

    def _take(self, row: Row) -> None:
        name, table, sha256 = row["recording"], row["table"], row["table_sha256"]
        if table is not None and sha256:
            self._tables[table].add(sha256)
        self.rows[name] = row

    def _open(self) -> None:
        is_new = not self._path.exists() or not self._path.stat().st_size
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(self._path, flags, 0o644)
        if is_new or self._force:
            _append(self._file, _line(self._header()))
            _settle(self._path.parent)


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Turn what goes wrong while results are written into one clear line.

    Raises
    ------
    ArchiveError
        Instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"{output}: results cannot be written ({reason_of(error)}); what was done "
            "is kept: put that right and start the same scan again"
        ) from None


def _line(values: dict[str, Any]) -> bytes:
    # ASCII: a name may hold bytes that are no UTF-8, JSON's \udcff brings them back.
    return json.dumps(values, allow_nan=False).encode("ascii") + b"\n"


def _append(file: int, line: bytes) -> None:
    size = os.fstat(file).st_size
    try:
        rest = line
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)  # no half line before the next one
        raise


def _settle(folder: Path) -> None:
    """Put the names in a folder on disk, as `fsync` does with the bytes of a file."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _locked(path: Path, output: Path) -> int:
    try:
        import fcntl
    except ImportError:
        raise ArchiveError(
            "scan needs locks that this system does not have; Linux and macOS do"
        ) from None
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
        now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        os.write(
            file, f"process {os.getpid()} on {socket.gethostname()}, {now}".encode()
        )
    except BlockingIOError:
        holder = os.pread(file, 200, 0).decode(errors="replace") or "unknown"
        os.close(file)
        raise ArchiveError(
            f"{output}: another scan is writing here ({holder}): wait for it, or "
            "choose another --output"
        ) from None
    except OSError:
        os.close(file)
        raise
    return file


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
