"""Predictions of segments -> how often each class is called what.

A segment is called the class that is likeliest. Knows no model and draws nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.evaluation.experiment.class_figures import confusion_counts
from distilclip_eeg.evaluation.experiment.scored_segments import Scored, read_scored
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES
from distilclip_eeg.evaluation.windows import CELLS


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """One matrix.

    Attributes
    ----------
    counts
        (K, K) of what segments are (rows) and what they are called (columns).
    """

    title: str
    classes: tuple[str, ...]
    counts: NDArray[np.integer]

    @classmethod
    def of_cells(cls, title: str, cells: Mapping[str, float]) -> Self:
        """Take counts of two classes under the names of `windows.CELLS`."""
        counts = np.array([round(cells[name]) for name in CELLS])
        return cls(title, CLASSES, counts.reshape(2, 2))

    def shares(self) -> NDArray[np.floating]:
        """Give (K, K) shares of each row; 0 where a class does not occur."""
        n = self.counts.sum(axis=1, keepdims=True)
        shares: NDArray[np.floating] = self.counts / np.maximum(n, 1)
        return shares


def confusions(folder: Path) -> list[Confusion]:
    """Give a matrix for each protocol and model of an experiment, over all its seeds.

    Raises
    ------
    CorpusError
        If there are no predictions, or they are not as they were written.
    """
    groups: dict[str, list[Scored]] = defaultdict(list)
    for scored in read_scored(folder):
        key = scored.key
        where = f"cross, {key.part}" if key.protocol == "cross" else key.protocol
        groups[f"{where}: {key.model}"].append(scored)
    return [_summed(title, group) for title, group in groups.items()]


def _summed(title: str, scored: Sequence[Scored]) -> Confusion:
    counts = sum(confusion_counts(s.labels, s.probabilities) for s in scored)
    return Confusion(title, scored[0].classes, np.asarray(counts))
