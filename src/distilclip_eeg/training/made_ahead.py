"""Numbers of batches -> the batches in order, made while the last one is learned from.

Knows nothing of what is in a batch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from torch.utils.data import DataLoader, Dataset

Made = TypeVar("Made")

_MOST_WORKERS: Final = 8
_ENDLESS: Final = 2**62


def made_ahead(
    batch: Callable[[int], Made], first: int, workers: int | None = None
) -> Iterator[Made]:
    """Yield batches from number `first` on, the next ones made meanwhile.

    Parameters
    ----------
    workers
        Processes that make them, 0 for a thread of this one; by default as many as
        there are cores to spare, since a window takes 2 ms and a graphics processor
        asks for thousands a second.
    """
    if workers is None:
        workers = _spare_cores()
    if workers:
        yield from _made_by_processes(batch, first, workers)
        return
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batch, first)
        for number in range(first + 1, _ENDLESS):
            ready = coming.result()
            coming = pool.submit(batch, number)
            yield ready


def _made_by_processes(
    batch: Callable[[int], Made], first: int, workers: int
) -> Iterator[Made]:
    """Yield the same batches in the same order; what is read is shared, not copied."""
    loader = DataLoader(
        _Numbered(batch),
        batch_size=None,
        sampler=range(first, _ENDLESS),
        num_workers=workers,
        prefetch_factor=2,
        multiprocessing_context="fork",
    )
    yield from loader


class _Numbered(Dataset[Made]):
    """What a loader asks for batches by number."""

    def __init__(self, batch: Callable[[int], Made]) -> None:
        self._batch = batch

    def __getitem__(self, number: int) -> Made:
        return self._batch(number)


def _spare_cores() -> int:
    """Of this process, if the others of the machine take as many."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    return max(0, min(_MOST_WORKERS, cores // here - 2))
