"""Predictions of clips -> what each patient adds, the mean, and how far two differ.

Seizures found, and clips without a seizure that are alarmed, apart by what they are:
after a seizure, ordinary, or with patterns that pass for one. Figures over patients are
drawn anew for their bounds; two models are compared on the same draws of the same
patients. Knows neither models nor training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.alarming import raised, smoothed
from distilclip_eeg.evaluation.intervals import Interval, drawn
from distilclip_eeg.evaluation.outcomes import outcome_with
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import auroc, window_scores

Group: TypeAlias = Literal["seizure", "post-ictal", "ordinary", "hard negative"]
QUIET: Final[tuple[Group, ...]] = ("post-ictal", "ordinary", "hard negative")
AFTER: Final = "_after"  # in the name of a clip that begins after a seizure
AUROC, FOUND = "auroc", "found"
DRAWS: Final = 1000
THRESHOLDS: Final = (0.02, 0.05, *(k / 10 for k in range(1, 10)), 0.95, 0.98, 0.99)
MOST_ALARMED: Final = 0.1  # of the clips without a seizure, where models are matched

Weights = NDArray[np.floating]


class Listed(Protocol):
    """What is known of a recording before anybody scores it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def seizures(self) -> Sequence[Any]: ...


def group_of(recording: Listed) -> Group:
    """Say what a clip is; that it follows a seizure, its name has to say."""
    if recording.seizures:
        return "seizure"
    if recording.kind == "hard_negative":
        return "hard negative"
    return "post-ictal" if AFTER in recording.name else "ordinary"


def alarmed(group: Group) -> str:
    """Name the figure: the part of these clips that is alarmed."""
    return f"alarmed/{group}"


@dataclass(slots=True)
class Patient:
    """What one patient adds.

    Attributes
    ----------
    auroc
        Of windows; NaN without both classes.
    shares
        Figure -> part and whole: seizures found, clips alarmed.
    """

    auroc: float = float("nan")
    shares: dict[str, NDArray[np.floating]] = field(default_factory=dict)

    def add(self, name: str, part: float, whole: float) -> None:
        """Count on."""
        before = self.shares.get(name, np.zeros(2))
        self.shares[name] = before + np.array((part, whole), float)


Patients = dict[str, Patient]


def patients_of(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    groups: Mapping[str, Group] | None = None,
) -> Patients:
    """Score every patient by windows and by the events that `settings` make.

    Parameters
    ----------
    groups
        Recording -> what it is, where predictions from disk do not say.
    """
    found: Patients = {}
    for p in predictions:
        patient = found.setdefault(p.patient, Patient())
        events = raised(smoothed(p.parts, settings.smoothing_s), settings)
        _count(patient, p, events, (groups or {}).get(p.name) or group_of(p))
    for name, patient in found.items():
        own = [p for p in predictions if p.patient == name]
        patient.auroc = auroc(window_scores(own))
    return dict(sorted(found.items()))


def _count(
    patient: Patient, prediction: Prediction, events: Sequence[Event], group: Group
) -> None:
    outcome = outcome_with(prediction, events)
    if outcome.seizures:
        hits = sum(event is not None for _, event in outcome.found())
        patient.add(FOUND, hits, len(outcome.seizures))
    elif group in QUIET:  # what is left of a clip may hold none of its seizures
        patient.add(alarmed(group), bool(outcome.events), 1)


def matched_threshold(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    most_alarmed: float = MOST_ALARMED,
) -> DetectionConfig:
    """Take the lowest threshold at which few clips without a seizure are alarmed.

    Models whose probabilities mean other things are compared at equal cost. Chosen on
    the very clips, so the same small favour is done to each.
    """
    even = [smoothed(p.parts, settings.smoothing_s) for p in predictions]
    quiet = [(p, s) for p, s in zip(predictions, even, strict=True) if not p.seizures]
    ratio = settings.offset_threshold / settings.onset_threshold
    at = settings
    for threshold in THRESHOLDS:
        at = settings.model_copy(
            update={
                "onset_threshold": threshold,
                "offset_threshold": threshold * ratio,
            }
        )
        n = sum(bool(outcome_with(p, raised(s, at)).events) for p, s in quiet)
        if n <= most_alarmed * len(quiet):
            break
    return at


