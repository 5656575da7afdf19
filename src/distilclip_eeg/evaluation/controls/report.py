"""What models said in every guise -> one table of controls, as JSON and Markdown.

Every figure stands beside what it would be without a short cut. Numbers that cannot be
had are None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import expit

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.texts import read_text, table_rows
from distilclip_eeg.evaluation.clip_figures import (
    AUROC,
    DRAWS,
    FOUND,
    QUIET,
    Group,
    Row,
    alarmed,
    as_json,
    as_number,
    difference,
    group_of,
    patients_of,
)
from distilclip_eeg.evaluation.controls.cues import (
    against,
    cues,
    without_first_window,
)
from distilclip_eeg.evaluation.controls.hearing import (
    AS_IT_IS,
    AS_LOUD,
    NO_OCCIPITAL,
    Heard,
)
from distilclip_eeg.evaluation.controls.probes import probes
from distilclip_eeg.evaluation.evaluate import Models
from distilclip_eeg.evaluation.intervals import LEVEL, Interval
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.report import WINDOWS_SAID
from distilclip_eeg.evaluation.tables import DASH, with_interval

FILES: Final = ("controls.json", "controls.md")
PATIENTS: Final = "patients.tsv"
NO_FIRST: Final = "first window left out"
AGES: Final = (6.0, 12.0, 18.0, 60.0)  # edges between groups, years
UNKNOWN: Final = "unknown"

Numbers = dict[str, Any]


def controls_of(
    heard: Heard,
    models: Models,
    name: str | None = None,
    ages: Mapping[str, float] | None = None,
) -> Numbers:
    """Compute every control.

    Parameters
    ----------
    ages
        Patient -> years, where they are known.
    """
    settings = models.settings()
    said = heard.predictions
    groups = {p.name: group_of(p) for p in said[AS_IT_IS]}
    loaded = models.loaded
    first = next(iter(loaded.values()))
    return {
        "name": name or first.name,
        "models": [
            {"fold": fold, "name": m.name, "sha256": m.folder.sha256}
            for fold, m in sorted(loaded.items(), key=lambda item: str(item[0]))
        ],
        "data": {
            "given": heard.data.given,
            "recordings": len(said[AS_IT_IS]),
            "patients": len({p.patient for p in said[AS_IT_IS]}),
            "seizures": sum(len(p.seizures) for p in said[AS_IT_IS]),
            "folds": sorted({t.fold for t in heard.data.tasks if t.fold is not None}),
        },
        "skipped": heard.skipped,
        "settings": settings.model_dump(mode="json"),
        "windows": WINDOWS_SAID,
        "bootstrap": {"over": "patients", "draws": DRAWS, "level": LEVEL},
        "probes": [_probe(asdict(probe)) for probe in probes(heard)],
        "cues": [
            {
                "name": c.name,
                "said": c.said,
                **_interval(c.value),
                "harmless": c.harmless,
            }
            for c in cues(said[AS_IT_IS], groups)
        ],
        "guises": _guises(said, settings, groups),
        "loudness": _loudness(heard, settings),
        "by_dataset": _apart(said[AS_IT_IS], settings, groups, lambda p: p.dataset),
        "by_age": _apart(
            said[AS_IT_IS],
            settings,
            groups,
            lambda p: age_group((ages or {}).get(p.patient)),
        ),
    }


def read_ages(folder: Path) -> dict[str, float]:
    """Read `patients.tsv`, columns `patient` and `age_years`; none without the file.

    Raises
    ------
    CorpusError
        If it lacks a column.
    """
    path = folder / PATIENTS
    if not path.is_file():
        return {}
    ages = {}
    columns = ("patient", "age_years")
    for _, row in table_rows(path, read_text(path), "\t", columns):
        try:
            ages[person_of(row["patient"])] = float(row["age_years"])
        except ValueError:  # n/a: nobody knows
            continue
    return ages


def age_group(years: float | None) -> str:
    """Name the group of an age."""
    if years is None:
        return UNKNOWN
    edges = [0.0, *AGES]
    at = int(np.searchsorted(edges, years, "right")) - 1
    if at == len(edges) - 1:
        return f"{edges[at]:g} years and more"
    return f"{edges[at]:g} to {edges[at + 1]:g} years"


def _youngest_first(name: str) -> tuple[float, str]:
    """Sort ages by their number; what begins with none comes last, by its letters."""
    number = name.partition(" ")[0]
    return (float(number), "") if number.isdecimal() else (float("inf"), name)


def _guises(
    said: Mapping[str, Sequence[Prediction]],
    settings: DetectionConfig,
    groups: Mapping[str, Group],
) -> dict[str, Numbers]:
    shown = {
        AS_IT_IS: said[AS_IT_IS],
        NO_OCCIPITAL: said[NO_OCCIPITAL],
        NO_FIRST: without_first_window(said[AS_IT_IS]),
    }
    rows = {
        name: Row([patients_of(of, settings, groups)]) for name, of in shown.items()
    }
    plain = rows[AS_IT_IS]
    return {
        name: _row(row) | ({} if row is plain else {"above": _above(row, plain)})
        for name, row in rows.items()
    }


def _above(row: Row, plain: Row) -> Numbers:
    return as_json(difference(row, plain))


def _row(row: Row) -> Numbers:
    return {
        "figures": as_json(row.intervals()),
        "counts": {
            name: {"part": part, "whole": whole}
            for name, (part, whole) in row.counts().items()
        },
        "patients": len(row.patients),
    }


def _apart(
    predictions: Sequence[Prediction],
    settings: DetectionConfig,
    groups: Mapping[str, Group],
    key: Callable[[Prediction], str],
) -> dict[str, Numbers]:
    names = sorted({key(p) for p in predictions}, key=_youngest_first)
    return {
        name: _row(
            Row(
                [
                    patients_of(
                        [p for p in predictions if key(p) == name], settings, groups
                    )
                ]
            )
        )
        for name in names
    }


def _loudness(heard: Heard, settings: DetectionConfig) -> list[Numbers]:
    """Data sets without a seizure, as they are and as loud as one with some."""
    found = []
    plain = heard.predictions[AS_IT_IS]
    with_seizures = [p for p in plain if p.dataset == heard.loud_as]
    for dataset, gain in heard.gains.items():
        row: Numbers = {"dataset": dataset, "as": heard.loud_as, "gain": round(gain, 3)}
        for name, of in ((AS_IT_IS, plain), (AS_LOUD, heard.predictions[AS_LOUD])):
            own = [p for p in of if p.dataset == dataset]
            patients = Row([patients_of(own, settings)])
            shares = patients.counts()
            row[name] = {
                "clips": len(own),
                "alarmed": sum(part for part, _ in shares.values()),
                "mean_probability": as_number(_probability(own)),
                "auroc_against_seizures": as_number(against(with_seizures, own)),
            }
        found.append(row)
    return found


def _probability(predictions: Sequence[Prediction]) -> float:
    """Mean over seconds."""
    odds = np.concatenate([np.zeros(0), *(p.log_odds for p in predictions)])
    return float(np.nanmean(expit(odds))) if len(odds) else float("nan")


def _probe(probe: Mapping[str, Any]) -> Numbers:
    content = dict(probe)
    for name in ("embeddings", "signal"):
        content[name] = _interval(Interval(*content[name]))
    content["chance"] = round(content["chance"], 4)
    return content


def _interval(value: Interval) -> dict[str, float | None]:
    return {key: as_number(x) for key, x in value._asdict().items()}


def write_controls(folder: Path, controls: Mapping[str, Any]) -> list[Path]:
    """Write `controls.json` and `controls.md`; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        FILES[0]: json.dumps(controls, indent=1, allow_nan=False) + "\n",
        FILES[1]: markdown(controls),
    }
    for name, text in content.items():
        with written_whole(folder / name) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in content]


