"""A finished run and segments -> the probability that each is of a class.

The question is what a segment is, not what its seconds are: it has the class that fills
half of it, so its most telling half speaks for its seconds. Batches hold as many
seizures as background; what a network learned from them is brought to how often each
class stands among the segments it learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax

from distilclip_eeg.corpora.store import Crop
from distilclip_eeg.detection.windows import WINDOW_SHARE
from distilclip_eeg.evaluation.experiment.protocols import Segment
from distilclip_eeg.evaluation.experiment.scored_segments import Probability
from distilclip_eeg.evaluation.experiment.segment_forest import in_parts
from distilclip_eeg.evaluation.windows import WINDOW_S
from distilclip_eeg.model_folder import BACKGROUND
from distilclip_eeg.training.predict import BATCH, TorchRuntime
from distilclip_eeg.training.segments import SEIZURE_SHARE
from distilclip_eeg.training.trained import load_trained

Logits = NDArray[np.float64]


def network_probability(
    run: Path, learned: Sequence[Segment], asked: Sequence[Segment]
) -> Probability:
    """Let a network score segments.

    Parameters
    ----------
    learned
        What the run was trained on: how common each class is.

    Returns
    -------
    (n,) of a seizure, or (n, K) where there are types of seizures.
    """
    config, model = load_trained(run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runtime = TorchRuntime(model.to(device))
    classes = config.model.classes
    background = classes.index(BACKGROUND)
    above = [np.zeros((0, len(classes)))]
    for part in in_parts(asked, BATCH):
        crops = [_crop(segment) for segment in part]
        scores = runtime.run(
            np.stack([c.eeg for c in crops]), np.stack([c.usable for c in crops])
        )
        of_windows = above_background(scores.window_logits, background)
        of_seconds = top_half(above_background(scores.second_logits, background))
        above.append(WINDOW_SHARE * of_windows + (1 - WINDOW_SHARE) * of_seconds)
    logits = np.concatenate(above) + prior(learned, classes)
    if len(classes) > 2:
        probability: Probability = softmax(logits, axis=1)
        return probability
    of_seizure: Probability = expit(logits[:, 1 - background])
    return of_seizure


def above_background(logits: NDArray[np.floating], background: int) -> Logits:
    """(..., K) -> how far each class lies above background."""
    wide = logits.astype(np.float64)
    return wide - wide[..., background : background + 1]


def top_half(seconds: Logits) -> Logits:
    """(B, S, K) -> (B, K) mean over the half of the seconds that is highest."""
    half = max(1, seconds.shape[1] // 2)
    mean: Logits = np.sort(seconds, axis=1)[:, -half:].mean(axis=1)
    return mean


def prior(learned: Sequence[Segment], classes: Sequence[str]) -> Logits:
    """(K,) what to add to logits that were learned from balanced batches."""
    counts = Counter(segment.label for segment in learned)
    n_types = len(classes) - 1
    drawn = [
        1 - SEIZURE_SHARE if c == BACKGROUND else SEIZURE_SHARE / n_types
        for c in classes
    ]
    odds: Logits = np.log([counts[c] for c in classes]) - np.log(drawn)
    above: Logits = odds - odds[list(classes).index(BACKGROUND)]
    return above


def _crop(segment: Segment) -> Crop:
    return segment.recording.crop(segment.start_s, WINDOW_S)
