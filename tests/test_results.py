"""Published figures follow from the predictions and files that lie beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distilclip_eeg.config import DetectionConfig, load_config
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.evaluation.assessment import Assessment
from distilclip_eeg.evaluation.experiment.protocol_report import (
    markdown as paper_table,
)
from distilclip_eeg.evaluation.experiment.protocol_table import table_of
from distilclip_eeg.evaluation.intervals import difference
from distilclip_eeg.evaluation.operating import clip_group
from distilclip_eeg.evaluation.operating_file import read_thresholds, thresholds_table
from distilclip_eeg.evaluation.predictions import Prediction, read_predictions
from distilclip_eeg.evaluation.tables import scores_table
from distilclip_eeg.model_folder import load_folder
from distilclip_eeg.training.card_scores import card_scores
from distilclip_eeg.training.comparison import markdown
from distilclip_eeg.training.experiments import score

REPO = Path(__file__).parent.parent
RESULTS = REPO / "docs" / "results"
PRETRAINED = REPO / "src" / "distilclip_eeg" / "pretrained"
BUNDLED = ("student", "edge")
GROUPS = ("seizure", "post-ictal", "ordinary", "hard negative")


def of(scores: dict[str, Any], path: str) -> float:
    value: Any = scores["scores"]
    for key in path.split("/"):
        value = value[key]
    return float(value["value"])


def clips_counted(
    predictions: list[Prediction], settings: DetectionConfig
) -> dict[str, str]:
    """Seizures found; clips without one that were alarmed, by kind."""
    groups: dict[str, list[Prediction]] = {group: [] for group in GROUPS}
    for prediction in predictions:
        groups[clip_group(prediction)].append(prediction)
    counted = {group: score(clips, settings) for group, clips in groups.items()}
    return {
        group: f"{n.n_found} of {n.n_true}"
        if n.n_true
        else f"{n.n_alarmed} of {n.n_quiet}"
        for group, n in counted.items()
    }


@pytest.fixture(scope="module", params=(*BUNDLED, "teacher"))
def scores(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What was measured out of fold."""
    path = RESULTS / request.param / "out_of_fold" / "scores.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture(scope="module")
def predictions(scores: dict[str, Any]) -> list[Prediction]:
    return read_predictions(
        RESULTS / scores["name"] / "out_of_fold" / "predictions.tsv"
    )


def test_every_bundled_model_has_results() -> None:
    assert {path.name for path in PRETRAINED.iterdir() if path.is_dir()} == set(BUNDLED)


def test_figures_follow_from_the_predictions(
    scores: dict[str, Any], predictions: list[Prediction]
) -> None:
    settings = DetectionConfig.model_validate(scores["settings"])
    figures = Assessment.of_predictions(predictions, settings).figures()
    for path in (
        "windows/auroc/mean",
        "windows/auroc/pooled",
        "seizures/found/pooled",
        "szcore_event/false_alarms_per_day/pooled",
    ):
        group, figure, over = path.split("/")
        counted = figures[f"{over}/{group}/{figure}"]
        assert counted == pytest.approx(of(scores, path), abs=2e-3), path


def test_the_table_says_what_the_numbers_say(scores: dict[str, Any]) -> None:
    table = (RESULTS / scores["name"] / "out_of_fold" / "scores.md").read_text()
    assert table == scores_table(scores)


def test_every_clip_was_scored_by_a_model_of_its_fold(
    scores: dict[str, Any], predictions: list[Prediction], data_dir: Path
) -> None:
    assert [model["fold"] for model in scores["models"]] == [0, 1, 2, 3, 4]
    assert len({model["sha256"] for model in scores["models"]}) == 5
    assert not scores["skipped"]
    assert {p.name for p in predictions} == {r.name for r in read_manifest(data_dir)}


def test_the_students_of_the_folds_lie_in_the_repository() -> None:
    path = RESULTS / "student" / "out_of_fold" / "scores.json"
    for model in json.loads(path.read_text())["models"]:
        fold = model["fold"]
        folder = load_folder(REPO / "models" / "student" / f"fold{fold}")
        assert folder.sha256 == model["sha256"]
        others = ", ".join(str(other) for other in range(5) if other != fold)
        card = " ".join((folder.path / "MODEL_CARD.md").read_text().split())
        assert f"Folds {others} of the data set's split by patient were seen" in card


