"""The shared space of a run: what is embedded, scored, labelled and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from distilclip_eeg.cli import main
from distilclip_eeg.config import (
    Config,
    DataConfig,
    ModelConfig,
    TextConfig,
    TowerConfig,
)
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.evaluation.plane import MapPoint, Method, flatten, write_points
from distilclip_eeg.explain.latent_map import draw_map
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.latent import (
    Space,
    _parts_of,
    embed,
    latent,
    score,
    whole_windows,
)
from distilclip_eeg.training.latent_report import map_points, markdown, notes
from distilclip_eeg.training.run_folder import RunFolder
from distilclip_eeg.training.trained import trained_parameters
from small_corpus import SIGNAL, small_store, write_corpus

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)


def config_of(**data: object) -> Config:
    return Config(name="tiny", model=TINY, data=DataConfig.model_validate(data))


@pytest.fixture(scope="module")
def model() -> DistilCLIP:
    torch.manual_seed(0)
    return DistilCLIP(TINY, SIGNAL).eval()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("latent") / "store")


@pytest.fixture(scope="module")
def space(model: DistilCLIP, store: Store) -> Space:
    return embed(model, store.recordings, SIGNAL, _parts_of(config_of(folds=[1])))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def run_folder(tmp_path: Path, model: DistilCLIP) -> Path:
    return saved(tmp_path / "run", model)


def saved(path: Path, model: DistilCLIP, config: Config | None = None) -> Path:
    folder = RunFolder(path, config or config_of(folds=[1]))
    folder.save_weights(dict(trained_parameters(model)))
    return path


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


def test_windows_do_not_overlap_and_are_of_one_class(store: Store) -> None:
    for recording in store.recordings:
        crops = list(whole_windows(recording, 10, 10))
        starts = [crop.start_s for crop in crops]
        assert np.all(np.diff(starts) >= 10)
        for crop in crops:
            assert crop.labelled.all()
            assert crop.ictal.mean() == 0 or crop.ictal.mean() >= 0.5
            assert crop.start_s + 10 <= recording.n_seconds


def test_embeddings_stand_on_the_unit_sphere(space: Space) -> None:
    for rows in (space.eeg, space.text, space.prompts):
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert len(space.eeg) == len(space.windows) == len(space.target)
    assert len(set(space.captions)) == len(space.captions) == len(space.text)


def test_each_window_has_the_caption_of_its_class(space: Space) -> None:
    for window, target in zip(space.windows, space.target, strict=True):
        assert space.captions[target] == window.caption
        assert ("seizure" in window.caption) == window.seizure
        assert space.ictal_captions[target] == window.seizure


def test_parts_follow_the_folds_of_the_run(space: Space) -> None:
    part = {w.fold: w.part for w in space.windows}
    assert part == {0: "unseen", 1: "training", None: "unseen"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "training"),
        ({"folds": [0]}, "unseen"),
        ({"folds": [0, 1], "validation_folds": [1]}, "validation"),
        ({"simulated_hours": 2, "simulated_share": 1.0}, "unseen"),
    ],
)
def test_part_of_fold_1(data: dict[str, object], expected: str, store: Store) -> None:
    in_fold_1 = next(r for r in store.recordings if r.fold == 1)
    assert _parts_of(config_of(**data))(in_fold_1) == expected


def test_figures_keep_the_parts_apart(space: Space) -> None:
    parts = score([space])
    assert parts.keys() == {"unseen", "training"}
    assert sum(part["windows"] for part in parts.values()) == len(space.windows)
    for part in parts.values():
        everything = [row for row in part["recall"] if row["class"] == "all"]
        assert [row["k"] for row in everything] == [1, 5, 10] * 2
        for row in part["recall"]:
            assert 0 <= row["recall"] <= 1
            assert 0 < row["chance"] <= row["class_known"] <= 1


def test_two_spaces_are_pooled_query_by_query(space: Space) -> None:
    one, two = score([space])["unseen"], score([space, space])["unseen"]
    assert two["windows"] == 2 * one["windows"]
    assert two["patients"] == one["patients"]
    for a, b in zip(one["recall"], two["recall"], strict=True):
        assert b["queries"] == 2 * a["queries"]
        assert b["recall"] == pytest.approx(a["recall"])


@pytest.mark.parametrize("method", get_args(Method))
def test_map_is_the_same_again(method: Method) -> None:
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(30, 8)), rng.normal(size=(6, 8))
    first, again = (flatten(*groups, method=method, seed=3) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()
    assert [len(part) for part in first] == [30, 6]


def test_principal_directions_keep_the_widest_spread() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, 5)) * (0.1, 9, 0.1, 3, 0.1)
    (plane,) = flatten(rows, method="pca")
    assert abs(np.corrcoef(plane[:, 0], rows[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(plane[:, 1], rows[:, 3])[0, 1]) > 0.99


def test_map_shows_every_window_caption_and_prompt(space: Space) -> None:
    points = map_points(space)
    kinds = [point.what for point in points]
    assert kinds.count("window") == len(space.windows)
    assert kinds.count("caption") == len(space.captions)
    assert [p.state for p in points if p.what == "prompt"] == ["background", "seizure"]


def test_picture_names_people_and_data_sets(space: Space) -> None:
    figure = draw_map(map_points(space), title="a title", note="a note")
    left, right = figure.axes
    legends = [
        {text.get_text() for text in axes.get_legend().get_texts()}  # type: ignore[union-attr]
        for axes in (left, right)
    ]
    assert "caption, seizure" in legends[0]
    assert {"EEG, north", "EEG, south", "EEG, calm"} <= legends[1]
    assert "n1" in {text.get_text() for text in right.texts}


def test_points_are_written_as_a_table(tmp_path: Path) -> None:
    points = [MapPoint("window", 0.123456, -1, "seizure", "north", "n1")]
    write_points(tmp_path / "map.tsv", points)
    head, line = (tmp_path / "map.tsv").read_text().splitlines()
    assert head.split("\t")[:4] == ["what", "x", "y", "state"]
    assert line.split("\t")[:6] == ["window", "0.1235", "-1", "seizure", "north", "n1"]


def test_command_fills_a_folder_and_says_what_was_trained_on(
    run_folder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ("latent", run_folder, "--data", data, "--folds", "0,1", "--output", out)
    assert run(*asked) == 0
    told = capsys.readouterr()
    assert "trained on: 1" in told.err
    assert "memory, not a result" in told.err
    made = {path.name for path in out.iterdir()}
    assert made == {"latent.json", "latent.md", "map.png", "map.svg", "map.tsv"}
    report = json.loads((out / "latent.json").read_text())
    assert report["parts"].keys() == {"unseen", "training"}
    assert str(tmp_path) not in (out / "latent.json").read_text()
    assert run(*asked) == 2
    assert "--force" in capsys.readouterr().err


def test_cross_validated_folds_go_to_the_model_that_never_saw_them(
    tmp_path: Path, data: Path, model: DistilCLIP
) -> None:
    for fold in (0, 1):
        saved(tmp_path / "cv" / f"fold{fold}", model, config_of(folds=[0, 1]))
    found = latent(tmp_path / "cv", data, [0, 1])
    assert [space.name for space in found.spaces] == ["fold0", "fold1"]
    assert found.content["parts"].keys() == {"unseen"}
    for space, fold in zip(found.spaces, (0, 1), strict=True):
        assert {window.fold for window in space.windows} == {fold}


@pytest.mark.parametrize(
    ("folds", "wrong"), [("0,x", "expected numbers"), ("7", "no recording of fold 7")]
)
def test_wrong_folds_are_one_line(
    folds: str,
    wrong: str,
    run_folder: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ("latent", run_folder, "--data", data, "--folds", folds)
    assert run(*asked, "--output", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert wrong in line


def test_a_fold_without_a_model_is_refused(
    tmp_path: Path, data: Path, model: DistilCLIP, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "cv" / "fold0", model)
    asked = ("latent", tmp_path / "cv", "--data", data, "--folds", "0,1")
    assert run(*asked, "--output", tmp_path / "out") == 2
    assert "no model for fold 1" in capsys.readouterr().err


def test_a_taught_model_says_that_its_teacher_may_have_seen_more(space: Space) -> None:
    content = {
        "model": "m",
        "run": "r",
        "folds": [0],
        "training_folds": [1],
        "validation_folds": [],
        "taught": True,
        "skipped": {"n1/odd.edf": "not an EDF"},
        "window_s": 10,
        "parts": score([space]),
    }
    assert any("teacher" in line for line in notes(content))
    assert any("n1/odd.edf" in line for line in notes(content))
    assert "teacher" in markdown(content)
