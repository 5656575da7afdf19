"""The weights of a run -> the model that they mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from distilclip_eeg.config import Config
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.run_folder import Weights, load_run


def trained_parameters(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield what a run saves: every parameter that is not frozen BERT's."""
    return ((n, p) for n, p in model.named_parameters() if ".bert." not in n)


def load_trained(run: Path) -> tuple[Config, DistilCLIP]:
    """Return configuration and model of a run, weights rounded to fp16, eval mode."""
    config, weights = load_run(run)
    return config, build(config, weights)


def build(config: Config, weights: Weights) -> DistilCLIP:
    """Return the model that `weights` (BERT left out) mean.

    Raises
    ------
    ConfigError
        If they are the weights of another model.
    """
    model = DistilCLIP(config.model, config.signal)
    own = {name: value.shape for name, value in trained_parameters(model)}
    if own != (given := {name: value.shape for name, value in weights.items()}):
        wrong = sorted(n for n in own | given if own.get(n) != given.get(n))
        raise ConfigError(
            f"weights of another model: {wrong[0]} and {len(wrong) - 1} more parts are "
            "missing, unknown or of another shape"
        )
    rounded = {name: value.half().float() for name, value in weights.items()}
    model.load_state_dict(rounded, strict=False)
    return model.eval()
