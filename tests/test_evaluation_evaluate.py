"""A model folder and data become files that agree with `detect` and with each other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from distilclip_eeg import detect
from distilclip_eeg.cli import main
from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.models import load_model
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.errors import ConfigError, DistilClipError, ModelFolderError
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.evaluate import (
    Evaluated,
    Models,
    evaluate,
    scores_of,
    write_scores,
)
from distilclip_eeg.evaluation.predictions import read_predictions
from distilclip_eeg.evaluation.tables import models_table, scores_table
from distilclip_eeg.evaluation.windows import auroc, window_scores
from small_corpus import CLIPS, write_corpus
from tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, and a tiny model for all and for each of its two folds."""
    root = tmp_path_factory.mktemp("data")
    write_corpus(root / "corpus")
    for name in ("tiny", "fold0", "fold1"):
        write_tiny_model(root / name, name=name)
    return root


@pytest.fixture(scope="module")
def done(root: Path) -> Evaluated:
    return evaluate(Models(str(root / "tiny"), threads=1), str(root / "corpus"))


@pytest.fixture(scope="module")
def scores(done: Evaluated) -> dict[str, Any]:
    return scores_of(done, draws=10)


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(arg) for arg in args])
    return int(exit_.value.code or 0)


def test_events_are_those_of_detect(root: Path, done: Evaluated) -> None:
    model = load_model(root / "tiny", threads=1)
    settings = done.models.settings()
    n_events = 0
    for prediction in done.predictions:
        found = detect(root / "corpus" / prediction.name, model=model)
        assert alarms(prediction.parts, settings) == [
            Event(e.onset, e.duration, "sz", e.confidence, raised_s=e.raised_s)
            for e in found.events
        ]
        n_events += len(found.events)
    assert n_events > 1
    assert len(done.predictions) == len(CLIPS)


def test_scores_say_where_they_come_from(root: Path, scores: dict[str, Any]) -> None:
    (model,) = scores["models"]
    assert model == {
        "fold": None,
        "name": "tiny",
        "sha256": load_model(root / "tiny", threads=1).folder.sha256,
    }
    assert scores["settings"] == DetectionConfig().model_dump()
    assert scores["data"] == {
        "given": "corpus",
        "seeds": None,
        "datasets": ["calm", "north", "south"],
        "folds": [0, 1],
        "n_recordings": 6,
        "n_patients": 4,
        "n_seizures": 4,
        "hours": pytest.approx(184 / 3600, abs=1e-4),
    }
    assert scores["skipped"] == {}
    assert scores["scorers"]["szcore_event"] == "timescoring 0.0.7"
    assert set(scores["by_dataset"]) == {"calm", "north", "south"}
    assert set(scores["patients"]) == {"n1", "n2", "s1", "c1"}


def test_what_is_not_defined_is_null(scores: dict[str, Any]) -> None:
    calm = scores["by_dataset"]["calm"]
    assert calm["szcore_event"]["sensitivity"]["pooled"]["value"] is None
    assert calm["windows"]["auroc"]["mean"]["value"] is None
    assert calm["windows"]["specificity"]["pooled"]["value"] is not None
    assert calm["n"]["hours"] == pytest.approx(10 / 3600, abs=1e-5)
    assert "NaN" not in json.dumps(scores)
    table = scores_table(scores)
    assert "| calm | 1 | 0 | – | – | – |" in table
    assert "nan" not in table


