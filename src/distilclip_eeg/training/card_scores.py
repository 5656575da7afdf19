"""What `distilclip evaluate` wrote of models -> the part of a card that quotes it.

Computes nothing: each number stands in the `scores.json` that is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Final

from distilclip_eeg.evaluation.tables import (
    cell,
    dataset_rows,
    interval_note,
    onset_rows,
    rests_on,
    table_head,
    table_row,
)

_WINDOWS: Final = {
    "auroc": "AUROC of windows",
    "accuracy": "accuracy of windows, from even odds on",
    "calibration_error": "calibration error of windows",
}
_OTHERS: Final = (
    "each recording by a model that was trained in the same way on the other folds and "
    "never saw the patient"
)


def card_scores(scores: Mapping[str, Any]) -> str:
    """Return what was measured on one data set, in Markdown."""
    of, data = scores["scores"], scores["data"]
    threshold = scores["settings"]["onset_threshold"]
    brackets = interval_note(scores["bootstrap"])
    lines = [
        f"**{_title(scores)}**: {rests_on(data, len(scores['skipped']))}",
        f"Events from probability {threshold:g} on. {brackets}",
        "",
    ]
    if onsets := onset_rows(scores.get("onsets"), heading=False):
        return _wrapped([*lines, *onsets])
    lines += table_head(["", "pooled", "mean over patients"])
    for figure, name in _WINDOWS.items():
        if found := of.get("windows", {}).get(figure):
            lines.append(_both(name, found))
    n_by = of["n"]["seizures_by"]
    for group in ("seizures", "sensitivity_by_duration"):
        for figure, found in of.get(group, {}).items():
            which = "" if group == "seizures" else f" of {figure}"
            n = n_by.get(f"{group}/{figure}", 0)
            lines.append(_both(f"found of {n} seizures{which}", found))
    events = of["szcore_event"]
    lines.append(_both("SzCORE event F1", events["f1"]))
    per_day = events["false_alarms_per_day"]
    lines += [_both("false alarms per day, SzCORE", per_day, 1), ""]
    return _wrapped([*lines, *dataset_rows(scores["by_dataset"], heading=False)])


def _wrapped(lines: Sequence[str]) -> str:
    return "\n".join(
        line if line.startswith("|") else fill(line, 88, break_on_hyphens=False)
        for line in lines
    )


def _title(scores: Mapping[str, Any]) -> str:
    by_fold = any(model["fold"] is not None for model in scores["models"])
    how = f", {_OTHERS}" if by_fold else ""
    return f"On {scores['data']['given']}{how}"


def _both(name: str, found: Mapping[str, Any], digits: int = 3) -> str:
    values = [cell(found.get(over), digits) for over in ("pooled", "mean")]
    return table_row([name, *values])
