"""A model folder + words -> a direction in the space it shares with EEG.

The text tower is rebuilt from the folder's own weights and the frozen BERT that the
folder names. Knows no recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from distilclip_eeg.config import TextConfig
from distilclip_eeg.errors import ConfigError, ModelFolderError
from distilclip_eeg.model.bert_lp import BertLP
from distilclip_eeg.model_folder import ModelFolder

_TOWER: Final = "text."
_PROMPTS: Final = "prompts"
_WORDINGS: Final = ("EEG with {}.", "The segment shows {}.", "Scalp EEG with {}.")
"""Around the words of a query: what the tower learned from are such sentences."""
_ORDINARY: Final = tuple(
    f"EEG with a focal {noun}, {side} {lobe}."
    for noun in ("seizure", "non-motor seizure", "seizure with automatisms")
    for side in ("left", "right")
    for lobe in ("frontal", "temporal", "central", "parietal", "occipital")
)
APART: Final = 2.0
"""How much more than its likeness counts what sets a query apart from ordinary
sentences: those share most of their direction, since all speak of seizures. Of 256
simulated seizures the mean average precision is 0.091 at 0, 0.165 at 2, 0.176 at 4."""


def load_text_tower(folder: ModelFolder) -> BertLP:
    """Rebuild the text tower of a model folder.

    Raises
    ------
    ModelFolderError
        If the folder's weights are not those of a text tower of this package, or the
        BERT here is not the one they were trained with.
    MissingExtraError
        If `transformers` or the BERT is not installed.
    """
    try:
        every = load_file(folder.weights)
    except SafetensorError as error:
        raise ModelFolderError(
            f"{folder.weights}: no safetensors file ({error}); export the model again"
        ) from None
    weights = {
        name.removeprefix(_TOWER): value.float()
        for name, value in every.items()
        if name.startswith(_TOWER)
    }
    prompts = weights.get(_PROMPTS)
    if "projection.weight" not in weights or (prompts is not None and prompts.ndim < 3):
        raise ModelFolderError(
            f"{folder.weights}: holds no text tower; export the model again"
        )
    tower = _tower_of(folder, weights)
    tower.load_trainable_state(weights)
    found, expected = tower.bert_identity(), folder.config.bert
    if found != expected:
        raise ModelFolderError(
            f"found BERT {found['name']} {found['sha256'][:12]}, expected "
            f"{expected.get('name')} {expected.get('sha256', '')[:12]}: the one the "
            "model was trained with"
        )
    return tower.eval()


@torch.no_grad()
def ask(tower: BertLP, query: str) -> NDArray[np.float32]:
    """Say in which direction EEG lies that is as a reader's words have it, (D,).

    The score of a window is the product with its embedding.

    Parameters
    ----------
    query
        Such as "rhythmic theta over the left temporal lobe".

    Raises
    ------
    ConfigError
        If it is empty.
    """
    words = query.strip().rstrip(".")
    if not words:
        raise ConfigError(
            "found an empty query, expected words such as 'left temporal'"
        )
    asked = _mean(tower, [wording.format(words) for wording in _WORDINGS])
    return asked + np.float32(APART) * (asked - _mean(tower, _ORDINARY))


def _mean(tower: BertLP, sentences: Sequence[str]) -> NDArray[np.float32]:
    mean = tower(sentences).numpy().mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _tower_of(folder: ModelFolder, weights: dict[str, Tensor]) -> BertLP:
    prompts = weights.get(_PROMPTS)
    bert = folder.config.bert.get("name", TextConfig().bert)
    n_bert = folder.config.n_parameters.get("bert", 0)
    for layers in count(1):
        config = TextConfig(
            bert=bert,
            layers=layers,
            prompts="none" if prompts is None else "learned",
            n_prompts=0 if prompts is None else prompts.shape[1],
            deep=prompts is not None and len(prompts) == layers,
        )
        try:
            tower = BertLP(config, folder.config.embed_dim)
        except ConfigError:  # more layers than the BERT has
            break
        if tower.n_parameters()["bert"] == n_bert:
            return tower
    raise ModelFolderError(
        f"{folder.path}: found a text tower on {n_bert} parameters of {bert}, expected "
        "some of its layers"
    )
