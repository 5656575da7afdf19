"""`Seizure_times.py` of the AUBMC data set -> seizures by patient and record.

Python that is read as data: the syntax tree is walked, nothing of it is run. A name
`seizures_10` is bound to a dict of records, each a list of (hour, minute, second,
length in seconds). Everything else in the file is of no interest.
"""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path
from typing import NamedTuple

from distilclip_eeg.corpora.clock import seconds_of_day
from distilclip_eeg.eeg.texts import read_content
from distilclip_eeg.errors import CorpusError

_NAME = re.compile(r"seizures?_p?(\d{1,9})", re.IGNORECASE)
_LAST_NUMBER = re.compile(r"(?<!\d)(\d{1,9})\D*$")
_MAX_BYTES = 2**20  # the tree of a file takes a hundred times as much
_EXPECTED = (
    "seizures_10 = {1: [(7, 36, 38, 445), ...], ...}: hour, minute, second and "
    "length in seconds of each seizure of each record"
)


class TimedSeizure(NamedTuple):
    """One seizure: seconds after midnight, seconds, and its line in the file."""

    start_s: int
    duration_s: float
    line: int


def read_seizure_times(path: Path) -> dict[tuple[int, int], list[TimedSeizure]]:
    """Read the seizures of each (patient, record).

    Raises
    ------
    CorpusError
        With file and line, if the file is no Python, or what is bound to the name of
        a patient is anything but literal times.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about Python that is never run
            tree = ast.parse(read_content(path, _MAX_BYTES))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise CorpusError(f"{path}:{line}: found no Python ({error})") from None
    found: dict[tuple[int, int], list[TimedSeizure]] = {}
    for statement in tree.body:
        for patient, value in _patients(statement):
            for record, seizures in _records(path, value):
                found.setdefault((patient, record), []).extend(seizures)
    if not found:
        raise CorpusError(f"{path}:1: found no times of seizures, expected {_EXPECTED}")
    return found


def _patients(statement: ast.stmt) -> list[tuple[int, ast.expr]]:
    """Return the patients that a statement speaks of, with what it binds to them."""
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value:
        targets, value = [statement.target], statement.value
    else:
        return []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return [(int(m[1]), value) for m in map(_NAME.fullmatch, names) if m]


def _records(path: Path, value: ast.expr) -> list[tuple[int, list[TimedSeizure]]]:
    if not isinstance(value, ast.Dict):
        raise _error(path, value)
    records = []
    for key, times in zip(value.keys, value.values, strict=True):
        number = _record_number(key)
        if number is None or not isinstance(times, ast.List | ast.Tuple):
            raise _error(path, key or value)
        records.append((number, [_seizure(path, time) for time in times.elts]))
    return records


def _record_number(key: ast.expr | None) -> int | None:
    """Read 1, "1", "Record1" or "p10_Record1.edf"."""
    if not isinstance(key, ast.Constant):
        return None
    try:
        text = str(key.value).removesuffix(".edf")
    except ValueError:  # a number of thousands of digits
        return None
    match = _LAST_NUMBER.search(text)
    return int(match[1]) if match and not isinstance(key.value, bool) else None


def _seizure(path: Path, node: ast.expr) -> TimedSeizure:
    try:
        numbers = ast.literal_eval(node)
        hours, minutes, seconds, duration_s = (float(number) for number in numbers)
    except (ValueError, TypeError, SyntaxError, OverflowError, RecursionError):
        raise _error(path, node) from None
    possible = 0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60
    if not possible or not 0 < duration_s < 86_400:
        raise _error(path, node)
    start_s = seconds_of_day(int(hours), int(minutes), int(seconds))
    return TimedSeizure(start_s, duration_s, node.lineno)


def _error(path: Path, node: ast.expr) -> CorpusError:
    try:
        found = " ".join(ast.unparse(node).split())[:60]
    except RecursionError:
        found = "something nested too deep"
    return CorpusError(f"{path}:{node.lineno}: found {found}, expected {_EXPECTED}")
