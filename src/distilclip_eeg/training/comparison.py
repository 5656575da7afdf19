"""Finished runs, several seeds of each recipe -> one table of what they cost and score.

Every run is exported, and judged as anybody would judge it: by its model folder, on
recordings of patients it never saw, and on simulated recordings of unseen seeds. The
random forest of `evaluation.forest` learns from the same recordings and stands in the
same rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from distilclip_eeg.config import Config, DetectionConfig, SignalConfig
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.assessment import Assessment
from distilclip_eeg.evaluation.cost import cost_of
from distilclip_eeg.evaluation.evaluate import Models, evaluate
from distilclip_eeg.evaluation.forest import predicted, recording_features, train
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    read_predictions,
    save_predictions,
)
from distilclip_eeg.evaluation.report import provenance
from distilclip_eeg.evaluation.runs import DRAWS, Recipe, Row, above, row_of
from distilclip_eeg.training.export import count_parameters, export
from distilclip_eeg.training.run_folder import load_run
from distilclip_eeg.training.trained import load_trained

FOREST: Final = "random forest"
REAL, SIMULATED = "real", "simulated"

Rows = Mapping[str, Sequence[Path]]


@dataclass(frozen=True, slots=True)
class Data:
    """What recipes are judged on.

    Attributes
    ----------
    real, simulated
        As `evaluate` takes them: a folder with a manifest, a store, `simulated:1-9`.
    folds
        Of `real`; no run may have been trained on them.
    """

    real: str
    folds: tuple[int, ...]
    simulated: str


def compare(
    rows: Rows,
    data: Data,
    output: Path,
    *,
    example: Callable[[Config], Any],
    learned: Mapping[str, Sequence[StoredRecording]] | None = None,
    judged: Mapping[str, Sequence[StoredRecording]] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Judge every run and write `table.json` and `table.md`.

    Predictions are kept in `output`, one file per run and data; a run that is there
    already, with the same weights, is not judged again.

    Parameters
    ----------
    rows
        Name of a recipe -> its runs, one per seed.
    example
        Makes the test vector of an exported model.
    learned, judged
        For `real` and `simulated`, the stored recordings that the forest learns from
        and is judged on; no forest if not given.

    Raises
    ------
    ConfigError
        If a run was trained on one of the folds.
    """
    _check_unseen(rows, data.folds)
    output.mkdir(parents=True, exist_ok=True)
    judgements: dict[str, dict[str, list[list[Prediction]]]] = {}
    costs: dict[str, dict[str, Any]] = {}
    for name, runs in rows.items():
        for run in runs:
            say(f"{name}: {run}")
            said, cost = _judge(run, data, output, example)
            costs.setdefault(name, cost)
            for where, predictions in said.items():
                judgements.setdefault(name, {}).setdefault(where, []).append(
                    predictions
                )
    if learned and judged:
        seeds = range(max(len(runs) for runs in rows.values()))
        signal = load_run(next(iter(rows.values()))[0])[0].signal
        judgements[FOREST] = {
            where: _forests(where, learned[where], judged[where], seeds, signal, output)
            for where in learned
        }
    table = _table(judgements, costs, data)
    with written_whole(output / "table.json") as partial:
        partial.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n")
    with written_whole(output / "table.md") as partial:
        partial.write_text(markdown(table))
    return table


def _check_unseen(rows: Rows, folds: Sequence[int]) -> None:
    for runs in rows.values():
        for run in runs:
            seen = load_run(run)[0].data.folds
            if not seen or set(seen) & set(folds):
                raise ConfigError(
                    f"{run}: trained on folds {', '.join(map(str, seen)) or 'all'}, "
                    f"and to be judged on {', '.join(map(str, folds))}; name folds "
                    "that it never saw"
                )


def _judge(
    run: Path, data: Data, output: Path, example: Callable[[Config], Any]
) -> tuple[dict[str, list[Prediction]], dict[str, Any]]:
    config, model = load_trained(run)
    noted = output / f"{run.name}.json"
    paths = {w: output / f"{run.name}_{w}.tsv" for w in (REAL, SIMULATED)}
    with TemporaryDirectory() as room:
        folder = Path(room) / "model"
        export(run, folder, card="Exported to be judged.\n", example=example(config))
        sha256 = Models(str(folder)).first().folder.sha256
        if _is_of(noted, sha256, paths):
            cost = json.loads(noted.read_text())["cost"]
        else:
            for where, path in paths.items():
                given = data.real if where == REAL else data.simulated
                folds = data.folds if where == REAL else None
                done = evaluate(Models(str(folder), threads=1), given, folds)
                save_predictions(path, done.predictions)
            cost = cost_of(folder, threads=1)
            cost["parameters"] = count_parameters(model)
            with written_whole(noted) as partial:
                text = json.dumps({"sha256": sha256, "cost": cost}, indent=1)
                partial.write_text(text + "\n")
    return {where: read_predictions(path) for where, path in paths.items()}, cost


def _is_of(noted: Path, sha256: str, paths: Mapping[str, Path]) -> bool:
    there = noted.is_file() and all(path.is_file() for path in paths.values())
    return there and json.loads(noted.read_text())["sha256"] == sha256


