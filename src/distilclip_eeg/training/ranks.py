"""Several processes that train one model -> the step that one process would make.

Every process (rank) makes and encodes its share of a batch. Embeddings and labels of
all are then brought together, so that every rank computes the losses of the whole
batch, the contrastive one with all its negatives; the gradient goes back to the rank
that made a row. One process with the whole batch gives the same losses.

`torchrun` starts the processes, on one machine or many; it says who is who in the
environment (docs: PyTorch, "torchrun"). Without it there is one rank.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

from distilclip_eeg.errors import ConfigError
from distilclip_eeg.training.batches import Batch

WORLD_SIZE: Final = "WORLD_SIZE"
LOCAL_WORLD_SIZE: Final = "LOCAL_WORLD_SIZE"

Rows = TypeVar("Rows", bound=Mapping[str, Any])


def make_fabric(precision: str) -> Fabric:
    """Join the other ranks, if there are any.

    Raises
    ------
    ConfigError
        If the environment names other ranks but not how many of them are here.
    """
    world = int(os.environ.get(WORLD_SIZE, "1"))
    if world == 1:
        return Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]
    if LOCAL_WORLD_SIZE not in os.environ:
        raise ConfigError(
            f"found {WORLD_SIZE}={world} without {LOCAL_WORLD_SIZE}, expected both; "
            "start the processes with torchrun"
        )
    here = int(os.environ[LOCAL_WORLD_SIZE])
    fabric = Fabric(
        accelerator="auto",
        devices=here,
        num_nodes=world // here,
        precision=precision,  # type: ignore[arg-type]
        strategy=DDPStrategy(cluster_environment=TorchElasticEnvironment()),
    )
    fabric.launch()
    return fabric


def first_alone(fabric: Fabric) -> AbstractContextManager[None]:
    """Let the first rank prepare on disk what all then find there."""
    return fabric.rank_zero_first()


def check_shares(fabric: Fabric, batch_size: int, fixed_segments: bool) -> None:
    """Refuse what cannot be shared out.

    Raises
    ------
    ConfigError
        If a batch is no multiple of the ranks, or the segments are a fixed list.
    """
    n = fabric.world_size
    if batch_size % n:
        raise ConfigError(
            f"found batch_size {batch_size} for {n} processes, expected a multiple"
        )
    if n > 1 and fixed_segments:
        raise ConfigError(f"found {n} processes, expected one for fixed segments")


def rows_of(fabric: Fabric) -> str:
    """Name this rank's rows of a batch; nothing where they are all of them."""
    n = fabric.world_size
    return "" if n == 1 else f"{fabric.global_rank} of {n}"


def dropout_seed(seed: int, step: int, rank: int) -> int:
    """Give every step of every rank chance of its own."""
    return seed * 1_000_003 + step + rank * 15_485_863


def labels_of_all(fabric: Fabric | None, batch: Batch) -> Batch:
    """Bring together all of a batch but the EEG, which stays with its rank."""
    if fabric is None or fabric.world_size == 1:
        return batch
    light = {name: part for name, part in batch.items() if name != "eeg"}
    return cast(Batch, {**whole_batch(fabric, light), "eeg": batch["eeg"]})


def whole_batch(fabric: Fabric | None, rows: Rows) -> Rows:
    """Bring the rows of all ranks together, in the order of the whole batch.

    Parameters
    ----------
    rows
        Tensors (b, ...) and lists of b; rank r of R holds rows r, r + R, r + 2R, ...

    Returns
    -------
    Of the same keys, B = R b rows each; gradients flow back to the rank of a row.
    """
    if fabric is None or fabric.world_size == 1:
        return rows
    return cast(Rows, {name: _whole(fabric, part) for name, part in rows.items()})


def _whole(fabric: Fabric, part: Tensor | list[str]) -> Tensor | list[str]:
    if isinstance(part, Tensor):
        every = fabric.all_gather(part, sync_grads=part.requires_grad)  # (R, b, ...)
        assert isinstance(every, Tensor)
        return every.transpose(0, 1).flatten(0, 1)
    lists: list[list[str]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(lists, part)
    return [text for row in zip(*lists, strict=True) for text in row]
