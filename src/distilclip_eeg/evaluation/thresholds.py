"""Log-odds per second -> what can be found for so many false alarms per day.

Every threshold is tried with the alarms of detection and counted as SzCORE counts
events. Rates of a few false alarms per day need days of EEG behind them: with less the
figure says what is found without any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.alarming import probability_of, raised, smoothed
from distilclip_eeg.evaluation.counts import DAY_S, Counts
from distilclip_eeg.evaluation.outcomes import outcome_with
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from distilclip_eeg.evaluation.szcore import event_counts

RATES_PER_DAY: Final = (1.0, 2.5, 10.0)
N_THRESHOLDS: Final = 100
COMMONEST: Final = 0.5  # part of the seconds that the lowest threshold lets through

Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Counts of P patients at T falling thresholds.

    Attributes
    ----------
    thresholds
        (T,) probabilities at which an event begins.
    found, true, false
        (P, T) seizures found, seizures, and false alarms.
    duration_s
        (P,).
    """

    thresholds: Values
    found: Values
    true: Values
    false: Values
    duration_s: Values

    def sensitivity_at(self, per_day: float, weights: Values | None = None) -> float:
        """Find the best sensitivity before so many false alarms per day are exceeded.

        Parameters
        ----------
        weights
            (P,) how often each patient counts.
        """
        w = np.ones(len(self.duration_s)) if weights is None else weights
        true = w @ self.true
        if not float(w @ self.duration_s) or not true.size or not true.any():
            return float("nan")
        n = self._n_within(per_day, w)
        return float(((w @ self.found) / true)[:n].max(initial=0.0))

    def lowest(self, per_day: float) -> int | None:
        """Find the last threshold before so many false alarms per day are exceeded.

        Returns
        -------
        Its number; None if the highest exceeds them, or there is no threshold.
        """
        n = self._n_within(per_day, np.ones(len(self.duration_s)))
        return n - 1 if n else None

    def _n_within(self, per_day: float, weights: Values) -> int:
        days = float(weights @ self.duration_s) / DAY_S
        too_many = np.flatnonzero(weights @ self.false > per_day * days + 1e-9)
        return int(too_many[0]) if len(too_many) else len(self.thresholds)


def sweep(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    patients: Sequence[str],
    thresholds: Sequence[float] | None = None,
) -> Sweep:
    """Try thresholds from the highest down.

    Smoothing, durations, and the ratio of the two thresholds stay as in `settings`.

    Parameters
    ----------
    thresholds
        Falling; if not given, probabilities that ever more seconds reach.
    """
    recordings = [
        _Recording(
            p, smoothed(p.parts, settings.smoothing_s), patients.index(p.patient)
        )
        for p in predictions
    ]
    duration_s = np.zeros(len(patients))
    for recording in recordings:
        duration_s[recording.row] += recording.counts.duration_s
    if thresholds is None:
        thresholds = _thresholds(r.stretches for r in recordings)
    tables = [np.zeros((0, len(patients), 3))]
    for threshold in thresholds:
        table = np.zeros((len(patients), 3))
        for recording in recordings:
            counts = recording.at(at_threshold(settings, threshold))
            table[recording.row] += (counts.tp, counts.tp + counts.fn, counts.fp)
        tables.append(table[None])
    found, true, false = np.concatenate(tables).transpose(2, 1, 0)
    return Sweep(np.array(thresholds), found, true, false, duration_s)


class _Recording:
    """Remembers its last events: at most thresholds they are the same again."""

    def __init__(
        self, prediction: Prediction, stretches: Sequence[Stretch], row: int
    ) -> None:
        self.stretches, self.row = stretches, row
        self._prediction = prediction
        self._events = raised(stretches, DetectionConfig(onset_threshold=1.0))
        self.counts = self._count()

    def at(self, settings: DetectionConfig) -> Counts:
        events = raised(self.stretches, settings)
        if events != self._events:
            self._events = events
            self.counts = self._count()
        return self.counts

    def _count(self) -> Counts:
        outcome = outcome_with(self._prediction, self._events)
        return event_counts(outcome.reference, outcome.hypothesis, outcome.duration_s)


def _thresholds(recordings: Iterable[Sequence[Stretch]]) -> list[float]:
    """Probabilities that ever more seconds reach, in equal ratios."""
    each = [s.log_odds for stretches in recordings for s in stretches]
    values = np.concatenate([np.zeros(0), *each])
    values = np.sort(values[~np.isnan(values)])[::-1]
    if not len(values):
        return []
    n = np.geomspace(1, max(1.0, COMMONEST * len(values)), N_THRESHOLDS)
    chosen = np.unique(values[n.astype(int) - 1])[::-1]
    return sorted({probability_of(value) for value in chosen.tolist()}, reverse=True)


def at_threshold(settings: DetectionConfig, threshold: float) -> DetectionConfig:
    """Let events begin elsewhere; the offset threshold keeps its ratio."""
    ratio = settings.offset_threshold / max(settings.onset_threshold, 1e-12)
    return settings.model_copy(
        update={"onset_threshold": threshold, "offset_threshold": threshold * ratio}
    )
