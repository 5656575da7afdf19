"""Predictions of whole recordings -> the threshold that keeps to a rate, and its cost.

For so many false alarms per day the lowest onset threshold that does not exceed them,
counted as SzCORE counts events; and what the very same thresholds find and alarm on
clips, by models that never saw the person. Knows no model: what it said lies on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from distilclip_eeg.config import Config, DetectionConfig
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.clip_figures import (
    FOUND,
    QUIET,
    Group,
    alarmed,
    group_of,
    patients_of,
)
from distilclip_eeg.evaluation.confidence import FittedConfidence, fit_confidence
from distilclip_eeg.evaluation.counts import Counts
from distilclip_eeg.evaluation.operating_file import Measured, Point, Share, Thresholds
from distilclip_eeg.evaluation.outcomes import outcome_with
from distilclip_eeg.evaluation.predictions import Prediction, read_predictions
from distilclip_eeg.evaluation.szcore import event_counts
from distilclip_eeg.evaluation.thresholds import Sweep, at_threshold, sweep
from distilclip_eeg.model_folder import sha256_of

RATES_PER_DAY: Final = (1.0, 3.0, 10.0)
MIN_ALARMS: Final = 3  # behind a rate; fewer say nothing about days
LONG_S: Final = 20.0
ROUNDED_S: Final = 0.02  # of a seizure's length, read from hundredths of two seconds
BETWEEN: Final = 16  # thresholds between two of a sweep, which lie far apart
DIGITS: Final = 6  # of a threshold
NOTHING_ELSE: Final = ("iiic",)
"""Data sets whose clips without a seizure all show patterns that pass for one.

