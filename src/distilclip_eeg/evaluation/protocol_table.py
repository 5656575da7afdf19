"""Predictions of segments on disk -> the table of the paper's experiment.

One file per protocol, model, seed and part says all that the table needs; nothing else
is read. Random segments: mean over seeds, with Student's interval. By patient: mean
over patients, each the mean over seeds, with bounds over draws of patients.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t
from sklearn.metrics import roc_curve

from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.intervals import DRAWS, LEVEL, drawn
from distilclip_eeg.evaluation.protocols import LEAK, LEAKY, Segment
from distilclip_eeg.evaluation.windows import window_figures

COLUMNS: Final = ("segment", "patient", "part", "label", "probability")
PREDICTIONS: Final = "predictions"
FIGURES: Final = ("accuracy", "balanced_accuracy", "f1", "auroc")
PUBLISHED: Final = {"accuracy": "> 0.97", "f1": "> 0.94"}
"""Of teacher and student on each data set: Wang 2025, doi 10.1109/JBHI.2025.3603022."""
ORDER: Final = ("teacher", "student", "student_alone", "forest", "clock", "shuffled")
LEAST: Final = 1e-12  # a probability of 0 has no log-odds

Numbers = dict[str, Any]


class Key(NamedTuple):
    """What one file of predictions is of."""

    protocol: str
    model: str
    seed: int
    part: str

    def path(self, folder: Path) -> Path:
        """Return where its predictions lie below the folder of an experiment."""
        part = re.sub(r"[^\w.]+", "-", self.part)
        below = Path(PREDICTIONS, self.protocol, self.model)
        return folder / below / f"seed{self.seed}-{part}.tsv"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The N segments of one file.

    Attributes
    ----------
    ictal
        (N,) what they are.
    probability
        (N,) of a seizure, as the model has it.
    """

    key: Key
    patients: tuple[str, ...]
    ictal: NDArray[np.bool_]
    probability: NDArray[np.floating]

    def figures(self) -> dict[str, float]:
        return _figures(self.ictal, self.probability)


def write_scored(
    folder: Path,
    key: Key,
    segments: Sequence[Segment],
    probability: NDArray[np.floating],
) -> Path:
    """Write one line per segment; return where."""
    lines = ["\t".join(COLUMNS)]
    for segment, p in zip(segments, probability.tolist(), strict=True):
        person = person_of(segment.recording.patient)
        label = int(segment.ictal)
        lines.append(f"{segment.name}\t{person}\t{key.part}\t{label}\t{p:.10g}")
    path = key.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def read_scored(folder: Path) -> list[Scored]:
    """Read all predictions of an experiment.

    Raises
    ------
    CorpusError
        If there are none, or a file is not as `write_scored` leaves it.
    """
    paths = sorted((folder / PREDICTIONS).glob("*/*/seed*-*.tsv"))
    if not paths:
        raise CorpusError(f"{folder}: found no {PREDICTIONS}, expected some to score")
    return [_read(path) for path in paths]


