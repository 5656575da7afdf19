"""Recordings below a folder -> names that say nothing, and the key to them.

Every folder and every file gets a number within its folder, in an order that is drawn:
a number tells neither name nor date, and recordings of one folder stay together. What
the key already holds keeps its number. Knows nothing of what is in the files.
"""

from __future__ import annotations

import csv
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError

KEY_COLUMNS: Final = ("recording", "copy")
_ONLY_OWNER: Final = 0o600


def number_paths(
    paths: Iterable[Path], known: Mapping[Path, Path] | None = None
) -> dict[Path, Path]:
    """Give each path one made of numbers, of the same depth and suffix.

    Parameters
    ----------
    paths
        Relative to one root.
    known
        From an earlier call; these stay as they are.

    Returns
    -------
    dict
        All of `known`, then `paths` in their order.
    """
    known = known or {}
    names: dict[Path, str] = {}
    taken: defaultdict[Path, set[str]] = defaultdict(set)
    for old, new in known.items():
        for prefix, name in zip(_prefixes(old), new.parts, strict=True):
            names[prefix] = name
            taken[prefix.parent].add(Path(name).stem)
    paths = list(paths)
    drawn = random.SystemRandom().sample(paths, len(paths))
    for path in drawn:
        for prefix in _prefixes(path):
            if prefix not in names:
                number = _free(taken[prefix.parent])
                suffix = path.suffix.lower() if prefix == path else ""
                names[prefix] = number + suffix
    numbered = {path: Path(*(names[p] for p in _prefixes(path))) for path in paths}
    return {**known, **numbered}


def _prefixes(path: Path) -> Iterator[Path]:
    for depth in range(1, len(path.parts) + 1):
        yield Path(*path.parts[:depth])


def _free(taken: set[str]) -> str:
    number = next(n for n in count(len(taken) + 1) if f"{n:04d}" not in taken)
    taken.add(f"{number:04d}")
    return f"{number:04d}"


def read_key(path: Path) -> dict[Path, Path]:
    """Read what `write_key` wrote; nothing if there is no such file.

    Raises
    ------
    CorpusError
        If it is no such key.
    """
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    key = {Path(row[0]): Path(row[1]) for row in rows[1:] if len(row) == 2}
    is_key = rows[:1] == [list(KEY_COLUMNS)] and len(key) == len(rows) - 1
    if not is_key or len(set(key.values())) < len(key) or not _fits(key):
        raise CorpusError(
            f"{path}: found no key of an earlier --rename, expected the columns "
            f"{' and '.join(KEY_COLUMNS)}; name another file"
        )
    return key


def _fits(key: Mapping[Path, Path]) -> bool:
    return all(
        len(old.parts) == len(new.parts)
        and not new.is_absolute()
        and ".." not in new.parts  # a key must not lead out of the folder of copies
        for old, new in key.items()
    )


def write_key(path: Path, key: Mapping[Path, Path]) -> None:
    """Write which recording became which copy, for the eyes of the owner alone."""
    with written_whole(path) as partial:
        partial.touch(_ONLY_OWNER)
        with partial.open(
            "w", encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            # All quoted, since names may hold what ends a line.
            writer = csv.writer(
                file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL
            )
            writer.writerow(KEY_COLUMNS)
            writer.writerows([os.fspath(a), b.as_posix()] for a, b in key.items())
