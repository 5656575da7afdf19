"""Several processes make the steps that one makes with the whole batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.training.batches import Batches
from distilclip_eeg.training.ranks import (
    check_shares,
    dropout_seed,
    make_fabric,
    rows_of,
    whole_batch,
)
from distilclip_eeg.training.run_folder import load_run
from small_corpus import small_store

SCRIPT = Path(__file__).with_name("steps_of_ranks.py")
STEPS, BATCH = 4, 8
TOLERANCE = 2e-4  # of a loss: sums in another order, then four steps of Adam

Losses = list[dict[str, float]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks") / "store"
    small_store(folder)
    return folder


def losses_of(
    n_ranks: int, store: Path, run: Path, teacher: str = "none", steps: int = STEPS
) -> Losses:
    started = [sys.executable]
    if n_ranks > 1:
        started += ["-m", "torch.distributed.run", "--standalone"]
        started += ["--nproc-per-node", str(n_ranks)]
    done = subprocess.run(
        [*started, str(SCRIPT), str(store), str(run), teacher, str(BATCH), str(steps)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == 1, "the first rank speaks for all"
    losses: Losses = json.loads(lines[0])
    return losses


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Losses]:
    run = tmp_path_factory.mktemp("alone") / "run"
    return run, losses_of(1, store, run)


def assert_same(found: Losses, expected: Losses) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, abs=TOLERANCE)


def test_two_processes_make_the_steps_of_one(
    store: Path, alone: tuple[Path, Losses], tmp_path: Path
) -> None:
    run, expected = alone
    assert_same(losses_of(2, store, tmp_path / "run"), expected)
    ours, theirs = load_run(tmp_path / "run")[1], load_run(run)[1]
    for name, weights in theirs.items():
        assert torch.allclose(ours[name], weights, atol=2e-3), name


@pytest.mark.slow
def test_two_processes_go_on_where_one_was(
    store: Path, alone: tuple[Path, Losses], tmp_path: Path
) -> None:
    """A run does not belong to a number of processes."""
    _, expected = alone
    run = tmp_path / "run"
    config = run / "config.json"
    assert_same(losses_of(1, store, run, steps=STEPS), expected)
    checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
    assert checkpoint["state"]["step"] == STEPS
    config.write_text(config.read_text().replace(f'"steps": {STEPS}', '"steps": 6'))
    longer = losses_of(2, store, run, steps=6)
    assert len(longer) == 2


@pytest.mark.slow
def test_a_teacher_says_the_same_to_two_processes(
    store: Path, alone: tuple[Path, Losses], tmp_path: Path
) -> None:
    teacher = str(alone[0])
    expected = losses_of(1, store, tmp_path / "one", teacher, steps=2)
    assert "pattern_distillation_loss" in expected[0]
    assert_same(losses_of(2, store, tmp_path / "two", teacher, steps=2), expected)


def test_the_rows_of_all_ranks_are_the_batch(tmp_path: Path) -> None:
    recordings = small_store(tmp_path / "store").recordings
    whole, *parts = (
        Batches(
            recordings,
            SignalConfig(),
            seed=3,
            batch_size=6,
            rank=rank,
            n_ranks=n,
        ).batch(5)
        for rank, n in ((0, 1), (0, 3), (1, 3), (2, 3))
    )
    for rank, part in enumerate(parts):
        assert part["captions"] == whole["captions"][rank::3]
        np.testing.assert_array_equal(part["eeg"], whole["eeg"][rank::3])


def test_one_process_is_left_alone() -> None:
    fabric = make_fabric("32-true")
    rows = {"eeg": torch.zeros(2, 3)}
    assert whole_batch(fabric, rows) is rows
    assert rows_of(fabric) == ""
    assert dropout_seed(2, 5, 0) == 2_000_011


def test_what_cannot_be_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    monkeypatch.setattr(type(fabric), "world_size", 3)
    with pytest.raises(ConfigError, match="batch_size 8 for 3 processes"):
        check_shares(fabric, 8, fixed_segments=False)
    with pytest.raises(ConfigError, match="fixed segments"):
        check_shares(fabric, 9, fixed_segments=True)


def test_ranks_without_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    with pytest.raises(ConfigError, match="torchrun"):
        make_fabric("32-true")
