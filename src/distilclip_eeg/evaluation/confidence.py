"""Predictions -> a scale for the confidence of events, and how honest confidence is.

An event is true if it touches a seizure widened by 30 s before and 60 s after, so that
one minus the confidence is the chance of a false alarm as SzCORE counts them. The scale
is a logistic map of the mean probability's log-odds (Platt 1999, with his targets,
which keep it finite where true and false events do not mix). What it says is honest
where seizures are as common as in what it was learned from. Knows no model.

Which events it is learned from matters. A user gets the events that reach the onset
threshold, and among events with the same mean these are more often seizures than those
that stay below: on clips, a map learned from all that reach the offset threshold says
too little. But a good model has few false events there. So
the slope comes from events at a threshold that is lowered only until there are enough
false ones, and the intercept from the events at the settings alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.counts import shared_s
from distilclip_eeg.evaluation.events import AFTER_S, BEFORE_S
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import N_BINS, calibration_error
from distilclip_eeg.model_folder import ConfidenceScale

ENOUGH: Final = 10  # true and false events: then the threshold is lowered no further
FEWEST: Final = 5  # with less of either nothing is said
STEPS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the way from onset to offset threshold
LEVEL: Final = 0.95

_EDGE: Final = 5e-5  # means have four decimals, and 0 and 1 infinite log-odds
_FARTHEST: Final = 50.0  # of an intercept from where even odds would be

Values = NDArray[np.floating]
Flags = NDArray[np.bool_]


class JudgedEvent(NamedTuple):
    """One event, and whether there was a seizure."""

    patient: str
    confidence: float
    is_true: bool


class ReliabilityRow(NamedTuple):
    """The events whose confidence lies in one tenth.

    Attributes
    ----------
    low, high
        Of the tenth.
    confidence, true
        Mean confidence, and the part that is true.
    true_low, true_high
        Wilson's 95 % interval of that part, as if no two events were of one patient.
    """

    low: float
    high: float
    n: int
    confidence: float
    true: float
    true_low: float
    true_high: float


@dataclass(frozen=True, slots=True)
class FittedConfidence:
    """A scale, and how far confidence is from the share of true events.

    Attributes
    ----------
    n_true, n_false
        Events at the settings, over which both errors are.
    ece_before, ece_after
        Expected calibration error of the mean probability, and of the scale, here
        learned for each patient from all others.
    """

    slope: float
    intercept: float
    n_true: int
    n_false: int
    ece_before: float
    ece_after: float

    def scale(self, measured_on: str) -> ConfidenceScale:
        """Give what a model folder holds."""
        return ConfidenceScale(
            slope=self.slope, intercept=self.intercept, measured_on=measured_on
        )

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON values."""
        return asdict(self)


def fit_confidence(
    predictions: Sequence[Prediction], settings: DetectionConfig
) -> FittedConfidence:
    """Learn the scale of a model from recordings that it never saw.

    Raises
    ------
    ConfigError
        If true or false events are too few, all or without those of one patient, or if
        higher means are not more often true.
    """
    ladder = [judged(predictions, at) for at in _lowered(settings)]
    return fit_events(ladder)


def fit_events(ladder: Sequence[Sequence[JudgedEvent]]) -> FittedConfidence:
    """Learn from events at the settings, and then at ever lower thresholds.

    Parameters
    ----------
    ladder
        Confidence is the mean probability of an event's seconds.

    Raises
    ------
    ConfigError
        See `fit_confidence`.
    """
    given = ladder[0]
    patients = sorted({event.patient for events in ladder for event in events})
    slope, intercept = _fit(ladder)
    after = np.zeros(len(given))
    for patient in patients:
        own = np.array([event.patient == patient for event in given], bool)
        if own.any():
            fitted = _fit([[e for e in es if e.patient != patient] for es in ladder])
            after[own] = _scaled(fitted, [e for e in given if e.patient == patient])
    mean, true = _arrays(given)
    return FittedConfidence(
        slope=slope,
        intercept=intercept,
        n_true=int(true.sum()),
        n_false=int((~true).sum()),
        ece_before=calibration_error(true, mean),
        ece_after=calibration_error(true, after),
    )


def judged(
    predictions: Iterable[Prediction],
    settings: DetectionConfig,
    scale: ConfidenceScale | None = None,
) -> list[JudgedEvent]:
    """Hold events against seizures; those wholly where no expert looked are left out.

    Parameters
    ----------
    scale
        Of the model's folder; without one, confidence is the mean of the seconds.
    """
    found = []
    for p in predictions:
        near = [(s.onset_s - BEFORE_S, s.end_s + AFTER_S) for s in p.seizures]
        for event in alarms(p.parts, settings, scale):
            span = event.onset, event.onset + event.duration
            if shared_s(span, p.labelled_s) > 0:
                is_true = any(shared_s(span, seizure) > 0 for seizure in near)
                found.append(JudgedEvent(p.patient, event.confidence or 0.0, is_true))
    return found


