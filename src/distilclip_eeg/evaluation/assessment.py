"""Predictions, or events of any detector -> every figure, by patient and over all.

A figure has a name such as `pooled/windows/auroc` or `mean/szcore_event/f1`: pooled
over all patients, or the mean of what each has alone. What cannot be said is nan.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.counts import Counts
from distilclip_eeg.evaluation.outcomes import (
    SCORERS,
    Outcome,
    duration_class,
    outcome_of,
)
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.thresholds import RATES_PER_DAY, Sweep, sweep
from distilclip_eeg.evaluation.windows import (
    confusion,
    labelled,
    window_figures,
    window_scores,
)

POOLED, MEAN = "pooled", "mean"

Weights = NDArray[np.floating]
Figures = dict[str, float]


@dataclass(slots=True)
class Patient:
    """All that the figures of one patient, and the pooled ones, are made of.

    Attributes
    ----------
    ictal, log_odds
        (n,) of the windows that count.
    shares
        Name -> part and whole, such as seizures found and seizures.
    """

    ictal: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    log_odds: NDArray[np.floating] = field(default_factory=lambda: np.zeros(0))
    counts: dict[str, Counts] = field(
        default_factory=lambda: dict.fromkeys(SCORERS, Counts())
    )
    shares: dict[str, NDArray[np.floating]] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(2))
    )
    latencies_s: list[float] = field(default_factory=list)
    n_recordings: int = 0
    n_seizures: int = 0

    def add(self, outcome: Outcome) -> None:
        """Take in one more recording."""
        for name, counts in outcome.counts().items():
            self.counts[name] += counts
        for seizure, event in outcome.found():
            for kind in (
                "seizures/found",
                f"sensitivity_by_duration/{duration_class(seizure)}",
                f"sensitivity_by_type/{seizure.event_type}",
            ):
                self.shares[kind] += (event is not None, 1)
        self.shares["reading/left"] += outcome.pages()
        self.latencies_s += outcome.latencies_s()
        self.n_recordings += 1
        self.n_seizures += len(outcome.seizures)

    def own(self) -> Figures:
        """Give the figures of this patient alone."""
        figures = {f"windows/{k}": v for k, v in self._windows().items()}
        for name, counts in self.counts.items():
            figures |= {f"{name}/{k}": v for k, v in counts.figures().items()}
        figures |= {name: float(a / b) for name, (a, b) in self.shares.items() if b}
        figures["latency_s/median"] = _median(np.array(self.latencies_s))
        return figures

    def _windows(self) -> Figures:
        return window_figures(self.ictal, self.log_odds) if len(self.ictal) else {}


class Assessment:
    """The figures of one detector on some recordings.

    Attributes
    ----------
    patients
        Name -> what is known of each, in order of name.
    false_by_pattern
        Events without a seizure, by the pattern they overlap.
    """

    def __init__(
        self,
        patients: Mapping[str, Patient],
        thresholds: Sweep | None = None,
        false_by_pattern: Mapping[str, int] | None = None,
    ) -> None:
        self.patients = dict(sorted(patients.items()))
        self.false_by_pattern = dict(false_by_pattern or {})
        self._sweep = thresholds
        self._each = [patient.own() for patient in self.patients.values()]
        self._names = sorted({name for own in self._each for name in own})
        self._own = np.array(
            [[own.get(n, np.nan) for n in self._names] for own in self._each]
        ).reshape(len(self._each), len(self._names))
        everyone = list(self.patients.values())
        self._of_window = np.repeat(
            np.arange(len(everyone)), [len(p.ictal) for p in everyone]
        )
        self._ictal = np.concatenate([np.zeros(0, bool), *(p.ictal for p in everyone)])
        self._log_odds = np.concatenate([np.zeros(0), *(p.log_odds for p in everyone)])

    @classmethod
    def of_outcomes(cls, outcomes: Sequence[Outcome]) -> Self:
        """Assess the events of any detector."""
        return cls(_patients(outcomes), None, _false_by_pattern(outcomes))

    @classmethod
    def of_predictions(
        cls, predictions: Sequence[Prediction], settings: DetectionConfig
    ) -> Self:
        """Assess a model by its predictions, and by the events that they mean."""
        outcomes = [outcome_of(p, settings) for p in predictions]
        patients = _patients(outcomes)
        for name, patient in patients.items():
            own = [p for p in predictions if p.patient == name]
            patient.ictal, patient.log_odds = labelled(window_scores(own))
        thresholds = sweep(predictions, settings, sorted(patients))
        return cls(patients, thresholds, _false_by_pattern(outcomes))

    def by_patient(self) -> dict[str, Figures]:
        """Give the figures of each patient, without their prefix."""
        return dict(zip(self.patients, self._each, strict=True))

    def confusion(self) -> dict[str, float]:
        """Count all windows by what they are and what they are called."""
        return confusion(self._ictal, self._log_odds)

    def figures(self, weights: Weights | None = None) -> Figures:
        """Give every figure.

        Parameters
        ----------
        weights
            (n_patients,) how often each patient counts; once if not given.
        """
        w = np.ones(len(self.patients)) if weights is None else weights
        pooled = self._windows(w) | self._counted(w) | self._shares(w)
        pooled["latency_s/median"] = _median(self._latencies(w))
        if self._sweep is not None:
            for rate in RATES_PER_DAY:
                found = self._sweep.sensitivity_at(rate, w)
                pooled[f"sensitivity_at_per_day/{rate:g}"] = found
        known = ~np.isnan(self._own)
        with np.errstate(invalid="ignore"):
            mean = w @ np.where(known, self._own, 0) / (w @ known)
        return {f"{POOLED}/{k}": v for k, v in pooled.items()} | {
            f"{MEAN}/{k}": float(v) for k, v in zip(self._names, mean, strict=True)
        }

    def _windows(self, w: Weights) -> Figures:
        if not len(self._ictal):
            return {}
        found = window_figures(self._ictal, self._log_odds, w[self._of_window])
        return {f"windows/{name}": value for name, value in found.items()}

    def _counted(self, w: Weights) -> Figures:
        figures = {}
        for scorer in SCORERS:
            rows = [p.counts[scorer] for p in self.patients.values()]
            sums = w @ np.array(
                [(c.tp, c.fn, c.fp, c.duration_s) for c in rows]
            ).reshape(-1, 4)
            for name, value in Counts(*sums.tolist()).figures().items():
                figures[f"{scorer}/{name}"] = value
        return figures

    def _shares(self, w: Weights) -> Figures:
        sums: dict[str, NDArray[np.floating]] = defaultdict(lambda: np.zeros(2))
        for weight, patient in zip(w, self.patients.values(), strict=True):
            for name, share in patient.shares.items():
                sums[name] += weight * share
        return {name: float(a / b) if b else np.nan for name, (a, b) in sums.items()}

    def _latencies(self, w: Weights) -> NDArray[np.floating]:
        each = [np.array(p.latencies_s) for p in self.patients.values()]
        repeated = [np.repeat(x, int(n)) for x, n in zip(each, w, strict=True)]
        return np.concatenate([np.zeros(0), *repeated])


def _patients(outcomes: Sequence[Outcome]) -> dict[str, Patient]:
    patients: dict[str, Patient] = defaultdict(Patient)
    for outcome in outcomes:
        patients[outcome.patient].add(outcome)
    return patients


def _false_by_pattern(outcomes: Sequence[Outcome]) -> Counter[str]:
    marked = [outcome for outcome in outcomes if outcome.patterns]
    return sum((outcome.false_by_pattern() for outcome in marked), Counter())


def _median(values: NDArray[np.floating]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
