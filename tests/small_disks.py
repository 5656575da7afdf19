"""Disks that are full, and folders that nobody may write to, for tests of root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE_BYTES = 4096  # what the smallest file takes there
WHY_NOT = "only root can mount, where mounting is allowed"


@contextmanager
def small_disk(place: Path, n_bytes: int) -> Iterator[Path]:
    """Mount a disk of so many bytes (tmpfs); skips the test where that is forbidden."""
    place.mkdir(parents=True, exist_ok=True)
    if not _mounted("-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", place):
        pytest.skip(WHY_NOT)
    try:
        yield place
    finally:
        # Lazily: a file that is mapped still is no fault of what is tested.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def read_only(place: Path) -> Iterator[Path]:
    """Make a folder read-only for everybody; skips the test where that is forbidden.

    Modes would not stop root, and so no test that root runs.
    """
    if not _mounted("--bind", place, place):
        pytest.skip(WHY_NOT)
    try:
        if not _mounted("-o", "remount,ro,bind", place):
            pytest.skip(WHY_NOT)
        yield place
    finally:
        # Lazily: a file that is mapped still is no fault of what is tested.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk but for so many bytes; gives the file to remove for more room."""
    about = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(about.f_bavail * about.f_frsize - leave))
    return filler


def _mounted(*args: str | Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    command = ["mount", *map(str, args)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
