"""EEG and text in one latent space: a Conformer tower, BERT-LP, and the class scores.

The score of a class is the scaled cosine between an EEG embedding and the class's text
embedding (CLIP: Radford et al. 2021), for a whole window and for each second alike.

Shapes: B batch, C leads, T samples, S seconds, W tower width, D embedding, K classes.
"""

from __future__ import annotations

import math
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distilclip_eeg.config import ModelConfig, SignalConfig
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.model.bert_lp import BertLP
from distilclip_eeg.model.captions import class_prompts
from distilclip_eeg.model.conformer import ConformerTower


class Encoded(TypedDict):
    """What the EEG side says of a batch of windows; embeddings have unit length."""

    window_embedding: Tensor  # (B, D)
    second_embedding: Tensor  # (B, S, D)
    window_logits: Tensor  # (B, K)
    second_logits: Tensor  # (B, S, K)


class EEGEncoder(nn.Module):
    """Tower and projection: what is left of the model at run time."""

    def __init__(self, config: ModelConfig, signal: SignalConfig) -> None:
        super().__init__()
        dim = config.tower.dim
        self.tower = ConformerTower(config.tower, signal, len(LEADS))
        self.norm = nn.LayerNorm(dim)
        self.window_projection = nn.Linear(dim, config.embed_dim)
        self.second_projection = nn.Linear(dim, config.embed_dim)

    def forward(self, eeg: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) microvolts, (B, C, S) -> unit rows (B, D), (B, S, D), float32."""
        window, seconds = self.tower(eeg, usable)  # (B, W), (B, S, W)
        with torch.autocast(eeg.device.type, enabled=False):
            window = self.window_projection(self.norm(window.float()))
            seconds = self.second_projection(self.norm(seconds.float()))
            return F.normalize(window, dim=-1), F.normalize(seconds, dim=-1)


class DistilCLIP(nn.Module):
    """Both towers and the temperature between them.

    The student and the teacher are this class with other numbers in `ModelConfig`.
    """

    def __init__(self, config: ModelConfig, signal: SignalConfig) -> None:
        super().__init__()
        self.config = config
        self.eeg = EEGEncoder(config, signal)
        self.text = BertLP(config.text, config.embed_dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        bare = config.text.captions == "class_names"
        self.wordings = class_prompts(config.classes, class_names_only=bare)

    @property
    def logit_scale(self) -> Tensor:
        """The factor on a cosine, at most `max_logit_scale`."""
        return self.log_scale.exp().clamp(max=self.config.max_logit_scale)

    def prototypes(self) -> Tensor:
        """One text embedding per class (K, D): the mean over the class's wordings."""
        rows = self.text([text for group in self.wordings for text in group])
        means = [part.mean(0) for part in rows.split([len(g) for g in self.wordings])]
        return F.normalize(torch.stack(means), dim=1)

    def score(self, eeg: Tensor, usable: Tensor, prototypes: Tensor) -> Encoded:
        """Score windows (B, C, T), (B, C, S) against class vectors (K, D)."""
        window, seconds = self.eeg(eeg, usable)
        with torch.autocast(eeg.device.type, enabled=False):
            classes = self.logit_scale * prototypes.float().T  # (D, K)
            return {
                "window_embedding": window,
                "second_embedding": seconds,
                "window_logits": window @ classes,
                "second_logits": seconds @ classes,
            }

    def forward(
        self, eeg: Tensor, usable: Tensor, captions: list[str]
    ) -> tuple[Encoded, Tensor, Tensor]:
        """Score windows, embed N captions (N, D), give the scale: a training step."""
        encoded = self.score(eeg, usable, self.prototypes())
        return encoded, self.text(captions), self.logit_scale
