"""Published figures follow from the predictions and files that lie beside them."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilclip_eeg.corpora.store import Marked
from distilclip_eeg.training.comparison import markdown
from distilclip_eeg.training.experiments import summary
from distilclip_eeg.training.predict import Prediction

REPO = Path(__file__).parent.parent
RESULTS = REPO / "docs" / "results"
PRETRAINED = REPO / "src" / "distilclip_eeg" / "pretrained"
BUNDLED = ("student", "edge")


@pytest.fixture(scope="module", params=BUNDLED)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folds(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / name / "folds0-3.json").read_text())
    return content


@pytest.fixture(scope="module")
def fold4(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / name / "fold4.json").read_text())
    return content


@pytest.fixture(scope="module")
def predictions(name: str) -> list[Prediction]:
    rows = defaultdict(list)
    with (RESULTS / name / "folds0-3_predictions.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            rows[row["recording"], row["dataset"], row["patient"]].append(row)
    return [
        Prediction(
            name=recording,
            dataset=dataset,
            patient=patient,
            kind="",
            log_odds=np.array([float(r["log_odds"]) for r in group]),
            ictal=np.array([float(r["ictal"]) for r in group]),
            labelled=np.array([r["labelled"] == "1" for r in group]),
            seizures=(Marked(0.0, 1.0),)
            if any(float(r["ictal"]) for r in group)
            else (),
        )
        for (recording, dataset, patient), group in rows.items()
    ]


def test_every_bundled_model_has_results() -> None:
    assert {path.name for path in PRETRAINED.iterdir() if path.is_dir()} == set(BUNDLED)


def test_auroc_follows_from_the_predictions(
    folds: dict[str, Any], predictions: list[Prediction]
) -> None:
    assert summary(predictions) == pytest.approx(folds["figures"], abs=2e-3)


def test_no_test_patient_was_predicted_out_of_fold(
    fold4: dict[str, Any], predictions: list[Prediction]
) -> None:
    tested = {r["patient"] for r in fold4["recordings"]}
    assert tested.isdisjoint({p.patient for p in predictions})


def test_readme_and_card_quote_the_files(
    name: str, folds: dict[str, Any], fold4: dict[str, Any]
) -> None:
    seizures, quiet = fold4["kind:seizure"], fold4["kind:background"]
    found = f"{seizures['n_found']} of {seizures['n_true']}"
    alarmed = f"{quiet['n_recordings_alarmed']} of {quiet['n_recordings']}"
    scores, events = folds["figures"], folds["at_settings"]
    mean, pooled = scores["auroc_mean_over_patients"], scores["auroc_pooled"]
    out_of_fold = f"{events['n_found']} of {events['n_true']}"
    readme = " ".join((REPO / "README.md").read_text().split())
    if name == "student":
        assert f"**{found} seizures**" in readme
        assert f"**{alarmed} clips**" in readme
    assert f"| {found} / {alarmed} |" in readme
    assert f"| {mean:.3f} / {pooled:.3f} |" in readme
    assert f"| {out_of_fold} / " in readme
    card = " ".join((PRETRAINED / name / "MODEL_CARD.md").read_text().split())
    for quoted in (found, out_of_fold, f"{mean:.3f}", f"{pooled:.3f}"):
        assert quoted in card


def test_the_shipped_settings_are_those_of_the_figures(
    name: str, folds: dict[str, Any]
) -> None:
    shipped = json.loads((PRETRAINED / name / "config.json").read_text())
    assert shipped["detection"] == folds["config"]["detection"]
    assert shipped["signal"]["hop_s"] == folds["config"]["signal"]["hop_s"]


def test_the_table_of_distillation_says_what_its_numbers_say() -> None:
    folder = RESULTS / "distillation"
    table = json.loads((folder / "table.json").read_text())
    assert markdown(table) == (folder / "table.md").read_text()
    assert table["data"]["folds"] == [4]
    for name, row in table["rows"].items():
        for where in ("real", "simulated"):
            figure = row[where]["auroc"]
            assert len(figure["runs"]) == 3, name
            assert figure["value"] == pytest.approx(np.mean(figure["runs"]), abs=1e-3)
