"""What can be attacked: well-formed files, and the reader that they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mutations import BYTES, EDF, TEXT, Mutation

_TEXT_SUFFIXES = (
    *(".tsv", ".csv", ".csv_bi", ".tse", ".txt", ".json", ".toml", ".py", ".vhdr"),
    *(".vmrk", ".lay", ".jsonl", ""),
)


def _nothing(root: Path, name: str) -> None:
    """Most files stand for themselves."""


@dataclass(frozen=True)
class Target:
    """One reader and a small example of what it reads.

    Attributes
    ----------
    attacked
        Names of the files below the root that are broken, one in each case.
    write, read
        Lay the files out; read them as the package does, as deep as a user would.
    seal
        Is called after a file was changed: what an attacker would put right, too.
    """

    name: str
    attacked: tuple[str, ...]
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    seal: Callable[[Path, str], None] = field(default=_nothing)

    def kinds(self, name: str) -> tuple[Mutation, ...]:
        """Ways to break a file, chosen by its suffix."""
        suffix = Path(name).suffix.lower()
        if suffix in (".edf", ".bdf"):
            return EDF
        return TEXT if suffix in _TEXT_SUFFIXES else BYTES