def _read(path: Path) -> Scored:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        seed = int(path.name.removeprefix("seed").partition("-")[0])
        part = rows[0]["part"]
        key = Key(path.parent.parent.name, path.parent.name, seed, part)
        return Scored(
            key,
            tuple(row["patient"] for row in rows),
            np.array([row["label"] == "1" for row in rows]),
            np.array([float(row["probability"]) for row in rows]),
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(
            f"{path}: found {error!r}, expected lines of {' '.join(COLUMNS)}"
        ) from None


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
    data sets are a protocol per pair. What cannot be had is None.
    """
    groups: dict[str, dict[str, list[Scored]]] = defaultdict(lambda: defaultdict(list))
    for scored in read_scored(folder):
        groups[_section(scored.key)][scored.key.model].append(scored)
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
    return table


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
        groups[_section(scored.key), scored.key.model].append(scored)
    found = []
    for section, model in sorted(groups, key=lambda key: (key[0], _rank(key[1]))):
        ictal, p = _joined((s.ictal, s.probability) for s in groups[section, model])
        if ictal.any() and not ictal.all():
            found.append(Curve(section, model, *roc_curve(ictal, p)[:2]))
    return found


def sections(table: Mapping[str, Any]) -> list[str]:
    """Return the protocols of a table."""
    return [k for k in table if k not in ("warning", "published", "level", "about")]


def write_table(folder: Path, table: Mapping[str, Any], text: str) -> list[Path]:
    """Write `table.json` and `table.md`."""
    content = {
        "table.json": json.dumps(table, indent=1, allow_nan=False) + "\n",
        "table.md": text,
    }
    for name, what in content.items():
        with written_whole(folder / name) as partial:
            partial.write_text(what, encoding="utf-8", newline="\n")
    return [folder / name for name in content]


def _rank(model: str) -> tuple[int, str]:
    return (ORDER.index(model) if model in ORDER else len(ORDER), model)


def _section(key: Key) -> str:
    return f"cross: {key.part}" if key.protocol == "cross" else key.protocol


def _over_seeds(scored: Sequence[Scored]) -> Numbers:
    each = {s.key.seed: s.figures() for s in scored}
    row = _counts(scored)
    for name in FIGURES:
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
    pooled = [_pooled(group) for group in by_seed.values()]
    patients = sorted({patient for one in pooled for patient in one})
    found = {p: [_figures(*one[p]) for one in pooled if p in one] for p in patients}
    values = {
        name: np.array([_mean([f[name] for f in found[p]]) for p in patients])
        for name in FIGURES
    }
    over_all = [_figures(*_joined(one.values())) for one in pooled]
    bounds = drawn(_weighted_means(values), len(patients), DRAWS, seed=0)
    row = _counts(scored)
    for name in FIGURES:
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
    return row


Labelled = tuple[NDArray[np.bool_], NDArray[np.floating]]


def _pooled(scored: Sequence[Scored]) -> dict[str, Labelled]:
    """Patient -> labels and probabilities over all parts of one seed."""
    parts: dict[str, list[Labelled]] = defaultdict(list)
    for each in scored:
        names = np.array(each.patients)
        for patient in sorted(set(each.patients)):
            own = names == patient
            parts[patient].append((each.ictal[own], each.probability[own]))
    return {patient: _joined(of) for patient, of in parts.items()}


def _joined(parts: Any) -> Labelled:
    ictal, probability = zip(*parts, strict=True)
    return np.concatenate(ictal), np.concatenate(probability)


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


def _figures(
    ictal: NDArray[np.bool_], probability: NDArray[np.floating]
) -> dict[str, float]:
    figures = window_figures(ictal, logit(np.clip(probability, LEAST, 1 - LEAST)))
    if not ictal.any():  # without a seizure an F1 says nothing
        figures["f1"] = float("nan")
    return {name: figures[name] for name in FIGURES}


def _counts(scored: Sequence[Scored]) -> Numbers:
    return {
        "seeds": sorted({s.key.seed for s in scored}),
        "parts": len({s.key.part for s in scored}),
        "patients": len({p for s in scored for p in s.patients}),
        "segments": round(sum(len(s.ictal) for s in scored) / _n_seeds(scored)),
        "seizure_segments": round(
            sum(int(s.ictal.sum()) for s in scored) / _n_seeds(scored)
        ),
    }


def _n_seeds(scored: Sequence[Scored]) -> int:
    return len({s.key.seed for s in scored})


def _mean(values: Sequence[float]) -> float:
    had = [value for value in values if not np.isnan(value)]
    return float(np.mean(had)) if had else float("nan")


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 5)


def markdown(table: Mapping[str, Any], title: str) -> str:
    """Write a table for people, the warning on top."""
    lines = [f"# {title}", ""]
    lines += [f"> **{table['warning']}**", ""] if table["warning"] else []
    names = ("accuracy", "F1 (seizure)", "AUROC", "balanced accuracy", "seeds")
    lines.append(_line("protocol", "model", *names))
    lines.append(_line("---", "---", *("---:" for _ in names)))
    for section in sections(table):
        if section == "paper":
            cells = (PUBLISHED["accuracy"], PUBLISHED["f1"], "–", "–", "–")
            lines.append(_line("paper", "*as published, teacher and student*", *cells))
        for model, row in table[section].items():
            shown = [_cell(row[k]) for k in ("accuracy", "f1", "auroc")]
            shown += [_cell(row["balanced_accuracy"]), str(len(row["seeds"]))]
            label = f"{section} (leaky)" if section in LEAKY else section
            lines.append(_line(label, model, *shown))
    lines += ["", *_losses(table), *_notes(table)]
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["mean"] is None:
        return "–"
    text = f"{figure['mean']:.3f}"
    if figure["low"] is not None:
        text += f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return text


def _losses(table: Mapping[str, Any]) -> Iterator[str]:
    """Say what is left of the leaky figures when patients are new."""
    leaky, honest = table.get("paper", {}), table.get("patient", {})
    for model in (name for name in leaky if name in honest):
        before, after = leaky[model]["accuracy"], honest[model]["accuracy"]
        yield (
            f"`{model}`: accuracy {before['mean']:.3f} on people it knows, "
            f"{after['pooled']:.3f} on people it never saw (all segments together)."
        )
        yield ""


def _notes(table: Mapping[str, Any]) -> Iterator[str]:
    level = f"{100 * table['level']:g} %"
    yield (
        "Segments of 10 s, hop 5 s (10 s under `paper_disjoint`), those less than half "
        "ictal left out; called a seizure from even odds on. In brackets: under "
        f"`paper` and `paper_disjoint` Student's {level} interval over seeds, else the "
        f"mean over patients with {level} of {DRAWS} draws of patients."
    )
    if of := table["about"]:
        yield ""
        yield (
            f"Rests on {of['recordings']} recordings of {of['patients']} patients "
            f"({of['datasets']}), {of['hours']} h. Split by patient: {of['split']}."
        )
