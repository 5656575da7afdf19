"""Eighteen conditioned leads -> one embedding per window and one per second.

A convolutional stem looks at each lead alone (local shape: spikes, waves) beside a bank
of fixed filters (how much of each rhythm), the leads are mixed under a mask, and a
Conformer (Gulati et al. 2020, arXiv:2005.08100, which reads a filter bank too) follows
the course in time. LayerNorm instead of the paper's BatchNorm: masks and several
processes stay exact. Knows nothing of text and classes.

Shapes: B batch, C leads, T samples, S seconds, N tokens, F filters, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distilclip_eeg.config import SignalConfig, TowerConfig

COMPRESSION_UV = 25.0  # linear below, a root above; no statistic of the file
HOP, FRAME = 8, 32  # samples: the stem's filters see 125 ms every 31 ms
BANDS_HZ = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 21, 26, 31, 38, 46, 61)  # lower edges
FLOOR_UV2 = 0.01  # of a band's power; what an amplifier's noise gives
NEVER = -1e4  # added to an attention score; finite also in bf16


class ConformerTower(nn.Module):
    """The EEG encoder.

    Parameters
    ----------
    n_leads
        C, 18 for the longitudinal bipolar montage.
    """

    def __init__(self, config: TowerConfig, signal: SignalConfig, n_leads: int) -> None:
        super().__init__()
        self.window_s = signal.window_s
        self.lead_mask = config.lead_mask
        self.tokens_per_s = config.tokens_per_s
        samples_per_token = round(signal.sfreq) // config.tokens_per_s
        self.stem = LeadStem(config.stem_filters, samples_per_token)
        self.bank = FilterBank(round(signal.sfreq), samples_per_token)
        self.mix = LeadMixer(self.stem.n_out + self.bank.n_out, config.dim, n_leads)
        n_tokens = signal.window_s * config.tokens_per_s
        self.blocks = nn.ModuleList(
            ConformerBlock(config, n_tokens) for _ in range(config.depth)
        )
        self.pool = nn.Linear(config.dim, 1)

    def forward(self, eeg: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
        """Encode windows.

        Parameters
        ----------
        eeg
            (B, C, T) microvolts.
        usable
            (B, C, S) 1 where the second of the lead can be trusted, else 0.

        Returns
        -------
        tuple
            (B, W) of the window and (B, S, W) of its seconds.
        """
        mask = usable.repeat_interleave(self.tokens_per_s, dim=2)  # (B, C, N)
        if not self.lead_mask:  # a second without any lead stays unseen
            mask = mask.amax(dim=1, keepdim=True).expand_as(mask)
        # What cannot be trusted must not reach over the border of its second either.
        eeg = torch.unflatten(eeg, 2, (self.window_s, -1)) * usable.unsqueeze(3)
        eeg = eeg.flatten(2)  # (B, C, T)
        x = torch.cat([self.stem(eeg), self.bank(eeg)], 3)  # (B, C, N, F)
        x = self.mix(x, mask)  # (B, N, W)
        seen = mask.amax(dim=1)  # (B, N) 0 where no lead is usable
        for block in self.blocks:
            x = block(x, seen)
        score = self.pool(x).squeeze(2).float() + NEVER * (1 - seen)  # (B, N)
        window = torch.einsum("bn,bnw->bw", score.softmax(1), x.float())
        seconds = x.float().unflatten(1, (self.window_s, self.tokens_per_s)).mean(2)
        return window, seconds


class LeadStem(nn.Module):
    """Two strided convolutions over one lead: first filters, then tokens.

    Written as products over cut frames, which on a CPU take a third of the time of
    `Conv1d` with one input channel.
    """

    def __init__(self, filters: int, samples_per_token: int) -> None:
        super().__init__()
        if samples_per_token % HOP:
            raise ValueError(
                f"{samples_per_token} samples per token; a multiple of {HOP} is needed"
            )
        self.n_out = 3 * filters
        self.hops_per_token = samples_per_token // HOP
        self.filter = nn.Linear(FRAME, filters)
        self.join = nn.Linear(self.hops_per_token * filters, self.n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) microvolts -> (B, C, N, F)."""
        n_hops = x.shape[2] // HOP
        x = compress(x / COMPRESSION_UV)
        x = torch.unflatten(F.pad(x, (HOP, FRAME - 2 * HOP)), 2, (-1, HOP))
        shifts = range(FRAME // HOP)
        x = torch.cat([x[:, :, k : k + n_hops] for k in shifts], 3)  # (B, C, T/8, 32)
        x = F.gelu(self.filter(x), approximate="tanh")
        x = torch.unflatten(x, 2, (-1, self.hops_per_token)).flatten(3)  # (B, C, N, 8F)
        return F.gelu(self.join(x), approximate="tanh")


class FilterBank(nn.Module):
    """Logarithm of the power in bands, and of the line length, around each token.

    Over one second with a Hann taper, as a product with sines and cosines. What a
    network would need many seizures to find by itself: the bands alone go far (a random
    forest on them is the baseline), and their maximum and spread over the leads too.
    """

    basis: Tensor
    bands: Tensor

    def __init__(self, frame: int, hop: int) -> None:
        super().__init__()
        if frame % hop or (frame - hop) % 2:
            raise ValueError(f"{hop} samples per token do not divide {frame}")
        self.frame, self.hop, self.n_out = frame, hop, len(BANDS_HZ)
        hz = torch.arange(BANDS_HZ[0], BANDS_HZ[-1]).double()
        phase = 2 * torch.pi * torch.outer(torch.arange(frame).double() / frame, hz)
        taper = torch.hann_window(frame, dtype=torch.float64)[:, None]
        # A sine of 1 uV then has the power 1 / 2 in its band.
        scale = taper / taper.square().sum().mul(frame / 2).sqrt()
        basis = torch.cat([phase.cos() * scale, phase.sin() * scale], 1)
        self.register_buffer("basis", basis.float(), persistent=False)  # (frame, 2 Hz)
        edges = torch.tensor(BANDS_HZ).double()
        inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
        bands = torch.cat([inside, inside]).float()
        self.register_buffer("bands", bands, persistent=False)  # (2 Hz, bands)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) microvolts -> (B, C, N, F) around 0, float32."""
        with torch.autocast(x.device.type, enabled=False):
            frames = self._frames(x.float())  # (B, C, N, frame)
            power = (frames @ self.basis).square() @ self.bands
            steps = (frames[..., 1:] - frames[..., :-1]).abs().mean(3, keepdim=True)
            both = torch.cat([power + FLOOR_UV2, steps + FLOOR_UV2**0.5], 3)
            return both.log10() - 0.5

    def _frames(self, x: Tensor) -> Tensor:
        n_tokens, around = x.shape[2] // self.hop, (self.frame - self.hop) // 2
        hops = torch.unflatten(F.pad(x, (around, around)), 2, (-1, self.hop))
        shifts = range(self.frame // self.hop)
        return torch.cat([hops[:, :, k : k + n_tokens] for k in shifts], 3)


def compress(x: Tensor) -> Tensor:
    """x / sqrt(1 + |x|): much like asinh, but fast in every runtime."""
    return x * torch.rsqrt(1 + x.abs())


class LeadMixer(nn.Module):
    """Leads -> one token per time step, the same for any set of missing leads.

    A weight per lead tells sides and lobes apart; mean, spread and maximum over the
    leads say the same wherever the seizure is, which few patients can teach otherwise.
    """

    def __init__(self, n_in: int, dim: int, n_leads: int) -> None:
        super().__init__()
        self.by_lead = nn.Linear(n_leads * n_in, dim)
        self.by_statistic = nn.Linear(3 * n_in, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, N, F) and (B, C, N) -> (B, N, W)."""
        m = mask.unsqueeze(3).to(x.dtype)  # (B, C, N, 1)
        count = m.sum(1).clamp(min=1)  # (B, N, 1)
        x = x * m
        mean = x.sum(1) / count
        power = x.square().sum(1) / count
        spread = (power - mean.square()).clamp(min=0).add(1e-4).sqrt()
        peak = (x + NEVER * (1 - m)).amax(1) * m.amax(1)  # (B, N, F)
        leads = x.transpose(1, 2).flatten(2)  # (B, N, C*F)
        mixed = self.by_lead(leads) * (x.shape[1] / count)
        mixed = mixed + self.by_statistic(torch.cat([mean, spread, peak], 2))
        token: Tensor = self.norm(mixed) * m.amax(1)
        return token


class ConformerBlock(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward."""

    def __init__(self, config: TowerConfig, n_tokens: int) -> None:
        super().__init__()
        dim = config.dim
        self.feed_in = FeedForward(dim, config.ff_mult, config.dropout)
        self.attend = Attention(dim, config.heads, n_tokens, config.dropout)
        self.convolve = Convolution(dim, config.conv_kernel, config.dropout)
        self.feed_out = FeedForward(dim, config.ff_mult, config.dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(B, N, W) and (B, N) -> (B, N, W)."""
        x = x + 0.5 * self.feed_in(x)
        x = x + self.attend(x, seen)
        x = x + self.convolve(x, seen)
        x = x + 0.5 * self.feed_out(x)
        normed: Tensor = self.norm(x)
        return normed


class FeedForward(nn.Sequential):
    """LayerNorm, widen, SiLU, narrow."""

    def __init__(self, dim: int, mult: int, dropout: float) -> None:
        super().__init__(
            nn.LayerNorm(dim),
            nn.Linear(dim, mult * dim),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(mult * dim, dim),
            nn.Dropout(dropout),
        )


class Attention(nn.Module):
    """Self-attention with a learned bias per distance; no absolute position.

    Time since the start of a window, and with it of a clip, cannot be read off.
    """

    distance: Tensor

    def __init__(self, dim: int, heads: int, n_tokens: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * n_tokens - 1))
        step = torch.arange(n_tokens)
        distance = step[None, :] - step[:, None] + n_tokens - 1  # (N, N)
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(B, N, W) and (B, N) -> (B, N, W)."""
        qkv = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, W/heads)
        bias = self.bias[:, self.distance].unsqueeze(0)  # (1, heads, N, N)
        bias = bias + NEVER * (1 - seen)[:, None, None, :]
        score = q @ k.mT * q.shape[-1] ** -0.5 + bias  # (B, heads, N, N)
        mixed = score.softmax(3).to(v.dtype) @ v
        out: Tensor = self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return out


class Convolution(nn.Module):
    """Gate, depthwise convolution over about two seconds, LayerNorm, SiLU."""

    def __init__(self, dim: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(dim)
        self.gate = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm_mid = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(B, N, W) and (B, N) -> (B, N, W)."""
        x = F.glu(self.gate(self.norm_in(x)), dim=2) * seen.unsqueeze(2)
        x = self.depthwise(x.mT).mT
        out: Tensor = self.dropout(self.out(F.silu(self.norm_mid(x))))
        return out
