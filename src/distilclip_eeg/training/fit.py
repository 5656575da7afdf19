"""The training loop: batches in, weights in a run folder out.

Killed at any moment and started again, it ends with the same weights: the batch and
the dropout of a step depend on seed and step alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from distilclip_eeg.config import Config, TrainingConfig
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.windows import WindowScores, auroc_by_patient
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.model.losses import (
    Losses,
    contrastive,
    deduplicate,
    second_class,
    total,
    window_class,
)
from distilclip_eeg.training.batches import Batch, Batches, windows_of
from distilclip_eeg.training.distillation import (
    Teacher,
    distillation_losses,
    distillation_weights,
    stream_of,
)
from distilclip_eeg.training.ranks import (
    check_shares,
    dropout_seed,
    labels_of_all,
    make_fabric,
    rows_of,
    whole_batch,
)
from distilclip_eeg.training.run_folder import (
    LoopState,
    RunFolder,
    Weights,
    taught_by,
)
from distilclip_eeg.training.segments import SegmentBatches
from distilclip_eeg.training.trained import trained_parameters
from distilclip_eeg.training.waiting import Waited

OnStep = Callable[[LoopState, dict[str, float]], None]


def fit(
    config: Config,
    run: Path,
    training: Sequence[StoredRecording],
    validation: Sequence[StoredRecording] = (),
    *,
    simulated: Sequence[StoredRecording] = (),
    segments: SegmentBatches | None = None,
    initial: Weights | None = None,
    teacher: Teacher | None = None,
    on_step: OnStep | None = None,
    fabric: Fabric | None = None,
) -> LoopState:
    """Train until the last step, or until the validation patients stop improving.

    Without validation recordings all steps are made and the last averaged weights kept.

    Parameters
    ----------
    simulated
        Recordings for the share of each batch that `config.data` gives to them; all of
        it if `training` is empty.
    segments
        In place of `training` and `simulated`, which may then be empty.
    initial
        Weights to start from, of a pretraining for example.
    teacher
        Adds the terms of `config.distillation`.
    fabric
        From `ranks.make_fabric`, where it was needed before; made here if not given.

    Raises
    ------
    ConfigError
        If the run folder belongs to another configuration or teacher, or a batch
        cannot be shared out evenly between the processes.
    """
    if teacher is not None:
        teacher.check(config)
        config = taught_by(config, teacher.sha256)
    settings = config.training
    fabric = fabric or make_fabric(settings.precision)
    check_shares(fabric, settings.batch_size, segments is not None)
    folder = RunFolder(run, config, writes=fabric.is_global_zero)
    model = _first(config, initial)
    average = {n: p.detach().clone() for n, p in trained_parameters(model)}
    wrapped, optimizer = fabric.setup(model, make_optimizer(model, settings))
    state = _resume(folder, model, optimizer, average)  # to the device they are on now
    fabric.barrier()  # nobody writes before everybody has read
    average = fabric.to_device(average)
    batches = segments or batches_of(config, training, simulated, fabric)
    names = segments.names if segments else [r.name for r in (*training, *simulated)]
    stream = stream_of(config, names, rows_of(fabric))
    board = folder.board(state.step)
    for batch in (following := Waited(batches.follow(state.step))):
        if state.step >= settings.steps or stalled(state, settings):
            break
        place = (stream, state.step)
        noted = _learn(wrapped, optimizer, batch, config, teacher, place, fabric)
        state.step += 1
        _follow(average, model, settings.ema_decay, state.step)
        last = state.step == settings.steps
        if validation and (last or state.step % settings.validate_every == 0):
            with averaged(model, average):
                noted["auroc"] = validate(wrapped, validation, config)
            if state.note_score(noted["auroc"]):
                folder.save_weights(average)
            folder.note(step=state.step, **noted)
        if last or state.step % settings.checkpoint_every == 0:
            if not validation:
                folder.save_weights(average)
            _keep(folder, state, model, average, optimizer)
        noted["waiting"] = following.share
        for name, value in noted.items():
            board.add_scalar(name, value, state.step)
        if on_step is not None and fabric.is_global_zero:
            on_step(state, noted)
    board.close()
    fabric.barrier()  # what the first one wrote is there for all
    return state


def _first(config: Config, initial: Weights | None) -> DistilCLIP:
    """Make the model that the first step begins with; the seed decides it."""
    torch.manual_seed(config.training.seed)
    model = DistilCLIP(config.model, config.signal)
    if initial is not None:
        model.load_state_dict(initial, strict=False)
    return model


def _learn(
    model: Any,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: Config,
    teacher: Teacher | None,
    place: tuple[str, int],
    fabric: Fabric,
) -> dict[str, float]:
    """Make one step; return its losses. `place` is as in `batch_losses`."""
    settings, (_, step) = config.training, place
    torch.manual_seed(dropout_seed(settings.seed, step, fabric.global_rank))
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(settings, step)
    model.train()
    own = fabric.to_device(batch)
    losses = batch_losses(model, own, config, teacher, place, fabric)
    optimizer.zero_grad()
    fabric.backward(total(losses, loss_weights(config)))
    fabric.clip_gradients(model, optimizer, max_norm=settings.grad_clip)
    optimizer.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def _keep(
    folder: RunFolder,
    state: LoopState,
    model: torch.nn.Module,
    average: Weights,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Keep what `_resume` needs."""
    folder.save_checkpoint(
        state,
        model={n: p.detach() for n, p in trained_parameters(model)},
        average=average,
        optimizer=optimizer.state_dict(),
    )


