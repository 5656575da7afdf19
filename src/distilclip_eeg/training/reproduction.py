"""A store and two configurations -> the paper's experiment, as a queue of jobs.

A job is one model, seed and trial of a protocol; it is done when its predictions lie in
the folder, so the folder is the queue and any later run goes on with it. Every model
sees the same segments. What the table says is computed from the predictions alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from distilclip_eeg.config import Config, DataConfig
from distilclip_eeg.corpora.splits import PatientSplit
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.evaluate import FOLD
from distilclip_eeg.evaluation.experiment.chosen_types import LeftOut
from distilclip_eeg.evaluation.experiment.protocols import (
    Protocol,
    Trial,
    trials,
)
from distilclip_eeg.evaluation.experiment.scored_segments import (
    Key,
    Probability,
    claim,
    write_scored,
)
from distilclip_eeg.evaluation.experiment.segment_forest import (
    forest_probability,
)
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.progress import shown
from distilclip_eeg.training.run_folder import CHECKPOINT, Weights, load_run
from distilclip_eeg.training.segment_scores import network_probability
from distilclip_eeg.training.segments import SegmentBatches

ModelName: TypeAlias = Literal[
    "forest", "clock", "shuffled", "teacher", "student", "student_alone",
    "student_fixed_prompts", "student_no_prompts",
]  # fmt: skip
MODELS: Final[tuple[ModelName, ...]] = get_args(ModelName)
"""`clock` is a forest that is told only when a segment begins; `shuffled` one whose
training labels were shuffled within patients. Better than chance, they show a cue that
is no seizure. `student` learns from `teacher`, `student_alone` from labels.

The last two are `student_alone` with prompt vectors that stay as they begin, and
without any: to be held against `student_alone`. They learn from labels alone, and
have a pretraining of their own where there is one, since what a teacher says, or a
text tower that was tuned with prompts, would bring the learned prompts back in."""
PROMPTS: Final[dict[str, Literal["fixed", "none"]]] = {
    "student_fixed_prompts": "fixed",
    "student_no_prompts": "none",
}
WITHOUT_NETWORK: Final = ("forest", "clock", "shuffled")
DONE: Final = "done"  # in a run: all steps were made
MODEL: Final = "{model}"
WORK: Final = "work"  # below the output: store, runs; needed only to go on


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
    classes
        Background first, see `evaluation.chosen_types`.
    left_out
        The types of seizures that are no class.
    finished
        For `patient` with folds: where runs lie that `crossvalidate` made, with
        `{model}` and `{fold}` in it. They are judged in place of networks trained here.

    Raises
    ------
    ConfigError
        If `finished` lacks one of the two, or more is asked of it than one seed of
        `patient`.
    """

    recordings: Sequence[StoredRecording]
    protocols: Sequence[Protocol]
    models: Sequence[ModelName]
    n_seeds: int
    configs: Mapping[str, Config]
    split: PatientSplit | None = None
    initial: Callable[[Config], Weights | None] = lambda config: None
    classes: tuple[str, ...] = CLASSES
    left_out: Sequence[LeftOut] = ()
    finished: str = ""

    def __post_init__(self) -> None:
        named = MODEL in self.finished and FOLD in self.finished
        alone = tuple(self.protocols) == ("patient",) and self.n_seeds == 1
        if self.finished and not (named and alone):
            raise ConfigError(
                f"found finished runs {self.finished} for {self.n_seeds} seed(s) of "
                f"{', '.join(self.protocols)}, expected {MODEL} and {FOLD} in it and "
                "one seed of patient"
            )


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
                protocol,
                experiment.recordings,
                seed,
                experiment.split,
                experiment.classes,
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
    claim(folder, about(experiment))
    queue = list(jobs(experiment))
    paths = []
    for number, job in enumerate(queue, start=1):
        path = job.key.path(folder)
        if not path.exists():
            say(f"job {number} of {len(queue)}: {_name(job.key)}")
            probability = _probability(job, experiment, folder / WORK)
            write_scored(
                folder, job.key, job.trial.test, probability, experiment.classes
            )
        paths.append(path)
    return paths


