"""Stored recordings and a configuration -> its variants, trained fold by fold, scored.

A job is one variant, seed and fold: trained on the other folds, it scores the
recordings of its own, whose patients it never saw. A job is done when its predictions
lie in the folder, so the folder is the queue and any later run goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from distilclip_eeg.config import Config, DetectionConfig, SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.index import INDEX
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.splits import k_fold
from distilclip_eeg.corpora.store import Store, StoredRecording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.ablation_table import (
    ROWS,
    Note,
    Part,
    write_groups,
    write_note,
    write_part,
)
from distilclip_eeg.evaluation.evaluate import FOLD
from distilclip_eeg.evaluation.experiment.scored_segments import claim
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.commands import (
    pretrained,
    simulated_recordings,
    training_recordings,
)
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.predict import TorchRuntime, predict
from distilclip_eeg.training.progress import shown
from distilclip_eeg.training.reproduction import DONE, WORK, about_recordings
from distilclip_eeg.training.run_folder import CHECKPOINT, Weights
from distilclip_eeg.training.trained import load_trained
from distilclip_eeg.training.variants import VARIANTS, Variant, changed

KEPT: Final = "taught"  # what teachers said of batches
RUNS: Final = "runs"
TIMED_WINDOWS: Final = 64

Folds = Mapping[int, Sequence[StoredRecording]]


@dataclass(frozen=True)
class Ablation:
    """What is to be done.

    Attributes
    ----------
    folds
        Number -> the recordings of its patients; see `folds_of`.
    configs
        The first is that which variants change; others stand beside it by name.
    teacher
        The folder of a finished run, with `{fold}` for the fold that it never saw.
    simulated, initial
        Of a configuration: the recordings to learn from beside the real ones, and the
        weights to begin with. Neither may have seen a patient.
    """

    folds: Folds
    variants: Sequence[Variant]
    n_seeds: int
    configs: Sequence[Config]
    teacher: str | None = None
    simulated: Callable[[Config], Sequence[StoredRecording]] = lambda config: ()
    initial: Callable[[Config], Weights | None] = lambda config: None

    def __post_init__(self) -> None:
        if self.teacher is not None and FOLD not in self.teacher:
            raise ConfigError(
                f"found teacher {self.teacher}, expected {FOLD} in it: one that has "
                "seen the patients of a fold would tell its student of them"
            )

    @property
    def recordings(self) -> list[StoredRecording]:
        return [r for number in sorted(self.folds) for r in self.folds[number]]


class Job(NamedTuple):
    """One variant, seed and fold."""

    variant: Variant
    seed: int
    fold: int

    @property
    def part(self) -> Part:
        return Part(self.variant.name, self.seed, self.fold)


def read_folds(
    config: Config, data: Path, work: Path, n: int | None
) -> dict[int, list[StoredRecording]]:
    """Condition the recordings of some folds, or find that it was done before.

    Parameters
    ----------
    data
        A folder with a manifest, or a store.
    n
        See `folds_of`; None for the folds that the configuration names.
    """
    if n is not None:
        read: Sequence[StoredRecording | CorpusRecording]
        if (data / INDEX).is_file():
            read = Store(data, config.signal).recordings
        else:
            read = read_manifest(data)
        has_folds = any(r.fold is not None for r in read)
        wanted = tuple(range(n)) if has_folds else ()
        folds = config.data.model_copy(update={"folds": wanted})
        config = config.model_copy(update={"data": folds})
    return folds_of(training_recordings(config, data, work), n)


def simulated_in(kept: Path) -> Callable[[Config], Sequence[StoredRecording]]:
    """Give simulated recordings, drawn when they are first needed and kept there."""
    drawn: dict[tuple[int, int], Sequence[StoredRecording]] = {}

    def simulated(config: Config) -> Sequence[StoredRecording]:
        asked = config.data.simulated_hours, config.data.simulated_minutes
        if asked not in drawn:
            drawn[asked] = simulated_recordings(config, kept)
        return drawn[asked]

    return simulated


def pretrained_in(kept: Path) -> Callable[[Config], Weights | None]:
    """Give weights after pretraining, made when they are first needed and kept there.

    One at a time stays in memory: a variant's folds come one after the other.
    """
    simulated, last = simulated_in(kept), dict[str, Weights | None]()

    def initial(config: Config) -> Weights | None:
        if config.name not in last:
            last.clear()
            last[config.name] = pretrained(config, simulated(config), kept)
        return last[config.name]

    return initial


def folds_of(
    recordings: Sequence[StoredRecording], n: int | None
) -> dict[int, list[StoredRecording]]:
    """Put recordings into folds by patient.

    Parameters
    ----------
    n
        How many: of the folds that the data set gives the first, else so many are
        made. None for all that it gives.

    Raises
    ------
    ConfigError
        If there are fewer than two, or fewer than asked for.
    """
    given = {r.fold for r in recordings if r.fold is not None}
    if not given and n is not None:
        split = k_fold(recordings, n)
        numbers = {part: k for k, part in enumerate(split.tested)}
        fold_of = {r.name: numbers[split.part(r)] for r in recordings}
    else:
        fold_of = {r.name: r.fold for r in recordings if r.fold is not None}
    wanted = sorted(set(fold_of.values()))[:n]
    if len(wanted) < max(2, n or 2):
        raise ConfigError(
            f"found {len(wanted)} folds, expected {max(2, n or 2)}; name a number with "
            "--folds, or folds in the manifest"
        )
    return {k: [r for r in recordings if fold_of.get(r.name) == k] for k in wanted}


def jobs(ablation: Ablation) -> Iterator[Job]:
    """List the queue: seed by seed, so that a table of one seed comes first."""
    for seed in range(ablation.n_seeds):
        for variant in ablation.variants:
            for fold in sorted(ablation.folds):
                yield Job(variant, seed, fold)


def run_jobs(ablation: Ablation, folder: Path, say: Callable[[str], None]) -> None:
    """Do all jobs that are not done.

    Raises
    ------
    ConfigError
        If the folder holds another ablation: other recordings, folds or settings.
    """
    claim(folder, about(ablation))
    write_groups(folder, ablation.recordings)
    queue = list(jobs(ablation))
    for number, job in enumerate(queue, start=1):
        if job.part.path(folder).exists():
            continue
        name = f"{job.variant.name}, seed {job.seed}, fold {job.fold}"
        say(f"job {number} of {len(queue)}: {name}")
        config, model = load_trained(_trained(job, ablation, folder / WORK))
        if not (folder / ROWS / f"{job.variant.name}.json").exists():
            write_note(folder, job.variant.name, _note(job.variant, config, model))
        if torch.cuda.is_available():  # after the note: speeds are those of one core
            model = model.to("cuda")
        by_second = config.training.second_weight > 0
        tested = ablation.folds[job.fold]
        found = predict(model, tested, config.signal, by_second=by_second)
        write_part(folder, job.part, found)


def _trained(job: Job, ablation: Ablation, work: Path) -> Path:
    """Train a network, or go on with it; return its run."""
    run = work / RUNS / job.variant.name / f"seed{job.seed}-fold{job.fold}"
    if (run / DONE).exists():
        return run
    config = config_of(ablation, job)
    teacher = None
    if job.variant.taught:
        assert ablation.teacher is not None
        taught_by = Path(ablation.teacher.replace(FOLD, str(job.fold)))
        teacher = Teacher(taught_by, work / KEPT)
    others = [r for fold, of in ablation.folds.items() if fold != job.fold for r in of]
    with shown(f"{job.variant.name} {job.fold}", config.training.steps) as on_step:
        fit(
            config,
            run,
            others,
            simulated=ablation.simulated(config),
            initial=ablation.initial(pretraining_of(ablation, job.variant)),
            teacher=teacher,
            on_step=on_step,
        )
    (run / DONE).touch()
    (run / CHECKPOINT).unlink(missing_ok=True)  # large, and only of use to go on
    return run


def config_of(ablation: Ablation, job: Job) -> Config:
    """Return the settings of a job; its data are the folds that it learns from."""
    config = _changed(ablation, job.variant)
    learned = tuple(fold for fold in sorted(ablation.folds) if fold != job.fold)
    return config.model_copy(
        update={
            "name": job.variant.name,
            "data": config.data.model_copy(update={"folds": learned}),
            "training": config.training.model_copy(update={"seed": job.seed}),
        }
    )


def pretraining_of(ablation: Ablation, variant: Variant) -> Config:
    """Return the settings of its pretraining, named apart where it is another one.

    A pretraining is kept by name, and what differs only in the training after it
    shares that of the recipe.
    """
    base, config = _base(ablation, variant), _changed(ablation, variant)
    if _stage(config) == _stage(base):
        return base
    return config.model_copy(update={"name": f"{base.name}-{variant.name}"})


def _stage(config: Config) -> tuple[Any, ...]:
    """What the weights after a pretraining depend on."""
    data = config.data
    return (
        config.model,
        config.signal,
        config.pretraining,
        config.training.precision,
        data.simulated_hours,
        data.simulated_minutes,
    )


def _base(ablation: Ablation, variant: Variant) -> Config:
    by_name = {config.name: config for config in ablation.configs}
    return by_name[variant.config] if variant.config else ablation.configs[0]


def _changed(ablation: Ablation, variant: Variant) -> Config:
    return changed(_base(ablation, variant), variant.changes)


def about(ablation: Ablation) -> dict[str, Any]:
    """Say what decides the predictions of a job: data, folds, settings.

    What an event is, is chosen afterwards, and stands in the table.
    """
    first = ablation.configs[0].model_copy(update={"detection": DetectionConfig()})
    return {
        **about_recordings(ablation.recordings),
        "folds": {str(k): len(of) for k, of in sorted(ablation.folds.items())},
        "configs": {first.name: first.model_dump(mode="json")},
    }


def _note(variant: Variant, config: Config, model: DistilCLIP) -> Note:
    names = [one.name for one in VARIANTS]
    place = names.index(variant.name) if variant.name in names else len(names)
    return Note(
        variant.said,
        place,
        variant.against,
        windows_per_second(TorchRuntime(model), config.signal),
        sum(p.numel() for p in model.eeg.parameters()),
    )


def windows_per_second(runtime: TorchRuntime, signal: SignalConfig) -> float:
    """Score noise; per second of processor time, so that other work does not count."""
    rng = np.random.default_rng(0)
    shape = (TIMED_WINDOWS, len(LEADS))
    eeg = rng.normal(0, 20, (*shape, signal.window_samples)).astype(np.float32)
    usable = np.ones((*shape, signal.window_s), bool)
    runtime.run(eeg[:2], usable[:2])  # what is made at the first call is made
    began = time.process_time()
    runtime.run(eeg, usable)
    return round(TIMED_WINDOWS / max(time.process_time() - began, 1e-9), 2)
