"""An archive of many small recordings, some of them broken, with the truth beside it.

A recording lasts 48 s and holds none, one or two loud stretches, which the model of
`tiny_model` takes for seizures. What a scan leaves behind is checked here too: every
recording once, every event once, a table for each that could be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet

from distilclip_eeg.eeg.annotations import read_tsv
from edf_writer import Signal, write_edf

LABELS = ("Fp1", "F7", "T3", "T5", "O1", "F3", "C3")
DURATION_S = 48
_LOUD_S = ((5, 13), (32, 40))
_HEADER_BYTES = 256 * (len(LABELS) + 1)


@dataclass
class Archive:
    """Where it lies and what a scan must find: name -> events, name -> reason."""

    root: Path
    events: dict[str, int] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        return {*self.events, *self.broken}


def write_recording(path: Path, n_events: int, seed: int = 0, **main: str) -> Path:
    """Write 48 s of quiet noise with up to two loud stretches of 8 s."""
    rng = np.random.default_rng(seed)
    noise: NDArray[np.float64] = rng.normal(0, 20, (len(LABELS), DURATION_S * 256))
    for start, stop in _LOUD_S[:n_events]:
        noise[:, start * 256 : stop * 256] *= 100
    signals = [Signal(a, b) for a, b in zip(LABELS, noise, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_edf(path, signals, n_records=DURATION_S, main=main)


def write_archive(root: Path, n: int, n_broken: int = 0) -> Archive:
    """Write `n` recordings in folders of ten, the last `n_broken` of them broken."""
    archive = Archive(root)
    for i in range(n):
        name = f"ward{i // 10:03d}/rec{i:04d}.edf"
        if i < n - n_broken:
            archive.events[name] = i % 3
            write_recording(root / name, i % 3, seed=i)
        else:
            suffix, reason, spoil = BROKEN[i % len(BROKEN)]
            name = name.replace(".edf", suffix)
            archive.broken[name] = reason
            spoil(write_recording(root / name, 1, seed=i))
    return archive


def rows_of(output: Path) -> dict[str, dict[str, Any]]:
    """Read the index; a recording that stands in it twice is an error."""
    rows = parquet.read_table(output / "index.parquet").to_pylist()
    by_name = {row["recording"]: row for row in rows}
    assert len(by_name) == len(rows)
    return by_name


def n_lines(output: Path) -> int:
    """Lines of the journal so far: the header, then one for each recording."""
    journal = output / ".scan" / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def check(output: Path, archive: Archive) -> None:
    """Count: no recording, no event and no table is lost or doubled."""
    rows = rows_of(output)
    assert rows.keys() == archive.names
    assert all(row["present"] for row in rows.values())
    found = {name: row["n_events"] for name, row in rows.items() if not row["failure"]}
    assert found == archive.events
    for name, reason in archive.broken.items():
        assert reason in rows[name]["failure"], (name, rows[name]["failure"])
    tables = {path.relative_to(output).as_posix() for path in output.rglob("*.tsv")}
    assert tables == {row["table"] for row in rows.values() if row["table"]}
    assert len(tables) == len(archive.events)
    for name in archive.events:
        events = [e for e in read_tsv(output / rows[name]["table"]) if e.is_seizure]
        assert [round(e["onset"], 2) for e in rows[name]["events"]] == [
            event.onset for event in events
        ]
    assert not list(output.rglob("*.part"))


def _patch(path: Path, at: int, text: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(text)] = text
    path.write_bytes(content)


def _cut(path: Path, n_bytes: int) -> None:
    os.truncate(path, n_bytes)


def _two_channels(path: Path) -> None:
    noise = np.zeros(12 * 256)
    write_edf(path, [Signal(x, noise) for x in ("Fp1", "F7")], n_records=12)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.edf")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BROKEN: tuple[tuple[str, str, Callable[[Path], object]], ...] = (
    (".edf", "the file is empty", lambda path: _cut(path, 0)),
    (".edf", "begins with", lambda path: path.write_bytes(b"no recording at all")),
    (".edf", "the file was cut off", lambda path: _cut(path, 700)),
    (".edf", "found 0 bytes after the header", lambda p: _cut(p, _HEADER_BYTES)),
    (".edf", "expected more than 0", lambda path: _patch(path, 244, b"0       ")),
    (".edf", "as number of signals", lambda path: _patch(path, 252, b"-1  ")),
    (".edf", "leads", _two_channels),
    (".edf", "No such file", _dangling),
    (".edf", "no ordinary file", _pipe),
    (".vhdr", "cannot be read as BrainVision", lambda path: path.write_text("[a]\n")),
)
"""Suffix, a part of the reason that must be given, and how it is done."""
