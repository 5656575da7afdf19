"""Predictions -> what is found for how many false alarms per day, and how soon.

The curves that pictures are drawn from. False alarms and hits are counted as SzCORE
counts events; the curve says at every rate what `Sweep.sensitivity_at` says there.
Knows no model and draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.counts import DAY_S
from distilclip_eeg.evaluation.outcomes import Outcome, outcome_of
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.thresholds import Sweep, sweep

Values = NDArray[np.floating]

_SAME: Final = 1e-9  # of an alarm: rates are quotients of floats


class AlarmCurve(NamedTuple):
    """The best sensitivity before so many false alarms per day are exceeded.

    Attributes
    ----------
    per_day, sensitivity
        (n,) corners of a curve of steps; both rise, the first rate is 0.
    days
        Of EEG: one false alarm in it is the finest rate that can be told.
    """

    name: str
    per_day: Values
    sensitivity: Values
    days: float
    n_seizures: int

    def at(self, per_day: float) -> float:
        """Give the sensitivity at a rate; nan without a seizure."""
        if not self.n_seizures or not self.days:
            return float("nan")
        reached = np.flatnonzero(self.days * (self.per_day - per_day) <= _SAME)
        return float(self.sensitivity[reached[-1]]) if len(reached) else 0.0


class Latencies(NamedTuple):
    """How soon seizures were found.

    Attributes
    ----------
    seconds
        (n_found,) from the onset until the event was raised, rising.
    n_seizures
        Found or not.
    """

    name: str
    seconds: Values
    n_seizures: int

    def share_within(self, seconds: float) -> float:
        """Give the part of all seizures that are found so soon; nan without any."""
        if not self.n_seizures:
            return float("nan")
        return float(np.searchsorted(self.seconds, seconds, "right") / self.n_seizures)


def event_curves(
    name: str, predictions: Sequence[Prediction], settings: DetectionConfig
) -> tuple[AlarmCurve, Latencies]:
    """Give both curves of a model; the second at the threshold of `settings`.

    Parameters
    ----------
    name
        What the model is called in a picture.
    """
    patients = sorted({p.patient for p in predictions})
    tried = sweep(predictions, settings, patients)
    outcomes = [outcome_of(p, settings) for p in predictions]
    return alarm_curve(name, tried), latencies(name, outcomes)


def alarm_curve(name: str, tried: Sweep) -> AlarmCurve:
    """Give the curve of all patients together."""
    days = float(tried.duration_s.sum()) / DAY_S
    false, found = tried.false.sum(axis=0), tried.found.sum(axis=0)
    n_seizures = int(tried.true.sum(axis=0).max(initial=0))
    if not days or not n_seizures:
        return AlarmCurve(name, np.zeros(1), np.zeros(1), days, n_seizures)
    most = np.maximum.accumulate(np.concatenate([[0.0], false])) / days
    best = np.maximum.accumulate(np.concatenate([[0.0], found / n_seizures]))
    last = np.flatnonzero(np.append(np.diff(most) > 0, True))  # of each rate
    return AlarmCurve(name, most[last], best[last], days, n_seizures)


def mean_curve(name: str, curves: Sequence[AlarmCurve]) -> AlarmCurve:
    """Give the mean of several seeds of a model at every rate where one has a corner.

    Parameters
    ----------
    curves
        One or more, over the same recordings.
    """
    per_day = np.unique(np.concatenate([curve.per_day for curve in curves]))
    each = [[curve.at(rate) for rate in per_day.tolist()] for curve in curves]
    first = curves[0]
    mean = np.asarray(each).mean(axis=0)
    return AlarmCurve(name, per_day, mean, first.days, first.n_seizures)


def latencies(name: str, outcomes: Sequence[Outcome]) -> Latencies:
    """Collect latencies, of several seeds as if each had seizures of its own."""
    seconds = chain.from_iterable(outcome.latencies_s() for outcome in outcomes)
    n_seizures = sum(len(outcome.seizures) for outcome in outcomes)
    return Latencies(name, np.sort(np.array([*seconds], float)), n_seizures)