def reliability(
    predictions: Iterable[Prediction],
    settings: DetectionConfig,
    scale: ConfidenceScale | None = None,
) -> list[ReliabilityRow]:
    """Hold the confidence of the events at some settings against what is true."""
    return rows_of(judged(predictions, settings, scale))


def rows_of(events: Sequence[JudgedEvent]) -> list[ReliabilityRow]:
    """Give a row for each tenth of confidence that holds an event, from the lowest."""
    confidence, true = _arrays(events)
    tenths = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    rows = []
    for tenth in np.unique(tenths).tolist():
        own = tenths == tenth
        n, n_true = int(own.sum()), int(true[own].sum())
        around = binomtest(n_true, n).proportion_ci(LEVEL, "wilson")
        rows.append(
            ReliabilityRow(
                low=tenth / N_BINS,
                high=(tenth + 1) / N_BINS,
                n=n,
                confidence=float(confidence[own].mean()),
                true=n_true / n,
                true_low=float(around.low),
                true_high=float(around.high),
            )
        )
    return rows


def error_of(rows: Sequence[ReliabilityRow]) -> float:
    """Give the expected calibration error; nan without an event."""
    n = sum(row.n for row in rows)
    gaps = sum(row.n * abs(row.confidence - row.true) for row in rows)
    return gaps / n if n else math.nan


def confidence_scores(events: Sequence[JudgedEvent]) -> dict[str, Any]:
    """Give what `scores.json` holds of it."""
    rows = rows_of(events)
    ece = error_of(rows)
    return {
        "ece": None if math.isnan(ece) else round(ece, 6),
        "n_events": len(events),
        "rows": [{k: round(v, 6) for k, v in row._asdict().items()} for row in rows],
    }


def _lowered(settings: DetectionConfig) -> list[DetectionConfig]:
    """Settings with ever lower onset thresholds: events there begin and end alike."""
    onset, offset = settings.onset_threshold, settings.offset_threshold
    return [
        settings.model_copy(update={"onset_threshold": onset - step * (onset - offset)})
        for step in STEPS
    ]


def _fit(ladder: Sequence[Sequence[JudgedEvent]]) -> tuple[float, float]:
    """Learn the slope where there is enough, the intercept at the settings."""
    slope = _slope(ladder)
    mean, true = _arrays(ladder[0])
    if not len(mean):
        raise ConfigError(
            "found no event at the model's own threshold, expected some of several "
            "patients to learn a confidence from; predict more recordings"
        )
    x, share = slope * _log_odds(mean), float(_targets(true).mean())

    def excess(intercept: float) -> float:
        return float(expit(x + intercept).mean()) - share

    farthest = _FARTHEST + float(np.abs(x).max())
    return slope, float(brentq(excess, -farthest, farthest))


def _slope(ladder: Sequence[Sequence[JudgedEvent]]) -> float:
    """Learn it at the highest threshold that has enough events of both kinds."""
    n_true = n_false = 0
    for step, events in enumerate(ladder, 1):
        mean, true = _arrays(events)
        n_true, n_false = int(true.sum()), int((~true).sum())
        enough = ENOUGH if step < len(ladder) else FEWEST
        if min(n_true, n_false) >= enough and (slope := _logistic(mean, true)) > 0:
            return slope
    raise ConfigError(
        f"found {n_true} true and {n_false} false events to learn a confidence from, "
        f"expected {FEWEST} of each, the true ones with higher means, also without "
        "those of any one patient; predict more recordings"
    )


def _logistic(mean: Values, true: Flags) -> float:
    """Slope of the logistic map; every event counts in part as true, in part as not."""
    x, part = np.tile(_log_odds(mean), 2)[:, None], _targets(true)
    model = LogisticRegression(C=np.inf, tol=1e-8)
    model.fit(
        x,
        np.repeat([True, False], len(part)),
        sample_weight=np.concatenate([part, 1 - part]),
    )
    return float(model.coef_[0, 0])


def _targets(true: Flags) -> Values:
    """Probabilities to learn: nearly 1 and 0, the nearer the more events there are."""
    n_true, n_false = true.sum(), (~true).sum()
    return np.asarray(np.where(true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2)))


def _scaled(fitted: tuple[float, float], events: Sequence[JudgedEvent]) -> Values:
    slope, intercept = fitted
    return np.asarray(expit(slope * _log_odds(_arrays(events)[0]) + intercept))


def _log_odds(mean: Values) -> Values:
    return np.asarray(logit(np.clip(mean, _EDGE, 1 - _EDGE)))


def _arrays(events: Sequence[JudgedEvent]) -> tuple[Values, Flags]:
    return (
        np.array([event.confidence for event in events], float),
        np.array([event.is_true for event in events], bool),
    )
