"""Baselines, fold by fold, into the folder of `distilclip ablate`: one table for all.

    python -m benchmarks.run OUT --data FOLDER --config configs/edge.toml --folds 5

A job is one baseline, seed and fold; what lies in the folder is done. Recordings, folds
and settings must be those that the folder was made with.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.detectors import BASELINES, Baseline, LogOdds, Scorer, Trained
from distilclip_eeg.config import Config, load_config
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.errors import ConfigError, DistilClipError
from distilclip_eeg.evaluation.ablation_table import (
    Note,
    Part,
    markdown,
    table_of,
    write_groups,
    write_note,
    write_part,
    write_table,
)
from distilclip_eeg.evaluation.experiment.scored_segments import claim
from distilclip_eeg.evaluation.material import stored_material
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from distilclip_eeg.evaluation.windows import HOP_S, WINDOW_S
from distilclip_eeg.training.ablation import (
    TIMED_WINDOWS,
    Ablation,
    about,
    read_folds,
    simulated_in,
)
from distilclip_eeg.training.reproduction import WORK

FIRST_PLACE: Final = 100  # in the table, after the variants
BATCH: Final = 64

Simulated = Callable[[Config], Sequence[StoredRecording]]


def run_baselines(
    ablation: Ablation,
    baselines: Sequence[Baseline],
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """Do all jobs that are not done; predictions lie where `ablate` keeps its own."""
    claim(folder, about(ablation))
    write_groups(folder, ablation.recordings)
    config = ablation.configs[0]
    for seed in range(ablation.n_seeds):
        training = config.training.model_copy(update={"seed": seed})
        seeded = config.model_copy(update={"training": training})
        for baseline in baselines:
            for fold in sorted(ablation.folds):
                part = Part(baseline.name, seed, fold)
                if part.path(folder).exists():
                    continue
                say(f"{baseline.name}, seed {seed}, fold {fold}")
                trained = _trained(baseline, ablation, fold, seeded)
                write_note(folder, baseline.name, _note(baseline, trained, config))
                tested = ablation.folds[fold]
                found = [predicted(trained.score, r) for r in tested]
                write_part(folder, part, found)


def _trained(
    baseline: Baseline, ablation: Ablation, fold: int, config: Config
) -> Trained:
    others = [r for k, of in ablation.folds.items() if k != fold for r in of]
    return baseline.train(others, ablation.simulated(config), config)


def predicted(score: Scorer, recording: StoredRecording) -> Prediction:
    """Score a recording; a second has the mean log-odds of the windows it lies in."""
    n = recording.n_seconds
    latest = max(0, n - WINDOW_S)
    starts = sorted({*range(0, latest, HOP_S), latest})
    total, counted = np.zeros(n), np.zeros(n)
    for first in range(0, len(starts), BATCH):
        here = starts[first : first + BATCH]
        for start, odds in zip(here, _odds(score, recording, here), strict=True):
            if odds == odds:
                total[start : start + WINDOW_S] += odds
                counted[start : start + WINDOW_S] += 1
    odds = np.where(counted > 0, total / np.maximum(counted, 1), np.nan)
    return stored_material(recording).predicted((Stretch.whole(odds),))


def _odds(score: Scorer, recording: StoredRecording, starts: Sequence[int]) -> LogOdds:
    crops = [recording.crop(start, WINDOW_S) for start in starts]
    eeg = np.stack([crop.eeg for crop in crops])
    usable = np.stack([crop.usable for crop in crops])
    unseen = ~usable.any(axis=(1, 2))
    odds = np.asarray(score(eeg, usable), np.float64)
    odds[unseen] = np.nan
    return odds


def _note(baseline: Baseline, trained: Trained, config: Config) -> Note:
    place = FIRST_PLACE + [b.name for b in BASELINES].index(baseline.name)
    speed = windows_per_second(trained.score, config)
    return Note(baseline.said, place, ("full",), speed, trained.n_parameters)


def windows_per_second(score: Scorer, config: Config) -> float:
    """Score noise; per second of processor time, so that other work does not count."""
    signal = config.signal
    rng = np.random.default_rng(0)
    shape = (TIMED_WINDOWS, 18, signal.window_samples)
    eeg = rng.normal(0, 20, shape).astype(np.float32)
    usable = np.ones((*shape[:2], signal.window_s), bool)
    score(eeg[:2], usable[:2])  # what is made at the first call is made
    began = time.process_time()
    score(eeg, usable)
    return round(TIMED_WINDOWS / max(time.process_time() - began, 1e-9), 2)


def chosen(only: str | None) -> list[Baseline]:
    """Choose baselines by name.

    Raises
    ------
    ConfigError
        If one is unknown.
    """
    names = [baseline.name for baseline in BASELINES]
    wanted = names if only is None else only.split(",")
    if unknown := [name for name in wanted if name not in names]:
        raise ConfigError(
            f"found baseline {unknown[0]!r}, expected some of {', '.join(names)}"
        )
    return [baseline for baseline in BASELINES if baseline.name in wanted]


def say(line: str) -> None:
    """Talk on stderr: the table goes to stdout."""
    sys.stderr.write(f"benchmarks: {line}\n")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    asked = _parser().parse_args(args)
    try:
        baselines = chosen(asked.only)
        config = load_config(asked.config)
        if asked.steps is not None:
            training = config.training.model_copy(update={"steps": asked.steps})
            config = config.model_copy(update={"training": training})
        work = asked.output / WORK
        kept = asked.pretraining or work
        folds = read_folds(config, asked.data, work, asked.folds)
        ablation = Ablation(
            folds,
            (),
            asked.seeds,
            [config],
            simulated=simulated_in(kept),
        )
        run_baselines(ablation, baselines, asked.output, say)
        table = table_of(asked.output, config.detection, about(ablation))
    except DistilClipError as error:
        say(str(error))
        return 2
    for path in write_table(asked.output, table):
        say(str(path))
    sys.stdout.write(markdown(table))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("output", type=Path, help="the folder of `distilclip ablate`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/edge.toml"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of networks, as given to `ablate`")
    parser.add_argument("--folds", type=int, help="how many, as given to `ablate`")
    parser.add_argument("--only", metavar="NAME,...")
    parser.add_argument("--pretraining", type=Path, help="keeps simulated EEG")
    return parser


if __name__ == "__main__":
    sys.exit(main())