Predictions on disk do not say what a clip is.
"""


def find_thresholds(
    predictions: Path, config: Config, beside: Path | None = None
) -> Thresholds:
    """Count on predictions that lie on disk, with the detection settings of a model.

    Parameters
    ----------
    predictions
        Of whole recordings, as `distilclip evaluate` writes them.
    beside
        Of clips out of fold, as `distilclip crossvalidate` writes them.

    Raises
    ------
    CorpusError
        If a file is absent, is no such table, or holds nothing that has labels.
    """
    whole = _read(predictions)
    settings = config.detection
    points = [*operating_points(whole, settings), own_point(whole, settings)]
    clips = None if beside is None else _read(beside)
    if clips is not None:
        points = [
            p.model_copy(
                update={"beside": beside_at(clips, settings, p.onset_threshold)}
            )
            for p in points
        ]
    fitted, not_fitted = _confidence(whole, settings)
    return Thresholds(
        name=config.name,
        package_version=version("distilclip-eeg"),
        scorer=f"timescoring {version('timescoring')}",
        detection=settings,
        rates=RATES_PER_DAY,
        min_alarms=MIN_ALARMS,
        long_s=LONG_S,
        measured=_measured(predictions, whole),
        beside=None if beside is None or clips is None else _measured(beside, clips),
        points=tuple(points[:-1]),
        own=points[-1],
        confidence=fitted,
        not_fitted=not_fitted,
    )


def operating_points(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    rates: Sequence[float] = RATES_PER_DAY,
) -> list[Point]:
    """Find the lowest threshold that keeps to each rate, and count there.

    Smoothing, durations, and the ratio of the two thresholds stay as in `settings`. A
    rate that rests on fewer than `MIN_ALARMS` false alarms is left out.
    """
    patients = sorted({p.patient for p in predictions})
    coarse = sweep(predictions, settings, patients)
    points = []
    for rate in sorted(rates):
        n = coarse.lowest(rate)
        if n is None:
            continue
        tried = sweep(predictions, settings, patients, _between(coarse, n))
        n = tried.lowest(rate)
        if n is not None and tried.false[:, n].sum() >= MIN_ALARMS:
            points.append(_point(predictions, settings, tried, n, rate))
    return points


def own_point(predictions: Sequence[Prediction], settings: DetectionConfig) -> Point:
    """Count at the thresholds of a model, whatever rate of false alarms that is."""
    patients = sorted({p.patient for p in predictions})
    tried = sweep(predictions, settings, patients, [settings.onset_threshold])
    days = sum(p.duration_s for p in predictions) / 86400
    rate = float(tried.false[:, 0].sum() / days)
    return _point(predictions, settings, tried, 0, rate)


def _point(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    tried: Sweep,
    n: int,
    per_day: float,
) -> Point:
    threshold = float(tried.thresholds[n])
    return Point(
        per_day=per_day,
        onset_threshold=threshold,
        n_false=int(tried.false[:, n].sum()),
        found=_share(tried.found[:, n].sum(), tried.true[:, n].sum()),
        found_long=_found_long(predictions, at_threshold(settings, threshold)),
    )


def _between(coarse: Sweep, n: int) -> list[float]:
    """The threshold number `n`, and others down to the next one."""
    high = float(coarse.thresholds[n])
    low = float(coarse.thresholds[min(n + 1, len(coarse.thresholds) - 1)])
    tried = np.round(np.linspace(high, low, BETWEEN + 1), DIGITS)
    return [high, *sorted({t for t in tried.tolist() if low < t < high}, reverse=True)]


def _found_long(predictions: Sequence[Prediction], settings: DetectionConfig) -> Share:
    """Count long seizures alone: whatever alarms elsewhere, they are found or not."""
    counts = Counts()
    for p in predictions:
        outcome = outcome_with(p, alarms(p.parts, settings))
        long = [s for s in outcome.reference if s[1] - s[0] >= LONG_S - ROUNDED_S]
        counts += event_counts(long, outcome.hypothesis, outcome.duration_s)
    return _share(counts.tp, counts.tp + counts.fn)


def beside_at(
    clips: Sequence[Prediction], settings: DetectionConfig, threshold: float
) -> dict[Group, Share]:
    """Count seizures found, and clips of each kind alarmed, at one threshold."""
    groups = {p.name: clip_group(p) for p in clips}
    patients = patients_of(clips, at_threshold(settings, threshold), groups)
    figures: dict[Group, str] = {"seizure": FOUND}
    figures |= {group: alarmed(group) for group in QUIET}
    found: dict[Group, Share] = {}
    for group, name in figures.items():
        each = [p.shares[name] for p in patients.values() if name in p.shares]
        part, whole = sum(each, np.zeros(2)).tolist()
        found[group] = _share(part, whole)
    return found


def clip_group(clip: Prediction) -> Group:
    """Say what a clip is whose predictions were read from disk."""
    if clip.dataset in NOTHING_ELSE and not clip.seizures:
        return "hard negative"
    return group_of(clip)


def _confidence(
    predictions: Sequence[Prediction], settings: DetectionConfig
) -> tuple[FittedConfidence | None, str]:
    """Learn a scale; too few events for it leave thresholds that stand without it."""
    try:
        return fit_confidence(predictions, settings), ""
    except ConfigError as error:
        return None, str(error)


def _share(part: float, whole: float) -> Share:
    return Share(part=round(part), whole=round(whole))


def _read(path: Path) -> list[Prediction]:
    predictions = read_predictions(path)
    if not any(p.labelled.any() for p in predictions):
        raise CorpusError(
            f"{path}: found no second that experts looked at, expected predictions of "
            "recordings with labels"
        )
    return predictions


def _measured(path: Path, predictions: Sequence[Prediction]) -> Measured:
    seconds = sum(p.labelled_s[1] - p.labelled_s[0] for p in predictions)
    return Measured(
        file=path.name,
        sha256=sha256_of(path),
        datasets=tuple(sorted({p.dataset for p in predictions})),
        n_recordings=len(predictions),
        n_people=len({p.patient for p in predictions}),
        n_seizures=sum(len(p.seizures) for p in predictions),
        hours=round(seconds / 3600, 4),
    )