def markdown(controls: Mapping[str, Any]) -> str:
    """Return the controls for a person to read."""
    data = controls["data"]
    lines = [
        f"# Controls of {controls['name']} on {data['given']}",
        "",
        (
            f"{data['recordings']} recordings of {data['patients']} patients, "
            f"{data['seizures']} seizures. In brackets 95 % of draws of patients. "
            f"AUROC: of windows ({controls['windows']}), mean over patients who have "
            "both classes."
        ),
        "",
        *_probe_lines(controls["probes"]),
        *_cue_lines(controls["cues"]),
        *_row_lines("Other guises", "guise", controls["guises"]),
        *_loudness_lines(controls["loudness"]),
        *_row_lines("By data set", "data set", controls["by_dataset"]),
        *_row_lines("By age", "age", controls["by_age"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _probe_lines(probes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## What a linear probe tells", "")
    yield from _head(
        *("asked", "windows", "figure", "embeddings", "band power and line length"),
        *("chance", "patients"),
    )
    for p in probes:
        yield _line(
            p["asked"],
            p["of"],
            p["figure"],
            with_interval(p["embeddings"]),
            with_interval(p["signal"]),
            f"{p['chance']:.3f}",
            str(p["n_patients"]),
        )
    yield ""


def _cue_lines(cues: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("## What one cue alone gives, and what is left without it", "")
    yield from _head("", "AUROC", "without a short cut")
    for cue in cues:
        yield _line(
            f"{cue['name']}: {cue['said']}", with_interval(cue), cue["harmless"]
        )
    yield ""


def _row_lines(
    title: str, what: str, rows: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    yield from (f"## {title}", "")
    heads = [f"{group} clips alarmed" for group in QUIET]
    yield from _head(what, "AUROC", "seizures found", *heads)
    for name, row in rows.items():
        shares = [_share(row["counts"].get(key)) for key in _SHARES]
        yield _line(name, with_interval(row["figures"].get(AUROC)), *shares)
        if "above" in row:
            cells = [
                with_interval(row["above"].get(key), "+") for key in (AUROC, *_SHARES)
            ]
            yield _line("– by how much it is higher", *cells)
    yield ""


_SHARES: Final = (FOUND, *(alarmed(group) for group in QUIET))


def _loudness_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("## Loudness", "")
    yield from _head(
        *("data set", "guise", "clips alarmed", "mean probability of a seizure"),
        "AUROC of seizures elsewhere against it",
    )
    for row in rows:
        for guise in (AS_IT_IS, AS_LOUD):
            of = row[guise]
            said = guise if guise == AS_IT_IS else f"× {row['gain']:g}, as {row['as']}"
            yield _line(
                row["dataset"],
                said,
                f"{of['alarmed']:g} of {of['clips']}",
                _plain(of["mean_probability"]),
                _plain(of["auroc_against_seizures"]),
            )
    yield ""


def _share(counted: Mapping[str, float] | None) -> str:
    if counted is None or not counted["whole"]:
        return DASH
    return f"{counted['part']:g} of {counted['whole']:g}"


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"


def _head(*cells: str) -> Iterator[str]:
    yield from (_line(*cells), _line(*["---"] * len(cells)))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
