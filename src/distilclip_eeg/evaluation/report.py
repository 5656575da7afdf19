"""Assessments -> what `scores.json` holds.

Every figure stands with its interval, beside the scorers and their versions. Numbers
that cannot be had are None.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

from distilclip_eeg.evaluation.assessment import Assessment, Patient
from distilclip_eeg.evaluation.intervals import LEVEL, intervals
from distilclip_eeg.evaluation.nedc import EPOCH_S, GUARD_S
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.trees import Matched
from distilclip_eeg.evaluation.windows import CELLS, HOP_S, WINDOW_S

DIGITS: Final = 6
WINDOWS_SAID: Final = (
    f"{WINDOW_S} s, hop {HOP_S} s, those less than half ictal left out; called a "
    "seizure from even odds on"
)

Nested = dict[str, Any]


def provenance(draws: int, seed: int) -> Nested:
    """Say which scorers, in which version, and how intervals were drawn."""
    own = version("distilclip-eeg")
    szcore = f"timescoring {version('timescoring')}"
    nedc = f"distilclip-eeg {own}, after Shah et al. 2021"
    return {
        "package_version": own,
        "windows": {"window_s": WINDOW_S, "hop_s": HOP_S, "said": WINDOWS_SAID},
        "scorers": {
            "windows": f"scikit-learn {version('scikit-learn')}",
            "szcore_event": szcore,
            "szcore_sample": f"{szcore}, 1 Hz",
            "nedc_ovlp": f"{nedc}, guard {GUARD_S:g} s",
            "nedc_taes": nedc,
            "nedc_epoch": f"{nedc}, epochs of {EPOCH_S:g} s",
            "sensitivity_at_per_day": f"{szcore}, events, best threshold",
            "seizures": "any overlap with an event",
        },
        "bootstrap": {"over": "patients", "draws": draws, "seed": seed, "level": LEVEL},
    }


def nested_scores(
    predictions: Sequence[Prediction],
    assess: Callable[[Sequence[Prediction]], Assessment],
    draws: int,
    seed: int,
) -> Nested:
    """Give the figures of all recordings, of each data set, and of each patient."""
    whole = assess(predictions)
    datasets = sorted({p.dataset for p in predictions})
    by_dataset = {}
    for dataset in datasets if len(datasets) > 1 else []:
        group = assess([p for p in predictions if p.dataset == dataset])
        by_dataset[dataset] = over_patients(group, draws, seed)
    return {
        "scores": over_patients(whole, draws, seed),
        "by_dataset": by_dataset,
        "patients": by_patient(whole),
    }


def tree_scores(
    matched: Matched, names: tuple[str, str], draws: int, seed: int
) -> Nested:
    """Give the figures of event tables, as `distilclip score` writes them.

    Parameters
    ----------
    names
        Of the experts' folder and of the detector's.
    """
    assessment = Assessment.of_outcomes(matched.outcomes)
    said = provenance(draws, seed)
    del said["windows"]
    for unused in ("windows", "sensitivity_at_per_day"):
        del said["scorers"][unused]
    return {
        "reference": names[0],
        "hypothesis": names[1],
        **said,
        "missing": list(matched.missing),
        "extra": list(matched.extra),
        "no_tables": list(matched.no_tables),
        "scores": over_patients(assessment, draws, seed),
        "patients": by_patient(assessment),
    }


def over_patients(assessment: Assessment, draws: int, seed: int) -> Nested:
    """Nest figures as group, figure, and pooled or mean, each with its bounds."""
    found = intervals(assessment, draws, seed)
    scores: Nested = defaultdict(lambda: defaultdict(dict))
    for name, interval in found.items():
        over, group, figure = name.split("/")
        scores[group][figure][over] = {
            key: _number(value) for key, value in interval._asdict().items()
        }
    nested = {group: dict(figures) for group, figures in scores.items()}
    patients = assessment.patients.values()
    windows = assessment.confusion()
    if any(windows.values()):
        nested["confusion"] = {name: int(windows[name]) for name in CELLS}
    nested["n"] = {
        "patients": len(assessment.patients),
        "recordings": sum(p.n_recordings for p in patients),
        "seizures": sum(p.n_seizures for p in patients),
        "hours": _number(_hours(patients)),
        "seizures_by": dict(sorted(_seizures_by(assessment).items())),
    }
    if assessment.false_by_pattern:
        nested["false_alarms_by_pattern"] = dict(
            sorted(assessment.false_by_pattern.items())
        )
    return nested


def by_patient(assessment: Assessment) -> dict[str, Nested]:
    """Nest the figures of each patient as group and figure."""
    rows = {}
    for name, figures in assessment.by_patient().items():
        patient = assessment.patients[name]
        row: Nested = {
            "n_recordings": patient.n_recordings,
            "n_seizures": patient.n_seizures,
            "hours": _number(_hours([patient])),
        }
        for figure, value in sorted(figures.items()):
            group, _, own = figure.partition("/")
            row.setdefault(group, {})[own] = _number(value)
        rows[name] = row
    return rows


def _seizures_by(assessment: Assessment) -> Counter[str]:
    counted: Counter[str] = Counter()
    for patient in assessment.patients.values():
        for name, (_, n) in patient.shares.items():
            if name != "reading/left":
                counted[name] += int(n)
    return counted


def _hours(patients: Iterable[Patient]) -> float:
    return sum(p.counts["szcore_event"].duration_s for p in patients) / 3600


def _number(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None
