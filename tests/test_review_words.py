"""Words asked on the review page: what is searched, what is still to come."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from distilclip_eeg.errors import ConfigError, MissingExtraError
from distilclip_eeg.review.detecting import LazyModel
from distilclip_eeg.review.recordings import STATE_FOLDER, Library
from distilclip_eeg.review.words import Answer, Words

EXAMPLE = Path(__file__).parent.parent / "examples" / "chb01_03_1_eeg.edf"
WORDS = "a focal seizure, rhythmic activity of high amplitude"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name in ("a.edf", "b.edf"):
        shutil.copy(EXAMPLE, tmp_path / name)
    (tmp_path / "broken.edf").write_bytes(b"0" * 300)
    return Library(tmp_path, tmp_path / STATE_FOLDER)


@pytest.fixture
def words(library: Library) -> Iterator[Words]:
    made = Words(library, LazyModel("student"))
    yield made
    made.close()


def until_all(words: Words) -> Answer:
    deadline = time.monotonic() + 120
    while (answer := words.ask(WORDS, 10)).n_waiting:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


def test_all_that_can_be_read_is_searched(library: Library, words: Words) -> None:
    first = words.ask(WORDS, 10)
    assert first.n_searched + first.n_waiting + first.n_failed == 3
    answer = until_all(words)
    assert (answer.n_searched, answer.n_failed) == (2, 1)
    assert {m.recording for m in answer.moments} <= set(library.entries)
    scores = [m.score for m in answer.moments]
    assert scores == sorted(scores, reverse=True)


def test_what_was_embedded_is_found_after_a_restart(
    library: Library, words: Words
) -> None:
    before = until_all(words)
    kept = sorted((library.state / "embeddings").glob("*.parquet"))
    assert len(kept) == 2
    stamps = [path.stat().st_mtime_ns for path in kept]
    again = Words(library, LazyModel("student"))
    after = until_all(again)
    again.close()
    assert [path.stat().st_mtime_ns for path in kept] == stamps
    assert [m[:2] for m in after.moments] == [m[:2] for m in before.moments]


def test_no_words(words: Words) -> None:
    with pytest.raises(ConfigError, match="empty query"):
        words.ask(" . ", 5)


def test_without_the_text_tower_it_says_what_to_install(
    words: Words, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "distilclip_eeg.training.asking", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"distilclip-eeg\[train\]"):
        words.ask(WORDS, 5)
