"""Probabilities of segments <-> tables on disk, one per protocol, model, seed and part.

A table says all that figures need: segment, patient, part, label, and what the model
holds of it. With two classes `label` is 0 or 1 and there is one probability, that of a
seizure; with more it is the name of the class and every class has a column.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import Config
from distilclip_eeg.corpora.catalog import person_of
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.texts import read_text
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.experiment.protocols import Segment
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES

ABOUT: Final = ("segment", "patient", "part", "label")
COLUMNS: Final = (*ABOUT, "probability")
"""With two classes; with more the names of the classes stand after `label`."""
PREDICTIONS: Final = "predictions"
SETTINGS: Final = "settings.json"

Probability = NDArray[np.floating]
"""(N,) of a seizure; with more classes than two (N, K) of each, rows that sum to 1."""


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
    labels
        (N,) their classes, as places in `classes`; 0 is background.
    probabilities
        (N, K) of each class, as the model has it.
    """

    key: Key
    patients: tuple[str, ...]
    labels: NDArray[np.intp]
    probabilities: NDArray[np.floating]
    classes: tuple[str, ...] = CLASSES

    @property
    def ictal(self) -> NDArray[np.bool_]:
        """(N,) whether they are seizures, of whatever type."""
        return self.labels > 0

    @property
    def probability(self) -> NDArray[np.floating]:
        """(N,) of a seizure, of whatever type."""
        seizure: NDArray[np.floating] = self.probabilities[:, 1:].sum(axis=1)
        return seizure


class Row(NamedTuple):
    """What a line says of a segment beside the probabilities."""

    segment: str
    patient: str
    label: str


def write_scored(
    folder: Path,
    key: Key,
    segments: Sequence[Segment],
    probability: Probability,
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write one line per segment; return where."""
    rows = (Row(s.name, person_of(s.recording.patient), s.label) for s in segments)
    return write_rows(folder, key, rows, probability, classes)


def write_rows(
    folder: Path,
    key: Key,
    rows: Iterable[Row],
    probability: Probability,
    classes: Sequence[str] = CLASSES,
) -> Path:
    """Write one line per row; return where."""
    two = tuple(classes) == CLASSES
    lines = ["\t".join(COLUMNS if two else (*ABOUT, *classes))]
    for row, p in zip(rows, probability.reshape(len(probability), -1), strict=True):
        label = str(classes.index(row.label)) if two else row.label
        numbers = (f"{value:.10g}" for value in p.tolist())
        lines.append("\t".join((row.segment, row.patient, key.part, label, *numbers)))
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
        If there are none, a file is not as `write_scored` leaves it, or two are of
        other classes.
    """
    paths = sorted((folder / PREDICTIONS).glob("*/*/seed*-*.tsv"))
    if not paths:
        raise CorpusError(f"{folder}: found no {PREDICTIONS}, expected some to score")
    scored = [_read(path) for path in paths]
    for path, one in zip(paths, scored, strict=True):
        if one.classes != scored[0].classes:
            raise CorpusError(
                f"{path}: found classes {', '.join(one.classes)}, expected "
                f"{', '.join(scored[0].classes)} as in {paths[0].name}"
            )
    return scored


def _read(path: Path) -> Scored:
    text = read_text(path)
    try:
        lines = list(csv.reader(text.splitlines(keepends=True), delimiter="\t"))
        header, *rows = lines
        two = tuple(header) == COLUMNS
        classes = CLASSES if two else tuple(header[len(ABOUT) :])
        if tuple(header[: len(ABOUT)]) != ABOUT or len(classes) < 2:
            raise ValueError(" ".join(header))
        names = ("0", "1") if two else classes
        numbers = np.array([[float(x) for x in row[len(ABOUT) :]] for row in rows])
        numbers = numbers.reshape(len(rows), 1 if two else len(classes))
        seed = int(path.name.removeprefix("seed").partition("-")[0])
        return Scored(
            Key(path.parent.parent.name, path.parent.name, seed, rows[0][2]),
            tuple(row[1] for row in rows),
            np.array([names.index(row[3]) for row in rows], np.intp),
            np.hstack([1 - numbers, numbers]) if two else numbers,
            classes,
        )
    except (IndexError, TypeError, ValueError, csv.Error) as error:
        raise CorpusError(
            f"{path}: found {error!r}, expected lines of {' '.join(COLUMNS)}, or with "
            "a column for each class"
        ) from None


def _as_today(about: dict[str, Any]) -> dict[str, Any]:
    """Give settings that came after a folder was claimed the default they have."""
    if "configs" not in about:
        return about
    configs = {
        name: Config.model_validate(config).model_dump(mode="json")
        for name, config in about["configs"].items()
    }
    return {**about, "configs": configs}


def claim(folder: Path, about: Mapping[str, Any]) -> None:
    """Note what a folder is about; more seeds, models, protocols may come later.

    Raises
    ------
    ConfigError
        If it holds another experiment: other recordings, classes, settings or split.
    """
    path = folder / SETTINGS
    if path.exists():
        before = _as_today(json.loads(path.read_text()))
        if changed := [name for name in about if about[name] != before.get(name)]:
            raise ConfigError(
                f"{folder}: holds an experiment with other {' and '.join(changed)}; "
                "name another folder or remove it"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n")
