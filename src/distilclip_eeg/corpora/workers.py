"""A function and a list -> results in order, made by processes that end with this one.

A process that is killed takes its workers with it: nobody goes on writing to a folder
that its successor writes to. Knows nothing of what is done.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from distilclip_eeg.errors import CorpusError

Item = TypeVar("Item")
Made = TypeVar("Made")


def made_by_workers(
    work: Callable[[Item], Made], items: Iterable[Item], workers: int
) -> Iterator[Made]:
    """Yield what `work` makes of each item, in the order of the items.

    Raises
    ------
    CorpusError
        If somebody killed a worker: the system does where memory runs out.
    """
    with ProcessPoolExecutor(workers, initializer=_end_with_parent) as pool:
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool:
            raise CorpusError(
                f"one of {workers} worker processes was killed, perhaps for want of "
                "memory; start again, with fewer workers: what is done is kept"
            ) from None


def _end_with_parent() -> None:
    """End this worker when its parent dies; by itself it would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
