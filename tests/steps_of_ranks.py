"""A process of a training: prints the losses of each step, if it is the first rank.

Arguments: store, run, teacher's run or "none", batch size, steps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from distilclip_eeg.config import (
    Config,
    ModelConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.run_folder import LoopState
from small_corpus import SIGNAL

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8,
        dim=16,
        depth=1,
        heads=2,
        ff_mult=2,
        conv_kernel=7,
        dropout=0.0,  # chance differs between ranks; all else must not
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)


def main(store: str, run: str, teacher: str, batch_size: str, steps: str) -> None:
    torch.set_num_threads(1)
    config = Config(
        name="tiny",
        model=TINY,
        signal=SIGNAL,
        training=TrainingConfig(
            steps=int(steps),
            batch_size=int(batch_size),
            warmup_steps=1,
            learning_rate=1e-2,
            checkpoint_every=2,
            precision="32-true",
        ),
    )
    losses: list[dict[str, float]] = []

    def note(state: LoopState, noted: dict[str, float]) -> None:
        losses.append({k: v for k, v in noted.items() if k != "waiting"})

    fit(
        config,
        Path(run),
        Store(Path(store), SIGNAL).recordings,
        teacher=None if teacher == "none" else Teacher(Path(teacher)),
        on_step=note,
    )
    if losses:
        print(json.dumps(losses))


if __name__ == "__main__":
    main(*sys.argv[1:])
