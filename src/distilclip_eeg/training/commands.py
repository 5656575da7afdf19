"""A TOML file and a data set -> a run, a cross-validation, a model folder.

What the command line calls; Python can call it as well.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any, Final

import torch

from distilclip_eeg.config import Config, load_config
from distilclip_eeg.corpora.catalog import in_folds
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.store import Store, StoredRecording, prepare
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model_folder import ModelFolder
from distilclip_eeg.training.batches import windows_of
from distilclip_eeg.training.card import data_table, figures, model_card
from distilclip_eeg.training.experiments import (
    cross_validate,
    read_operating_points,
    write_report,
)
from distilclip_eeg.training.export import (
    count_parameters,
    export,
    load_trained,
)
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.progress import shown
from distilclip_eeg.training.run_folder import load_run, same_training

FACTS: Final = "facts.json"  # of a run: what the model card says of its making
EXAMPLE_WINDOWS: Final = 2  # in a model folder's test vector


def train(config_path: Path, data: Path, run: Path | None = None) -> Path:
    """Train one model; called again after a kill, it goes on. Returns the run folder.

    The conditioned signal is kept in `store` in the run folder.
    """
    config = load_config(config_path)
    run = run or Path("runs") / config.name
    recordings = training_recordings(config, data, run / "store")
    held_back = config.data.validation_folds
    validation = [r for r in recordings if r.fold in held_back]
    training = [r for r in recordings if r.fold not in held_back]
    facts = _read_facts(run)
    began, spent = time.monotonic(), float(facts.get("seconds", 0.0))
    with shown(config.name, config.training.steps) as on_step:
        fit(config, run, training, validation, on_step=on_step)
    facts = {
        "command": f"distilclip train configs/{config_path.name} --data FOLDER",
        "seconds": spent + time.monotonic() - began,
        "machine": f"{torch.get_num_threads()} thread(s) of {os.cpu_count()} cores "
        f"({platform.machine()}), "
        f"torch {torch.__version__.split('+')[0]}",
        "data": data_table(training),
    }
    (run / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
    return run


def crossvalidate(config_path: Path, data: Path, run: Path | None = None) -> Path:
    """Score every training recording by a model that never saw its patient.

    Returns the report: figures and every combination of detection settings.
    """
    config = load_config(config_path)
    run = run or Path("runs") / f"{config.name}-folds"
    recordings = training_recordings(config, data, run / "store")
    steps = config.training.steps
    predictions = cross_validate(
        config, recordings, run, shown_as=lambda fold: shown(f"fold {fold}", steps)
    )
    report = run / "report.json"
    write_report(report, config, predictions)
    return report


def export_run(
    config_path: Path,
    folder: Path,
    run: Path | None = None,
    *,
    report: Path | None = None,
    test: Path | None = None,
    force: bool = False,
) -> ModelFolder:
    """Turn a run into a model folder, card included.

    Parameters
    ----------
    config_path
        The TOML file of the run; its detection settings count, chosen after training.
    report
        What `crossvalidate` wrote: figures, and thresholds by false alarms per day.
    test
        What a scorer wrote of the model on test data, see `card.figures`.
    """
    config = load_config(config_path)
    run = run or Path("runs") / config.name
    trained, _ = load_run(run)
    if not same_training(trained, config):
        raise ConfigError(f"{run}: was trained with other settings than {config_path}")
    points, measured_on = read_operating_points(report) if report else ([], "")
    _, model = load_trained(run)
    facts = _read_facts(run)
    card = model_card(
        config,
        command=facts["command"],
        seconds=facts["seconds"],
        machine=facts["machine"],
        n_parameters=count_parameters(model),
        data=facts["data"],
        figures=figures(_read_json(report), _read_json(test)),
        operating_points=points,
        measured_on=measured_on,
    )
    first = Store(run / "store", config.signal).recordings[0]
    batch = windows_of(first, config.signal)
    example = (
        batch["eeg"][:EXAMPLE_WINDOWS].numpy(),
        batch["usable"][:EXAMPLE_WINDOWS].numpy(),
    )
    return export(
        run,
        folder,
        card=card,
        example=example,
        chosen=config,
        operating_points=tuple(points),
        measured_on=measured_on,
        force=force,
    )


def training_recordings(
    config: Config, data: Path, store: Path
) -> list[StoredRecording]:
    """Condition the folds that the configuration names, and no other."""
    recordings = read_manifest(data)
    if config.data.folds:
        recordings = in_folds(recordings, config.data.folds)
    prepared = prepare(recordings, store, config.signal, workers=os.cpu_count() or 1)
    return prepared.recordings


def _read_facts(run: Path) -> dict[str, Any]:
    path = run / FACTS
    return (_read_json(path) or {}) if path.exists() else {}


def _read_json(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content
