"""A TOML file and a data set -> a run, a cross-validation, a comparison of runs.

What the command line calls; Python can call it as well.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import torch
from lightning_fabric import Fabric

from distilclip_eeg.config import (
    Config,
    DataConfig,
    DetectionConfig,
    DistillationConfig,
    TrainingConfig,
    load_config,
)
from distilclip_eeg.corpora.catalog import in_folds
from distilclip_eeg.corpora.index import INDEX
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.simulate import prepare_simulated
from distilclip_eeg.corpora.splits import TRAIN
from distilclip_eeg.corpora.store import Store, StoredRecording, prepare
from distilclip_eeg.eeg.whole_files import claimed_folder, written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.evaluate import FOLD
from distilclip_eeg.training.card import data_table
from distilclip_eeg.training.comparison import REAL, SIMULATED, Data, compare
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.experiments import cross_validate, write_report
from distilclip_eeg.training.fit import OnStep, fit
from distilclip_eeg.training.progress import shown, told
from distilclip_eeg.training.ranks import first_alone, make_fabric
from distilclip_eeg.training.run_folder import (
    FACTS,
    Weights,
    called,
    load_run,
    read_facts,
)
from distilclip_eeg.training.shipping import example_windows

TAUGHT: Final = "taught"  # beside runs: what teachers said of batches


def train(
    config_path: Path,
    data: Path,
    run: Path | None = None,
    *,
    teacher: Path | None = None,
    seed: int | None = None,
    folds: tuple[int, ...] | None = None,
) -> Path:
    """Train one model; called again after a kill, it goes on. Returns the run folder.

    Several processes that `torchrun` started train it together.

    The conditioned signal, simulated recordings and the pretraining lie beside the run
    folder and serve other runs too.

    Parameters
    ----------
    run
        By default `runs/` and the name, with the seed if one is given.
    teacher
        A finished run that adds the terms of distillation.
    seed, folds
        In place of the configuration's.
    """
    config = _of_folds(load_config(config_path), folds)
    if seed is not None:
        settings = config.training.model_copy(update={"seed": seed})
        config = config.model_copy(update={"training": settings})
    run = run or Path("runs") / (
        config.name if seed is None else f"{config.name}-{seed}"
    )
    fabric = make_fabric(config.training.precision)
    with claimed_folder(run) if fabric.is_global_zero else nullcontext():
        began = time.monotonic()
        learned = _trained(config, data, run, teacher, fabric)
        if not fabric.is_global_zero:
            return run
        options = "" if teacher is None else f" --teacher {called(teacher)}"
        options += "" if seed is None else f" --seed {seed}"
        options += "" if folds is None else f" --folds {','.join(map(str, folds))}"
        command = f"distilclip train configs/{config_path.name} --data FOLDER{options}"
        _note_making(run, command, time.monotonic() - began, learned)
    return run


def _note_making(
    run: Path, command: str, seconds: float, learned: Sequence[StoredRecording]
) -> None:
    """Keep what a model card says of a run; the time adds to that of earlier calls."""
    facts = {
        "command": command,
        "seconds": float(read_facts(run).get("seconds", 0.0)) + seconds,
        "machine": _machine(),
        "data": data_table(learned),
    }
    with written_whole(run / FACTS) as partial:
        partial.write_text(json.dumps(facts, indent=1) + "\n")


def _trained(
    config: Config, data: Path, run: Path, teacher: Path | None, fabric: Fabric
) -> list[StoredRecording]:
    """Train; return what it learned from."""
    with first_alone(fabric):
        recordings = training_recordings(config, data, run.parent)
        simulated = simulated_recordings(config, run.parent)
    held_back = config.data.validation_folds
    validation = [r for r in recordings if r.fold in held_back]
    training = [r for r in recordings if r.fold not in held_back]
    initial = pretrained(config, simulated, run.parent, fabric)
    teaching = Teacher(teacher, run.parent / TAUGHT) if teacher else None
    with shown(config.name, config.training.steps) as on_step:
        fit(
            config,
            run,
            training,
            validation,
            simulated=simulated,
            initial=initial,
            teacher=teaching,
            on_step=on_step,
            fabric=fabric,
        )
    return [*training, *simulated]


def simulated_recordings(config: Config, beside: Path) -> list[StoredRecording]:
    """Draw the simulated recordings of a configuration, once for all runs beside."""
    hours, minutes = config.data.simulated_hours, config.data.simulated_minutes
    if not hours:
        return []
    store = prepare_simulated(
        range(round(hours * 60 / minutes)),
        beside / f"simulated-{hours}h",
        config.signal,
        duration_s=60.0 * minutes,
        workers=os.cpu_count() or 1,
        waiting=told,
    )
    return store.recordings


def pretrained(
    config: Config,
    simulated: Sequence[StoredRecording],
    beside: Path,
    fabric: Fabric | None = None,
) -> Weights | None:
    """Make the steps on simulated recordings alone; return the weights after them.

    They depend on no patient, fold or seed of the run, so one folder serves all.

    Raises
    ------
    ConfigError
        If there are steps to make and no simulated recordings to make them on.
    """
    settings = config.pretraining
    if not settings.steps:
        return None
    if not simulated:
        raise ConfigError(
            f"{config.name}: pretraining.steps {settings.steps} on no recordings; set "
            "data.simulated_hours"
        )
    stage = config.model_copy(
        update={
            "data": DataConfig(
                simulated_hours=config.data.simulated_hours,
                simulated_minutes=config.data.simulated_minutes,
                simulated_share=1.0,
            ),
            "training": TrainingConfig(
                **settings.model_dump(), precision=config.training.precision
            ),
            "detection": DetectionConfig(),
            "distillation": DistillationConfig(),
        }
    )
    run = beside / f"{config.name}-pretraining"
    writes = fabric is None or fabric.is_global_zero
    alone = claimed_folder(run, waiting=told) if writes else nullcontext()
    title = f"{config.name}, pretraining"
    with alone, shown(title, settings.steps) as on_step:
        fit(stage, run, (), simulated=simulated, on_step=on_step, fabric=fabric)
    return load_run(run)[1]


def crossvalidate(
    config_path: Path,
    data: Path,
    run: Path | None = None,
    *,
    teacher: str = "",
    folds: tuple[int, ...] | None = None,
) -> Path:
    """Score every training recording by a model that never saw its patient.

    Returns the report: figures and every combination of detection settings.

    Parameters
    ----------
    teacher
        Path of a finished run with `{fold}` in it, one per fold, which never saw it;
        empty for none.
    folds
        In place of the configuration's.

    Raises
    ------
    ConfigError
        If no recording has a fold, or a teacher saw the fold that is scored.
    """
    config = _of_folds(load_config(config_path), folds)
    run = run or Path("runs") / f"{config.name}-folds"
    with claimed_folder(run):
        options = f" --teacher '{teacher}'" if teacher else ""
        options += "" if folds is None else f" --folds {','.join(map(str, folds))}"
        called = f"distilclip crossvalidate configs/{config_path.name} --data FOLDER"
        return _cross_validated(config, data, run, teacher, called + options)


def _of_folds(config: Config, folds: tuple[int, ...] | None) -> Config:
    if folds is None:
        return config
    data = config.data.model_copy(update={"folds": folds})
    return config.model_copy(update={"data": data})


def _cross_validated(
    config: Config, data: Path, run: Path, teacher: str, command: str
) -> Path:
    recordings = training_recordings(config, data, run.parent)
    if all(r.fold is None for r in recordings):
        raise ConfigError(
            f"{data}: found no folds, expected them in a manifest; `reproduce` splits "
            "other data sets by patient"
        )
    if teacher and FOLD not in teacher:
        raise ConfigError(
            f"--teacher {teacher}: expected {FOLD} in it, a run per fold that never "
            "saw the fold, as crossvalidate makes them"
        )
    simulated = simulated_recordings(config, run.parent)
    steps = config.training.steps

    def teacher_of(fold: int) -> Teacher | None:
        return (
            _unaware(Path(teacher.replace(FOLD, str(fold))), fold) if teacher else None
        )

    @contextmanager
    def noted(fold: int) -> Iterator[OnStep]:
        began = time.monotonic()
        with shown(f"fold {fold}", steps) as on_step:
            yield on_step
        others = [r for r in recordings if r.fold != fold]
        seconds = time.monotonic() - began
        _note_making(run / f"fold{fold}", command, seconds, [*others, *simulated])

    predictions = cross_validate(
        config,
        recordings,
        run,
        simulated=simulated,
        initial=pretrained(config, simulated, run.parent),
        teacher_of=teacher_of,
        shown_as=noted,
    )
    report = run / "report.json"
    write_report(report, config, predictions)
    return report


def _unaware(run: Path, fold: int) -> Teacher:
    """Take a teacher that can tell nothing of a fold."""
    teacher = Teacher(run)  # asked every time: no other student sees these batches
    seen = teacher.config.data.folds
    if not seen or fold in seen:
        raise ConfigError(
            f"{run}: learned from folds {', '.join(map(str, seen)) or 'not named'}, "
            f"expected some without {fold}, which its student is scored on"
        )
    return teacher


def compare_runs(
    rows: Mapping[str, Sequence[Path]],
    data: Path,
    folds: Sequence[int],
    simulated: Path,
    output: Path,
    say: Callable[[str], None],
) -> Path:
    """Judge runs by recipe on unseen folds and a store of simulated recordings.

    The forest learns from what the first run learned from. Returns the folder of
    `table.json` and `table.md`.
    """
    run = next(iter(rows.values()))[0]
    config, _ = load_run(run)
    unseen = config.model_copy(update={"data": DataConfig(folds=tuple(folds))})
    real = training_recordings(config, data, run.parent)
    learned = {REAL: real, SIMULATED: simulated_recordings(config, run.parent)}
    compare(
        rows,
        Data(str(data), tuple(folds), str(simulated)),
        output,
        example=example_windows,
        learned={where: group for where, group in learned.items() if group},
        judged={
            REAL: training_recordings(unseen, data, run.parent),
            SIMULATED: Store(simulated, config.signal).recordings,
        },
        say=say,
    )
    return output


def training_recordings(
    config: Config, data: Path, beside: Path
) -> list[StoredRecording]:
    """Take the folds that the configuration names, and no other.

    Of a folder with `manifest.tsv` they are conditioned first: that store lies beside
    the runs and serves all that learn from these folds. Of a store with an official
    split only the part `train` is taken: the others are for choices and for judging.

    Parameters
    ----------
    data
        A folder with `manifest.tsv`, or a store that `corpora.store.prepare` made.

    Raises
    ------
    CorpusError
        If it is neither, or a store made with other signal settings.
    ConfigError
        If a store holds nothing to learn from in these folds.
    """
    folds = config.data.folds
    if (data / INDEX).is_file():
        stored = Store(data, config.signal).recordings
        return _to_learn_from(stored, folds, data)
    recordings = read_manifest(data)
    if folds:
        recordings = in_folds(recordings, folds)
    workers = os.cpu_count() or 1
    store = beside / "-".join(("store-folds", *map(str, folds)))
    made = prepare(recordings, store, config.signal, workers=workers, waiting=told)
    return made.recordings


def _to_learn_from(
    stored: Sequence[StoredRecording], folds: Sequence[int], data: Path
) -> list[StoredRecording]:
    chosen = [
        r for r in stored if (not folds or r.fold in folds) and r.split in (None, TRAIN)
    ]
    if not chosen:
        there = {str(r.split if r.fold is None else r.fold) for r in stored}
        raise ConfigError(
            f"{data}: found folds or parts {', '.join(sorted(there)) or 'none'}, "
            f"expected some of {', '.join(map(str, folds)) or TRAIN} to learn from; "
            "change data.folds, or leave it out to take all"
        )
    return chosen


def _machine() -> str:
    version = torch.__version__.split("+")[0]
    return (
        f"{torch.get_num_threads()} thread(s) of {os.cpu_count()} cores "
        f"({platform.machine()}), torch {version}"
    )
