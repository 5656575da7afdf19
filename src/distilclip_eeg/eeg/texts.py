"""Files of text that anybody may have written -> text, lines and rows of a table.

Only ordinary files are read, and only as much of them as an annotation can hold: a link
to a device would never end. Does not know what a line means.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from distilclip_eeg.errors import CorpusError

MAX_BYTES: Final = 256 * 2**20  # of an annotation; the largest known has some 2 MB


def lies_there(path: Path) -> bool:
    """Whether this is an ordinary file; False for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than the system allows; a NUL in it
        return False


def read_text(path: Path) -> str:
    """Read a file; Latin-1 where it is no UTF-8: lists typed by hand hold accents.

    Raises
    ------
    CorpusError
        If it is no ordinary file, cannot be opened or is far too long.
    """
    data = read_content(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_content(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read the bytes of a whole file; errors as for `read_text`."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise CorpusError(f"{path}: found no ordinary file, expected one of text")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"{path}: found no file that can be opened ({reason}), expected an "
            "annotation of the data set"
        ) from None
    if len(data) > max_bytes:
        raise CorpusError(
            f"{path}: found {about.st_size} bytes, expected text of at most "
            f"{max_bytes >> 20} MiB"
        )
    return data


def table_rows(
    path: Path, text: str, delimiter: str, needed: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Read rows under a header, each with its line; what a row lacks is empty.

    Raises
    ------
    CorpusError
        With file and line, if a column is absent or it is no such table.
    """
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    found, number = [], 1
    try:
        header = [name.strip() for name in next(rows, [])]
        if missing := [name for name in needed if name not in header]:
            raise CorpusError(
                f"{path}:1: no column {missing[0]!r}; expected {' '.join(needed)}"
            )
        for fields in rows:
            number = rows.line_num
            row = dict.fromkeys(header, "") | dict(zip(header, fields, strict=False))
            if any(value.strip() for value in row.values()):
                found.append((number, row))
    except csv.Error as error:
        raise CorpusError(
            f"{path}:{number + 1}: found no row of a table ({error}), expected fields "
            f"apart by {delimiter!r}"
        ) from None
    return found
