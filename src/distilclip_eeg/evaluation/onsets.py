"""Predictions of seizures spliced after background -> how soon each was found.

As a user would see it: the detector comes out of ordinary background. Each recording
has one splice, the onset of its first seizure. An event that was raised before it and
goes on into the seizure is a false alarm, and its seizure has no latency: it is counted
apart. Knows no model and no signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.evaluation.assessment import Figures, Weights
from distilclip_eeg.evaluation.counts import Span, disjoint
from distilclip_eeg.evaluation.intervals import drawn
from distilclip_eeg.evaluation.material import BACKGROUNDS, JOIN_S, JOINS
from distilclip_eeg.evaluation.outcomes import Outcome, outcome_of
from distilclip_eeg.evaluation.predictions import Prediction

SOON_S: Final = 15.0
EARLY_S: Final = 2.0  # by how much an event may begin before what raised it
HOUR_S: Final = 3600.0
ONSET_FIGURES: Final = {
    "latency_s": "latency, median, s",
    "latency_quartile_1_s": "first quartile, s",
    "latency_quartile_3_s": "third quartile, s",
    "raised": "raised after onset",
    "raised_soon": f"within {SOON_S:g} s",
    "alarmed_before": "alarmed before",
    "missed": "missed",
}
JOIN_FIGURES: Final = {
    "joins_alarmed": "alarmed",
    "false_per_hour_at_joins": "false alarms / h at joins",
    "false_per_hour_elsewhere": "elsewhere",
}
ONSETS_SAID: Final = (
    (
        "Latency: from the splice until the event was raised, of events raised at or "
        "after it. Where an event was raised before and went on into the seizure "
        "(alarmed before), it counts as a false alarm here and the seizure has no "
        "latency, where other tables take 0 for it. Parts are of all seizures."
    ),
    (
        f"At a join: the alarm begins from {EARLY_S:g} s before to {JOIN_S:g} s after "
        "it. What was raised before the splice is false."
    ),
)


class Onset(NamedTuple):
    """One recording: background, then a seizure.

    Attributes
    ----------
    latency_s
        nan if an event was raised before and went on, inf if nothing was found.
    at_joins_s, elsewhere_s
        Seconds of background near a join, and the others.
    false_at_joins, false_elsewhere
        Events raised before the onset, by when they begin.
    """

    patient: str
    background: str
    latency_s: float
    n_joins: int
    joins_alarmed: int
    at_joins_s: float
    elsewhere_s: float
    false_at_joins: int
    false_elsewhere: int


def onset_scores(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Give figures of all, and by whose background came before, with their bounds.

    Numbers that cannot be had are None.
    """
    onsets = [onset_of(outcome_of(p, settings)) for p in predictions if p.seizures]
    groups = {"all": onsets} | {
        f"after {name}": [o for o in onsets if o.background == whose]
        for whose, name in BACKGROUNDS.items()
    }
    return {
        "soon_s": SOON_S,
        "join_s": JOIN_S,
        "said": " ".join(ONSETS_SAID),
        "groups": {n: _scores(of, draws, seed) for n, of in groups.items() if of},
    }


def onset_of(outcome: Outcome) -> Onset:
    """Look at the first seizure of a recording, and at what was raised before it."""
    seizure, event = outcome.found()[0]
    onset_s, latency_s = seizure.onset_s, np.inf
    if event is not None and event.raised_s is not None:
        late_s = event.raised_s - onset_s
        latency_s = late_s if late_s >= 0 else np.nan
    joins = [start for start, _, _ in outcome.patterns]
    near = [(max(0.0, s - EARLY_S), min(s + JOIN_S, onset_s)) for s in joins]
    false = [
        e.onset
        for e in outcome.events
        if e.raised_s is not None and e.raised_s < onset_s
    ]
    at_joins = [s for s in false if any(_within(s, span) for span in near)]
    at_joins_s = sum(b - a for a, b in disjoint(near, onset_s))
    whose = {join: whose for whose, join in JOINS.items()}
    return Onset(
        patient=outcome.patient,
        background=whose[outcome.patterns[0][2]] if outcome.patterns else "",
        latency_s=float(latency_s),
        n_joins=len(joins),
        joins_alarmed=sum(any(_within(s, span) for s in false) for span in near),
        at_joins_s=at_joins_s,
        elsewhere_s=onset_s - at_joins_s,
        false_at_joins=len(at_joins),
        false_elsewhere=len(false) - len(at_joins),
    )


def _scores(onsets: Sequence[Onset], draws: int, seed: int) -> dict[str, Any]:
    patients = sorted({o.patient for o in onsets})
    of = np.array([patients.index(o.patient) for o in onsets], np.intp)
    numbers = np.array([o[2:] for o in onsets], float)

    def figures(weights: Weights) -> Figures:
        return _figures(np.repeat(numbers, weights[of].astype(int), axis=0))

    found = drawn(figures, len(patients), draws, seed)
    return {
        "n": len(onsets),
        "n_patients": len(patients),
        "n_joins": sum(o.n_joins for o in onsets),
        **{
            name: {key: _number(value) for key, value in interval._asdict().items()}
            for name, interval in found.items()
        },
    }


def _figures(rows: NDArray[np.floating]) -> Figures:
    latency = rows[:, 0]
    joins, alarmed, near_s, far_s, near, far = rows[:, 1:].sum(axis=0).tolist()
    raised = latency[np.isfinite(latency)]
    quartiles = np.quantile(raised, [0.25, 0.5, 0.75]) if len(raised) else [np.nan] * 3
    n = len(rows)
    return {
        "latency_quartile_1_s": float(quartiles[0]),
        "latency_s": float(quartiles[1]),
        "latency_quartile_3_s": float(quartiles[2]),
        "raised": _ratio(len(raised), n),
        "raised_soon": _ratio(int((raised <= SOON_S).sum()), n),
        "alarmed_before": _ratio(int(np.isnan(latency).sum()), n),
        "missed": _ratio(int(np.isinf(latency).sum()), n),
        "joins_alarmed": _ratio(alarmed, joins),
        "false_per_hour_at_joins": _ratio(HOUR_S * near, near_s),
        "false_per_hour_elsewhere": _ratio(HOUR_S * far, far_s),
    }


def _within(time_s: float, span: Span) -> bool:
    return span[0] <= time_s < span[1]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _number(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
