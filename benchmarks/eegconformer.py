"""EEGConformer: 18 leads -> one score, by convolutions and self-attention.

Written from Song et al. 2023 (IEEE TNSRE 31:710-719): 40 temporal and spatial filters,
averages over 75 samples every 15 as tokens, six transformer blocks with ten heads, and
two hidden layers before the class. The paper has 250 Hz and 4 s; here are 256 Hz and
10 s, so that there are more tokens. What is ours: a missing lead is zero microvolts.

Shapes: B batch, C leads, T samples, N tokens, W width.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

WIDTH, DEPTH, HEADS = 40, 6, 10
KERNEL, POOL, STRIDE = 25, 75, 15
EXPANSION: Final = 4
HIDDEN = (256, 32)
DROPOUT, DROPOUT_LAST = 0.5, 0.3
LEARNING_RATE: Final = 2e-4


class EEGConformer(nn.Module):
    """The network.

    Parameters
    ----------
    n_leads, n_times
        C and T.
    """

    def __init__(self, n_leads: int, n_times: int) -> None:
        super().__init__()
        self.tokens = nn.Sequential(
            nn.Conv2d(1, WIDTH, (1, KERNEL)),
            nn.Conv2d(WIDTH, WIDTH, (n_leads, 1)),
            nn.BatchNorm2d(WIDTH),
            nn.ELU(),
            nn.AvgPool2d((1, POOL), (1, STRIDE)),
            nn.Dropout(DROPOUT),
            nn.Conv2d(WIDTH, WIDTH, 1),
        )
        # One by one: a stack of them warns that pre-norm has no fast path.
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH,
                HEADS,
                EXPANSION * WIDTH,
                DROPOUT,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(DEPTH)
        )
        n_tokens = (n_times - KERNEL + 1 - POOL) // STRIDE + 1
        self.classify = nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_tokens * WIDTH, HIDDEN[0]),
            nn.ELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN[0], HIDDEN[1]),
            nn.ELU(),
            nn.Dropout(DROPOUT_LAST),
            nn.Linear(HIDDEN[1], 1),
        )

    def forward(self, eeg: Tensor) -> Tensor:
        """(B, C, T) -> (B,) log-odds of a seizure."""
        x = self.tokens(eeg.unsqueeze(1)).squeeze(2).mT  # (B, N, W)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.classify(x).squeeze(1)
        return out

    def constrain(self) -> None:
        """The paper constrains no weight."""
