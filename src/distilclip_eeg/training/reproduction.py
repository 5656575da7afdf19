"""A store and two configurations -> the paper's experiment, as a queue of jobs.

A job is one model, seed and trial of a protocol; it is done when its predictions lie in
the folder, so the folder is the queue and any later run goes on with it. Every model
sees the same segments. What the table says is computed from the predictions alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from distilclip_eeg.config import Config, DataConfig
from distilclip_eeg.corpora.splits import PatientSplit
from distilclip_eeg.corpora.store import Crop, StoredRecording
from distilclip_eeg.detection.windows import WINDOW_SHARE, log_odds
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.forest import BLOCK, Features, train, window_features
from distilclip_eeg.evaluation.protocol_table import Key, write_scored
from distilclip_eeg.evaluation.protocols import Protocol, Segment, Trial, trials
from distilclip_eeg.evaluation.windows import WINDOW_S
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.predict import BATCH, TorchRuntime
from distilclip_eeg.training.progress import shown
from distilclip_eeg.training.run_folder import CHECKPOINT, Weights
from distilclip_eeg.training.segments import SegmentBatches
from distilclip_eeg.training.trained import load_trained

ModelName: TypeAlias = Literal[
    "forest", "clock", "shuffled", "teacher", "student", "student_alone"
]
MODELS: Final[tuple[ModelName, ...]] = get_args(ModelName)
"""`clock` is a forest that is told only when a segment begins; `shuffled` one whose
training labels were shuffled within patients. Better than chance, they show a cue that
is no seizure. `student` learns from `teacher`, `student_alone` from labels."""
NETWORKS: Final = ("teacher", "student", "student_alone")
SETTINGS: Final = "settings.json"
DONE: Final = "done"  # in a run: all steps were made
WORK: Final = "work"  # below the output: store, runs; needed only to go on

Probability = NDArray[np.floating]


@dataclass(frozen=True)
class Experiment:
    """What is to be done.

    Attributes
    ----------
    configs
        Of `teacher` and `student`; what they say of data is not used.
    split
        For the protocol `patient`.
    initial
        Gives the weights that a network begins with; None to begin from chance. They
        must have seen no patient.
    """

    recordings: Sequence[StoredRecording]
    protocols: Sequence[Protocol]
    models: Sequence[ModelName]
    n_seeds: int
    configs: Mapping[str, Config]
    split: PatientSplit | None = None
    initial: Callable[[Config], Weights | None] = lambda config: None


class Job(NamedTuple):
    """One model, seed and trial."""

    model: ModelName
    seed: int
    trial: Trial

    @property
    def key(self) -> Key:
        return Key(self.trial.protocol, self.model, self.seed, self.trial.part)


def jobs(experiment: Experiment) -> Iterator[Job]:
    """List the queue: seed by seed, and a teacher before its student."""
    for seed in range(experiment.n_seeds):
        for protocol in experiment.protocols:
            for trial in trials(
                protocol, experiment.recordings, seed, experiment.split
            ):
                for model in MODELS:
                    if model in experiment.models:
                        yield Job(model, seed, trial)


def run_jobs(
    experiment: Experiment, folder: Path, say: Callable[[str], None]
) -> list[Path]:
    """Do all jobs that are not done; return where the predictions of all lie.

    Raises
    ------
    ConfigError
        If the folder holds another experiment: other recordings, settings or split.
    """
    _claim(folder, experiment)
    queue = list(jobs(experiment))
    paths = []
    for number, job in enumerate(queue, start=1):
        path = job.key.path(folder)
        if not path.exists():
            say(f"job {number} of {len(queue)}: {_name(job.key)}")
            probability = _probability(job, experiment, folder / WORK)
            write_scored(folder, job.key, job.trial.test, probability)
        paths.append(path)
    return paths


def _probability(job: Job, experiment: Experiment, work: Path) -> Probability:
    """(N,) of a seizure, of the segments tested."""
    if job.model not in NETWORKS:
        signal = experiment.configs["student"].signal
        return forest_probability(job.trial, job.seed, signal.sfreq, job.model)
    return network_probability(_trained(job, experiment, work), job.trial.test)


def _trained(job: Job, experiment: Experiment, work: Path) -> Path:
    """Train a network, or go on with it, its teacher first; return its run."""
    run = _run(job.key, work)
    if (run / DONE).exists():
        return run
    teacher = None
    if job.model == "student":
        teacher = Teacher(_trained(job._replace(model="teacher"), experiment, work))
    config = job_config(experiment, job)
    settings = config.training
    segments = SegmentBatches(
        job.trial.train,
        config.signal,
        seed=settings.seed,
        batch_size=settings.batch_size,
        augmented=settings.augment,
    )
    with shown(_name(job.key), settings.steps) as on_step:
        fit(
            config,
            run,
            (),
            segments=segments,
            initial=experiment.initial(experiment.configs[_kind(job)]),
            teacher=teacher,
            on_step=on_step,
        )
    (run / DONE).touch()
    (run / CHECKPOINT).unlink(missing_ok=True)  # large, and only of use to go on
    return run


def job_config(experiment: Experiment, job: Job) -> Config:
    """Return the settings of a network: those of its kind, with the job's seed."""
    config = experiment.configs[_kind(job)]
    training = config.training.model_copy(update={"seed": job.seed})
    return config.model_copy(
        update={"name": job.model, "data": DataConfig(), "training": training}
    )