@pytest.mark.parametrize("name", BUNDLED)
def test_readme_and_card_quote_the_files(name: str) -> None:
    folder = RESULTS / name
    scores = json.loads((folder / "out_of_fold" / "scores.json").read_text())
    heard = read_predictions(folder / "out_of_fold" / "predictions.tsv")
    counted = clips_counted(heard, DetectionConfig.model_validate(scores["settings"]))
    readme = " ".join((REPO / "README.md").read_text().split())
    assert f"| {' / '.join(counted.values())} |" in readme
    if name == "student":
        assert f"**{counted['seizure']} seizures**" in readme
        assert f"**{counted['post-ictal']}** clips" in readme
    mean, pooled = (of(scores, f"windows/auroc/{k}") for k in ("mean", "pooled"))
    assert f"| {mean:.3f} / {pooled:.3f} |" in readme
    onsets = json.loads((folder / "onsets" / "scores.json").read_text())
    latency = onsets["onsets"]["groups"]["all"]["latency_s"]["value"]
    assert f"| {latency:.1f} s |" in readme or f" {latency:.1f} s | " in readme
    card = (PRETRAINED / name / "MODEL_CARD.md").read_text()
    assert card_scores(scores).strip() in card
    assert card_scores(onsets).strip() in card
    config = load_config(REPO / "configs" / f"{name}.toml")
    thresholds = read_thresholds(folder / "thresholds.json", config)
    assert thresholds_table(thresholds).strip() in card
    if name == "student":
        own, rarest = thresholds.own, thresholds.points[0]
        assert own is not None
        assert f"{own.per_day:.0f} times a day" in readme
        assert f"finds {rarest.found_long} simulated seizures" in readme
        assert f"and {rarest.beside['seizure']} real ones" in readme


def test_how_far_the_student_is_above_the_forest() -> None:
    """Paired, on the same patients, each unseen by both."""
    student, forest = (
        Assessment.of_predictions(read_predictions(path), DetectionConfig())
        for path in (
            RESULTS / "student" / "out_of_fold" / "predictions.tsv",
            RESULTS / "forest" / "predictions.tsv",
        )
    )
    above = difference(student, forest, draws=200)["mean/windows/auroc"]
    assert above.low > 0
    readme = " ".join((REPO / "README.md").read_text().split())
    of_forest = forest.figures()["mean/windows/auroc"]
    assert f"AUROC of {of_forest:.3f}, the student {above.value:.3f} [" in readme


@pytest.mark.parametrize("name", BUNDLED)
def test_what_is_shipped_is_what_was_measured(name: str) -> None:
    scores = json.loads((RESULTS / name / "out_of_fold" / "scores.json").read_text())
    shipped = json.loads((PRETRAINED / name / "config.json").read_text())
    assert shipped["detection"] == scores["settings"]
    config = load_config(REPO / "configs" / f"{name}.toml")
    assert shipped["detection"] == config.detection.model_dump(mode="json")
    thresholds = read_thresholds(RESULTS / name / "thresholds.json", config)
    assert load_folder(PRETRAINED / name).config.false_alarms_per_day == (
        thresholds.operating_points
    )


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


def test_the_papers_figures_follow_from_the_predictions() -> None:
    """Protocol by protocol, from the segments that lie beside the table."""
    published = json.loads((RESULTS / "chbmit_clips.json").read_text())
    counted = table_of(RESULTS / "chbmit_clips")
    assert published["warning"] == counted["warning"] != ""
    assert published["paper"]["teacher"]["seeds"] == [0, 1, 2]
    for protocol in ("paper", "patient"):
        for model in ("teacher", "student", "forest"):
            for figure in ("accuracy", "f1", "auroc"):
                now, said = (t[protocol][model][figure] for t in (counted, published))
                for bound in ("mean", "low", "high"):
                    assert now[bound] == pytest.approx(said[bound], abs=1e-4)
    table = (RESULTS / "chbmit_clips.md").read_text()
    assert table == paper_table(published, "The paper's experiment")
