"""Matrices hold what predictions say, and pictures hold the matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.confusions import Confusion, confusions
from distilclip_eeg.explain.confusion import draw_confusions

TABLE = "segment\tpatient\tpart\tlabel\tprobability\n"


def write(folder: Path, name: str, *rows: tuple[int, float]) -> None:
    path = folder / "predictions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"r@{k}\tp\trandom\t{label}\t{p}\n" for k, (label, p) in enumerate(rows)]
    path.write_text(TABLE + "".join(lines))


def test_seeds_are_summed_and_protocols_apart(tmp_path: Path) -> None:
    write(tmp_path, "paper/forest/seed0-random.tsv", (0, 0.1), (0, 0.9), (1, 0.8))
    write(tmp_path, "paper/forest/seed1-random.tsv", (0, 0.2), (1, 0.3), (1, 0.6))
    write(tmp_path, "patient/forest/seed0-a.tsv", (1, 0.9))
    paper, patient = confusions(tmp_path)
    assert (paper.title, patient.title) == ("paper: forest", "patient: forest")
    assert paper.classes == ("background", "seizure")
    assert paper.counts.tolist() == [[2, 1], [1, 2]]
    assert patient.counts.tolist() == [[0, 0], [0, 1]]
    assert patient.shares().tolist() == [[0, 0], [0, 1]]
    with pytest.raises(CorpusError, match="found no predictions"):
        confusions(tmp_path / "nowhere")


def test_cells_of_scores_are_a_matrix() -> None:
    cells = {"tn": 7.0, "fp": 3.0, "fn": 1.0, "tp": 4.0}
    assert Confusion.of_cells("all", cells).counts.tolist() == [[7, 3], [1, 4]]


def test_rows_are_what_is_true_and_every_cell_says_its_share() -> None:
    two = Confusion("patient", ("background", "seizure"), np.array([[90, 10], [1, 3]]))
    figure = draw_confusions([two, two], title="Toys", warning="Leaky. " * 60)
    assert [axes.get_title() for axes in figure.axes] == ["patient", "patient"]
    axes = figure.axes[0]
    texts = {tuple(t.get_position()): t.get_text() for t in axes.texts}
    assert texts[(1, 0)] == "10.0 %\n10"  # background called a seizure
    assert texts[(0, 1)] == "25.0 %\n1"
    assert axes.get_ylabel() == "is"
    assert axes.get_xlabel() == "called"
    letters = {t.get_text(): t.get_color() for t in axes.texts}
    assert letters["90.0 %\n90"] == "white"
    assert letters["10.0 %\n10"] == "black"


def test_many_classes_keep_their_names() -> None:
    names = ("background", "a", "electrographic seizure", "b")
    four = Confusion("types", names, np.eye(4, dtype=int))
    (axes,) = draw_confusions([four], title="Toys").axes
    assert [t.get_text().replace("\n", " ") for t in axes.get_yticklabels()] == [*names]
