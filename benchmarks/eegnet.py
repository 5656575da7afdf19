"""EEGNet: 18 leads -> one score, by a small convolutional network.

Written from Lawhern et al. 2018 (J. Neural Eng. 15:056013), EEGNet-8,2 as table 2 has
it, for signals at 128 Hz; dropout of 0.25 as for classifying people never seen. What is
ours: windows of 10 s, and a missing lead is zero microvolts, since the paper has none.

Shapes: B batch, C leads, T samples at 256 Hz, F filters.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TEMPORAL, DEPTH, SEPARABLE = 8, 2, 16  # F1, D and F2 of the paper
KERNEL, KERNEL_SEPARABLE = 64, 16  # half a second at 128 Hz; half at 32 Hz
POOL, POOL_SEPARABLE = 4, 8
DOWN: Final = 2  # from 256 Hz to the paper's 128; the band ends at 60 Hz
SPATIAL_NORM, DENSE_NORM = 1.0, 0.25  # the most that a filter may have
LEARNING_RATE: Final = 1e-3


class EEGNet(nn.Module):
    """The network; `constrain` after every step keeps the norms of its filters.

    Parameters
    ----------
    n_leads, n_times
        C and T.
    """

    def __init__(self, n_leads: int, n_times: int, dropout: float = 0.25) -> None:
        super().__init__()
        wide = TEMPORAL * DEPTH
        self.temporal = nn.Conv2d(1, TEMPORAL, (1, KERNEL), bias=False)
        self.norm_temporal = nn.BatchNorm2d(TEMPORAL)
        self.spatial = nn.Conv2d(
            TEMPORAL, wide, (n_leads, 1), groups=TEMPORAL, bias=False
        )
        self.norm_spatial = nn.BatchNorm2d(wide)
        self.depthwise = nn.Conv2d(
            wide, wide, (1, KERNEL_SEPARABLE), groups=wide, bias=False
        )
        self.pointwise = nn.Conv2d(wide, SEPARABLE, 1, bias=False)
        self.norm_separable = nn.BatchNorm2d(SEPARABLE)
        self.dropout = nn.Dropout(dropout)
        n_tokens = n_times // DOWN // POOL // POOL_SEPARABLE
        self.dense = nn.Linear(SEPARABLE * n_tokens, 1)

    def forward(self, eeg: Tensor) -> Tensor:
        """(B, C, T) -> (B,) log-odds of a seizure."""
        x = F.avg_pool1d(eeg, DOWN).unsqueeze(1)  # (B, 1, C, T/2)
        x = self.norm_temporal(self.temporal(_padded(x, KERNEL)))  # (B, F, C, T/2)
        x = F.elu(self.norm_spatial(self.spatial(x)))  # (B, 2F, 1, T/2)
        x = self.dropout(F.avg_pool2d(x, (1, POOL)))
        x = self.pointwise(self.depthwise(_padded(x, KERNEL_SEPARABLE)))
        x = F.elu(self.norm_separable(x))
        x = self.dropout(F.avg_pool2d(x, (1, POOL_SEPARABLE)))
        out: Tensor = self.dense(x.flatten(1)).squeeze(1)
        return out

    @torch.no_grad()
    def constrain(self) -> None:
        """Shorten filters that grew over the norms of the paper."""
        for weight, most in (
            (self.spatial.weight, SPATIAL_NORM),
            (self.dense.weight, DENSE_NORM),
        ):
            weight.copy_(torch.renorm(weight, 2, 0, most))


def _padded(x: Tensor, kernel: int) -> Tensor:
    """Add zeros at both ends, so that as many samples come out as went in."""
    return F.pad(x, ((kernel - 1) // 2, kernel // 2))
