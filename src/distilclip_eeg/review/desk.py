"""Everything that the page works with, brought together for the routes.

Knows the folder, the decisions, the detections and the pyramids, and hands out views of
recordings; knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from distilclip_eeg.eeg.arrays import read_arrays
from distilclip_eeg.eeg.whole_files import claimed, silently, written_whole
from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.decisions import Review, review_of
from distilclip_eeg.review.derivations import Derivation, derivations
from distilclip_eeg.review.detecting import Detections, LazyModel, State
from distilclip_eeg.review.filters import ViewFilter
from distilclip_eeg.review.outputs_beside import Found
from distilclip_eeg.review.overview import Spectrogram, spectrogram
from distilclip_eeg.review.patient_thresholds import Reviewed
from distilclip_eeg.review.pyramids import Pyramids
from distilclip_eeg.review.recordings import STATE_FOLDER, Entry, Library, Stamp
from distilclip_eeg.review.store import DATABASE, Store
from distilclip_eeg.review.tiles import PYRAMID_LEVEL, Tile, View
from distilclip_eeg.review.words import Words

MAX_FOUND: Final = 64  # detections kept in memory; of a day some 350 kB each


@dataclass(eq=False)
class Desk:
    """What the routes work with; close it when the server ends.

    Parameters
    ----------
    detects
        Whether recordings without a detection are queued for one.
    """

    library: Library
    store: Store
    model: LazyModel
    detects: bool = True
    pyramids: Pyramids = field(default_factory=Pyramids)
    detections: Detections = field(init=False)
    words: Words = field(init=False)
    deciding: threading.Lock = field(default_factory=threading.Lock)
    _found: dict[str, tuple[Stamp, Found]] = field(default_factory=dict)
    _drawing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.detections = Detections(self.library, self.model)
        self.words = Words(self.library, self.model)

    def close(self) -> None:
        """Stop what runs in the background and close the database."""
        self.pyramids.close()
        self.detections.close()
        self.words.close()
        self.store.close()

    def found(self, entry: Entry) -> Found | None:
        """Give what a detector says of a recording, None if none was run yet.

        Raises
        ------
        DistilClipError
            If the recording or what lies beside it cannot be used.
        """
        stamp = self.library.stamp(entry)
        known = self._found.get(entry.id)
        if known is not None and known[0] == stamp:
            return known[1]
        found = self.library.found(entry)
        if found is not None:
            while len(self._found) >= MAX_FOUND:
                self._found.pop(next(iter(self._found)), None)
            self._found[entry.id] = (stamp, found)
        return found

    def detection_state(self, entry: Entry) -> tuple[State, str]:
        """Say how far the detection of a recording is, and why it failed."""
        try:
            if self.found(entry) is not None:
                return State.DONE, ""
        except DistilClipError as error:
            return State.FAILED, without_path(str(error), entry)
        state, why = self.detections.state(entry)
        return state, without_path(why, entry)

    def reviews(self, entry: Entry) -> dict[str, Review]:
        """Give what holds of a recording, by reviewer."""
        decisions = self.store.decisions(entry.id)
        return {name: review_of(name, own) for name, own in decisions.items()}

    def derivations(self, entry: Entry) -> dict[str, Derivation]:
        """Give the montages of a recording, the default first."""
        return derivations(self.library.open(entry).ch_names)

    def tile(
        self, entry: Entry, montage: str, view_filter: ViewFilter, level: int, i: int
    ) -> Tile:
        """Give a tile of traces.

        Raises
        ------
        IndexError
            If there is no such tile.
        KeyError
            If the recording has no such montage.
        """
        recording = self.library.open(entry)
        view = View(recording, self.derivations(entry)[montage], view_filter)
        if level < PYRAMID_LEVEL:
            return view.tile(level, i)
        return self.pyramids.tile((entry.id, montage, view_filter), view, level, i)

    def spectrogram(self, entry: Entry) -> Spectrogram:
        """Give the spectrogram of a recording, computed once and kept on disk."""
        path = self.library.state / "overviews" / f"{entry.id}.npz"
        with self._drawing:
            stamp = _stamp(entry.path)
            if (kept := _kept_spectrogram(path, stamp)) is not None:
                return kept
            recording = self.library.open(entry)
            drawn = spectrogram(recording, next(iter(self.derivations(entry).values())))
            _keep_spectrogram(path, stamp, drawn)
            return drawn

    def of_patient(self, entry: Entry, reviewer: str) -> list[Reviewed]:
        """Give what a reviewer decided on all recordings of the same patient.

        A recording that cannot be read any more, or without a detection, is left out.
        """
        same = [entry]
        if entry.patient_key:
            entries = self.library.entries.values()
            same = [e for e in entries if e.patient_key == entry.patient_key]
        reviewed = []
        for one in same:
            review = self.reviews(one).get(reviewer)
            if review is None:
                continue
            try:
                found = self.found(one)
            except DistilClipError:
                continue  # the list of recordings says so
            if found is not None:
                reviewed.append(Reviewed(found, review))
        return reviewed


def open_desk(
    root: Path, *, state: Path | None = None, model: str = "student", detects: bool
) -> Desk:
    """Open a folder for review.

    Raises
    ------
    DistilClipError
        If the folder holds no recording, or its database cannot be used.
    """
    library = Library(root, state or root / STATE_FOLDER)
    return Desk(library, Store(library.state / DATABASE), LazyModel(model), detects)


def without_path(text: str, entry: Entry) -> str:
    """Say of a recording what is wrong without saying where on this machine it lies."""
    return text.replace(str(entry.path), entry.path.name).replace(
        str(entry.path.parent), "..."
    )


def _stamp(path: Path) -> np.ndarray:
    about = path.stat()
    return np.array([about.st_size, about.st_mtime_ns])


def _keep_spectrogram(path: Path, stamp: np.ndarray, drawn: Spectrogram) -> None:
    with (
        claimed(path, waiting=silently),
        written_whole(path) as partial,
        partial.open("wb") as file,
    ):
        scale = np.array([drawn.column_s, drawn.step_hz])
        np.savez(file, stamp=stamp, scale=scale, db=drawn.db)


def _kept_spectrogram(path: Path, stamp: np.ndarray) -> Spectrogram | None:
    if not path.is_file():
        return None
    try:
        kept = read_arrays(path)
        if not np.array_equal(kept["stamp"], stamp):
            return None  # the recording was replaced
        column_s, step_hz = kept["scale"].tolist()
        return Spectrogram(column_s, step_hz, kept["db"])
    except (OSError, TypeError, ValueError, KeyError):
        return None  # drawn again
