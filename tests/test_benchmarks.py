"""Baselines are the networks of their papers, learn, and stand in the table of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import eegconformer, eegnet
from benchmarks.detectors import BASELINES, Trained, count
from benchmarks.run import chosen, main, predicted, run_baselines
from distilclip_eeg.config import Config, DataConfig, TrainingConfig
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.ablation_table import (
    markdown,
    read_parts,
    table_of,
)
from distilclip_eeg.training.ablation import Ablation, folds_of
from small_corpus import small_store, write_corpus

CONFIG = Config(
    name="tiny",
    data=DataConfig(folds=(0, 1)),
    training=TrainingConfig(steps=2, batch_size=4, warmup_steps=1),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr("distilclip_eeg.evaluation.forest.N_TREES", 10)
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("baselines")
    run_baselines(ablation(store), BASELINES, folder, lambda line: None)
    return folder


def ablation(store: Store) -> Ablation:
    return Ablation(folds_of(store.recordings, None), (), 1, [CONFIG])


# ---- the networks


def test_eegnet_has_the_sizes_of_its_paper() -> None:
    """Table 2 for C leads and T samples at 128 Hz, one output in place of N."""
    c, t = 64, 128
    model = eegnet.EEGNet(c, 2 * t)
    filters = 8 * 64 + 2 * 8 * c + 16 * 16 + 16 * 16
    norms = 2 * (8 + 16 + 16)
    assert count(model) == filters + norms + 16 * (t // 32) + 1
    assert model(torch.zeros(3, c, 2 * t)).shape == (3,)


def test_eegnet_keeps_its_filters_short() -> None:
    model = eegnet.EEGNet(18, 2560)
    with torch.no_grad():
        model.spatial.weight.mul_(100)
        model.dense.weight.mul_(100)
    model.constrain()
    assert model.spatial.weight.flatten(1).norm(dim=1).max() <= 1.001
    assert model.dense.weight.norm() <= 0.2501


def test_eegconformer_cuts_the_tokens_of_its_paper() -> None:
    """Of 22 channels and 1000 samples the paper has 61 tokens of width 40."""
    model = eegconformer.EEGConformer(22, 1000)
    with torch.no_grad():
        tokens = model.tokens(torch.zeros(2, 1, 22, 1000))
    assert tokens.shape == (2, 40, 1, 61)
    assert model(torch.zeros(2, 22, 1000)).shape == (2,)
    assert len(model.blocks) == 6


# ---- what they make of recordings


def test_every_baseline_leaves_out_of_fold_predictions(
    store: Store, done: Path
) -> None:
    parts = read_parts(done)
    assert set(parts) == {b.name for b in BASELINES}
    for seeds in parts.values():
        for fold, found in seeds[0].items():
            mine = [r for r in store.recordings if r.fold == fold]
            assert [p.name for p in found] == [r.name for r in mine]
            for p, r in zip(found, mine, strict=True):
                assert len(p.log_odds) == r.n_seconds
                assert np.isfinite(p.log_odds).all()


def test_loud_seizures_are_heard_by_line_length_and_forest(done: Path) -> None:
    table = table_of(done, CONFIG.detection)
    for name in ("forest", "line_length"):
        assert table["rows"][name]["figures"]["auroc"]["value"] > 0.7
    for row in table["rows"].values():
        assert row["note"]["windows_per_second"] > 0


def test_networks_learn_what_a_child_could_see(store: Store) -> None:
    training = CONFIG.training.model_copy(update={"steps": 12, "augment": False})
    config = CONFIG.model_copy(update={"training": training})
    (eegnet_,) = chosen("eegnet")
    trained = eegnet_.train(store.recordings, (), config)
    ictal = next(r for r in store.recordings if r.name == "n1/sz.edf")
    odds = predicted(trained.score, ictal).log_odds
    assert odds[18:28].mean() > odds[:10].mean()


def test_what_cannot_be_seen_is_not_scored(store: Store) -> None:
    recording = store.recordings[0]
    recording._usable[:, :20] = False

    def zero(eeg: np.ndarray, usable: np.ndarray) -> np.ndarray:
        return np.zeros(len(eeg))

    odds = predicted(Trained(zero).score, recording).log_odds
    assert np.isnan(odds[:15]).all()
    assert (odds[20:] == 0).all()
    recording._usable[:, :20] = True


def test_a_seed_gives_the_same_again(store: Store, done: Path, tmp_path: Path) -> None:
    run_baselines(ablation(store), chosen("eegnet"), tmp_path, lambda line: None)
    for path in (tmp_path / "predictions" / "eegnet").iterdir():
        other = done / "predictions" / "eegnet" / path.name
        assert path.read_bytes() == other.read_bytes()


def test_what_is_done_is_not_done_again(store: Store, done: Path) -> None:
    said: list[str] = []
    run_baselines(ablation(store), BASELINES, done, said.append)
    assert not said


def test_unknown_baselines_are_refused() -> None:
    with pytest.raises(ConfigError, match="found baseline 'oracle', expected some of"):
        chosen("oracle")


def test_the_command_from_files_to_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_corpus(tmp_path / "corpus")
    toml = tmp_path / "tiny.toml"
    toml.write_text('name = "tiny"\n[data]\nfolds = [0, 1]\n')
    args = [str(tmp_path / "out"), "--data", str(root), "--config", str(toml)]
    args += ["--seeds", "1", "--only", "line_length"]
    assert main(args) == 0
    out, err = capsys.readouterr()
    assert "| line_length |" in out
    assert "line_length, seed 0, fold 1" in err
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    assert markdown(table) == out
    assert main([*args[:-1], "oracle"]) == 2
