"""`Seizures-list-PN00.txt` -> the seizures that it lists, by time of day.

A list is made of lines `label: value`, with labels in several spellings. What a block
does not say is taken from the block before: file and registration may stand once,
above all seizures. Knows no recording, so it cannot tell whether a time is possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from distilclip_eeg.corpora.clock import clock_text, times_of_day
from distilclip_eeg.corpora.listing import read_lines
from distilclip_eeg.errors import CorpusError

# Bare `Start time:` and `End time:` are those of a seizure (PN01).
_LABELS = {
    "file": re.compile(r"file\s*name\s*:?", re.IGNORECASE),
    "registered": re.compile(r"registration\s+start\s*(time)?\s*:?", re.IGNORECASE),
    "closed": re.compile(r"registration\s+end\s*(time)?\s*:?", re.IGNORECASE),
    "start": re.compile(r"(seizure\s+)?start\s*(time)?\s*:?", re.IGNORECASE),
    "end": re.compile(r"(seizure\s+)?end\s*(time)?\s*:?", re.IGNORECASE),
    "block": re.compile(r"seizure\s*(n\s*\.?)?\s*\d+", re.IGNORECASE),
}
_TELLS = re.compile(r"seizure|registration|file|start|end", re.IGNORECASE)
_ELECTRIC = re.compile(r"\bele[ck]", re.IGNORECASE)
_EXPECTED = (
    "'Seizure n 1', 'File name: PN00-1.edf', 'Registration start time: 19.39.33', "
    "'Seizure start time: 19.58.36' or 'End time: 19:59:46'"
)


class Doubt(NamedTuple):
    """A line that can be read in two ways, and which was taken."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ListedSeizure:
    """One seizure of a list, in seconds after midnight.

    Attributes
    ----------
    file
        As the list spells it.
    line
        Where the start of the seizure stands.
    registered_s, closed_s
        Start and end of the recording; None if the list does not give them.
    """

    file: str
    line: int
    start_s: int
    end_s: int
    registered_s: int | None
    closed_s: int | None
    doubts: tuple[Doubt, ...] = ()


def read_seizure_list(path: Path) -> list[ListedSeizure]:
    """Read one list of seizures.

    Raises
    ------
    CorpusError
        With file and line, if a line about seizures, files or times is not
        understood, or a seizure lacks its file, start or end.
    """
    reader = _Reader(path)
    for number, line in read_lines(path):
        reader.take(number, line)
    reader.close_seizure()
    return reader.seizures


class _Reader:
    """Goes through a list line by line and remembers what holds for the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seizures: list[ListedSeizure] = []
        self._file = ""
        self._registered: dict[str, int] = {}
        self._closed: dict[str, int] = {}
        self._start: tuple[int, int] | None = None
        self._end_s: int | None = None
        self._doubts: list[Doubt] = []

    def take(self, number: int, line: str) -> None:
        for name, label in _LABELS.items():
            if match := label.match(line):
                self._field(name, number, line, line[match.end() :].strip())
                return
        if _TELLS.match(line):
            raise self._error(number, line, _EXPECTED)

    def _field(self, name: str, number: int, line: str, value: str) -> None:
        if name == "block":
            self.close_seizure()
        elif name == "file":
            self.close_seizure()
            if not value.split():
                raise self._error(number, line, "the name of a recording")
            self._file = value.split()[0]
        else:
            self._time(name, number, line, value)

    def _time(self, name: str, number: int, line: str, value: str) -> None:
        time_s = self._chosen_time(number, line, value)
        if name == "registered":
            self._registered[self._file] = time_s
        elif name == "closed":
            self._closed[self._file] = time_s
        elif name == "start":
            self.close_seizure()
            self._start = time_s, number
        elif self._start is None:
            raise self._error(number, line, "the start of the seizure before its end")
        else:
            self._end_s = time_s

    def _chosen_time(self, number: int, line: str, value: str) -> int:
        """Read the time; of two the electrographic one, else the first."""
        times = times_of_day(value)
        if not times:
            raise self._error(number, line, "a time such as 19.58.36 or 19:58:36")
        if len(times) == 1:
            return times[0]
        parts = [part for part in value.split(";") if _ELECTRIC.search(part)]
        electric = [times_of_day(part) for part in parts]
        chosen = electric[0][0] if len(electric) == 1 and electric[0] else times[0]
        both = " and ".join(map(clock_text, times))
        text = f"found two times, {both}: {clock_text(chosen)} taken"
        self._doubts.append(Doubt(number, text))
        return chosen

    def close_seizure(self) -> None:
        """End the present seizure; without a start there is none."""
        if self._start is None:
            return
        start_s, line = self._start
        if self._end_s is None or not self._file:
            lacks = "its end" if self._file else "'File name:' before it"
            raise CorpusError(f"{self.path}:{line}: found a seizure, expected {lacks}")
        self.seizures.append(
            ListedSeizure(
                file=self._file,
                line=line,
                start_s=start_s,
                end_s=self._end_s,
                registered_s=self._registered.get(self._file),
                closed_s=self._closed.get(self._file),
                doubts=tuple(self._doubts),
            )
        )
        self._start, self._end_s, self._doubts = None, None, []

    def _error(self, number: int, line: str, expected: str) -> CorpusError:
        return CorpusError(
            f"{self.path}:{number}: found {line[:60]!r}, expected {expected}"
        )
