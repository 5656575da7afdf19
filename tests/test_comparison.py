"""Recipes are judged side by side on what none of their runs has seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.cli import main
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.simulate import prepare_simulated
from distilclip_eeg.evaluation.assessment import Assessment, Patient
from distilclip_eeg.evaluation.intervals import difference, intervals
from distilclip_eeg.evaluation.runs import SHOWN, Recipe, above, row_of
from small_corpus import write_corpus
from test_commands import CONFIG


def assessment(seed: int) -> Assessment:
    rng = np.random.default_rng(seed)
    patients = {}
    for name in "abcd":
        ictal = rng.random(40) < 0.5
        patients[name] = Patient()
        patients[name].ictal = ictal
        patients[name].log_odds = rng.normal(0, 1, 40) + ictal
    return Assessment(patients)


def test_a_row_is_the_mean_over_runs() -> None:
    runs = [assessment(seed) for seed in range(3)]
    row = row_of(Recipe(runs), draws=50)["auroc_pooled"]
    each = [run.figures()[SHOWN["auroc_pooled"]] for run in runs]
    assert row.runs == pytest.approx(each, abs=1e-5)
    assert row.value == pytest.approx(np.mean(each), abs=1e-5)
    assert row.value is not None
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.value < row.high


def test_one_run_has_the_interval_of_its_assessment() -> None:
    run = assessment(0)
    want = intervals(run, draws=50)[SHOWN["auroc_pooled"]]
    row = row_of(Recipe([run]), draws=50)["auroc_pooled"]
    assert (row.value, row.low, row.high) == pytest.approx(tuple(want), abs=1e-5)


def test_a_recipe_is_not_above_itself() -> None:
    recipe = Recipe([assessment(seed) for seed in range(2)])
    for row in above(recipe, recipe, draws=20).values():
        assert row.value in (0, None)
        assert row.high in (0, None)


def test_two_recipes_are_compared_on_the_same_draws() -> None:
    """As `intervals.difference` does it, with one run each; no draw is had twice."""
    a, b = assessment(0), assessment(1)
    one, other = Recipe([a]), Recipe([b])
    row_of(one, draws=20)
    row_of(other, draws=20)
    n_known = len(one._known)
    row = above(one, other, draws=20)["auroc_pooled"]
    want = difference(a, b, draws=20)[SHOWN["auroc_pooled"]]
    assert (row.value, row.low, row.high) == pytest.approx(tuple(want), abs=1e-5)
    assert len(one._known) == n_known


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_corpus(tmp_path / "data")
    text = CONFIG.format(validation="").replace("folds = [0, 1]", "folds = [0]")
    (tmp_path / "toy.toml").write_text(text)
    prepare_simulated((10_000, 10_001), tmp_path / "sim", SignalConfig(), duration_s=90)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


def test_from_runs_to_a_table(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1"):
        assert run("train", "toy.toml", "--data", "data", "--seed", seed) == 0
    # One short seizure is no basis for a forest: the toy recipe also simulates.
    asked = ("compare", "toy=runs/toy-0,runs/toy-1", "--data", "data", "--folds")
    rest = ("--simulated", "sim", "--output", "out")
    assert run(*asked, "0", *rest) == 2
    assert "trained on folds 0" in capsys.readouterr().err
    assert not (toy / "out").exists()
    assert run(*asked, "1", *rest) == 0
    table = json.loads((toy / "out" / "table.json").read_text())
    assert table["data"]["folds"] == [1]
    row = table["rows"]["toy"]
    assert len(row["real"]["auroc_pooled"]["runs"]) == 2
    assert row["cost"]["parameters"]["eeg"] > 0
    assert row["cost"]["seconds_per_hour"] > 0
    lines = (toy / "out" / "table.md").read_text().splitlines()
    assert len({line.count("|") for line in lines[:3]}) == 1
    before = (toy / "out" / "toy-0_real.tsv").stat().st_mtime_ns
    assert run(*asked, "1", *rest) == 0  # judged already
    assert (toy / "out" / "toy-0_real.tsv").stat().st_mtime_ns == before
