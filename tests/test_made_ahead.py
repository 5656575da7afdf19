"""Batches come in order and are the same, whoever makes them."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from distilclip_eeg.training.batches import Batches
from distilclip_eeg.training.made_ahead import made_ahead
from small_corpus import SIGNAL, small_store

# torch advises fewer processes than cores; these tests need two wherever they run.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


@pytest.mark.parametrize("workers", [0, 2])
def test_numbers_come_in_order(workers: int) -> None:
    def make(number: int) -> dict[str, torch.Tensor]:
        return {"number": torch.tensor(number)}

    numbers = [int(b["number"]) for b in islice(made_ahead(make, 7, workers), 9)]
    assert numbers == list(range(7, 16))


def test_processes_make_what_a_thread_makes(tmp_path: Path) -> None:
    store = small_store(tmp_path / "store")
    batches = Batches(store.recordings, SIGNAL, seed=1, batch_size=4)
    for number, made in enumerate(islice(made_ahead(batches.batch, 3, 2), 3), start=3):
        expected = batches.batch(number)
        np.testing.assert_array_equal(made["eeg"], expected["eeg"])
        assert made["captions"] == expected["captions"]


def test_other_processes_make_them() -> None:
    def make(number: int) -> int:
        return os.getpid()

    makers = set(islice(made_ahead(make, 0, 2), 4))
    assert os.getpid() not in makers
    assert len(makers) == 2


def test_a_fault_in_another_process_is_told() -> None:
    def make(number: int) -> int:
        raise ValueError(f"no batch {number}")

    with pytest.raises(ValueError, match="no batch 0"):
        next(made_ahead(make, 0, 2))
