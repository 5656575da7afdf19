"""Recordings that no detector has heard -> detections, one after the other.

One thread works through a queue; what a reader opens comes first. What is found is
written where the page looks for it, so a server that is killed goes on with the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from distilclip_eeg.detection.detector import detect
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.outputs import write_detection
from distilclip_eeg.eeg.whole_files import claimed, silently
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.recordings import Entry, Library

PATIENCE_S: Final = 5.0  # for a detection that is running when the server stops


class State(StrEnum):
    """How far the detection of a recording is."""

    NONE = "none"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class LazyModel:
    """A model that is loaded when somebody asks for it first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: Model | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Model:
        """Give the model.

        Raises
        ------
        ModelFolderError
            If there is no such model, or it was altered.
        """
        with self._lock:
            if self._model is None:
                self._model = load_model(self.name)
            return self._model


class Detections:
    """The queue, and what became of everything that was in it."""

    def __init__(self, library: Library, model: Callable[[], Model]) -> None:
        self._library, self._model = library, model
        self._queue: list[Entry] = []
        self._running: str | None = None
        self._failed: dict[str, str] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def ask(self, entry: Entry, *, first: bool = False) -> None:
        """Queue a recording unless it is there already."""
        with self._changed:
            if entry.id == self._running or entry.id in self._failed:
                return
            if entry in self._queue:
                if not first:
                    return
                self._queue.remove(entry)
            self._queue.insert(0 if first else len(self._queue), entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def again(self, entry: Entry) -> None:
        """Queue a recording though it failed before."""
        with self._changed:
            self._failed.pop(entry.id, None)
        self.ask(entry, first=True)

    def state(self, entry: Entry) -> tuple[State, str]:
        """Say how far a recording is, and why it failed.

        `NONE` also where a detection was done: what it wrote tells that.
        """
        with self._changed:
            if entry.id == self._running:
                return State.RUNNING, ""
            if entry.id in self._failed:
                return State.FAILED, self._failed[entry.id]
            return (State.WAITING if entry in self._queue else State.NONE), ""

    def close(self) -> None:
        """Begin nothing new."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            try:
                self._detect(entry)
                why = ""
            except (DistilClipError, OSError) as error:
                why = str(error)
            except Exception as error:  # a defect in one must not stop the others
                why = f"{type(error).__name__}: {error} (please report this)"
            with self._changed:
                self._running = None
                if why:
                    self._failed[entry.id] = why

    def _next(self) -> Entry | None:
        with self._changed:
            while not self._queue and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            entry = self._queue.pop(0)
            self._running = entry.id
            return entry

    def _detect(self, entry: Entry) -> None:
        out, before = self._library.detection_path(entry), self._library.stamp(entry)
        with claimed(out, waiting=silently):
            if self._library.stamp(entry) != before:
                return  # another server on this folder has done it meanwhile
            detection = detect(self._library.open(entry), model=self._model())
            write_detection(detection, entry.path, out)
