"""Lines about a live stream -> stdout or a file, each once, also across a restart.

Lines are numbered. What was to be written when a process died is written by the next
one, unless the file ends with it already. Does not know what lines say.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from distilclip_eeg.eeg.whole_files import append_whole

Line: TypeAlias = dict[str, Any]

TAIL_BYTES: Final = 256 * 1024  # more than any restart can have to look back


class Lines:
    """Numbers lines and writes them as JSON, one each.

    Parameters
    ----------
    output
        A file that is appended to; stdout if not given.
    journal
        Where lines on stdout are noted too, so that a restart knows them.
    """

    def __init__(self, output: Path | None = None, journal: Path | None = None) -> None:
        self._to_stdout = output is None
        self._path = journal if output is None else output
        self.written = 0 if self._path is None else _repaired(self._path)
        self._n = self.written

    @property
    def n(self) -> int:
        """Number of the line that was numbered last."""
        return self._n

    def go_on_from(self, n: int) -> None:
        """Number further lines after `n`, whatever the file holds."""
        self._n = max(self._n, n)

    def numbered(self, lines: Sequence[Line]) -> list[Line]:
        """Give each line its number."""
        numbered = [{"n": self._n + k, **line} for k, line in enumerate(lines, 1)]
        self._n += len(lines)
        return numbered

    def write(self, numbered: Sequence[Line]) -> list[Line]:
        """Write those that were not written before; returns them."""
        new = [line for line in numbered if line["n"] > self.written]
        if not new:
            return []
        text = "".join(
            json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n"
            for line in new
        )
        if self._to_stdout:
            sys.stdout.write(text)
            sys.stdout.flush()
        if self._path is not None:
            with self._path.open("ab", buffering=0) as file:
                append_whole(file, text.encode())
        self.written = new[-1]["n"]
        return new

    def sync(self) -> None:
        """Wait until the disk has all lines."""
        if self._path is not None:
            with self._path.open("ab") as file:
                os.fsync(file.fileno())


def _repaired(path: Path) -> int:
    """Cut off half a line at the end of a file; returns the number of its last line."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        file.truncate(start + len(whole))
    return max((_number(line) for line in whole.splitlines()), default=0)


def _number(line: bytes) -> int:
    try:
        return int(json.loads(line)["n"])
    except (ValueError, KeyError, TypeError):  # the first of the tail may be cut
        return 0
