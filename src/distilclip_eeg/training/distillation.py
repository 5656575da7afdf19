"""A trained run as teacher: what it says of a batch, and the terms that follow.

The loop stays the same; a teacher adds its terms. Batch `n` of a seed is always the
same windows, so what the teacher says of it is kept on disk and serves every student
that sees the same batches.

Shapes: B windows, S seconds, K classes, N captions of a batch, D embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distilclip_eeg.config import Config, DistillationConfig, TrainingConfig
from distilclip_eeg.eeg.whole_files import written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model.distilclip import Encoded
from distilclip_eeg.model.losses import (
    Losses,
    embedding_distance,
    pattern_divergence,
    soft_class,
)
from distilclip_eeg.training.batches import DRAWS, Batch
from distilclip_eeg.training.run_folder import WEIGHTS
from distilclip_eeg.training.trained import load_trained

Said = dict[str, Tensor]
"""`window_logits` (B, K), `second_logits` (B, S, K), `window_embedding` (B, D),
`second_embedding` (B, S, D) and `pattern` (B, N), half precision on disk."""

TERMS: Final = {
    "window": "window_distillation_loss",
    "second": "second_distillation_loss",
    "embedding": "embedding_distillation_loss",
    "pattern": "pattern_distillation_loss",
}


class Teacher:
    """A finished run, frozen.

    Parameters
    ----------
    run
        Its folder.
    kept
        Folder for what it says of each batch, one subfolder per stream of batches;
        None to ask it every time.

    Raises
    ------
    ConfigError
        If `run` is no finished run.
    """

    def __init__(self, run: Path, kept: Path | None = None) -> None:
        self.config, self._model = load_trained(run)
        self._model.requires_grad_(False)
        self.sha256 = hashlib.sha256((run / WEIGHTS).read_bytes()).hexdigest()
        self._kept = kept

    def check(self, student: Config) -> None:
        """Refuse a student that this teacher cannot teach.

        Raises
        ------
        ConfigError
            If classes, signal or the width of the space differ.
        """
        ours, theirs = self.config, student
        for what, a, b in (
            ("classes", ours.model.classes, theirs.model.classes),
            ("embed_dim", ours.model.embed_dim, theirs.model.embed_dim),
            ("window_s", ours.signal.window_s, theirs.signal.window_s),
        ):
            if a != b:
                raise ConfigError(
                    f"{student.name}: {what} {b}, the teacher {ours.name} has {a}; a "
                    "student needs the same"
                )

    def to(self, device: torch.device) -> None:
        self._model.to(device)

    def says(self, batch: Batch, captions: list[str], stream: str, n: int) -> Said:
        """Return what it says of batch `n` of a stream, asked or kept.

        Parameters
        ----------
        captions
            The distinct captions of the batch, N.
        stream
            Names the sequence of batches, see `stream_of`.
        """
        if self._kept is None:
            return self._ask(batch, captions)
        folder = self._kept / f"{self.sha256[:16]}-{stream[:16]}"
        path = folder / f"{n:06d}.safetensors"
        if not path.exists():
            said = self._ask(batch, captions)
            folder.mkdir(parents=True, exist_ok=True)
            halves = {k: v.half().cpu().contiguous() for k, v in said.items()}
            with written_whole(path) as partial:  # several students may write the same
                save_file(halves, partial)
        device = batch["eeg"].device
        return {k: v.to(device).float() for k, v in load_file(path).items()}

    @torch.no_grad()
    def _ask(self, batch: Batch, captions: list[str]) -> Said:
        device = batch["eeg"].device
        self.to(device)
        with torch.autocast(device.type, torch.bfloat16):
            encoded, text, scale = self._model(batch["eeg"], batch["usable"], captions)
        return {**_tensors(encoded), "pattern": _pattern(encoded, text, scale)}


def stream_of(config: Config, recordings: list[str], rows: str = "") -> str:
    """Name what decides the windows of all batches: data, seed, size, augmentation.

    Parameters
    ----------
    rows
        Which rows of a batch are looked at, where it is not all of them.
    """
    parts = (
        f"{DRAWS} {rows}",
        config.signal.model_dump_json(exclude={"hop_s"}),
        config.data.model_dump_json(),
        str(config.training.seed),
        str(config.training.batch_size),
        str(config.training.augment),
        *_unusual(config),
        *recordings,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _unusual(config: Config) -> list[str]:
    """Name settings that came later, so that what was kept before is still found."""
    captions = config.model.text.captions
    settings = config.training
    kept = [] if settings.lose_leads else ["leads are not lost"]
    if settings.gain_spread != TrainingConfig().gain_spread:
        kept.append(f"gain {settings.gain_spread}")
    if settings.lose_seconds:
        kept.append(f"seconds are lost {settings.lose_seconds}")
    return kept if captions == "findings" else [*kept, captions]


def distillation_losses(
    encoded: Encoded,
    text: Tensor,
    scale: Tensor,
    batch: Batch,
    said: Said,
    settings: DistillationConfig,
) -> Losses:
    """Return the terms that are switched on, unweighted.

    Parameters
    ----------
    text
        (N, D) the student's embeddings of the batch's captions.
    """
    seconds = batch["usable"].amax(1) > 0  # (B, S); labels are not needed here
    windows = seconds.any(1)
    temperature = settings.temperature

    def window() -> Tensor:
        ours, theirs = encoded["window_logits"], said["window_logits"]
        return soft_class(ours, theirs, windows, temperature)

    def second() -> Tensor:
        ours, theirs = encoded["second_logits"], said["second_logits"]
        return soft_class(ours, theirs, seconds, temperature)

    def embedding() -> Tensor:
        ours, theirs = encoded["window_embedding"], said["window_embedding"]
        of_windows = embedding_distance(ours, theirs, windows)
        ours, theirs = encoded["second_embedding"], said["second_embedding"]
        return of_windows + embedding_distance(ours, theirs, seconds)

    def pattern() -> Tensor:
        ours = _pattern(encoded, text, scale)
        return pattern_divergence(ours, said["pattern"], windows)

    terms: dict[str, Callable[[], Tensor]] = {
        "window": window,
        "second": second,
        "embedding": embedding,
        "pattern": pattern,
    }
    weights = distillation_weights(settings)
    return {TERMS[k]: term() for k, term in terms.items() if weights[TERMS[k]] > 0}


def distillation_weights(settings: DistillationConfig) -> dict[str, float]:
    """Return what each term counts in the sum."""
    return {
        TERMS["window"]: settings.window_weight,
        TERMS["second"]: settings.second_weight,
        TERMS["embedding"]: settings.embedding_weight,
        TERMS["pattern"]: settings.pattern_weight,
    }


def _pattern(encoded: Encoded, text: Tensor, scale: Tensor) -> Tensor:
    with torch.autocast(text.device.type, enabled=False):
        pattern: Tensor = scale * encoded["window_embedding"].float() @ text.float().T
        return pattern


def _tensors(encoded: Encoded) -> Said:
    return {
        "window_logits": encoded["window_logits"],
        "second_logits": encoded["second_logits"],
        "window_embedding": encoded["window_embedding"],
        "second_embedding": encoded["second_embedding"],
    }