def _forests(
    where: str,
    learned: Sequence[StoredRecording],
    judged: Sequence[StoredRecording],
    seeds: Sequence[int],
    signal: SignalConfig,
    output: Path,
) -> list[list[Prediction]]:
    paths = [output / f"forest-{seed}_{where}.tsv" for seed in seeds]
    if not all(path.is_file() for path in paths):
        known = [recording_features(recording, signal) for recording in learned]
        asked = [recording_features(recording, signal) for recording in judged]
        for seed, path in zip(seeds, paths, strict=True):
            forest = train(known, seed)
            save_predictions(
                path,
                [predicted(forest, r, f) for r, f in zip(judged, asked, strict=True)],
            )
    return [read_predictions(path) for path in paths]


def _table(
    judgements: Mapping[str, Mapping[str, Sequence[Sequence[Prediction]]]],
    costs: Mapping[str, dict[str, Any]],
    data: Data,
) -> dict[str, Any]:
    settings = DetectionConfig()  # the sweep over thresholds starts from these
    assessed = {
        name: {
            where: Recipe([Assessment.of_predictions(run, settings) for run in runs])
            for where, runs in by_data.items()
        }
        for name, by_data in judgements.items()
    }
    rows = {
        name: {
            "cost": costs.get(name),
            **{where: _dicts(row_of(recipe)) for where, recipe in by_data.items()},
        }
        for name, by_data in assessed.items()
    }
    pairs = {
        f"{a} above {b}": {
            where: _dicts(above(assessed[a][where], assessed[b][where]))
            for where in assessed[a].keys() & assessed[b]
        }
        for a, b in combinations(assessed, 2)
    }
    first = next(iter(judgements.values()))
    return {
        **provenance(DRAWS, 0),
        "data": {
            "folds": list(data.folds),
            "simulated": Path(data.simulated).name,
            **{where: _described(runs[0]) for where, runs in first.items()},
        },
        "rows": rows,
        "pairs": pairs,
    }


def _described(predictions: Sequence[Prediction]) -> dict[str, Any]:
    return {
        "n_recordings": len(predictions),
        "n_patients": len({p.patient for p in predictions}),
        "n_patients_with_seizures": len({p.patient for p in predictions if p.seizures}),
        "n_seizures": sum(len(p.seizures) for p in predictions),
        "hours": round(sum(p.duration_s for p in predictions) / 3600, 3),
    }


def _dicts(rows: Mapping[str, Row]) -> dict[str, Any]:
    return {name: row.as_dict() for name, row in rows.items()}


_HEAD: Final = (
    "model", "parameters", "EEG tower", "multiply-adds per hour", "ONNX file",
    "memory", "s per hour of EEG", "real: AUROC", "real: AUROC pooled",
    "simulated: AUROC", "simulated: accuracy", "simulated: balanced accuracy",
    "simulated: sensitivity at 1 false alarm per day",
)  # fmt: skip


_DIFFERENCES: Final = (
    "difference", "real: AUROC", "simulated: accuracy", "simulated: balanced accuracy",
    "simulated: sensitivity at 1 false alarm per day",
)  # fmt: skip


def markdown(table: Mapping[str, Any]) -> str:
    """Return the table and the differences for a person to read."""
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for name, row in table["rows"].items():
        lines.append(_line([name, *_costs(row["cost"]), *_scores(row)]))
    lines += ["", _line(_DIFFERENCES), _line(["---"] * len(_DIFFERENCES))]
    for name, pair in table["pairs"].items():
        cells = (
            _cell(pair, REAL, "auroc"),
            _cell(pair, SIMULATED, "accuracy"),
            _cell(pair, SIMULATED, "balanced_accuracy"),
            _cell(pair, SIMULATED, "sensitivity_at_1_per_day"),
        )
        lines.append(_line([name, *cells]))
    return "\n".join(lines) + "\n"


def _costs(cost: Mapping[str, Any] | None) -> list[str]:
    if cost is None:
        return ["–"] * 6
    onnx = next(n for name, n in cost["files_bytes"].items() if name.endswith(".onnx"))
    return [
        f"{cost['parameters']['total'] / 1e6:.2f} M",
        f"{cost['parameters']['eeg'] / 1e6:.2f} M",
        f"{cost['multiply_adds_per_hour'] / 1e9:.0f} G",
        f"{onnx / 1e6:.1f} MB",
        f"{cost['peak_memory_bytes'] / 1e6:.0f} MB",
        f"{cost['seconds_per_hour']:.1f}",
    ]


def _scores(row: Mapping[str, Any]) -> list[str]:
    return [
        _cell(row, REAL, "auroc"),
        _cell(row, REAL, "auroc_pooled"),
        _cell(row, SIMULATED, "auroc"),
        _cell(row, SIMULATED, "accuracy"),
        _cell(row, SIMULATED, "balanced_accuracy"),
        _cell(row, SIMULATED, "sensitivity_at_1_per_day"),
    ]


def _cell(row: Mapping[str, Any], where: str, name: str) -> str:
    figure = row.get(where, {}).get(name, {"value": None})
    if figure["value"] is None:
        return "–"
    text = f"{figure['value']:.3f}"
    if figure["low"] is not None:
        text += f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    known = [run for run in figure["runs"] if run is not None]
    if len(known) > 1:
        text += f" ({min(known):.3f} to {max(known):.3f})"
    return text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