def _probability(job: Job, experiment: Experiment, work: Path) -> Probability:
    """Return what a model holds of the segments tested."""
    if job.model in WITHOUT_NETWORK:
        sfreq = experiment.configs["student"].signal.sfreq
        return forest_probability(
            job.trial, job.seed, sfreq, job.model, experiment.classes
        )
    run = _trained(job, experiment, work)
    return network_probability(run, job.trial.train, job.trial.test)


def _trained(job: Job, experiment: Experiment, work: Path) -> Path:
    """Train a network, or go on with it, its teacher first; return its run."""
    if (made := finished_run(job, experiment, work)) is not None:
        return made
    run = run_of(job.key, work)
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
        classes=experiment.classes,
        lose_leads=settings.lose_leads,
        gain_spread=settings.gain_spread,
        lose_seconds=settings.lose_seconds,
        class_names_only=config.model.text.captions == "class_names",
    )
    with shown(_name(job.key), settings.steps) as on_step:
        fit(
            config,
            run,
            (),
            segments=segments,
            initial=experiment.initial(_of_kind(experiment, job.model)),
            teacher=teacher,
            on_step=on_step,
        )
    (run / DONE).touch()
    (run / CHECKPOINT).unlink(missing_ok=True)  # large, and only of use to go on
    return run


def finished_run(job: Job, experiment: Experiment, work: Path) -> Path | None:
    """Return the run of a job if it is there."""
    if experiment.finished:
        return _made_elsewhere(job, experiment.finished)
    run = run_of(job.key, work)
    return run if (run / DONE).exists() else None


def _made_elsewhere(job: Job, path: str) -> Path:
    """Name a run that `crossvalidate` made, if it never saw the people tested.

    Whom it saw, its folds say: those of the data set, whatever the split calls a part.
    """
    run = Path(path.replace(MODEL, job.model).replace(FOLD, job.trial.part))
    seen = load_run(run)[0].data.folds
    tested = {segment.recording.fold for segment in job.trial.test}
    if not seen or None in tested or tested & set(seen):
        raise ConfigError(
            f"{run}: learned from folds {', '.join(map(str, seen)) or 'not named'}, "
            f"expected some that hold nobody of part {job.trial.part}, which it is "
            "tested on; use --split folds"
        )
    return run


def job_config(experiment: Experiment, job: Job) -> Config:
    """Return the settings of a network: those of its kind, with the job's seed."""
    config = _with_classes(_of_kind(experiment, job.model), experiment.classes)
    training = config.training.model_copy(update={"seed": job.seed})
    return config.model_copy(
        update={"name": job.model, "data": DataConfig(), "training": training}
    )


def _of_kind(experiment: Experiment, model: str) -> Config:
    """Return the settings that the network and its pretraining share."""
    config = experiment.configs["teacher" if model == "teacher" else "student"]
    if model not in PROMPTS:
        return config
    text = config.model.text.model_copy(update={"prompts": PROMPTS[model]})
    kind = config.model.model_copy(update={"text": text})
    # Under a name of its own: a pretraining is kept by name.
    name = config.name + model.removeprefix("student")
    return config.model_copy(update={"name": name, "model": kind})


def _with_classes(config: Config, classes: tuple[str, ...]) -> Config:
    if classes == CLASSES:
        return config
    model = config.model.model_copy(update={"classes": classes})
    return config.model_copy(update={"model": model})


def run_of(key: Key, work: Path) -> Path:
    """Return where the run of a network lies below the work of an experiment."""
    return work / key.path(Path("runs")).with_suffix("")


def _name(key: Key) -> str:
    return f"{key.protocol} {key.part}, {key.model}, seed {key.seed}"


def about(experiment: Experiment) -> dict[str, Any]:
    """Say what decides the predictions of a job: data, split, classes, settings."""
    several = experiment.classes != CLASSES
    of_classes = {
        "classes": list(experiment.classes),
        "left_out": [str(each) for each in experiment.left_out],
    }
    return {
        **about_recordings(experiment.recordings),
        "split": experiment.split.name if experiment.split else None,
        "configs": {
            name: _with_classes(config, experiment.classes).model_dump(mode="json")
            for name, config in experiment.configs.items()
        },
        **(of_classes if several else {}),
        **({"finished": experiment.finished} if experiment.finished else {}),
    }


def about_recordings(recordings: Sequence[StoredRecording]) -> dict[str, Any]:
    """Say of which recordings predictions are, so that others are noticed."""
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
    }
