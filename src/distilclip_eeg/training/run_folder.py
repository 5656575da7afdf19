"""A training run on disk: claimed by one configuration, resumable at any moment.

`config.json`, `checkpoint.pt` (everything the loop needs to go on), `best.safetensors`
(averaged weights, BERT left out) and `history.jsonl`. Every file is replaced whole, by
one process at a time.
"""

from __future__ import annotations

import json
import math
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from distilclip_eeg.config import Config
from distilclip_eeg.eeg.whole_files import (
    claim_folder,
    claimed,
    made_whole,
    remove_partial,
    written_whole,
)
from distilclip_eeg.errors import ConfigError, ModelFolderError, OutputExistsError
from distilclip_eeg.model_folder import CARD, HASHES, sha256_of

Weights = dict[str, Tensor]

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "best.safetensors"
HISTORY = "history.jsonl"  # what each validation found
FACTS = "facts.json"  # what the model card says of a run's making
COPIED = ("config.json", FACTS, WEIGHTS, CARD)


@dataclass
class LoopState:
    """Where the loop stands; with the weights, all that a resume needs."""

    step: int = 0
    best_score: float = -math.inf
    best_step: int = 0
    validations_since_best: int = 0

    def note_score(self, score: float) -> bool:
        """Take in a validation score; return whether it is the best so far."""
        better = score > self.best_score
        if better:
            self.best_score, self.best_step = score, self.step
        self.validations_since_best = 0 if better else self.validations_since_best + 1
        return better


class RunFolder:
    """One run; nobody else's as long as this object lives.

    Parameters
    ----------
    writes
        Of several processes that share a run one does, the others only read.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration.
    InUseError
        If another process trains it.
    """

    def __init__(self, path: Path, config: Config, *, writes: bool = True) -> None:
        self.path, self._writes = path, writes
        if writes:
            weakref.finalize(self, claim_folder(path))
            remove_partial(path)
        file = path / "config.json"
        if file.exists() and not same_training(
            Config.model_validate_json(file.read_text()), config
        ):
            raise ConfigError(
                f"{path}: holds a run of another configuration; name another folder "
                "or remove it"
            )
        if writes and not file.exists():
            with written_whole(file) as partial:
                partial.write_text(config.model_dump_json(indent=1) + "\n")

    def save_checkpoint(self, state: LoopState, **parts: dict[str, Any]) -> None:
        """Keep everything the loop needs to go on from here."""
        if not self._writes:
            return
        with written_whole(self.path / CHECKPOINT) as partial:
            torch.save({"state": asdict(state), **parts}, partial)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return what `save_checkpoint` kept, or None at the start of a run."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        content: dict[str, Any] = torch.load(
            path, map_location="cpu", weights_only=True
        )
        return content

    def save_weights(self, weights: Weights) -> None:
        """Keep the weights that the run is judged by."""
        if not self._writes:
            return
        with written_whole(self.path / WEIGHTS) as partial:
            save_file({k: v.detach().contiguous() for k, v in weights.items()}, partial)

    def board(self, step: int) -> Board:
        """Open curves and history; what is beyond `step`, of a killed run, goes."""
        if not self._writes:
            return Board(None)
        self._forget_beyond(step)
        return Board(SummaryWriter(str(self.path / "tensorboard"), purge_step=step))

    def note(self, **line: float) -> None:
        """Append a line to the history."""
        if not self._writes:
            return
        file = self.path / HISTORY
        before = file.read_text() if file.exists() else ""
        with written_whole(file) as partial:
            partial.write_text(before + json.dumps(line) + "\n")

    def _forget_beyond(self, step: int) -> None:
        file = self.path / HISTORY
        if not file.exists():
            return
        before = file.read_text().splitlines(keepends=True)
        kept = [line for line in before if _is_until(step, line)]
        if kept != before:
            with written_whole(file) as partial:
                partial.write_text("".join(kept))


def _is_until(step: int, line: str) -> bool:
    try:
        return bool(json.loads(line)["step"] <= step)
    except ValueError:  # half a line, as older versions left them
        return False


class Board:
    """Scalars for TensorBoard, or nothing for who does not write."""

    def __init__(self, writer: SummaryWriter | None) -> None:
        self._writer = writer

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Note the value of a step."""
        if self._writer is not None:
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


def taught_by(config: Config, teacher_sha256: str) -> Config:
    """Note in a configuration which weights taught."""
    noted = config.distillation.model_copy(update={"teacher_sha256": teacher_sha256})
    return config.model_copy(update={"distillation": noted})


def same_training(a: Config, b: Config) -> bool:
    """Compare what weights depend on; detection and hop are chosen after training."""
    signal = a.signal.model_copy(update={"hop_s": b.signal.hop_s})
    return a.model_copy(update={"detection": b.detection, "signal": signal}) == b


def load_run(path: Path) -> tuple[Config, Weights]:
    """Return configuration and kept weights of a run, or of a lean copy of one.

    Raises
    ------
    ConfigError
        If the folder holds no finished run.
    ModelFolderError
        If a file of a lean copy was altered.
    """
    if not (path / WEIGHTS).exists():
        raise ConfigError(f"{path}: no {WEIGHTS}; expected a training run's folder")
    if (path / HASHES).exists():
        _check_hashes(path)
    config = Config.model_validate_json((path / "config.json").read_text())
    return config, load_file(path / WEIGHTS)


def called(run: Path) -> str:
    """Name a run in a command that is published: no path of this machine."""
    return f"runs/{run.name}" if run.is_absolute() else run.as_posix()


def read_facts(run: Path) -> dict[str, Any]:
    """Return what is known of a run's making; nothing if it was never finished."""
    path = run / FACTS
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def write_lean_copy(
    run: Path, folder: Path, config: Config, card: str, *, force: bool = False
) -> None:
    """Write what others need of a run: configuration, facts, weights in half precision.

    It can teach, be trained on from, and be exported, as the run itself; the weights
    are those that an export of the run ships.

    Parameters
    ----------
    config
        The run's, with the detection settings chosen after it.

    Raises
    ------
    OutputExistsError
        If the folder is there and `force` was not given.
    """
    if folder.exists() and not force:
        raise OutputExistsError(f"{folder} is there already; --force replaces it")
    _, weights = load_run(run)
    with claimed(folder), made_whole(folder) as partial:
        halves = {name: value.half().contiguous() for name, value in weights.items()}
        save_file(halves, partial / WEIGHTS)
        (partial / "config.json").write_text(config.model_dump_json(indent=1))
        (partial / FACTS).write_bytes((run / FACTS).read_bytes())
        (partial / CARD).write_text(card, encoding="utf-8")
        sums = [f"{sha256_of(partial / name)}  {name}\n" for name in COPIED]
        (partial / HASHES).write_text("".join(sums))


def _check_hashes(folder: Path) -> None:
    for line in (folder / HASHES).read_text().splitlines():
        expected, name = line.split("  ")
        if sha256_of(folder / name) != expected:
            raise ModelFolderError(
                f"{folder}: {name} was altered; take the folder again from its source"
            )
