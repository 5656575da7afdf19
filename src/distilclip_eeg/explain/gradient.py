"""Weights of a model folder + a window -> activation map by gradients (torch).

Integrated gradients (Sundararajan 2017): along the straight way from a window before
the seizure (from silence, if there is none) to the window in question, the gradients of
the seizure log-odds are summed up. What all leads and seconds get adds up to the
difference between the two windows. The network is rebuilt from `model.safetensors`
alone: its sizes are the shapes of its weights. Needs no text tower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from distilclip_eeg.config import ModelConfig, SignalConfig, TowerConfig
from distilclip_eeg.detection.leads import Heard
from distilclip_eeg.detection.windows import WINDOW_SHARE
from distilclip_eeg.errors import ModelFolderError
from distilclip_eeg.model.distilclip import EEGEncoder
from distilclip_eeg.model_folder import WEIGHTS, ModelFolder

STEPS: Final = 24  # along the way; the sum is then within some percent
BATCH: Final = 8
_TOWER: Final = "eeg."


class Differentiable(nn.Module):
    """The EEG side of a trained model, with gradients.

    Attributes
    ----------
    classes
        (D, K) class vectors times the scale of the logits.
    """

    classes: Tensor

    def __init__(self, encoder: EEGEncoder, classes: Tensor, background: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.background = background
        self.register_buffer("classes", classes)

    def forward(self, eeg: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 18, T), (B, 18, S) -> window logits (B, K), second logits (B, S, K)."""
        window, seconds = self.encoder(eeg, usable)
        return window @ self.classes, seconds @ self.classes

    def odds(self, eeg: Tensor, usable: Tensor) -> Tensor:
        """Seizure log-odds of each second, as alarms hear them, (B, S)."""
        window, seconds = self(eeg, usable)
        logits = WINDOW_SHARE * window[:, None] + (1 - WINDOW_SHARE) * seconds
        others = [k for k in range(logits.shape[-1]) if k != self.background]
        seizure: Tensor = torch.logsumexp(logits[..., others], -1)
        odds: Tensor = seizure - logits[..., self.background]
        return odds


def load_differentiable(folder: ModelFolder) -> Differentiable:
    """Rebuild the EEG side of a model folder from its weights.

    Raises
    ------
    ModelFolderError
        If the weights are not those of an EEG tower of this package.
    """
    try:
        every = load_file(folder.weights)
    except SafetensorError as error:
        raise ModelFolderError(
            f"{folder.weights}: not readable as safetensors ({error}); gradients need "
            "the weights: export the model again, or use --method occlusion"
        ) from None
    weights = {
        name.removeprefix(_TOWER): value.float()
        for name, value in every.items()
        if name.startswith(_TOWER)
    }
    try:
        tower = tower_config(weights, folder.signal)
        model = ModelConfig(tower=tower, embed_dim=folder.config.embed_dim)
        encoder = EEGEncoder(model, folder.signal)
        encoder.load_state_dict(weights)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelFolderError(
            f"{folder.path}: {WEIGHTS} holds no EEG tower of this package ({reason}); "
            "gradients need it: export the model again, or use --method occlusion"
        ) from None
    classes = torch.from_numpy(folder.config.logit_scale * folder.prototypes.T.copy())
    built = Differentiable(encoder, classes.contiguous(), folder.background)
    return built.eval().requires_grad_(False)


def tower_config(weights: Mapping[str, Tensor], signal: SignalConfig) -> TowerConfig:
    """Read the sizes of a tower off the shapes of its weights.

    Raises
    ------
    KeyError
        If a weight that tells a size is not there.
    """
    first = "tower.blocks.0."
    dim = weights["norm.weight"].shape[0]
    heads, distances = weights[f"{first}attend.bias"].shape
    blocks = {name.split(".")[2] for name in weights if name.startswith("tower.blocks")}
    return TowerConfig(
        stem_filters=weights["tower.stem.filter.weight"].shape[0],
        tokens_per_s=(distances + 1) // 2 // signal.window_s,
        dim=dim,
        depth=len(blocks),
        heads=heads,
        ff_mult=weights[f"{first}feed_in.1.weight"].shape[0] // dim,
        conv_kernel=weights[f"{first}convolve.depthwise.weight"].shape[2],
    )


def gradient_map(
    model: Differentiable,
    now: Heard,
    before: Heard | None = None,
    *,
    steps: int = STEPS,
) -> NDArray[np.float32]:
    """Say how much each lead's second adds to the seizure log-odds of its window.

    Parameters
    ----------
    before
        Where the way begins; what is not usable there begins at 0 µV, as does all if
        it is not given.
    steps
        Points along the way.

    Returns
    -------
    (18, S) shares of the sum over all seconds' log-odds, at the end of the way less at
    its beginning; NaN where unusable.
    """
    end = torch.from_numpy(np.ascontiguousarray(now.eeg, np.float32))
    usable = torch.from_numpy(now.usable.astype(np.float32))
    start = _start(now, before)
    total = torch.zeros_like(end)
    at = (torch.arange(steps) + 0.5) / steps  # the middles: exact for a straight slope
    for part in torch.split(at, BATCH):
        points = start + part[:, None, None] * (end - start)
        points.requires_grad_()
        score = model.odds(points, usable.expand(len(part), -1, -1)).sum()
        (slope,) = torch.autograd.grad(score, points)
        total += slope.sum(0)
    shares = total * (end - start) / steps
    found = torch.unflatten(shares, 1, (now.usable.shape[1], -1)).sum(2).numpy()
    return np.where(now.usable, found, np.nan).astype(np.float32)


def _start(now: Heard, before: Heard | None) -> Tensor:
    if before is None:
        return torch.zeros(now.eeg.shape)
    rate = now.eeg.shape[1] // now.usable.shape[1]
    known = np.repeat(before.usable, rate, axis=1)
    return torch.from_numpy(np.where(known, before.eeg, 0).astype(np.float32))
