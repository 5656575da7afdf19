"""Predictions of segments on disk -> the table of the paper's experiment.

Nothing but the predictions is read. Random segments: mean over seeds, with Student's
interval. By patient: mean over patients, each the mean over seeds, with bounds over
draws of patients. Two classes give the figures of a detector, more those of
`class_figures.py` and the counts of the confusion matrix.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t
from sklearn.metrics import roc_curve

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.evaluation.experiment.class_figures import (
    RECALL,
    class_figures,
    confusion_counts,
    count_figures,
    figure_names,
)
from distilclip_eeg.evaluation.experiment.protocols import LEAK, LEAKY
from distilclip_eeg.evaluation.experiment.scored_segments import Scored, read_scored
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES, INVISIBLE
from distilclip_eeg.evaluation.intervals import DRAWS, LEVEL, Interval, drawn
from distilclip_eeg.evaluation.windows import window_figures

FIGURES: Final = ("accuracy", "balanced_accuracy", "f1", "auroc")
PUBLISHED: Final = {"accuracy": "> 0.97", "f1": "> 0.94"}
"""Of teacher and student on each data set: Wang 2025, doi 10.1109/JBHI.2025.3603022."""
ORDER: Final = (
    *("teacher", "student", "student_alone", "student_fixed_prompts"),
    *("student_no_prompts", "forest", "clock", "shuffled"),
)
LEAST: Final = 1e-12  # a probability of 0 has no log-odds
TOO_MUCH: Final = 0.95  # of what cannot be seen

Numbers = dict[str, Any]


def table_of(folder: Path, about: Mapping[str, Any] | None = None) -> Numbers:
    """Compute the table of an experiment from its predictions alone.

    Parameters
    ----------
    about
        What else to note: data, settings, see `training.reproduction.about`.

    Returns
    -------
    Protocol -> model -> figure -> `mean`, `low`, `high`, `each` (seed or patient), and
    for patients `pooled`; beside `warning`, `published`, `level` and `about`. Crossed
    data sets are a protocol per pair. What cannot be had is None. With more classes
    than two there are `classes`, `alarms` and in each row `confusion`, the segments of
    all seeds by what they are (rows) and what they are called; and since few patients
    have all classes, `pooled_low` and `pooled_high` beside `pooled`.
    """
    groups: dict[str, dict[str, list[Scored]]] = defaultdict(lambda: defaultdict(list))
    everything = read_scored(folder)
    for scored in everything:
        groups[_section(scored)][scored.key.model].append(scored)
    table: Numbers = {
        "warning": LEAK if any(name in LEAKY for name in groups) else "",
        "published": PUBLISHED,
        "level": LEVEL,
        "about": dict(about or {}),
    }
    for section, models in groups.items():
        row_of = _over_seeds if section in LEAKY else _over_patients
        table[section] = {
            model: row_of(models[model]) for model in sorted(models, key=_rank)
        }
    if (classes := everything[0].classes) != CLASSES:
        table |= {"classes": list(classes), "alarms": _alarms(table)}
    return table


def _alarms(table: Numbers) -> list[str]:
    """Say where seizures were found that nobody can see on EEG."""
    found = []
    for section in sections(table):
        for model, row in table[section].items():
            figure = row.get(f"{RECALL}{INVISIBLE}", {})
            recall = figure.get("pooled", figure.get("mean"))
            if recall is not None and recall >= TOO_MUCH:
                found.append(
                    f"Leak alarm: under `{section}` `{model}` finds {recall:.0%} of "
                    f"the class '{INVISIBLE}', of which EEG shows nothing by "
                    "definition: something other than a seizure gives it away."
                )
    return found


class Curve(NamedTuple):
    """Of the segments of all seeds: false alarm rate and sensitivity, from 0 to 1."""

    protocol: str
    model: str
    false_rate: NDArray[np.floating]
    sensitivity: NDArray[np.floating]


def curves(folder: Path) -> list[Curve]:
    """Give the ROC of every model and protocol; none where one class is absent."""
    groups: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for scored in read_scored(folder):
        groups[_section(scored), scored.key.model].append(scored)
    found = []
    for section, model in sorted(groups, key=lambda key: (key[0], _rank(key[1]))):
        ictal = np.concatenate([s.ictal for s in groups[section, model]])
        p = np.concatenate([s.probability for s in groups[section, model]])
        if ictal.any() and not ictal.all():
            found.append(Curve(section, model, *roc_curve(ictal, p)[:2]))
    return found


_NO_SECTION: Final = (
    *("warning", "published", "level", "about"),
    *("classes", "alarms"),
)


def sections(table: Mapping[str, Any]) -> list[str]:
    """Return the protocols of a table."""
    return [name for name in table if name not in _NO_SECTION]


def write_table(
    folder: Path, table: Mapping[str, Any], text: str, name: str = "table"
) -> list[Path]:
    """Write `table.json` and `table.md`."""
    content = {
        folder / f"{name}.json": json.dumps(table, indent=1, allow_nan=False) + "\n",
        folder / f"{name}.md": text,
    }
    for path, what in content.items():
        with written_whole(path) as partial:
            partial.write_text(what, encoding="utf-8", newline="\n")
    return list(content)


def _rank(model: str) -> tuple[int, str]:
    return (ORDER.index(model) if model in ORDER else len(ORDER), model)


def _section(scored: Scored) -> str:
    key = scored.key
    return f"cross: {key.part}" if key.protocol == "cross" else key.protocol


def _over_seeds(scored: Sequence[Scored]) -> Numbers:
    classes = scored[0].classes
    each = {s.key.seed: _figures((s.labels, s.probabilities), classes) for s in scored}
    row = _counts(scored)
    for name in _names(classes):
        values = [figures[name] for figures in each.values()]
        low, high = _student(values)
        row[name] = {
            "mean": _number(_mean(values)),
            "low": _number(low),
            "high": _number(high),
            "each": {str(seed): _number(f[name]) for seed, f in each.items()},
        }
    return row


def _student(values: Sequence[float]) -> tuple[float, float]:
    """Bounds of a mean; with three seeds 4.3 standard errors to each side."""
    n = len(values)
    if n < 2:
        return np.nan, np.nan
    middle = float(np.mean(values))
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _over_patients(scored: Sequence[Scored]) -> Numbers:
    by_seed: dict[int, list[Scored]] = defaultdict(list)
    for each in scored:
        by_seed[each.key.seed].append(each)
    classes = scored[0].classes
    names = _names(classes)
    pooled = [_pooled(group) for group in by_seed.values()]
    patients = sorted({patient for one in pooled for patient in one})
    found = {
        p: [_figures(one[p], classes) for one in pooled if p in one] for p in patients
    }
    values = {
        name: np.array([_mean([f[name] for f in found[p]]) for p in patients])
        for name in names
    }
    over_all = [_figures(_joined(list(one.values())), classes) for one in pooled]
    bounds = drawn(_weighted_means(values), len(patients), DRAWS, seed=0)
    row = _counts(scored)
    for name in names:
        row[name] = {
            "mean": _number(bounds[name].value),
            "low": _number(bounds[name].low),
            "high": _number(bounds[name].high),
            "pooled": _number(_mean([figures[name] for figures in over_all])),
            "each": {
                patient: _number(value)
                for patient, value in zip(patients, values[name].tolist(), strict=True)
            },
        }
    if classes != CLASSES:
        counts = [_counts_of(p, pooled, len(classes)) for p in patients]
        for name, bound in _pooled_bounds(counts, classes).items():
            row[name]["pooled_low"] = _number(bound.low)
            row[name]["pooled_high"] = _number(bound.high)
    return row


def _counts_of(
    patient: str, pooled: Sequence[Mapping[str, Labelled]], n_classes: int
) -> NDArray[np.int64]:
    """(K, K) of one patient, all seeds together."""
    counts = np.zeros((n_classes, n_classes), np.int64)
    for one in pooled:
        if patient in one:
            counts += confusion_counts(*one[patient])
    return counts


def _pooled_bounds(
    counts: Sequence[NDArray[np.int64]], classes: Sequence[str]
) -> dict[str, Interval]:
    """Bounds over draws of patients, whose segments are thrown together."""
    stacked = np.stack(counts).astype(float)  # (P, K, K)
    return drawn(
        lambda weights: count_figures(np.tensordot(weights, stacked, 1), classes),
        len(counts),
        DRAWS,
        seed=0,
    )


Labelled = tuple[NDArray[np.intp], NDArray[np.floating]]


def _pooled(scored: Sequence[Scored]) -> dict[str, Labelled]:
    """Patient -> (n,) labels, (n, K) probabilities over all parts of one seed."""
    parts: dict[str, list[Labelled]] = defaultdict(list)
    for each in scored:
        names = np.array(each.patients)
        for patient in sorted(set(each.patients)):
            own = names == patient
            parts[patient].append((each.labels[own], each.probabilities[own]))
    return {patient: _joined(of) for patient, of in parts.items()}


def _joined(parts: Sequence[Labelled]) -> Labelled:
    labels, probabilities = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(probabilities)


def _weighted_means(
    values: Mapping[str, NDArray[np.floating]],
) -> Callable[[NDArray[np.floating]], dict[str, float]]:
    """Mean over the patients who have a figure, each as often as drawn."""

    def means(weights: NDArray[np.floating]) -> dict[str, float]:
        found = {}
        for name, of in values.items():
            w = np.where(np.isnan(of), 0, weights)
            total = (w * np.nan_to_num(of)).sum()
            found[name] = float(total / w.sum()) if w.any() else float("nan")
        return found

    return means


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    return FIGURES if tuple(classes) == CLASSES else figure_names(classes)


def _figures(of: Labelled, classes: Sequence[str]) -> dict[str, float]:
    labels, probabilities = of
    if tuple(classes) != CLASSES:
        return class_figures(labels, probabilities, classes)
    odds = logit(np.clip(probabilities[:, 1], LEAST, 1 - LEAST))
    figures = window_figures(labels > 0, odds)
    if not labels.any():  # without a seizure an F1 says nothing
        figures["f1"] = float("nan")
    return {name: figures[name] for name in FIGURES}


def _counts(scored: Sequence[Scored]) -> Numbers:
    row = {
        "seeds": sorted({s.key.seed for s in scored}),
        "parts": len({s.key.part for s in scored}),
        "patients": len({p for s in scored for p in s.patients}),
        "segments": round(sum(len(s.labels) for s in scored) / _n_seeds(scored)),
        "seizure_segments": round(
            sum(int(s.ictal.sum()) for s in scored) / _n_seeds(scored)
        ),
    }
    if scored[0].classes != CLASSES:
        counts = [confusion_counts(s.labels, s.probabilities) for s in scored]
        row["confusion"] = np.sum(counts, axis=0).tolist()
    return row


def _n_seeds(scored: Sequence[Scored]) -> int:
    return len({s.key.seed for s in scored})


def _mean(values: Sequence[float]) -> float:
    had = [value for value in values if not np.isnan(value)]
    return float(np.mean(had)) if had else float("nan")


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)
