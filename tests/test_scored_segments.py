"""Predictions come back from disk as they were written, whatever the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clips import Clip, clips
from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.experiment.protocols import segments
from distilclip_eeg.evaluation.experiment.scored_segments import (
    ABOUT,
    COLUMNS,
    Key,
    claim,
    read_scored,
    write_scored,
)
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES, TYPES

KEY = Key("patient", "forest", 3, "a to b")
SEVERAL = ("background", TYPES["sz_foc_ia"], TYPES["sz_gen_nm"])
SEIZURES = (Marked(20, 40, "sz_foc_ia"), Marked(60, 80, "sz_gen_nm"))
RECORDINGS = clips(Clip("x", "chb21", SEIZURES), Clip("y", "p", SEIZURES[1:]))


def test_two_classes_are_0_and_1_and_one_probability(tmp_path: Path) -> None:
    found = segments(RECORDINGS)
    p = np.linspace(0, 1, len(found))
    path = write_scored(tmp_path, KEY, found, p)
    assert path == tmp_path / "predictions/patient/forest/seed3-a-to-b.tsv"
    lines = path.read_text().splitlines()
    assert tuple(lines[0].split("\t")) == COLUMNS
    assert lines[1] == "x@0\tchb01\ta to b\t0\t0"
    (scored,) = read_scored(tmp_path)
    assert (scored.key, scored.classes) == (KEY, CLASSES)
    assert scored.patients == ("chb01",) * 19 + ("p",) * 19
    assert scored.ictal.tolist() == [s.ictal for s in found]
    assert scored.probability == pytest.approx(p, rel=1e-9)
    np.testing.assert_allclose(scored.probabilities.sum(1), 1)


def test_more_classes_are_names_and_a_column_each(tmp_path: Path) -> None:
    found = segments(RECORDINGS, classes=SEVERAL)
    p = np.random.default_rng(0).dirichlet([1, 1, 1], len(found))
    path = write_scored(tmp_path, KEY, found, p, SEVERAL)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert tuple(lines[0]) == (*ABOUT, *SEVERAL)
    assert [line[3] for line in lines[1:]] == [s.label for s in found]
    (scored,) = read_scored(tmp_path)
    assert scored.classes == SEVERAL
    assert [SEVERAL[k] for k in scored.labels] == [s.label for s in found]
    np.testing.assert_allclose(scored.probabilities, p, rtol=1e-9)
    np.testing.assert_allclose(scored.probability, 1 - p[:, 0], rtol=1e-6)
    assert scored.ictal.tolist() == [s.ictal for s in found]


def test_one_folder_has_the_same_classes_throughout(tmp_path: Path) -> None:
    found = segments(RECORDINGS, classes=SEVERAL)
    write_scored(tmp_path, KEY, found, np.full((len(found), 3), 1 / 3), SEVERAL)
    two = segments(RECORDINGS)
    write_scored(tmp_path, KEY._replace(model="student"), two, np.full(len(two), 0.5))
    with pytest.raises(
        CorpusError, match="found classes background, seizure, expected"
    ):
        read_scored(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "segment\tpatient\tpart\tlabel\nx@0\tp\ta\t0\n",
        "segment\tpatient\tpart\tlabel\tbackground\ta\nx@0\tp\ta\tb\t0.5\t0.5\n",
        "segment\tpatient\tpart\tlabel\tprobability\n",
        "segment\tpatient\tpart\tlabel\tprobability\nx@0\tp\ta\t2\t0.5\n",
        "segment\tpatient\tpart\tlabel\tprobability\nx@0\tp\ta\t0\tsure\n",
    ],
)
def test_broken_tables_are_named(tmp_path: Path, text: str) -> None:
    path = KEY.path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(
        CorpusError, match=r"seed3-a-to-b\.tsv: found .*, expected lines"
    ):
        read_scored(tmp_path)


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    claim(tmp_path / "new", {"split": None, "classes": ["a", "b"]})
    claim(tmp_path / "new", {"split": None, "classes": ["a", "b"]})
    with pytest.raises(ConfigError, match="experiment with other classes; name"):
        claim(tmp_path / "new", {"split": None, "classes": ["a"]})
