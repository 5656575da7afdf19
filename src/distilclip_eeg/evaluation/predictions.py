"""What a model says of recordings, second by second, beside what experts say.

In memory, and as a table on disk. Knows neither how a second was scored nor what
follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.eeg.texts import read_text, table_rows
from distilclip_eeg.errors import CorpusError

COLUMNS: Final = (
    "recording",
    "dataset",
    "patient",
    "second",
    "ictal",
    "labelled",
    "log_odds",
)

Pattern = tuple[float, float, str]  # onset and end in seconds, and its name


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A contiguous part of a recording, scored.

    Attributes
    ----------
    onset_s, length_s
        Where it lies in the recording; the length need not be whole.
    log_odds
        (n,) of a seizure in each of its seconds; NaN where nothing could be seen.
    available_s
        (n,) seconds after `onset_s` of the last sample that each rests on.
    """

    onset_s: float
    length_s: float
    log_odds: NDArray[np.floating]
    available_s: NDArray[np.floating]

    @classmethod
    def whole(cls, log_odds: NDArray[np.floating]) -> Stretch:
        """Take seconds of which no more is known; each is available at its end."""
        n = len(log_odds)
        return cls(0.0, float(n), log_odds, np.arange(1.0, n + 1))


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model that never saw the patient says of one recording, per second.

    `log_odds`, `ictal` (part in a seizure) and `labelled` are (n_seconds,).

    Attributes
    ----------
    patterns
        What looks like a seizure and is none, where the data set says so.
    stretches
        The contiguous parts that `log_odds` was put together from, if they are known.
    """

    name: str
    dataset: str
    patient: str
    kind: str
    log_odds: NDArray[np.floating]
    ictal: NDArray[np.floating]
    labelled: NDArray[np.bool_]
    seizures: tuple[Marked, ...]
    patterns: tuple[Pattern, ...] = ()
    stretches: tuple[Stretch, ...] = ()

    @property
    def parts(self) -> tuple[Stretch, ...]:
        """The stretches; the whole recording as one if they are not known."""
        return self.stretches or (Stretch.whole(self.log_odds),)

    @property
    def duration_s(self) -> float:
        last = self.parts[-1]
        return max(last.onset_s + last.length_s, float(len(self.log_odds) - 1))

    @property
    def labelled_s(self) -> tuple[float, float]:
        """From the first to the last second that experts looked at."""
        seconds = np.flatnonzero(self.labelled)
        if not len(seconds):
            return 0.0, 0.0
        return float(seconds[0]), min(float(seconds[-1] + 1), self.duration_s)


def save_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write one line per second, with the columns of `COLUMNS`."""
    lines = ["\t".join(COLUMNS)]
    for p in predictions:
        lines += [
            f"{p.name}\t{p.dataset}\t{p.patient}\t{s}\t{i:.2f}\t{int(seen)}\t{odds:.3f}"
            for s, (i, seen, odds) in enumerate(
                zip(p.ictal, p.labelled, p.log_odds, strict=True)
            )
        ]
    with written_whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_predictions(path: Path) -> list[Prediction]:
    """Read what `save_predictions` wrote.

    Seizures are where seconds are ictal, to a hundredth of a second; two that touch are
    one. Not in the table are their kinds, and when a model had seen enough: a second
    counts as available at its end, which is up to a window too early.

    Raises
    ------
    CorpusError
        If a column is absent or a value is no number.
    """
    rows = (row for _, row in table_rows(path, read_text(path), "\t", COLUMNS))
    groups = groupby(rows, lambda r: (r["recording"], r["dataset"], r["patient"]))
    try:
        return [_prediction(key, list(group)) for key, group in groups]
    except ValueError as error:
        raise CorpusError(f"{path}: a value is no number: {error}") from None


def _prediction(
    key: tuple[str, str, str], rows: Sequence[dict[str, str]]
) -> Prediction:
    ictal = np.array([float(row["ictal"]) for row in rows])
    seizures = tuple(Marked(onset, end) for onset, end in _spans(ictal))
    return Prediction(
        *key,
        kind="seizure" if seizures else "background",
        log_odds=np.array([float(row["log_odds"]) for row in rows]),
        ictal=ictal,
        labelled=np.array([row["labelled"] == "1" for row in rows]),
        seizures=seizures,
    )


def _spans(ictal: NDArray[np.floating]) -> Iterator[tuple[float, float]]:
    """Find seizures from the part of each second that they fill."""
    edges = np.diff(np.concatenate([[0], ictal > 0, [0]]).astype(int))
    for first, stop in zip(
        np.flatnonzero(edges > 0).tolist(),
        np.flatnonzero(edges < 0).tolist(),
        strict=True,
    ):
        if stop - first == 1:
            yield float(first), first + float(ictal[first])
        else:
            yield first + 1 - float(ictal[first]), stop - 1 + float(ictal[stop - 1])
