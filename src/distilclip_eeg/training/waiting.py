"""Things that come one by one -> the same, and how long was waited for them.

A loop that waits for its data is fed too slowly, whatever else is fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Waited(Generic[Item]):
    """Pass things on and note how much of the time went by until they came."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._began_s = perf_counter()
        self._waited_s = 0.0

    def __iter__(self) -> Iterator[Item]:
        while True:
            asked_s = perf_counter()
            try:
                item = next(self._items)
            except StopIteration:
                return
            self._waited_s += perf_counter() - asked_s
            yield item

    @property
    def share(self) -> float:
        """Of the time since the start, 0 to 1."""
        return self._waited_s / max(perf_counter() - self._began_s, 1e-9)
