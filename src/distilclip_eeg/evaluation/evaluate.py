"""A model folder and data -> predictions, scores and a table on disk.

What `distilclip evaluate` does, callable from Python. Recordings are listened to one
at a time, as `detect` does, and nothing is kept of them but one number per second.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.models import Model, find_model, load_model
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ConfigError, DistilClipError, ModelFolderError
from distilclip_eeg.evaluation.assessment import Assessment
from distilclip_eeg.evaluation.confidence import (
    JudgedEvent,
    confidence_scores,
    judged,
)
from distilclip_eeg.evaluation.intervals import DRAWS
from distilclip_eeg.evaluation.listening import listen
from distilclip_eeg.evaluation.material import HOUR_S, Data, Task, open_data
from distilclip_eeg.evaluation.onsets import onset_scores
from distilclip_eeg.evaluation.predictions import Prediction, save_predictions
from distilclip_eeg.evaluation.report import nested_scores, provenance
from distilclip_eeg.evaluation.tables import scores_table
from distilclip_eeg.model_folder import ConfidenceScale

FOLD: Final = "{fold}"
PREDICTIONS: Final = "predictions.tsv"
SCORES: Final = "scores.json"
TABLE: Final = "scores.md"
MOST_FOLDS: Final = 100


class Models:
    """The model that a recording is scored by: one for all, or one per fold.

    Parameters
    ----------
    name_or_path
        As for `load_model`; with `{fold}` in it, the folder of each fold's model.
    threshold, false_alarms_per_day
        See `Model.settings`.
    """

    def __init__(
        self,
        name_or_path: str,
        precision: Precision = "auto",
        threads: int | None = None,
        *,
        threshold: float | None = None,
        false_alarms_per_day: float | None = None,
    ) -> None:
        self.precision, self.threads = precision, threads
        self._given = name_or_path
        self._threshold, self._per_day = threshold, false_alarms_per_day
        self._loaded: dict[int | None, Model] = {}

    @property
    def by_fold(self) -> bool:
        return FOLD in self._given

    def first(self, folds: Sequence[int] | None = None) -> Model:
        """Load one of the models, that of the first of `folds` that has one.

        Raises
        ------
        ModelFolderError
            If there is no such folder.
        """
        if not self.by_fold:
            return self.of(None)
        tried = range(MOST_FOLDS) if folds is None else folds
        for fold in tried:
            if Path(self._given.replace(FOLD, str(fold))).is_dir():
                return self.of(fold)
        raise ModelFolderError(f"{self._given}: found no folder for any fold")

    @property
    def loaded(self) -> dict[int | None, Model]:
        """The models that were used so far, by fold; None for all recordings."""
        return self._loaded

    def of(self, fold: int | None) -> Model:
        """Load the model for recordings of a fold.

        Raises
        ------
        ConfigError
            If a fold is needed and there is none, or two folds' models differ in more
            than their weights.
        """
        key = fold if self.by_fold else None
        if self.by_fold and fold is None:
            raise ConfigError(
                f"{self._given}: found a recording without a fold, expected one for "
                f"{FOLD}; name one model folder for all"
            )
        if key not in self._loaded:
            path = find_model(self._given.replace(FOLD, str(key)))
            model = load_model(path, self.precision, self.threads)
            self._check_alike(model)
            self._loaded[key] = model
        return self._loaded[key]

    def settings(self) -> DetectionConfig:
        """How probabilities become events, the same for every fold."""
        return self._settings(next(iter(self._loaded.values())))

    def _settings(self, model: Model) -> DetectionConfig:
        return model.settings(
            threshold=self._threshold, false_alarms_per_day=self._per_day
        )

    def _check_alike(self, model: Model) -> None:
        own = model.signal, self._settings(model)
        for other in self._loaded.values():
            if own != (other.signal, self._settings(other)):
                raise ConfigError(
                    f"{model.folder.path} and {other.folder.path}: found other signal "
                    "or detection settings, expected the same for every fold"
                )


@dataclass(slots=True)
class Evaluated:
    """What a model said of every recording.

    Attributes
    ----------
    skipped
        Recording -> why there is no prediction of it.
    scales
        For each prediction, how confidence follows from it.
    seconds, hours
        Spent listening, reading included; and hours of EEG listened to.
    """

    data: Data
    models: Models
    predictions: list[Prediction] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    scales: list[ConfidenceScale | None] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def hours(self) -> float:
        return sum(p.duration_s for p in self.predictions) / 3600

    @property
    def n_failed(self) -> int:
        """Recordings that could not be listened to."""
        return len(self.data.tasks) - len(self.predictions)

    def judged(self) -> list[JudgedEvent]:
        """Hold the events of all recordings, with their confidence, against truth."""
        settings = self.models.settings()
        return [
            event
            for prediction, scale in zip(self.predictions, self.scales, strict=True)
            for event in judged([prediction], settings, scale)
        ]


def evaluate(
    models: Models,
    data: str,
    folds: Sequence[int] | None = None,
    *,
    duration_s: float = HOUR_S,
    keep: Path | None = None,
    in_turn: Callable[[Sequence[Task]], Iterable[Task]] = lambda tasks: tasks,
) -> Evaluated:
    """Let models score data.

    Parameters
    ----------
    data, folds, duration_s, keep
        See `open_data`.
    in_turn
        Goes over the recordings and may show how far it got.

    Raises
    ------
    DistilClipError
        If no recording can be scored. Of many, those that cannot are in `skipped`.
    """
    signal = models.first(folds).signal
    found = open_data(data, signal, folds, duration_s=duration_s, keep=keep)
    done = Evaluated(found, models, skipped=dict(found.skipped))
    for task in in_turn(found.tasks):
        model = models.of(task.fold)
        try:
            material = task.load()
            began = time.perf_counter()
            stretches = listen(material.source, model)
            done.seconds += time.perf_counter() - began
        except DistilClipError as error:
            done.skipped[task.name] = without_place(str(error), data)
            continue
        done.predictions.append(material.predicted(stretches))
        done.scales.append(model.confidence)
    if not done.predictions:
        name, reason = next(iter(done.skipped.items()))
        raise DistilClipError(f"no recording could be scored; {name}: {reason}")
    return done


def scores_of(
    done: Evaluated,
    name: str | None = None,
    *,
    cost: dict[str, Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Give all that `scores.json` holds; numbers that cannot be had are None."""
    settings = done.models.settings()
    loaded = done.models.loaded
    first = next(iter(loaded.values()))
    return {
        "name": name or first.name,
        "models": [
            {"fold": fold, "name": m.name, "sha256": m.folder.sha256}
            for fold, m in sorted(loaded.items(), key=lambda item: item[0] or 0)
        ],
        "settings": settings.model_dump(mode="json"),
        "precision": done.models.precision,
        **provenance(draws, seed),
        "data": {
            "given": done.data.given,
            "seeds": done.data.seeds,
            **_described(done.predictions, done.data.tasks),
        },
        "skipped": done.skipped,
        "cost": {
            **(cost or {}),
            "listening_seconds": round(done.seconds, 1),
            "listening_hours": round(done.hours, 3),
        },
        "confidence": confidence_scores(done.judged()),
        **nested_scores(
            done.predictions,
            lambda group: Assessment.of_predictions(group, settings),
            draws,
            seed,
        ),
        "onsets": onset_scores(done.predictions, settings, draws, seed)
        if done.data.spliced
        else None,
    }


