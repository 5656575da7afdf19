"""The database: nothing acknowledged is lost, nothing is ever changed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.decisions import Action
from distilclip_eeg.review.store import DATABASE, Store

BURST = """
import sys
from pathlib import Path
from distilclip_eeg.review.decisions import Action
from distilclip_eeg.review.store import Store

store = Store(Path(sys.argv[1]))
for number in range(100_000):
    store.add(key=f"key-{number:06}", recording="r", reviewer="me",
              action=Action.COMMENT, details={"text": str(number)})
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / DATABASE)


def comment(store: Store, key: str, text: str, reviewer: str = "me") -> int:
    return store.add(
        key=key,
        recording="r",
        reviewer=reviewer,
        action=Action.COMMENT,
        details={"text": text},
    ).id


def test_what_was_kept_is_there_after_reopening(store: Store) -> None:
    comment(store, "key-00001", "seen")
    comment(store, "key-00002", "seen too", "you")
    store.close()
    again = Store(store.path)
    assert again.reviewers() == ["me", "you"]
    assert again.reviewed() == ["r"]
    (mine,) = again.decisions("r")["me"]
    assert mine.details == {"text": "seen"}
    assert mine.made_at.endswith("+00:00")


def test_sent_twice_is_kept_once(store: Store) -> None:
    assert comment(store, "key-00001", "a") == comment(store, "key-00001", "b")
    (kept,) = store.decisions("r")["me"]
    assert kept.details == {"text": "a"}
    assert store.knows("key-00001")
    assert not store.knows("key-00002")


@pytest.mark.parametrize(
    "statement", ["UPDATE decisions SET reviewer = 'you'", "DELETE FROM decisions"]
)
def test_nobody_changes_a_decision(store: Store, statement: str) -> None:
    comment(store, "key-00001", "a")
    store.close()
    db = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
        db.execute(statement)
    db.close()


def test_disk_has_it_before_the_answer(store: Store) -> None:
    pragmas = [store._db.execute(f"PRAGMA {p}").fetchone()[0] for p in PRAGMAS]
    assert pragmas == ["wal", 2]


PRAGMAS = ("journal_mode", "synchronous")


def test_killed_in_the_middle_of_a_burst(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    with subprocess.Popen(
        [sys.executable, "-c", BURST, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [int(next(writer.stdout)) for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout]
    kept = [int(d.details["text"]) for d in Store(path).decisions("r")["me"]]
    assert kept[: len(acknowledged)] == acknowledged
    assert kept == list(range(len(kept)))


def test_thresholds_are_kept_by_patient(store: Store) -> None:
    assert store.threshold_for("") is None
    for threshold in (0.4, 0.7):
        store.keep_threshold("p", "me", threshold, {"then": 1})
    kept = store.threshold_for("p")
    assert kept is not None
    assert (kept.threshold, kept.reviewer, kept.details) == (0.7, "me", {"then": 1})
    assert store.threshold_for("q") is None


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    path.write_text("not a database, but as long as the header of one would be" * 9)
    with pytest.raises(DistilClipError, match="no usable database"):
        Store(path)


def test_a_later_version_is_left_alone(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(DistilClipError, match="later version"):
        Store(store.path)
