"""Finished runs of one network -> one run with the mean of their weights.

Runs that began with the same random weights, by way of a pretraining or not, end near
enough to each other that the mean of their weights is a network too, often a better one
than each of them (Wortsman et al. 2022, arXiv:2203.05482), and costs what one costs.
Knows no data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from distilclip_eeg.config import Config
from distilclip_eeg.eeg.whole_files import claimed, made_whole
from distilclip_eeg.errors import ConfigError, OutputExistsError
from distilclip_eeg.training.run_folder import (
    FACTS,
    WEIGHTS,
    Weights,
    called,
    load_run,
    read_facts,
)


def average_runs(runs: Sequence[Path], out: Path, *, force: bool = False) -> Path:
    """Write a run folder that can teach, be exported and be judged as any other.

    Its configuration is that of the first run; its facts name the weights it is the
    mean of, and add up the time that all took.

    Raises
    ------
    ConfigError
        If there are less than two, or they are of different networks or first weights,
        or did not learn from the same folds: then one could know people that others
        never saw.
    OutputExistsError
        If the folder is there and `force` was not given.
    """
    if len(runs) < 2:
        raise ConfigError(f"found {len(runs)} run(s), expected two or more to average")
    if out.exists() and not force:
        raise OutputExistsError(f"{out} is there already; --force replaces it")
    first, weights = load_run(runs[0])
    loaded = [weights]
    for run in runs[1:]:
        config, weights = load_run(run)
        _check_alike(runs[0], first, run, config)
        loaded.append(weights)
    named = " ".join(called(run) for run in runs)
    with claimed(out), made_whole(out) as partial:
        save_file(mean_of(loaded), partial / WEIGHTS)
        (partial / "config.json").write_bytes((runs[0] / "config.json").read_bytes())
        facts = {
            **read_facts(runs[0]),
            "command": f"distilclip average {named} --run {called(out)}",
            "seconds": sum(float(read_facts(r).get("seconds", 0.0)) for r in runs),
            "mean_of": [_sha256(run) for run in runs],
        }
        (partial / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    return out


def mean_of(weights: Sequence[Weights]) -> Weights:
    """Return the mean of each tensor, summed in double precision."""
    return {
        name: torch.stack([each[name].double() for each in weights])
        .mean(0)
        .to(first.dtype)
        for name, first in weights[0].items()
    }


def first_seed(config: Config) -> int:
    """Return the seed of the random weights that the first step of all began with."""
    first = config.pretraining if config.pretraining.steps else config.training
    return first.seed


def _check_alike(a_run: Path, a: Config, b_run: Path, b: Config) -> None:
    for what, ours, theirs in (
        ("network", a.model, b.model),
        ("signal", a.signal, b.signal),
        ("folds", a.data.folds, b.data.folds),
        ("first seed", first_seed(a), first_seed(b)),
    ):
        if ours != theirs:
            raise ConfigError(
                f"{b_run}: its {what} differs from that of {a_run}, expected the same "
                "to take a mean of"
            )


def _sha256(run: Path) -> str:
    return hashlib.sha256((run / WEIGHTS).read_bytes()).hexdigest()
