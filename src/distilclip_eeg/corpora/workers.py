"""A function and a list -> results in order, made by processes that end with this one.

A process that is killed takes its workers with it: nobody goes on writing to a folder
that its successor writes to. Knows nothing of what is done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context, parent_process
from typing import TypeVar

from distilclip_eeg.errors import CorpusError

Item = TypeVar("Item")
Made = TypeVar("Made")


def made_by_workers(
    work: Callable[[Item], Made], items: Iterable[Item], workers: int
) -> Iterator[Made]:
    """Yield what `work` makes of each item, in the order of the items.

    The processes begin clean: a copy of one in which torch or another library has
    threads would hold their locks and not their threads. So a script that gets here
    needs `if __name__ == "__main__":` around what it does, as ever with Python's
    `multiprocessing`.

    Raises
    ------
    CorpusError
        If a worker was killed, as the system does where memory runs out, or could not
        begin, as in a script without that line.
    """
    clean = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    with ProcessPoolExecutor(workers, get_context(clean), _end_with_parent) as pool:
        try:
            yield from pool.map(work, items)
        except BrokenProcessPool:
            raise CorpusError(
                f"one of {workers} worker processes was killed, perhaps for want of "
                "memory, or could not begin: start again, with fewer workers, and from "
                'a script under `if __name__ == "__main__":`; what is done is kept'
            ) from None


def _end_with_parent() -> None:
    """End this worker when its parent dies; by itself it would wait for ever."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
