"""Out-of-fold predictions of many models in a folder -> one table.

One file of predictions per row, seed and fold; a note per row says what it is, so that
whoever writes the same files stands in the same table. Everything is computed from
what lies there, and a queue that is not done gives a table of what is. Knows no
training.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.clip_figures import (
    AUROC,
    DRAWS,
    FOUND,
    MOST_ALARMED,
    QUIET,
    Group,
    Listed,
    Row,
    alarmed,
    as_json,
    as_number,
    difference,
    group_of,
    matched_threshold,
    patients_of,
)
from distilclip_eeg.evaluation.intervals import LEVEL
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    read_predictions,
    save_predictions,
)
from distilclip_eeg.evaluation.report import WINDOWS_SAID
from distilclip_eeg.evaluation.tables import DASH, with_interval

PREDICTIONS: Final = "predictions"
ROWS: Final = "rows"
GROUPS: Final = "clips.json"
TABLE: Final = ("table.json", "table.md")
FIRST: Final = "full"

Numbers = dict[str, Any]


class Part(NamedTuple):
    """What one file of predictions is of."""

    row: str
    seed: int
    fold: int

    def path(self, folder: Path) -> Path:
        """Return where it lies in the folder of a queue."""
        return folder / PREDICTIONS / self.row / f"seed{self.seed}-fold{self.fold}.tsv"


@dataclass(frozen=True, slots=True)
class Note:
    """What a row is.

    Attributes
    ----------
    place
        In the table.
    against
        Rows that it is held against, patient by patient.
    windows_per_second
        Scored per second of one core's time; None if nobody measured it.
    parameters
        Learned numbers that run; None if they are not counted.
    """

    said: str
    place: int
    against: tuple[str, ...] = ()
    windows_per_second: float | None = None
    parameters: int | None = None


def write_part(folder: Path, part: Part, predictions: Sequence[Prediction]) -> None:
    """Keep the predictions of one job: with the file there, it is done."""
    path = part.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_predictions(path, predictions)


def write_note(folder: Path, row: str, note: Note) -> None:
    """Say what a row is."""
    (folder / ROWS).mkdir(parents=True, exist_ok=True)
    _write_json(folder / ROWS / f"{row}.json", asdict(note))


def write_groups(folder: Path, recordings: Sequence[Listed]) -> None:
    """Note what every clip is: predictions do not say it."""
    _write_json(folder / GROUPS, {r.name: group_of(r) for r in recordings})


def read_parts(folder: Path) -> dict[str, dict[int, dict[int, list[Prediction]]]]:
    """Read all predictions: row -> seed -> fold.

    Raises
    ------
    CorpusError
        If there are none.
    """
    found: dict[str, dict[int, dict[int, list[Prediction]]]] = {}
    for path in sorted((folder / PREDICTIONS).glob("*/seed*-fold*.tsv")):
        if numbers := re.fullmatch(r"seed(\d+)-fold(\d+)", path.stem):
            seed, fold = (int(number) for number in numbers.groups())
            of_row = found.setdefault(path.parent.name, defaultdict(dict))
            of_row[seed][fold] = read_predictions(path)
    if not found:
        raise CorpusError(f"{folder}: found no {PREDICTIONS}, expected some to compare")
    return found


def table_of(
    folder: Path, settings: DetectionConfig, about: Mapping[str, Any] | None = None
) -> Numbers:
    """Compute the table from what lies in a folder.

    Parameters
    ----------
    settings
        How probabilities become events, the same for every row.
    about
        What else to note: data, configurations.

    Returns
    -------
    `rows`: name -> `note`, `seeds`, `folds`, `figures` (with bounds and seed by seed),
    `counts`, `matched` (events at equal cost), `above` (other row -> differences) and
    `patients`. What cannot be had is None.
    """
    groups = json.loads((folder / GROUPS).read_text(encoding="utf-8"))
    parts = read_parts(folder)
    notes = {name: _note(folder, name) for name in parts}
    order = sorted(parts, key=lambda name: (notes[name].place, name))
    rows = {name: _rows(parts[name], settings, groups) for name in order}
    table: Numbers = {
        "about": dict(about or {}),
        "windows": WINDOWS_SAID,
        "settings": settings.model_dump(mode="json"),
        "matched": f"at most {MOST_ALARMED:.0%} of the clips without a seizure alarmed",
        "bootstrap": {"over": "patients", "draws": DRAWS, "level": LEVEL},
        "rows": {},
    }
    for name in order:
        row, even, thresholds = rows[name]
        others = [other for other in notes[name].against if other in rows]
        table["rows"][name] = {
            "note": asdict(notes[name]),
            "seeds": sorted(parts[name]),
            "folds": sorted({fold for of in parts[name].values() for fold in of}),
            "figures": _figures(row),
            "counts": _counts(row),
            "matched": {"thresholds": thresholds, "figures": _figures(even)},
            "above": {other: _above(rows[name], rows[other]) for other in others},
            "patients": {
                patient: {figure: as_number(x) for figure, x in of.items()}
                for patient, of in row.by_patient().items()
            },
        }
    return table


Rows = tuple[Row, Row, list[float]]


def _rows(
    seeds: Mapping[int, Mapping[int, Sequence[Prediction]]],
    settings: DetectionConfig,
    groups: Mapping[str, Group],
) -> Rows:
    """Score a row at the settings and at equal cost; thresholds of the latter."""
    scored, even, thresholds = [], [], []
    for seed in sorted(seeds):
        predictions = [p for fold in sorted(seeds[seed]) for p in seeds[seed][fold]]
        scored.append(patients_of(predictions, settings, groups))
        at = matched_threshold(predictions, settings)
        even.append(patients_of(predictions, at, groups))
        thresholds.append(at.onset_threshold)
    return Row(scored), Row(even), thresholds


def _above(a: Rows, b: Rows) -> Numbers:
    """Differences; of what is found also at equal cost."""
    matched = as_json(difference(a[1], b[1])).get(FOUND)
    found: Numbers = as_json(difference(a[0], b[0]))
    return found | ({"matched/found": matched} if matched else {})


def _figures(row: Row) -> Numbers:
    seeds = row.each_seed()
    return {
        name: {**figure, "seeds": [as_number(x) for x in seeds[name]]}
        for name, figure in as_json(row.intervals()).items()
    }


def _counts(row: Row) -> Numbers:
    return {
        name: {"part": round(part, 2), "whole": round(whole, 2)}
        for name, (part, whole) in row.counts().items()
    }


def _note(folder: Path, name: str) -> Note:
    path = folder / ROWS / f"{name}.json"
    if not path.is_file():
        return Note(name, 1000, (FIRST,))
    content = json.loads(path.read_text(encoding="utf-8"))
    return Note(**{**content, "against": tuple(content["against"])})


def write_table(folder: Path, table: Mapping[str, Any]) -> list[Path]:
    """Write `table.json` and `table.md`; return where."""
    _write_json(folder / TABLE[0], table)
    with written_whole(folder / TABLE[1]) as partial:
        partial.write_text(markdown(table), encoding="utf-8", newline="\n")
    return [folder / name for name in TABLE]


_HEAD: Final = (
    *("", "AUROC", "seizures found", "found at equal cost"),
    *(f"{group} clips alarmed" for group in QUIET),
    *("seeds × folds", "windows / s"),
)
_DIFFERENCE_HEAD: Final = (
    *("", "against", "AUROC", "seizures found", "found at equal cost"),
    *(f"{group} clips alarmed" for group in QUIET),
)


def markdown(table: Mapping[str, Any]) -> str:
    """Return the table and the differences for a person to read."""
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for name, row in table["rows"].items():
        figures = row["figures"]
        cells = [
            name,
            with_interval(figures.get(AUROC)),
            with_interval(figures.get(FOUND)),
            with_interval(row["matched"]["figures"].get(FOUND)),
            *(with_interval(figures.get(alarmed(group))) for group in QUIET),
            f"{len(row['seeds'])} × {len(row['folds'])}",
            _speed(row["note"]["windows_per_second"]),
        ]
        lines.append(_line(cells))
    lines += ["", *_differences(table)]
    lines += [f"- `{name}`: {r['note']['said']}" for name, r in table["rows"].items()]
    return "\n".join([*lines, "", *_notes(table)]) + "\n"


def _differences(table: Mapping[str, Any]) -> Iterator[str]:
    pairs = [
        (name, other, above)
        for name, row in table["rows"].items()
        for other, above in row["above"].items()
    ]
    if not pairs:
        return
    yield "By how much a row is above another one, on the same patients:"
    yield ""
    yield from (_line(_DIFFERENCE_HEAD), _line(["---"] * len(_DIFFERENCE_HEAD)))
    for name, other, above in pairs:
        names = (AUROC, FOUND, "matched/found", *(alarmed(group) for group in QUIET))
        cells = [with_interval(above.get(figure), sign="+") for figure in names]
        yield _line([name, other, *cells])
    yield ""


def _notes(table: Mapping[str, Any]) -> Iterator[str]:
    settings = table["settings"]
    yield (
        "Every recording was scored by models that never saw its patient. AUROC: of "
        f"windows ({table['windows']}), mean over patients who have both classes. "
        f"Events from {settings['onset_threshold']:g} on; at equal cost: from the "
        f"lowest threshold with {table['matched']}, chosen per row and seed on these "
        "very clips. Mean over seeds; in brackets 95 % of draws of patients. Windows "
        "per second of one core's time."
    )


def _speed(value: float | None) -> str:
    return DASH if value is None else f"{value:.0f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _write_json(path: Path, content: Any) -> None:
    with written_whole(path) as partial:
        text = json.dumps(content, indent=1, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
