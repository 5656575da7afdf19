"""A map of leads by seconds -> numbers on disk: JSON, or a table of leads.

The table has one row per lead with its side and lobes, the mean that leads are ranked
by, and one column per second, named by the second of the recording.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.explain.ecam import LeadMap
from distilclip_eeg.explain.ecam_classes import MeanMap
from distilclip_eeg.explain.places import lobes_of, side_of_lead

NUMBER_SUFFIXES: Final = (".json", ".tsv")
_MISSING: Final = "n/a"


def table_text(found: LeadMap) -> str:
    """Give the map as a table, tab-separated."""
    seconds = range(found.onset_s, found.onset_s + found.values.shape[1])
    rows = [["lead", "side", "lobes", "mean", *map(str, seconds)]]
    for lead, mean, values in zip(
        found.leads, found.by_lead, found.values, strict=True
    ):
        rows.append([*_place(lead), *map(_number, (mean, *values))])
    return _text(rows)


def means_text(means: Mapping[str, MeanMap]) -> str:
    """Give the means of classes as a table, tab-separated."""
    rows = [["lead", "side", "lobes", *means]]
    for i, lead in enumerate(LEADS):
        rows.append([*_place(lead), *(_number(m.by_lead[i]) for m in means.values())])
    return _text(rows)


def means_dict(means: Mapping[str, MeanMap]) -> dict[str, Any]:
    """Give the means of classes as JSON values."""
    return {
        "leads": list(LEADS),
        **{
            name: {
                "n": mean.n,
                "by_lead": [
                    round(float(v), 4) if np.isfinite(v) else None for v in mean.by_lead
                ],
            }
            for name, mean in means.items()
        },
    }


def write_numbers(path: Path, values: Mapping[str, Any], table: str) -> None:
    """Write one or the other, as the suffix says; the file appears whole or never."""
    is_json = path.suffix.lower() == ".json"
    text = json.dumps(values, indent=1, allow_nan=False) + "\n" if is_json else table
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _place(lead: str) -> list[str]:
    return [lead, side_of_lead(lead), ",".join(lobes_of(lead))]


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else _MISSING


def _text(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("\t".join(row) for row in rows) + "\n"