def write_scores(
    folder: Path, scores: dict[str, Any], predictions: Sequence[Prediction]
) -> None:
    """Write `predictions.tsv`, `scores.json` and `scores.md`, each whole or not."""
    folder.mkdir(parents=True, exist_ok=True)
    save_predictions(folder / PREDICTIONS, predictions)
    with written_whole(folder / SCORES) as partial:
        text = json.dumps(scores, indent=1, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
    with written_whole(folder / TABLE) as partial:
        partial.write_text(scores_table(scores), encoding="utf-8")


def without_place(reason: str, data: str) -> str:
    """Leave out where the data lies on this machine: scores are published."""
    for place in (data, data.partition(":")[2]):
        if place:
            reason = reason.replace(f"{Path(place)}/", "")
    return reason


def _described(
    predictions: Sequence[Prediction], tasks: Sequence[Task]
) -> dict[str, Any]:
    return {
        "datasets": sorted({p.dataset for p in predictions}),
        "folds": sorted({t.fold for t in tasks if t.fold is not None}),
        "n_recordings": len(predictions),
        "n_patients": len({p.patient for p in predictions}),
        "n_seizures": sum(len(p.seizures) for p in predictions),
        "hours": round(sum(p.duration_s for p in predictions) / 3600, 4),
    }
