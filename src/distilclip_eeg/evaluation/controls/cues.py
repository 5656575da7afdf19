"""Predictions -> what the clock, the loudness or the patient alone would have given.

Each cue is an area under the ROC over windows, as the model's own figure is, and each
question takes one cue away: equal time since the start of a clip, after seizures
against seizures of the same patient. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from distilclip_eeg.evaluation.clip_figures import Group
from distilclip_eeg.evaluation.controls.probes import mean_over
from distilclip_eeg.evaluation.intervals import Interval
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import (
    HOP_S,
    ICTAL_SHARE,
    WINDOW_S,
    window_scores,
)

SHUFFLES: Final = 20
PRIOR: Final = 1.0  # windows of each kind that every start is given in advance

Flags = NDArray[np.bool_]
Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Cue:
    """One question.

    Attributes
    ----------
    harmless
        What it would be if the model, or the data, had no short cut there.
    """

    name: str
    said: str
    value: Interval
    harmless: str


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The windows of one patient that count, (n,) each."""

    ictal: Flags
    score: Values
    start_s: NDArray[np.intp]
    after: Flags


def cuts(
    predictions: Sequence[Prediction], groups: Mapping[str, Group]
) -> dict[str, Cut]:
    """Cut predictions into windows, patient by patient."""
    parts: dict[str, list[Cut]] = {}
    for p in predictions:
        (found,) = window_scores([p])
        share, score = found.ictal_share, found.score
        counts = (share == 0) | (share >= ICTAL_SHARE)
        first = int(p.labelled_s[0])
        n = len(share)
        start = first + HOP_S * np.arange(n)
        if n:
            start[-1] = max(first, int(np.flatnonzero(p.labelled)[-1]) + 1 - WINDOW_S)
        after = np.full(n, groups[p.name] == "post-ictal")
        parts.setdefault(p.patient, []).append(
            Cut(share[counts] > 0, score[counts], start[counts], after[counts])
        )
    return {
        patient: Cut(
            *(np.concatenate([getattr(c, name) for c in own]) for name in Cut.__slots__)
        )
        for patient, own in sorted(parts.items())
    }


def cues(
    predictions: Sequence[Prediction], groups: Mapping[str, Group]
) -> Iterator[Cue]:
    """Ask every question that these predictions can answer."""
    patients = cuts(predictions, groups)
    yield Cue(
        "model",
        "the model's own figure",
        _mean({p: _area(c.ictal, c.score) for p, c in patients.items()}),
        "1",
    )
    yield Cue(
        "clock",
        "time since the start of the clip alone, learned from the other patients",
        _mean({p: _area(c.ictal, by_clock(patients, p)) for p, c in patients.items()}),
        "0.5 of the data; the model's own figure should be far above",
    )
    yield Cue(
        "equal time",
        "the model, among windows that begin as long after the start of a clip",
        _mean({p: at_equal_time(c) for p, c in patients.items()}),
        "as high as its own figure",
    )
    yield Cue(
        "after against within",
        "the model, seizures against clips that follow one, of the same patient",
        _mean({p: _of_after(c) for p, c in patients.items()}),
        "as high as its own figure",
    )
    yield Cue(
        "labels shuffled, by patient",
        "the model, labels shuffled within each patient",
        _mean(_shuffled(patients)),
        "0.5",
    )
    pooled = [
        _area(*_pooled(patients, np.random.default_rng(k))) for k in range(SHUFFLES)
    ]
    value = float(np.mean(pooled))
    yield Cue(
        "labels shuffled, pooled",
        "the same over all patients at once: what telling patients apart would give",
        Interval(value, float(min(pooled)), float(max(pooled))),
        "0.5; above, a pooled figure flatters",
    )


def without_first_window(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Leave out the seconds in which filters settle, and the window they stand in."""
    return [
        replace(p, labelled=p.labelled & (np.arange(len(p.labelled)) >= WINDOW_S))
        for p in predictions
    ]


def by_clock(patients: Mapping[str, Cut], asked: str) -> Values:
    """Score a patient's windows by how often others seize that long after a start."""
    others = [c for p, c in patients.items() if p != asked]
    starts = (
        np.concatenate([np.zeros(0, np.intp), *(c.start_s for c in others)]) // HOP_S
    )
    ictal = np.concatenate([np.zeros(0, bool), *(c.ictal for c in others)])
    own = patients[asked].start_s // HOP_S
    n = int(max(starts.max(initial=0), own.max(initial=0))) + 1
    hits = np.bincount(starts[ictal], minlength=n) + PRIOR
    every = np.bincount(starts, minlength=n) + 2 * PRIOR
    return np.asarray((hits / every)[own], float)


def at_equal_time(cut: Cut) -> float:
    """Part of the pairs with equal start in which the seizure scores higher."""
    won, pairs = 0.0, 0
    for start in np.unique(cut.start_s):
        here = cut.start_s == start
        yes, no = cut.score[here & cut.ictal], cut.score[here & ~cut.ictal]
        gap = yes[:, None] - no[None, :]
        won += float((gap > 0).sum() + (gap == 0).sum() / 2)
        pairs += gap.size
    return won / pairs if pairs else float("nan")


def _of_after(cut: Cut) -> float:
    kept = cut.ictal | cut.after
    return _area(cut.ictal[kept], cut.score[kept])


def _shuffled(patients: Mapping[str, Cut]) -> dict[str, float]:
    found = {}
    for number, (patient, cut) in enumerate(patients.items()):
        rng = np.random.default_rng(number)
        each = [_area(rng.permutation(cut.ictal), cut.score) for _ in range(SHUFFLES)]
        found[patient] = float(np.mean(each))
    return found


def _pooled(
    patients: Mapping[str, Cut], rng: np.random.Generator
) -> tuple[Flags, Values]:
    ictal = [rng.permutation(cut.ictal) for cut in patients.values()]
    score = [cut.score for cut in patients.values()]
    return np.concatenate(ictal), np.concatenate(score)


def _area(ictal: Flags, score: Values) -> float:
    if not len(ictal) or ictal.all() or not ictal.any():
        return float("nan")
    return float(roc_auc_score(ictal, score))


def _mean(values: Mapping[str, float]) -> Interval:
    return mean_over({p: x for p, x in values.items() if not np.isnan(x)})


def against(some: Sequence[Prediction], others: Sequence[Prediction]) -> float:
    """Area of the ictal windows of some recordings against all windows of others."""
    found = window_scores(some)
    share = np.concatenate([np.zeros(0), *(w.ictal_share for w in found)])
    score = np.concatenate([np.zeros(0), *(w.score for w in found)])
    quiet = np.concatenate([np.zeros(0), *(w.score for w in window_scores(others))])
    yes = score[share >= ICTAL_SHARE]
    ictal = np.concatenate([np.ones(len(yes), bool), np.zeros(len(quiet), bool)])
    return _area(ictal, np.concatenate([yes, quiet]))
