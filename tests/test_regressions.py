"""Every file that once broke a reader is read again, each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from attack import REGRESSIONS, kept_cases, laid, replay
from attacked import TARGETS

KEPT = kept_cases()
BY_TARGET = {target: [p for t, p in KEPT if t == target] for target in TARGETS}


def test_every_kept_file_is_replayed() -> None:
    files = {path for path in REGRESSIONS.rglob("*") if path.is_file()}
    replayed = {path for paths in BY_TARGET.values() for path in paths}
    assert files == replayed


@pytest.mark.parametrize("target", [t for t, paths in BY_TARGET.items() if paths])
def test_broken_again(target: str) -> None:
    with laid(TARGETS[target]) as whole:
        found = {path.name: replay(whole, path) for path in BY_TARGET[target]}
    assert not {name: said for name, said in found.items() if said}


def test_they_stay_small() -> None:
    sizes = [path.stat().st_size for path in REGRESSIONS.rglob("*") if path.is_file()]
    assert max(sizes, default=0) <= 64 * 1024
    assert sum(sizes) <= 2 * 2**20


def test_names_tell_number_and_file(tmp_path: Path) -> None:
    for _, path in KEPT:
        number, _, name = path.name.partition("@")
        assert number.isdecimal()
        assert name