def test_files_agree(tmp_path: Path, done: Evaluated, scores: dict[str, Any]) -> None:
    write_scores(tmp_path / "new" / "out", scores, done.predictions)
    folder = tmp_path / "new" / "out"
    names = ["predictions.tsv", "scores.json", "scores.md"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert json.loads((folder / "scores.json").read_text()) == json.loads(
        json.dumps(scores)
    )
    read = read_predictions(folder / "predictions.tsv")
    assert [p.name for p in read] == [p.name for p in done.predictions]
    pooled = scores["scores"]["windows"]["auroc"]["pooled"]["value"]
    assert auroc(window_scores(read)) == pytest.approx(pooled, abs=1e-3)
    assert str(tmp_path) not in (folder / "scores.json").read_text()


def test_each_fold_has_its_model(root: Path) -> None:
    models = Models(str(root / "fold{fold}"), threads=1)
    found = evaluate(models, str(root / "corpus"), [1, 0])
    assert len(found.predictions) == 5  # one clip has no fold
    assert {fold: m.name for fold, m in models.loaded.items()} == {
        0: "fold0",
        1: "fold1",
    }
    listed = scores_of(found, draws=0)["models"]
    assert [m["name"] for m in listed] == ["fold0", "fold1"]


def test_a_recording_without_a_fold_has_no_model(root: Path) -> None:
    with pytest.raises(ConfigError, match="recording without a fold"):
        evaluate(Models(str(root / "fold{fold}")), str(root / "corpus"))


def test_models_of_folds_are_alike(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "fold0", tmp_path / "fold0")
    changed = DetectionConfig(min_duration_s=7)
    write_tiny_model(tmp_path / "fold1", detection=changed)
    with pytest.raises(ConfigError, match="expected the same for every fold"):
        evaluate(Models(str(tmp_path / "fold{fold}")), str(root / "corpus"), [0, 1])
    with pytest.raises(ModelFolderError, match="no folder for any fold"):
        evaluate(Models(str(tmp_path / "none{fold}")), str(root / "corpus"))


def test_a_threshold_of_ones_own(root: Path) -> None:
    models = Models(str(root / "tiny"), false_alarms_per_day=2)
    evaluate(models, str(root / "corpus"), [0])
    assert models.settings().onset_threshold == pytest.approx(0.7)


@pytest.fixture
def broken(root: Path, tmp_path: Path) -> Path:
    """The corpus, one of its recordings cut off in the header."""
    copy = tmp_path / "corpus"
    shutil.copytree(root / "corpus", copy)
    (copy / "n2" / "sz.edf").write_bytes(b"0       ")
    return copy


def test_the_command(
    root: Path,
    broken: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distilclip_eeg.evaluation.cost.LENGTH_S", 60.0)
    out = tmp_path / "out"
    args: list[object] = ["evaluate", broken, "--model", root / "tiny"]
    args += ["--output", out, "--draws", 0, "--threads", 1, "--name", "loud"]
    assert run(*args) == 1
    said = capsys.readouterr()
    assert said.out == (out / "scores.md").read_text()
    assert said.out.startswith("# loud on corpus\n")
    assert "n2/sz.edf" in said.err
    assert "1 of 6 recordings failed" in said.err
    scores = json.loads((out / "scores.json").read_text())
    assert list(scores["skipped"]) == ["n2/sz.edf"]
    assert str(tmp_path) not in (out / "scores.json").read_text()
    assert scores["cost"]["peak_memory_bytes"] > 0
    assert scores["cost"]["threads"] == 1
    assert scores["confidence"]["n_events"] > 1
    assert (out / "confidence.png").read_bytes().startswith(b"\x89PNG")
    assert run(*args) == 2  # there already
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nowhere"], "found neither"),
        (["simulated:9-1"], "FIRST-LAST"),
        (["corpus", "--folds", "a"], "found folds 'a'"),
        (["corpus", "--folds", "3-1"], "found folds '3-1'"),
        (["corpus", "--model", "no-such-model"], "neither a model folder"),
        (["corpus", "--threshold", "2"], "above 0 and up to 1"),
    ],
)
def test_mistakes_are_one_line(
    root: Path,
    args: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(root)
    model = [] if "--model" in args else ["--model", "tiny"]
    assert run("evaluate", *args, *model) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_nothing_can_be_scored(root: Path, broken: Path) -> None:
    for clip in CLIPS:
        (broken / f"{clip.name}.edf").write_bytes(b"0       ")
    with pytest.raises(DistilClipError, match="no recording could be scored"):
        evaluate(Models(str(root / "tiny")), str(broken))


def test_several_models_in_one_table(scores: dict[str, Any]) -> None:
    other = json.loads(json.dumps(scores))
    other["scores"]["windows"]["accuracy"]["pooled"]["value"] = 0.5
    last = {"name": "last", "scores": {}, "cost": {}}
    lines = models_table([scores, other, last]).splitlines()
    assert len(lines) == 4
    own = scores["scores"]["windows"]["accuracy"]["pooled"]["value"]
    assert f"{(own + 0.5) / 2:.3f} (0.500 to {own:.3f})" in lines[2]
    assert lines[2].startswith("| tiny | 2 |")
    assert lines[3].startswith("| last | 1 | – |")
