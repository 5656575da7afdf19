"""Data by any of its names becomes recordings with their truth."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.simulate import prepare_simulated
from distilclip_eeg.corpora.store import prepare
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.material import Data, open_data
from distilclip_eeg.evaluation.predictions import Prediction, Stretch
from small_corpus import CLIPS, write_corpus

SIGNAL = SignalConfig()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus")


def silent(data: Data) -> list[Prediction]:
    """What a model that says nothing would leave."""
    predictions = []
    for task in data.tasks:
        material = task.load()
        odds = np.zeros(material.n_seconds)
        predictions.append(material.predicted((Stretch.whole(odds),)))
    return predictions


def test_a_folder_with_a_manifest_and_its_store_are_the_same(
    corpus: Path, tmp_path: Path
) -> None:
    prepare(read_manifest(corpus), tmp_path / "store", SIGNAL)
    given = open_data(str(corpus), SIGNAL)
    stored = open_data(str(tmp_path / "store"), SIGNAL)
    assert (given.given, stored.given) == ("corpus", "store")
    pairs = zip(silent(given), silent(stored), CLIPS, strict=True)
    for a, b, clip in pairs:
        for field in ("name", "dataset", "patient", "kind", "seizures", "labelled_s"):
            assert getattr(a, field) == getattr(b, field)
        np.testing.assert_array_equal(a.ictal, b.ictal)
        np.testing.assert_array_equal(a.labelled, b.labelled)
        assert len(a.ictal) == clip.seconds
        assert [s[:2] for s in a.seizures] == [(on, on + d) for on, d in clip.seizures]


def test_by_the_name_of_a_data_set(corpus: Path) -> None:
    by_name = open_data(f"manifest:{corpus}", SIGNAL)
    assert {t.name for t in by_name.tasks} == {f"{clip.name}.edf" for clip in CLIPS}


def test_what_a_catalog_leaves_out_is_told(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    (copy / "n1" / "bg.edf").unlink()
    found = open_data(f"manifest:{copy}", SIGNAL)
    assert len(found.tasks) == len(CLIPS) - 1
    assert "n1/bg.edf" in " ".join(found.skipped.values())


def test_some_folds_alone(corpus: Path) -> None:
    found = open_data(str(corpus), SIGNAL, [1])
    assert {task.patient for task in found.tasks} == {"n2", "s1"}
    assert {task.fold for task in found.tasks} == {1}
    with pytest.raises(CorpusError, match="found no recording in folds 7, 8"):
        open_data(str(corpus), SIGNAL, [7, 8])


def test_a_patient_in_two_folds_is_refused(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(corpus, copy)
    manifest = copy / "manifest.tsv"
    lines = manifest.read_text().splitlines()
    lines[2] = lines[2][:-1] + "3"
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(CorpusError, match="patient n1 is in folds 0 and 3"):
        open_data(str(copy), SIGNAL)


def test_seeds_are_drawn_when_their_turn_comes(tmp_path: Path) -> None:
    found = open_data("simulated:7-8", SIGNAL, duration_s=90, keep=tmp_path / "kept")
    assert found.seeds == (7, 8)
    assert not (tmp_path / "kept").exists()
    made = silent(found)
    stored = prepare_simulated([7, 8], tmp_path / "store", SIGNAL, duration_s=90)
    same = silent(open_data(str(tmp_path / "store"), SIGNAL))
    for a, b, recording in zip(made, same, stored.recordings, strict=True):
        assert a.name == b.name == recording.name
        assert (a.dataset, a.patient, a.kind) == (b.dataset, b.patient, b.kind)
        assert a.seizures == b.seizures
        assert list(a.patterns) == [tuple(p) for p in b.patterns]
        np.testing.assert_array_equal(a.ictal, b.ictal)
        kept = read_tsv(tmp_path / "kept" / f"{a.name}_events.tsv")
        n_seizures = sum(event.is_seizure for event in kept)
        assert n_seizures == len(a.seizures)


def test_a_single_seed() -> None:
    assert open_data("simulated:4", SIGNAL).seeds == (4, 4)


@pytest.mark.parametrize("seeds", ["x", "5-3", "-1", "1-", "1-2-3"])
def test_seeds_that_are_none(seeds: str) -> None:
    with pytest.raises(ConfigError, match="FIRST-LAST"):
        open_data(f"simulated:{seeds}", SIGNAL)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"found neither manifest\.tsv nor"):
        open_data(str(tmp_path), SIGNAL)
    with pytest.raises(CorpusError, match="no such folder"):
        open_data(f"chbmit:{tmp_path / 'x'}", SIGNAL)