def batches_of(
    config: Config,
    training: Sequence[StoredRecording],
    simulated: Sequence[StoredRecording],
    fabric: Fabric,
) -> Batches:
    """Make this rank's rows of the batches that a configuration asks for."""
    settings = config.training
    return Batches(
        training,
        config.signal,
        seed=settings.seed,
        batch_size=settings.batch_size,
        augmented=settings.augment,
        simulated=simulated,
        simulated_share=config.data.simulated_share,
        rank=fabric.global_rank,
        n_ranks=fabric.world_size,
        lose_leads=settings.lose_leads,
        gain_spread=settings.gain_spread,
        class_names_only=config.model.text.captions == "class_names",
    )


def make_optimizer(
    model: torch.nn.Module, settings: TrainingConfig
) -> torch.optim.Optimizer:
    """AdamW; norms, biases, prompt vectors and temperature are not decayed."""
    learned = [(n, p) for n, p in trained_parameters(model) if p.requires_grad]
    decayed = [p for n, p in learned if is_decayed(n, p)]
    free = [p for n, p in learned if not is_decayed(n, p)]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))


def is_decayed(name: str, parameter: Tensor) -> bool:
    """Matrices are; the attention's bias by distance is a matrix but still a bias."""
    return parameter.ndim > 1 and not name.endswith(("bias", "prompts"))


def learning_rate(settings: TrainingConfig, step: int) -> float:
    """Linear warm-up, then half a cosine down to a hundredth."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    rest = max(1, settings.steps - settings.warmup_steps)
    done = (step - settings.warmup_steps) / rest
    return settings.learning_rate * (0.01 + 0.99 * (1 + cos(pi * done)) / 2)


def stalled(state: LoopState, settings: TrainingConfig) -> bool:
    return state.validations_since_best >= settings.patience


def batch_losses(
    model: Callable[..., Any],
    batch: Batch,
    config: Config,
    teacher: Teacher | None = None,
    place: tuple[str, int] = ("", 0),
    fabric: Fabric | None = None,
) -> Losses:
    """Return the named terms of one batch, unweighted.

    Parameters
    ----------
    batch
        This rank's rows of it.
    place
        Stream and number of the batch, by which a teacher's words are kept.
    fabric
        Of several ranks: the terms are then those of the whole batch.
    """
    own = batch
    batch = labels_of_all(fabric, batch)
    captions, target = deduplicate(batch["captions"])
    encoded, text, scale = model(own["eeg"], own["usable"], captions)
    encoded = whole_batch(fabric, encoded)
    valid = batch["second_valid"]
    smoothing = config.training.label_smoothing
    losses = {
        **contrastive(encoded["window_embedding"], text, target, scale),
        **window_class(
            encoded["window_logits"],
            batch["window_labels"],
            valid.any(1).float(),
            label_smoothing=smoothing,
        ),
        **second_class(
            encoded["second_logits"],
            batch["second_labels"],
            valid,
            label_smoothing=smoothing,
        ),
    }
    if teacher is not None:
        said = whole_batch(fabric, teacher.says(own, captions, *place))
        losses |= distillation_losses(
            encoded, text, scale, batch, said, config.distillation
        )
    return losses


def loss_weights(config: Config) -> dict[str, float]:
    """Return what each term counts in the sum."""
    settings = config.training
    return {
        "contrastive_loss": settings.contrastive_weight,
        "window_loss": settings.window_weight,
        "second_loss": settings.second_weight,
        **distillation_weights(config.distillation),
    }


@contextmanager
def averaged(model: torch.nn.Module, average: Weights) -> Iterator[None]:
    """Let the model have its averaged weights for a while."""
    own = {n: p.detach().clone() for n, p in trained_parameters(model)}
    model.load_state_dict(average, strict=False)
    try:
        yield
    finally:
        model.load_state_dict(own, strict=False)


@torch.no_grad()
def validate(
    model: torch.nn.Module, recordings: Sequence[StoredRecording], config: Config
) -> float:
    """Return the AUROC over windows, mean over the patients that have both classes.

    Raises
    ------
    ConfigError
        If there is no patient with seizures among them.
    """
    model.eval()
    device = next(model.parameters()).device
    scores = []
    for recording in recordings:
        batch = windows_of(recording, config.signal)
        eeg, usable = batch["eeg"].to(device), batch["usable"].to(device)
        encoded, _, _ = model(eeg, usable, ["EEG"])
        logits = encoded["window_logits"] + encoded["second_logits"].mean(1)
        counts = batch["second_valid"].any(1).numpy()
        scores.append(
            WindowScores(
                patient=recording.patient,
                ictal_share=batch["window_labels"][:, 1].numpy()[counts],
                score=(logits[:, 1] - logits[:, 0]).float().cpu().numpy()[counts],
            )
        )
    score = auroc_by_patient(scores)
    if np.isnan(score):
        raise ConfigError(
            "the validation folds hold only one class; name folds with seizures and "
            "background"
        )
    return score


def _resume(
    folder: RunFolder,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Weights,
) -> LoopState:
    kept = folder.load_checkpoint()
    if kept is None:
        return LoopState()
    model.load_state_dict(kept["model"], strict=False)
    optimizer.load_state_dict(kept["optimizer"])
    average.update(kept["average"])
    return LoopState(**kept["state"])


@torch.no_grad()
def _follow(average: Weights, model: torch.nn.Module, decay: float, step: int) -> None:
    decay = min(decay, (1 + step) / (10 + step))
    for name, parameter in trained_parameters(model):
        average[name].lerp_(parameter.detach(), 1 - decay)
