"""Pyramids of what readers look at -> kept, and built in the background.

One thread builds block after block, those next to where a reader looks first. A tile
never waits for it: what is not there yet says so, and is asked for again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.tiles import Pyramid, Tile, View, tile_s

MAX_BYTES: Final = 400 * 2**20  # of all pyramids: some eight of a day


class Pyramids:
    """Keeps the pyramids that were looked at last."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, Pyramid] = OrderedDict()
        self._near_s: dict[Hashable, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._failed: dict[Hashable, str] = {}

    def tile(self, key: Hashable, view: View, level: int, index: int) -> Tile:
        """Give a tile as far as it is built, and see to it that the rest will be.

        Raises
        ------
        IndexError
            If there is no such tile.
        DistilClipError
            If the recording could not be read to the end.
        """
        with self._changed:
            if key in self._failed:
                raise DistilClipError(self._failed[key])
            if key not in self._kept:
                self._kept[key] = Pyramid(view)
            pyramid = self._kept[key]
            tile = pyramid.tile(level, index)
            self._kept.move_to_end(key)
            self._near_s[key] = (index + 0.5) * tile_s(level)
            self._forget()
            if not pyramid.is_whole:
                self._wake()
        return tile

    def close(self) -> None:
        """Stop building."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _forget(self) -> None:
        while (
            len(self._kept) > 1
            and sum(p.n_bytes for p in self._kept.values()) > self._max_bytes
        ):
            key, _ = self._kept.popitem(last=False)
            del self._near_s[key]

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._build, daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _build(self) -> None:
        while (task := self._next()) is not None:
            key, pyramid, block = task
            try:
                pyramid.build(block)
            except DistilClipError as error:  # the file went away or became shorter
                with self._changed:
                    self._failed[key] = str(error)

    def _next(self) -> tuple[Hashable, Pyramid, int] | None:
        """Wait for a block that is wanted; the one looked at last comes first."""
        with self._changed:
            while not self._is_closed:
                for key, pyramid in reversed(self._kept.items()):
                    block = pyramid.next_block(self._near_s[key])
                    if block is not None and key not in self._failed:
                        return key, pyramid, block
                self._changed.wait()
        return None
