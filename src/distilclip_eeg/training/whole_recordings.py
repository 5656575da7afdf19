"""The runs of an experiment -> every second of the people that they never saw.

Segments say how well a model tells cut pieces apart; a detector hears whole recordings.
What a run says of them takes the way of `evaluate` and `detect` and is kept on disk, so
that an experiment that was killed goes on. Knows no events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import torch

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.detection.models import Model
from distilclip_eeg.evaluation.experiment.event_table import Heard, seconds_path
from distilclip_eeg.evaluation.experiment.protocols import LEAKY
from distilclip_eeg.evaluation.listening import listen
from distilclip_eeg.evaluation.material import stored_material
from distilclip_eeg.evaluation.predictions import Prediction, save_predictions
from distilclip_eeg.training.predict import TorchRuntime
from distilclip_eeg.training.reproduction import (
    WITHOUT_NETWORK,
    WORK,
    Experiment,
    Job,
    finished_run,
    job_config,
    jobs,
)
from distilclip_eeg.training.trained import load_trained


def listen_to_tested(
    experiment: Experiment, folder: Path, say: Callable[[str], None]
) -> list[Heard]:
    """Let every network hear whom it was tested on, unless it has already.

    The leaky protocols are left out: there everybody tested is known. So is a run that
    is not there any more; that is said.

    Parameters
    ----------
    folder
        Where `run_jobs` worked.

    Returns
    -------
    list of Heard
        One per network, seed and part that was heard.
    """
    found = []
    for job in jobs(experiment):
        if job.model in WITHOUT_NETWORK or job.trial.protocol in LEAKY:
            continue
        config = job_config(experiment, job)
        heard = Heard(
            job.key, seconds_path(job.key, folder), config.signal, config.detection
        )
        if not heard.path.exists():
            run = finished_run(job, experiment, folder / WORK)
            name = ", ".join(map(str, job.key))
            if run is None:
                say(f"{name}: found no finished run; its events are left out")
                continue
            say(f"listening: {name}")
            heard.path.parent.mkdir(parents=True, exist_ok=True)
            save_predictions(heard.path, listen_to(run, tested(experiment, job)))
        found.append(heard)
    return found


def tested(experiment: Experiment, job: Job) -> list[StoredRecording]:
    """Return all recordings of the people whose segments a job tests."""
    people = {segment.recording.patient for segment in job.trial.test}
    return [r for r in experiment.recordings if r.patient in people]


def listen_to(run: Path, recordings: Sequence[StoredRecording]) -> list[Prediction]:
    """Let a finished run score whole recordings, second by second.

    Raises
    ------
    ConfigError
        If the folder holds no finished run.
    """
    model = cast(Model, _Trained.of(run))
    found = []
    for recording in recordings:
        stretches = listen(recording, model)
        found.append(stored_material(recording).predicted(stretches))
    return found


@dataclass(frozen=True)
class _Trained:
    """All that `listen` asks of a model."""

    signal: SignalConfig
    runtime: TorchRuntime
    background: int

    @classmethod
    def of(cls, run: Path) -> Self:
        config, model = load_trained(run)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        background = config.model.classes.index("background")
        return cls(config.signal, TorchRuntime(model.to(device)), background)

    @property
    def folder(self) -> Self:
        return self