class Row:
    """One model: the mean over its seeds of what each patient adds."""

    def __init__(self, seeds: Sequence[Patients]) -> None:
        self.patients = sorted({name for seed in seeds for name in seed})
        names = sorted({n for s in seeds for p in s.values() for n in p.shares})
        self._auroc = np.full((len(seeds), len(self.patients)), np.nan)
        self._shares = {n: np.zeros((len(seeds), len(self.patients), 2)) for n in names}
        for k, seed in enumerate(seeds):
            for i, name in enumerate(self.patients):
                patient = seed.get(name, Patient())
                self._auroc[k, i] = patient.auroc
                for share, counted in patient.shares.items():
                    self._shares[share][k, i] = counted

    def of(self, patients: Sequence[str]) -> Row:
        """Return the same of fewer patients."""
        kept = [self.patients.index(name) for name in patients]
        row = Row([])
        row.patients = list(patients)
        row._auroc = self._auroc[:, kept]
        row._shares = {n: of[:, kept] for n, of in self._shares.items()}
        return row

    def figures(self, weights: Weights, seed: int | None = None) -> dict[str, float]:
        """Give all figures, each patient counted as often as drawn."""
        seeds = slice(None) if seed is None else slice(seed, seed + 1)
        known = ~np.isnan(self._auroc[seeds])
        n = np.maximum(known.sum(axis=0), 1)
        own = np.nansum(self._auroc[seeds], axis=0) / n
        counted = weights * known.any(axis=0)
        total = float(counted.sum())
        figures = {AUROC: float(counted @ own) / total if total else float("nan")}
        for name, of in self._shares.items():
            part, whole = (weights @ of[seeds].sum(axis=0)).tolist()
            figures[name] = part / whole if whole else float("nan")
        return figures

    def intervals(self, draws: int = DRAWS) -> dict[str, Interval]:
        """Give every figure and its bounds over draws of patients."""
        return drawn(self.figures, len(self.patients), draws, seed=0)

    def each_seed(self) -> dict[str, list[float]]:
        """Give every figure seed by seed."""
        ones = np.ones(len(self.patients))
        each = [self.figures(ones, k) for k in range(len(self._auroc))]
        return {name: [one[name] for one in each] for name in self.figures(ones)}

    def counts(self) -> dict[str, tuple[float, float]]:
        """Give part and whole of every share, mean over seeds."""
        n = max(len(self._auroc), 1)
        return {
            name: tuple((of.sum(axis=(0, 1)) / n).tolist())
            for name, of in self._shares.items()
        }

    def by_patient(self) -> dict[str, dict[str, float]]:
        """Give the figures of each patient."""
        return {
            name: self.figures(np.eye(len(self.patients))[i])
            for i, name in enumerate(self.patients)
        }


def difference(a: Row, b: Row, draws: int = DRAWS) -> dict[str, Interval]:
    """Give by how much `a` is above `b` on the patients that both have, paired."""
    both = [name for name in a.patients if name in b.patients]
    first, second = a.of(both), b.of(both)

    def above(weights: Weights) -> dict[str, float]:
        x, y = first.figures(weights), second.figures(weights)
        return {name: x[name] - y[name] for name in x.keys() & y}

    return drawn(above, len(both), draws, seed=0)


def as_number(value: float, digits: int = 4) -> float | None:
    """Round for JSON, which has no NaN."""
    return None if np.isnan(value) else round(float(value), digits)


def as_json(found: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Round figures and bounds for JSON."""
    return {
        name: {key: as_number(value) for key, value in interval._asdict().items()}
        for name, interval in found.items()
    }
