"""Recordings to learn from -> a function that scores windows, for every baseline.

Networks see the very batches that the package's own recipe sees: the same windows,
augmentation, simulated share, steps and seed. Knows no folds and no files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import eegconformer, eegnet
from distilclip_eeg.config import Config
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.evaluation import forest
from distilclip_eeg.evaluation.windows import ICTAL_SHARE
from distilclip_eeg.training.batches import Batch, Batches

Samples = NDArray[np.float32]
Flags = NDArray[np.bool_]
LogOdds = NDArray[np.floating]
SCALE_BATCHES: Final = 4  # that say how loud EEG is
LINE_LENGTH: Final = 2 * len(forest.BANDS_HZ) - 1  # its maximum, among the features


class Scorer(Protocol):
    """Scores B windows: (B, 18, T) microvolts, (B, 18, S) flags -> (B,) log-odds."""

    def __call__(self, eeg: Samples, usable: Flags) -> LogOdds: ...


@dataclass(frozen=True)
class Trained:
    """A baseline that has learned."""

    score: Scorer
    n_parameters: int | None = None


@dataclass(frozen=True)
class Baseline:
    """One row of the table."""

    name: str
    said: str
    train: Callable[
        [Sequence[StoredRecording], Sequence[StoredRecording], Config], Trained
    ]


def train_network(
    kind: Callable[[int, int], eegnet.EEGNet | eegconformer.EEGConformer],
    learning_rate: float,
    real: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],
    config: Config,
) -> Trained:
    """Make the steps of `config.training` with Adam."""
    settings = config.training
    torch.manual_seed(settings.seed)
    model = kind(len(LEADS), config.signal.window_samples)
    batches = Batches(
        real,
        config.signal,
        seed=settings.seed,
        batch_size=settings.batch_size,
        augmented=settings.augment,
        simulated=simulated,
        simulated_share=config.data.simulated_share,
    )
    loud_uv = _loudness([batches.batch(k) for k in range(SCALE_BATCHES)])
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    model.train()
    for step, batch in enumerate(batches.follow(0)):
        if step == settings.steps:
            break
        optimizer.zero_grad()
        loss = _loss(model(_heard(batch["eeg"], batch["usable"], loud_uv)), batch)
        torch.autograd.backward(loss)
        optimizer.step()
        model.constrain()
    model.eval()

    @torch.no_grad()
    def score(eeg: Samples, usable: Flags) -> LogOdds:
        seconds = torch.from_numpy(usable.astype(np.float32))
        out = model(_heard(torch.from_numpy(eeg), seconds, loud_uv))
        return np.asarray(out.numpy(), np.float64)

    return Trained(score, count(model))


def _heard(eeg: Tensor, usable: Tensor, loud_uv: float) -> Tensor:
    """Zero what cannot be trusted, and bring EEG to the size that networks expect."""
    seconds = torch.unflatten(eeg, 2, (usable.shape[2], -1)) * usable.unsqueeze(3)
    heard: Tensor = seconds.flatten(2) / loud_uv
    return heard


def _loudness(batches: Sequence[Batch]) -> float:
    """Median over windows of the spread of the leads that can be used, microvolts."""
    spreads = []
    for batch in batches:
        seen = batch["usable"].amin(2) > 0
        spreads += batch["eeg"].std(dim=2)[seen].tolist()
    return float(np.median(spreads))


def _loss(logits: Tensor, batch: Batch) -> Tensor:
    valid = batch["second_valid"].any(1).float()
    each = F.binary_cross_entropy_with_logits(
        logits, batch["window_labels"][:, 1].float(), reduction="none"
    )
    return (each * valid).sum() / valid.sum().clamp(min=1)


def count(model: nn.Module) -> int:
    """Count what is learned."""
    return sum(p.numel() for p in model.parameters())


def train_forest(
    real: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],  # noqa: ARG001 - it learns from real EEG
    config: Config,
) -> Trained:
    """Fit the package's own baseline."""
    features = [forest.recording_features(r, config.signal) for r in real]
    fitted = forest.train(features, config.training.seed)

    def score(eeg: Samples, usable: Flags) -> LogOdds:
        values = forest.window_features(eeg, usable, config.signal.sfreq)
        return forest.log_odds(fitted, values)

    return Trained(score)


def train_line_length(
    real: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],  # noqa: ARG001 - it learns from real EEG
    config: Config,
) -> Trained:
    """Set a threshold on the line length of the lead that has most of it.

    Esteller et al. 2001. A logistic curve on its logarithm is that threshold, and says
    by how much it was passed.
    """
    features = [forest.recording_features(r, config.signal) for r in real]
    values = np.concatenate([f.values[:, LINE_LENGTH] for f in features])
    share = np.concatenate([f.ictal_share for f in features])
    counts = ~np.isnan(values) & ((share == 0) | (share >= ICTAL_SHARE))
    fitted = LogisticRegression(class_weight="balanced")
    fitted.fit(values[counts, None], share[counts] >= ICTAL_SHARE)

    def score(eeg: Samples, usable: Flags) -> LogOdds:
        found = forest.window_features(eeg, usable, config.signal.sfreq)
        odds = np.full(len(found), np.nan)
        seen = ~np.isnan(found[:, 0])
        if seen.any():
            loud = found[seen, LINE_LENGTH]
            odds[seen] = fitted.decision_function(loud[:, None])
        return odds

    return Trained(score, 2)


def _eegnet(
    real: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],
    config: Config,
) -> Trained:
    rate = eegnet.LEARNING_RATE
    return train_network(eegnet.EEGNet, rate, real, simulated, config)


def _eegconformer(
    real: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],
    config: Config,
) -> Trained:
    rate = eegconformer.LEARNING_RATE
    return train_network(eegconformer.EEGConformer, rate, real, simulated, config)


BASELINES: Final = (
    Baseline("eegnet", "EEGNet-8,2, Lawhern 2018", _eegnet),
    Baseline("eegconformer", "EEGConformer, Song 2023", _eegconformer),
    Baseline("forest", "random forest on band power and line length", train_forest),
    Baseline("line_length", "a threshold on line length", train_line_length),
)
