"""Embeddings and class scores -> named loss terms that are summed by `total`.

Shapes: `B` windows, `S` seconds, `K` classes, `N` captions, `D` embedding. Every term
is computed in float32, under autocast too: at a logit scale of 30 a bfloat16 logit is
off by up to 0.06. Knows neither towers nor captions' words.

Sources: InfoNCE over two modalities, Radford et al. 2021 (CLIP); several positives per
row, Khosla et al. 2020 (supervised contrastive learning); class probabilities at a
temperature, Hinton et al. 2015; similarities across a batch, Wu et al. 2023 (TinyCLIP).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Losses = dict[str, Tensor]


def deduplicate(captions: Sequence[str]) -> tuple[list[str], Tensor]:
    """One caption per row -> the distinct captions and which of them each row has.

    Returns
    -------
    The distinct captions in order of first appearance (N), and their index, (B,) int64.
    """
    position: dict[str, int] = {}
    index = [position.setdefault(caption, len(position)) for caption in captions]
    return list(position), torch.tensor(index, dtype=torch.long)


def contrastive(
    eeg: Tensor, text: Tensor, target: Tensor, logit_scale: Tensor | float
) -> Losses:
    """Symmetric InfoNCE in which rows that share a caption are all positives.

    EEG to text: each row must find its caption among all distinct ones. Text to EEG:
    each caption that occurs must spread evenly over all rows that have it; every
    caption counts once, so a frequent one does not drown the rare. With all captions
    distinct this is CLIP's loss.

    Parameters
    ----------
    eeg
        (B, D), unit length.
    text
        (N, D), unit length. Rows that are equal to the last bit are one caption. A
        caption that no row has serves as a negative only.
    target
        (B,) int64, which of the N captions each row has.
    logit_scale
        The factor itself (not its logarithm), already capped.
    """
    with torch.autocast(eeg.device.type, enabled=False):
        text, target = _distinct(text.float(), target.to(text.device))
        logits = logit_scale * eeg.float() @ text.T  # (B, N)
        has = F.one_hot(target, len(text)).to(logits.dtype)  # (B, N)
        occurs = has.any(dim=0)
        share = (has / has.sum(dim=0).clamp(min=1)).T[occurs]  # (n, B), rows sum to 1
        eeg_to_text = F.cross_entropy(logits, target)
        text_to_eeg = F.cross_entropy(logits.T[occurs], share)
        return {"contrastive_loss": (eeg_to_text + text_to_eeg) / 2}


def window_class(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    *,
    label_smoothing: float = 0.0,
) -> Losses:
    """Cross entropy of each window's class.

    Parameters
    ----------
    logits
        (B, K).
    labels
        (B, K) probabilities; a window half in a seizure may say one half.
    weight
        (B,) how much each window counts; all the same if None. Windows of weight 0 may
        hold anything, not-a-number included. All 0 gives a loss of 0.
    """
    if weight is None:
        weight = torch.ones(len(logits), device=logits.device)
    return {"window_loss": _class_loss(logits, labels, weight, label_smoothing)}


def second_class(
    logits: Tensor, labels: Tensor, valid: Tensor, *, label_smoothing: float = 0.0
) -> Losses:
    """Cross entropy of each second's class, over the seconds that count.

    Parameters
    ----------
    logits
        (B, S, K).
    labels
        (B, S, K) probabilities.
    valid
        (B, S) bool; what stands at an invalid second is never looked at. No valid
        second in the batch gives a loss of 0.
    """
    weight = valid.flatten().float()
    flat = logits.flatten(0, 1), labels.flatten(0, 1)
    return {"second_loss": _class_loss(*flat, weight, label_smoothing)}


def soft_class(
    student: Tensor, teacher: Tensor, valid: Tensor, temperature: float
) -> Tensor:
    """Divergence of the student's class probabilities from the teacher's.

    Parameters
    ----------
    student, teacher
        (..., K) logits.
    valid
        (...) bool; what stands elsewhere is never looked at, and none gives 0.
    temperature
        Both logits are divided by it; the result is multiplied by its square, so that
        the size of the gradient does not depend on it.
    """
    with torch.autocast(student.device.type, enabled=False):
        ours = (student[valid].float() / temperature).log_softmax(-1)
        theirs = (teacher[valid].float() / temperature).log_softmax(-1)
        each = F.kl_div(ours, theirs, reduction="none", log_target=True).sum(-1)
        return temperature**2 * each.sum() / max(len(each), 1)


def embedding_distance(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """One minus the cosine between (..., D) embeddings, mean over the valid ones."""
    with torch.autocast(student.device.type, enabled=False):
        cosine = F.cosine_similarity(
            student[valid].float(), teacher[valid].float(), dim=-1
        )
        return (1 - cosine).sum() / max(len(cosine), 1)


def pattern_divergence(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Divergence of the similarities of EEG and captions over a batch, both ways.

    Parameters
    ----------
    student, teacher
        (B, N) scaled cosines of B windows and the batch's N distinct captions.
    valid
        (B,) bool, the windows that count.
    """
    ours, theirs = student[valid], teacher[valid]
    everywhere = torch.ones(1, dtype=torch.bool, device=student.device)
    to_text = soft_class(ours, theirs, everywhere.expand(len(ours)), 1.0)
    to_eeg = soft_class(ours.T, theirs.T, everywhere.expand(ours.shape[1]), 1.0)
    return (to_text + to_eeg) / 2


def total(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Weighted sum of named terms.

    Raises
    ------
    KeyError
        If a term has no weight: a term that nobody weighs is a mistake.
    """
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def _distinct(text: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Merge equal captions, so that they are never each other's negatives."""
    same = (text[:, None] == text[None]).all(dim=-1)  # (N, N)
    first = same.float().argmax(dim=1)  # each caption's first copy
    kept, merged = torch.unique(first, return_inverse=True)
    return text[kept], merged[target]


def _class_loss(
    logits: Tensor, labels: Tensor, weight: Tensor, label_smoothing: float
) -> Tensor:
    counts = weight > 0  # selected, not multiplied: 0 x nan would be nan
    with torch.autocast(logits.device.type, enabled=False):
        each = F.cross_entropy(
            logits[counts].float(),
            labels[counts].float(),
            reduction="none",
            label_smoothing=label_smoothing,
        )
        weight = weight[counts].float()
        if not len(weight):
            return each.sum()
        return (weight * each).sum() / weight.sum()