def _kind(job: Job) -> str:
    return "teacher" if job.model == "teacher" else "student"


def network_probability(run: Path, segments: Sequence[Segment]) -> Probability:
    """Let a finished run score segments, as detection scores windows."""
    config, model = load_trained(run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runtime = TorchRuntime(model.to(device))
    background = config.model.classes.index("background")
    odds = [np.zeros(0)]
    for part in _in_parts(segments, BATCH):
        crops = [_crop(segment) for segment in part]
        scores = runtime.run(
            np.stack([c.eeg for c in crops]), np.stack([c.usable for c in crops])
        )
        of_window = scores.window_logits.astype(np.float64)
        of_seconds = scores.second_logits.astype(np.float64).mean(axis=1)
        logits = WINDOW_SHARE * of_window + (1 - WINDOW_SHARE) * of_seconds
        odds.append(log_odds(logits, background))
    probability: Probability = expit(np.concatenate(odds))
    return probability


def forest_probability(
    trial: Trial, seed: int, sfreq: float, model: str = "forest"
) -> Probability:
    """Train the baseline or one of the controls and let it score the test segments.

    Where no lead can be used the forest sees no seizure: 0.
    """
    measure = _clock if model == "clock" else _measured
    train_values = measure(trial.train, sfreq)
    ictal = np.array([segment.ictal for segment in trial.train])
    if model == "shuffled":
        ictal = shuffled_within_patients(trial.train, seed)
    starts = np.array([segment.start_s for segment in trial.train], np.int64)
    forest = train([Features(starts, train_values, ictal.astype(float))], seed)
    values = measure(trial.test, sfreq)
    probability = np.zeros(len(values))
    seen = ~np.isnan(values[:, 0])
    if seen.any():
        probability[seen] = forest.predict_proba(values[seen])[:, 1]
    return probability


def shuffled_within_patients(
    segments: Sequence[Segment], seed: int
) -> NDArray[np.bool_]:
    """Return labels that say how many seizures a patient has, and not where."""
    rng = np.random.default_rng(seed)
    patients = np.array([segment.recording.patient for segment in segments])
    ictal = np.array([segment.ictal for segment in segments])
    for patient in np.unique(patients):
        own = patients == patient
        ictal[own] = rng.permutation(ictal[own])
    return ictal


def _measured(segments: Sequence[Segment], sfreq: float) -> NDArray[np.float32]:
    values = []
    for part in _in_parts(segments, BLOCK):
        crops = [_crop(segment) for segment in part]
        eeg, usable = np.stack([c.eeg for c in crops]), [c.usable for c in crops]
        values.append(window_features(eeg, np.stack(usable), sfreq))
    return np.concatenate(values)


def _clock(segments: Sequence[Segment], sfreq: float) -> NDArray[np.float32]:  # noqa: ARG001
    return np.array([[segment.start_s] for segment in segments], np.float32)


def _in_parts(segments: Sequence[Segment], n: int) -> Iterator[Sequence[Segment]]:
    return (segments[k : k + n] for k in range(0, len(segments), n))


def _crop(segment: Segment) -> Crop:
    return segment.recording.crop(segment.start_s, WINDOW_S)


def _run(key: Key, work: Path) -> Path:
    return work / key.path(Path("runs")).with_suffix("")


def _name(key: Key) -> str:
    return f"{key.protocol} {key.part}, {key.model}, seed {key.seed}"


def _claim(folder: Path, experiment: Experiment) -> None:
    """Note what the folder is about; more seeds, models, protocols may come later."""
    found = about(experiment)
    path = folder / SETTINGS
    if path.exists():
        before = json.loads(path.read_text())
        if changed := [name for name in found if found[name] != before.get(name)]:
            raise ConfigError(
                f"{folder}: holds an experiment with other {' and '.join(changed)}; "
                "name another folder or remove it"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(found, indent=1) + "\n")


def about(experiment: Experiment) -> dict[str, Any]:
    """Say what decides the predictions of a job: data, split and settings."""
    recordings = experiment.recordings
    content = "\n".join(
        f"{r.dataset}\t{r.patient}\t{r.name}\t{r.n_seconds}\t{r.labelled_s}\t{r.seizures}"
        for r in recordings
    )
    return {
        "recordings": len(recordings),
        "recordings_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "datasets": ", ".join(sorted({r.dataset for r in recordings})),
        "patients": len({r.patient for r in recordings}),
        "hours": round(sum(r.n_seconds for r in recordings) / 3600, 2),
        "split": experiment.split.name if experiment.split else None,
        "configs": {
            name: config.model_dump(mode="json")
            for name, config in experiment.configs.items()
        },
    }
