"""Scores -> Markdown tables that a person reads, of one detector or of several.

Takes what `report` and `evaluate` put together; a number that could not be had is a
dash. Computes nothing but means over seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from distilclip_eeg.evaluation.onsets import JOIN_FIGURES, ONSET_FIGURES, ONSETS_SAID
from distilclip_eeg.evaluation.report import WINDOWS_SAID
from distilclip_eeg.evaluation.thresholds import RATES_PER_DAY
from distilclip_eeg.evaluation.windows import CELLS, FIGURES

DASH: Final = "–"
SCORER_NAMES: Final = {
    "szcore_event": "SzCORE, events",
    "szcore_sample": "SzCORE, seconds",
    "nedc_ovlp": "NEDC OVLP",
    "nedc_taes": "NEDC TAES",
    "nedc_epoch": "NEDC EPOCH",
}
FIGURE_NAMES: Final = {
    "f1": "F1, seizure",
    "f1_macro": "F1, macro",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "mcc": "MCC",
    "calibration_error": "expected calibration error",
}
COMPARED: Final = (
    ("parameters", "cost/parameters/total", 0),
    ("that run", "cost/run_time/parameters", 0),
    ("multiply-adds / h", "cost/multiply_adds_per_hour", 0),
    ("ONNX, bytes", "cost/files_bytes/model.onnx", 0),
    ("memory, bytes", "cost/peak_memory_bytes", 0),
    ("s / h", "cost/seconds_per_hour", 2),
    ("accuracy", "scores/windows/accuracy/pooled/value", 3),
    ("AUROC, mean", "scores/windows/auroc/mean/value", 3),
    ("AUROC, pooled", "scores/windows/auroc/pooled/value", 3),
    ("event F1, mean", "scores/szcore_event/f1/mean/value", 3),
    ("false / day", "scores/szcore_event/false_alarms_per_day/pooled/value", 1),
    ("sensitivity at 1 / day", "scores/sensitivity_at_per_day/1/pooled/value", 3),
)
COUNTED: Final = (
    ("sensitivity", 3),
    ("precision", 3),
    ("f1", 3),
    ("false_alarms_per_day", 1),
)


def scores_table(scores: Mapping[str, Any]) -> str:
    """Give what `evaluate` found as Markdown."""
    data, of = scores["data"], scores["scores"]
    lines = [
        f"# {scores['name']} on {data['given']}",
        "",
        rests_on(data, len(scores["skipped"])),
        interval_note(scores["bootstrap"]),
        "",
        *window_rows(of),
        *event_rows(of, scores["settings"]["onset_threshold"]),
        *_at_rates(of),
        *seizure_rows(of),
        *onset_rows(scores.get("onsets")),
        *dataset_rows(scores["by_dataset"]),
        *_by_patient(scores["patients"]),
        *_cost_rows(scores["cost"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def trees_table(scores: Mapping[str, Any]) -> str:
    """Give what `score` found as Markdown; missing tables are named first."""
    n, missing, extra = scores["scores"]["n"], scores["missing"], scores["extra"]
    lines = [
        f"# {scores['hypothesis']} against {scores['reference']}",
        "",
        (
            f"{n['recordings']} recordings of {n['patients']} patients, "
            f"{n['hours']:.2f} h, {n['seizures']} seizures."
        ),
        *_listed(missing, "recordings without a table: nothing was found in them"),
        *_listed(extra, "tables without a recording: not scored"),
        interval_note(scores["bootstrap"]),
        "",
        *event_rows(scores["scores"]),
        *seizure_rows(scores["scores"]),
        *_by_patient(scores["patients"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def event_rows(of: Mapping[str, Any], threshold: float | None = None) -> list[str]:
    """Give the table of event scores, one row per scorer."""
    at = "" if threshold is None else f", threshold {threshold:.3g}"
    lines = [f"## Events{at}", ""]
    for over, title in (("pooled", "Pooled"), ("mean", "Mean over patients")):
        lines += table_head(
            [title, "sensitivity", "precision", "F1", "false alarms / day"]
        )
        for scorer, name in SCORER_NAMES.items():
            each = [
                cell(of[scorer][figure].get(over), digits) for figure, digits in COUNTED
            ]
            lines.append(table_row([name, *each]))
        lines.append("")
    said = "SzCORE's seconds and NEDC's EPOCH count false alarms in seconds per day."
    return [*lines, said, ""]


def window_rows(of: Mapping[str, Any]) -> list[str]:
    """Give the table of window scores, nothing if there are none."""
    if "windows" not in of:
        return []
    lines = ["## Windows", "", f"Windows of {WINDOWS_SAID}.", ""]
    lines += table_head(["", "pooled", "mean over patients"])
    for figure in FIGURES:
        found = of["windows"].get(figure, {})
        name = FIGURE_NAMES.get(figure, figure.replace("_", " "))
        lines.append(
            table_row([name, cell(found.get("pooled")), cell(found.get("mean"))])
        )
    if cells := of.get("confusion"):
        counts = ", ".join(f"{name} {cells[name]}" for name in CELLS)
        lines += ["", f"Confusion: {counts}."]
    return [*lines, ""]


def seizure_rows(of: Mapping[str, Any]) -> list[str]:
    """Give the table of seizures found, by duration and type, and how soon."""
    n_by = of["n"]["seizures_by"]
    lines = [
        "## Seizures found (any overlap)",
        "",
        *table_head(["", "seizures", "found"]),
    ]
    for group in ("seizures", "sensitivity_by_duration", "sensitivity_by_type"):
        for figure, found in of.get(group, {}).items():
            name = "all" if group == "seizures" else figure
            n = n_by.get(f"{group}/{figure}", 0)
            lines.append(table_row([name, str(n), cell(found.get("pooled"))]))
    latency = of.get("latency_s", {}).get("median", {}).get("pooled")
    left = of.get("reading", {}).get("left", {}).get("pooled")
    said = [
        f"Latency from onset, median: {cell(latency, 1)} s.",
        f"Left to read, of pages of 10 s: {cell(left)}.",
    ]
    if false := of.get("false_alarms_by_pattern"):
        listed = ", ".join(f"{name} {n}" for name, n in false.items())
        said.append(f"Events without a seizure, by the pattern under them: {listed}.")
    return [*lines, "", *said, ""]


def onset_rows(found: Mapping[str, Any] | None, *, heading: bool = True) -> list[str]:
    """Give the table of seizures that were spliced after background, if they were."""
    if not found:
        return []
    lines = ["## Onsets after real background", ""] if heading else []
    lines += table_head(["", "seizures", *ONSET_FIGURES.values()])
    for group, of in found["groups"].items():
        cells = [
            cell(of[figure], 1 if figure.endswith("_s") else 3)
            for figure in ONSET_FIGURES
        ]
        lines.append(table_row([group, str(of["n"]), *cells]))
    return [*lines, "", *ONSETS_SAID, "", *_join_rows(found["groups"])]


def _join_rows(groups: Mapping[str, Any]) -> list[str]:
    lines = list(
        table_head(["Joins without a seizure", "joins", *JOIN_FIGURES.values()])
    )
    for group, of in groups.items():
        cells = [cell(of[figure]) for figure in JOIN_FIGURES]
        lines.append(table_row([group, str(of["n_joins"]), *cells]))
    return [*lines, ""]


def _at_rates(of: Mapping[str, Any]) -> list[str]:
    found = of.get("sensitivity_at_per_day")
    if not found:
        return []
    days = of["n"]["hours"] / 24
    lines = [f"## Sensitivity by false alarms per day ({days:.2f} days)", ""]
    lines += table_head(["false alarms / day", "sensitivity (SzCORE events, pooled)"])
    for rate in RATES_PER_DAY:
        lines.append(table_row([f"{rate:g}", cell(found[f"{rate:g}"]["pooled"])]))
    return [*lines, ""]


def dataset_rows(groups: Mapping[str, Any], *, heading: bool = True) -> list[str]:
    """Give the table with a row for each data set, nothing if there is one alone."""
    if not groups:
        return []
    columns = [
        "patients",
        "seizures",
        "AUROC, mean",
        "F1, mean",
        "found",
        "false / day",
    ]
    lines = [*(["## Data sets", ""] if heading else []), *table_head(["", *columns])]
    for name, of in groups.items():
        event = of["szcore_event"]
        cells = [
            cell(of.get("windows", {}).get("auroc", {}).get("mean")),
            cell(event["f1"].get("mean")),
            cell(of.get("seizures", {}).get("found", {}).get("pooled")),
            cell(event["false_alarms_per_day"]["pooled"], 1),
        ]
        n = of["n"]
        lines.append(table_row([name, str(n["patients"]), str(n["seizures"]), *cells]))
    return [*lines, ""]


def _by_patient(patients: Mapping[str, Any]) -> list[str]:
    columns = ["hours", "seizures", "found", "AUROC", "false alarms / day"]
    lines = ["## Patients", "", *table_head(["", *columns])]
    for name, row in patients.items():
        cells = [
            f"{row['hours']:.2f}",
            str(row["n_seizures"]),
            _plain(row.get("seizures", {}).get("found")),
            _plain(row.get("windows", {}).get("auroc")),
            _plain(row["szcore_event"]["false_alarms_per_day"], 1),
        ]
        lines.append(table_row([name, *cells]))
    return [*lines, ""]


def _cost_rows(cost: Mapping[str, Any]) -> list[str]:
    if "seconds_per_hour" not in cost:
        return []
    files = cost["files_bytes"]
    rows = [
        ("seconds per hour of EEG", _plain(cost["seconds_per_hour"], 2)),
        ("processor seconds per hour of EEG", _plain(cost["cpu_seconds_per_hour"], 2)),
        ("peak memory, MiB", _plain(cost["peak_memory_bytes"] / 2**20, 0)),
        ("parameters, all", f"{cost['parameters'].get('total', 0):,}"),
        ("parameters that run", f"{cost['run_time']['parameters']:,}"),
        ("multiply-adds per hour of EEG", f"{cost['multiply_adds_per_hour']:,}"),
        *((f"bytes of {name}", f"{n:,}") for name, n in files.items()),
    ]
    return ["## Cost", "", *table_head(["", ""]), *(table_row(row) for row in rows), ""]


def interval_note(drawn: Mapping[str, Any]) -> str:
    """Say what stands in brackets."""
    return (
        f"In brackets {100 * drawn['level']:g} % of {drawn['draws']} draws of patients."
    )


def _listed(names: Sequence[str], what: str) -> list[str]:
    return [f"{len(names)} {what}: {', '.join(names)}."] if names else []


def rests_on(data: Mapping[str, Any], n_skipped: int) -> str:
    """Say how much was listened to."""
    folds = f", folds {', '.join(map(str, data['folds']))}" if data["folds"] else ""
    return (
        f"{data['n_recordings']} recordings of {data['n_patients']} patients, "
        f"{data['hours']:.2f} h, {data['n_seizures']} seizures{folds}. "
        f"{n_skipped} recordings skipped."
    )


def cell(found: Mapping[str, float | None] | None, digits: int = 3) -> str:
    """Write a figure with its bounds."""
    value, low, high = (
        (found["value"], found["low"], found["high"]) if found else (None, None, None)
    )
    if value is None or low is None or high is None:
        return _plain(value, digits)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _plain(value: float | None, digits: int = 3) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def table_head(cells: Sequence[str]) -> Iterator[str]:
    """Give the first two lines of a table: words left, numbers right."""
    yield table_row(cells)
    yield table_row(["---", *("---:" for _ in cells[1:])])


def table_row(cells: Sequence[str]) -> str:
    """Give a line of a table."""
    return f"| {' | '.join(cells)} |"


def models_table(scores: Sequence[Mapping[str, Any]]) -> str:
    """Give one row per name; of several seeds the mean, and from lowest to highest.

    Parameters
    ----------
    scores
        What `scores_of` gave, of models that share data and scorers; those with the
        same name are seeds of one model.
    """
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in scores:
        groups[each["name"]].append(each)
    names = [title for title, _, _ in COMPARED]
    lines = [*table_head(["", "seeds", *names])]
    for name, group in groups.items():
        cells = [_over_seeds(group, path, digits) for _, path, digits in COMPARED]
        lines.append(table_row([name, str(len(group)), *cells]))
    return "\n".join(lines) + "\n"


def _over_seeds(group: Sequence[Mapping[str, Any]], path: str, digits: int) -> str:
    found = [_at(each, path) for each in group]
    values = [value for value in found if value is not None]
    if not values:
        return DASH
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:,.{digits}f}"
    return (
        f"{mean:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
    )


def _at(scores: Mapping[str, Any], path: str) -> float | None:
    value: Any = scores
    for key in path.split("/"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def with_interval(figure: Mapping[str, Any] | None, sign: str = "") -> str:
    """Give `0.901 [0.850, 0.940]`, or a dash for what is not known.

    Parameters
    ----------
    figure
        Of `value`, and of `low` and `high`, None where there are no bounds.
    sign
        "+" for differences.
    """
    if figure is None or figure["value"] is None:
        return DASH
    text = f"{figure['value']:{sign}.3f}"
    if figure["low"] is not None:
        text += f" [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"
    return text
