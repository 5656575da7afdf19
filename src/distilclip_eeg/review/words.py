"""Words asked on the page -> the moments of all recordings that are most like them.

Embeddings are made by one thread, recording after recording, from the first question
on; what is not embedded yet is counted, and asked for again. Without the text tower the
answer is what to install.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.embeddings import (
    WindowEmbeddings,
    kept_embeddings,
    read_embeddings,
)
from distilclip_eeg.detection.models import Model
from distilclip_eeg.errors import (
    DistilClipError,
    MissingExtraError,
)
from distilclip_eeg.review.recordings import Entry, Library
from distilclip_eeg.review.searching import Moment, nearest

PATIENCE_S: Final = 5.0  # for a recording that is being embedded when the server stops
MOST_KEPT: Final = 256  # directions of words that were asked for


class Answer(NamedTuple):
    """Moments, best first, by the id of their recording; and what is still missing."""

    moments: list[Moment]
    n_searched: int
    n_waiting: int
    n_failed: int


class Words:
    """Answers questions about a library."""

    def __init__(self, library: Library, model: Callable[[], Model]) -> None:
        self._library, self._model = library, model
        self._asker: Callable[[str], NDArray[np.float32]] | None = None
        self._directions: dict[str, NDArray[np.float32]] = {}
        self._found: dict[str, WindowEmbeddings] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, words: str, top: int) -> Answer:
        """Rank what is embedded, and see to it that the rest will be.

        Raises
        ------
        MissingExtraError
            If the text tower needs what is not installed.
        DistilClipError
            If the words are empty or the model has no text tower.
        """
        direction = self._direction(words)
        with self._lock:
            found, failed = dict(self._found), len(self._failed)
            waiting = len(self._library.entries) - len(found) - failed
            if waiting and self._thread is None:
                self._thread = threading.Thread(target=self._embed_all, daemon=True)
                self._thread.start()
        window_s = float(self._model().signal.window_s)
        moments = nearest(found, direction, window_s, top)
        return Answer(moments, len(found), waiting, failed)

    def close(self) -> None:
        """Begin nothing new."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def _direction(self, words: str) -> NDArray[np.float32]:
        with self._lock:  # one question at a time: the tower is loaded by the first
            if words not in self._directions:
                if self._asker is None:
                    self._asker = _asker(self._model())
                if len(self._directions) >= MOST_KEPT:
                    self._directions.pop(next(iter(self._directions)))
                self._directions[words] = self._asker(words)
            return self._directions[words]

    def _embed_all(self) -> None:
        model = self._model()
        for entry in self._library.entries.values():
            if self._stop.is_set():
                return
            try:
                made = self._embedded(entry, model)
            except (DistilClipError, OSError):
                with self._lock:  # the list of recordings says why
                    self._failed.add(entry.id)
                continue
            with self._lock:
                self._found[entry.id] = made

    def _embedded(self, entry: Entry, model: Model) -> WindowEmbeddings:
        kept = self._library.state / "embeddings" / f"{entry.id}.parquet"
        found = read_embeddings(entry.path, kept, model)
        return found or kept_embeddings(entry.path, kept, model)


def _asker(model: Model) -> Callable[[str], NDArray[np.float32]]:
    try:
        import pyarrow  # noqa: F401 - embeddings are kept with it

        from distilclip_eeg.training.asking import ask, load_text_tower
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; asking in words needs the text tower: "
            'pip install "distilclip-eeg[train]"'
        ) from None
    tower = load_text_tower(model.folder)
    return lambda words: ask(tower, words)
