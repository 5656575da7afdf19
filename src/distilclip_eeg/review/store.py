"""Decisions and thresholds -> SQLite, where they outlive the server.

A decision is on disk before it is acknowledged (WAL, synchronous=FULL), and a trigger
keeps everybody from changing or deleting one. Each carries a key that its sender drew,
so that a decision which is sent twice, because its answer was lost, is kept once.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.errors import DistilClipError, NotKeptError
from distilclip_eeg.review.decisions import Action, Decision

DATABASE: Final = "decisions.sqlite"
VERSION: Final = 1
BUSY_MS: Final = 10_000  # another server on the same folder

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    recording TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    made_at TEXT NOT NULL,
    action TEXT NOT NULL,
    event TEXT NOT NULL,
    details TEXT NOT NULL,
    undoes INTEGER REFERENCES decisions (id)
);
CREATE INDEX IF NOT EXISTS by_recording ON decisions (recording, reviewer, id);
CREATE TABLE IF NOT EXISTS patient_thresholds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    made_at TEXT NOT NULL,
    threshold REAL NOT NULL,
    details TEXT NOT NULL
);
"""
_APPEND_ONLY: Final = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{what} BEFORE {what} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END;
"""


@dataclass(frozen=True, slots=True)
class KeptThreshold:
    """A threshold that a reviewer chose for a patient.

    Attributes
    ----------
    details
        What it would have changed when it was chosen.
    """

    patient_key: str
    reviewer: str
    made_at: str
    threshold: float
    details: dict[str, Any]


class Store:
    """The database of one folder.

    Raises
    ------
    DistilClipError
        If the file is no such database, or of a later version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(
                path, timeout=BUSY_MS / 1000, check_same_thread=False
            )
            try:
                self._db.row_factory = sqlite3.Row
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.OperationalError as error:  # the disk, not what is in the file
            raise DistilClipError(
                f"{path}: cannot be written ({error}); put that right, or name another "
                "folder with --state"
            ) from None
        except sqlite3.DatabaseError as error:
            raise DistilClipError(
                f"{path}: found no usable database of decisions ({error}); "
                "move it away, or restore a copy"
            ) from None

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise DistilClipError(
                f"{self.path}: written by a later version ({version}, this one knows "
                f"{VERSION}); update distilclip-eeg"
            )
        db.executescript(_SCHEMA)
        for table in ("decisions", "patient_thresholds"):
            for what in ("update", "delete"):
                db.executescript(_APPEND_ONLY.format(table=table, what=what))
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.commit()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(
        self,
        *,
        key: str,
        recording: str,
        reviewer: str,
        action: Action,
        event: str = "",
        details: dict[str, Any] | None = None,
        undoes: int | None = None,
    ) -> Decision:
        """Put a decision on disk; returns it with its id and time.

        A key that is known gives the decision that it was kept with.

        Raises
        ------
        NotKeptError
            If the disk does not take it.
        """
        text = json.dumps(details or {}, allow_nan=False, sort_keys=True)
        row = (key, recording, reviewer, _now(), action, event, text, undoes)
        with self._writing():
            self._db.execute(
                "INSERT INTO decisions (key, recording, reviewer, made_at, action, "
                "event, details, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO NOTHING",
                row,
            )
            kept = self._db.execute("SELECT * FROM decisions WHERE key = ?", (key,))
            return _decision(kept.fetchone())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold a transaction: what is written in it is kept whole or not at all."""
        try:
            with self._lock, self._db:
                yield
        except sqlite3.OperationalError as error:
            raise NotKeptError(
                f"{self.path.name}: cannot be written ({error}); put that right, and "
                "it will be kept"
            ) from None

    def knows(self, key: str) -> bool:
        """Whether a decision with this key was kept."""
        with self._lock:
            found = self._db.execute("SELECT 1 FROM decisions WHERE key = ?", (key,))
            return found.fetchone() is not None

    def decisions(self, recording: str) -> dict[str, list[Decision]]:
        """Give all decisions on a recording, by reviewer, in order."""
        with self._lock:
            rows = self._db.execute(
                "SELECT * FROM decisions WHERE recording = ? ORDER BY id", (recording,)
            ).fetchall()
        by_reviewer: dict[str, list[Decision]] = {}
        for row in rows:
            by_reviewer.setdefault(row["reviewer"], []).append(_decision(row))
        return by_reviewer

    def reviewers(self) -> list[str]:
        """Give everybody who ever decided, by name."""
        with self._lock:
            rows = self._db.execute(
                "SELECT DISTINCT reviewer FROM decisions ORDER BY reviewer"
            ).fetchall()
        return [row["reviewer"] for row in rows]

    def reviewed(self) -> list[str]:
        """Give the ids of recordings on which somebody decided something."""
        with self._lock:
            rows = self._db.execute(
                "SELECT DISTINCT recording FROM decisions"
            ).fetchall()
        return [row["recording"] for row in rows]

    def keep_threshold(
        self,
        patient_key: str,
        reviewer: str,
        threshold: float,
        details: dict[str, Any],
    ) -> KeptThreshold:
        """Keep a threshold for a patient; an older one stays in the record.

        Raises
        ------
        NotKeptError
            If the disk does not take it.
        """
        kept = KeptThreshold(patient_key, reviewer, _now(), threshold, details)
        text = json.dumps(details, allow_nan=False, sort_keys=True)
        with self._writing():
            self._db.execute(
                "INSERT INTO patient_thresholds "
                "(patient, reviewer, made_at, threshold, details) "
                "VALUES (?, ?, ?, ?, ?)",
                (patient_key, reviewer, kept.made_at, threshold, text),
            )
        return kept

    def threshold_for(self, patient_key: str) -> KeptThreshold | None:
        """Give the threshold that was kept last for a patient."""
        if not patient_key:
            return None
        with self._lock, closing(self._db.cursor()) as cursor:
            row = cursor.execute(
                "SELECT * FROM patient_thresholds WHERE patient = ? "
                "ORDER BY id DESC LIMIT 1",
                (patient_key,),
            ).fetchone()
        if row is None:
            return None
        return KeptThreshold(
            row["patient"],
            row["reviewer"],
            row["made_at"],
            row["threshold"],
            json.loads(row["details"]),
        )


def _decision(row: sqlite3.Row) -> Decision:
    return Decision(
        id=row["id"],
        recording=row["recording"],
        reviewer=row["reviewer"],
        made_at=row["made_at"],
        action=Action(row["action"]),
        event=row["event"],
        details=json.loads(row["details"]),
        undoes=row["undoes"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
