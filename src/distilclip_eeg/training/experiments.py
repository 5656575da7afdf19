"""Cross-validation over the folds of a data set, and the thresholds that follow.

Every recording is scored by a model that never saw its patient. All folds are trained
for the same number of steps: nothing is stopped, and so nothing chosen, on the fold
that is scored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np

from distilclip_eeg.config import Config, DetectionConfig
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.eeg.whole_files import written_whole
from distilclip_eeg.evaluation.events import (
    EventScore,
    events_of,
    pooled,
    score_recording,
)
from distilclip_eeg.evaluation.windows import (
    auroc,
    auroc_by_patient,
    window_scores,
)
from distilclip_eeg.model_folder import OperatingPoint
from distilclip_eeg.training.distillation import Teacher
from distilclip_eeg.training.fit import OnStep, fit
from distilclip_eeg.training.predict import Prediction, predict, save_predictions
from distilclip_eeg.training.run_folder import Weights
from distilclip_eeg.training.trained import load_trained

ONSETS: Final = (0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97)
OFFSET_RATIOS: Final = (0.4, 0.6, 0.8)
SMOOTHINGS_S: Final = (1, 3, 5, 9)
DURATIONS_S: Final = (4.0, 6.0, 8.0, 10.0)
MIN_ALARMS: Final = 3  # behind a rate; fewer say nothing about days
RATE_STEP: Final = 1.4  # between neighbouring rates; closer ones say the same


def _unseen(fold: int) -> AbstractContextManager[None]:  # noqa: ARG001
    return nullcontext()


def _untaught(fold: int) -> Teacher | None:  # noqa: ARG001
    return None


def cross_validate(
    config: Config,
    recordings: Sequence[StoredRecording],
    run: Path,
    *,
    simulated: Sequence[StoredRecording] = (),
    initial: Weights | None = None,
    teacher_of: Callable[[int], Teacher | None] = _untaught,
    shown_as: Callable[[int], AbstractContextManager[OnStep | None]] = _unseen,
) -> list[Prediction]:
    """Train one model per fold on the other folds and let it score its own.

    Finished folds are kept under `run/fold<k>` and not trained again. `simulated` and
    `initial` are as in `fit`; they have seen no patient.

    Parameters
    ----------
    teacher_of
        Fold -> a teacher that never saw it.
    """
    predictions = []
    folds = sorted({r.fold for r in recordings if r.fold is not None})
    for fold in folds:
        inside = [r for r in recordings if r.fold == fold]
        others = [r for r in recordings if r.fold != fold]
        seen = config.data.model_copy(
            update={"folds": tuple(other for other in folds if other != fold)}
        )
        with shown_as(fold) as on_step:
            fit(
                config.model_copy(update={"data": seen}),
                run / f"fold{fold}",
                others,
                simulated=simulated,
                initial=initial,
                teacher=teacher_of(fold),
                on_step=on_step,
            )
        _, model = load_trained(run / f"fold{fold}")
        predictions += predict(model, inside, config.signal)
    save_predictions(run / "predictions.tsv", predictions)
    return predictions


def sweep(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """Score every combination of detection settings, one row each."""
    rows = []
    for onset, ratio, smoothing_s, duration_s in product(
        ONSETS, OFFSET_RATIOS, SMOOTHINGS_S, DURATIONS_S
    ):
        settings = DetectionConfig(
            onset_threshold=onset,
            offset_threshold=round(onset * ratio, 4),
            smoothing_s=smoothing_s,
            min_duration_s=duration_s,
        )
        each = [(p.dataset, _score_one(p, settings)) for p in predictions]
        row = {**settings.model_dump(), "all": _row(pooled(s for _, s in each))}
        for dataset in sorted({name for name, _ in each}):
            row[dataset] = _row(pooled(s for name, s in each if name == dataset))
        rows.append(row)
    return rows


def score(predictions: Sequence[Prediction], settings: DetectionConfig) -> EventScore:
    """Count found seizures and false alarms."""
    return pooled(_score_one(p, settings) for p in predictions)


def _score_one(prediction: Prediction, settings: DetectionConfig) -> EventScore:
    events = events_of(prediction.log_odds, settings)
    true = [(seizure.onset_s, seizure.end_s) for seizure in prediction.seizures]
    return score_recording(events, true, prediction.labelled_s)


def operating_points(
    predictions: Sequence[Prediction], settings: DetectionConfig
) -> tuple[list[OperatingPoint], str]:
    """Thresholds by what they cost on the recordings without a seizure.

    Only rates that rest on at least `MIN_ALARMS` alarms are given. The offset threshold
    keeps its ratio to the onset threshold, as in `Model.settings`.

    Returns
    -------
    tuple
        The points by rising rate, and a sentence on the recordings behind them.
    """
    quiet = [p for p in predictions if not p.seizures]
    ratio = settings.offset_threshold / settings.onset_threshold
    points: dict[float, float] = {}
    for threshold in np.round(np.arange(0.99, 0.29, -0.01), 2).tolist():
        changed = settings.model_copy(
            update={
                "onset_threshold": threshold,
                "offset_threshold": threshold * ratio,
            }
        )
        cost = score(quiet, changed)
        if cost.n_false >= MIN_ALARMS:
            rate = round(cost.false_alarms_per_day, 1)
            if rate > RATE_STEP * max(points, default=0.0):
                points[rate] = threshold
    hours = score(quiet, settings).hours
    datasets = ", ".join(sorted({p.dataset for p in quiet}))
    measured_on = (
        f"{len(quiet)} recordings without a seizure ({hours:.2f} h; {datasets}), each "
        "scored by a model that never saw the patient; most follow a seizure"
    )
    return [
        OperatingPoint(per_day=rate, onset_threshold=threshold)
        for rate, threshold in sorted(points.items())
    ], measured_on


def summary(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Window AUROC: mean over patients, pooled, and pooled per data set."""
    windows = window_scores(predictions)
    figures = {
        "auroc_mean_over_patients": auroc_by_patient(windows),
        "auroc_pooled": auroc(windows),
    }
    for dataset, group in _by_dataset(predictions).items():
        if any(p.seizures for p in group):
            figures[f"auroc_pooled_{dataset}"] = auroc(window_scores(group))
    return figures


def write_report(path: Path, config: Config, predictions: Sequence[Prediction]) -> None:
    """Write figures and the sweep with everything needed to make them again."""
    points, measured_on = operating_points(predictions, config.detection)
    content = {
        "config": config.model_dump(mode="json"),
        "figures": summary(predictions),
        "at_settings": _row(score(predictions, config.detection)),
        "by_dataset": {
            dataset: _row(score(group, config.detection))
            for dataset, group in _by_dataset(predictions).items()
        },
        "operating_points": [point.model_dump() for point in points],
        "measured_on": measured_on,
        "sweep": sweep(predictions),
    }
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n")


def read_operating_points(report: Path) -> tuple[list[OperatingPoint], str]:
    """Return the points and the sentence on their origin that `write_report` wrote."""
    content = json.loads(report.read_text())
    points = [OperatingPoint(**point) for point in content["operating_points"]]
    return points, content["measured_on"]


def _by_dataset(predictions: Sequence[Prediction]) -> dict[str, list[Prediction]]:
    names = sorted({p.dataset for p in predictions})
    return {name: [p for p in predictions if p.dataset == name] for name in names}


def _row(score: EventScore) -> dict[str, float]:
    return {k: round(v, 4) for k, v in asdict(score).items()}
