"""`reproduce` on replicas of the paper's data sets: files in, a table out.

Tiny networks and a few steps: that it runs, with which classes, and what it says; how
well it learns is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from corpus_replicas import write_aubmc, write_chbmit, write_siena, write_tusz
from distilclip_eeg.cli import app
from distilclip_eeg.corpora.aubmc_segments import CLASSES as SHIPPED
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.experiment.protocol_report import markdown
from distilclip_eeg.evaluation.experiment.protocol_table import table_of
from distilclip_eeg.evaluation.experiment.protocols import LEAK
from distilclip_eeg.evaluation.experiment.scored_segments import (
    Key,
    Row,
    read_scored,
    write_rows,
)
from distilclip_eeg.evaluation.experiment.seizure_classes import INVISIBLE, TYPES
from distilclip_eeg.training.reproduction import WORK
from distilclip_eeg.training.run_folder import load_run
from replica_types import write_typed_aubmc, write_typed_tusz

TINY = """name = "{name}"
[model]
embed_dim = 16
[model.tower]
stem_filters = 8
dim = 16
depth = 1
heads = 2
ff_mult = 2
conv_kernel = 7
[model.text]
layers = 1
n_prompts = 2
[training]
steps = 2
batch_size = 6
warmup_steps = 1
precision = "32-true"
"""
FOCAL, GENERALISED = TYPES["sz_foc_ia"], TYPES["sz_gen"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr("distilclip_eeg.evaluation.forest.N_TREES", 10)
    monkeypatch.setattr("distilclip_eeg.cli.reproducing.os.cpu_count", lambda: 1)


@pytest.fixture
def reproduce(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Call the command; return the table that it wrote to `out`."""
    for name in ("teacher", "student"):
        (tmp_path / f"{name}.toml").write_text(TINY.format(name=name))

    def call(dataset: str, root: Path, *args: str) -> dict[str, Any]:
        given = ["reproduce", dataset, str(root), "--output", str(tmp_path / "out")]
        given += ["--config-dir", str(tmp_path), "--seeds", "1", *args]
        done = CliRunner().invoke(app, given, catch_exceptions=False)
        assert done.exit_code == 0
        assert LEAK in done.stdout
        table: dict[str, Any] = json.loads((tmp_path / "out/table.json").read_text())
        assert table_of(tmp_path / "out", table["about"]) == table
        assert (tmp_path / "out/table.md").read_text() == done.stdout
        return table

    return call


@pytest.mark.parametrize(
    ("dataset", "write", "patients", "split"),
    [
        ("chbmit", write_chbmit, 5, "2 folds, seed 0"),
        ("aubmc", write_aubmc, 3, "leave one patient out"),
        ("siena", write_siena, 7, "2 folds, seed 0"),
        ("tusz", write_tusz, 4, "official"),
    ],
)
def test_every_data_set_from_files_to_table(
    dataset: str,
    write: Callable[[Path], Path],
    patients: int,
    split: str,
    reproduce: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    args = ["--models", "student_alone,forest", "--protocols", "paper,patient"]
    args += ["--split", "2"] if split.startswith("2") else []
    table = reproduce(dataset, write(tmp_path / "data"), *args)
    assert table["about"]["datasets"] == dataset
    assert table["about"]["patients"] >= patients
    assert table["about"]["split"] == split
    assert "classes" not in table
    for section in ("paper", "patient"):
        assert set(table[section]) == {"student_alone", "forest"}
        assert 0 <= table[section]["forest"]["accuracy"]["mean"] <= 1
    events = json.loads((tmp_path / "out/events.json").read_text())
    assert set(events["patient"]) == {"student_alone"}
    assert "paper" not in events
    tested = {p for s in read_scored(tmp_path / "out") for p in s.patients}
    assert len(tested) == patients if split != "official" else tested >= {"aaaaaaaq"}


def test_types_of_tusz(
    reproduce: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    models = "teacher,student,student_no_prompts,forest,clock,shuffled"
    args = ["--classes", "types", "--models", models, "--protocols", "paper,patient"]
    table = reproduce("tusz", write_typed_tusz(tmp_path / "data"), *args)
    classes = ["background", FOCAL, GENERALISED]
    assert table["classes"] == table["about"]["classes"] == classes
    (left_out,) = table["about"]["left_out"]
    assert left_out.startswith("absence seizure: left out, segments of 1 patient")
    text = (tmp_path / "out/table.md").read_text()
    assert f"Not a class: {left_out}." in text
    for section in ("paper", "patient"):
        assert list(table[section]) == models.split(",")
        for row in table[section].values():
            assert np.sum(row["confusion"]) == row["segments"]
            for name in (
                "accuracy",
                "f1_macro",
                "auroc",
                *(f"recall/{c}" for c in classes),
            ):
                assert {"mean", "low", "high"} <= row[name].keys()
    pooled = table["patient"]["forest"]["accuracy"]
    assert pooled["pooled_low"] <= pooled["pooled"] <= pooled["pooled_high"]
    assert f"| {pooled['pooled']:.3f} [{pooled['pooled_low']:.3f}, " in text
    labels = {s for one in read_scored(tmp_path / "out") for s in one.labels.tolist()}
    assert labels == {0, 1, 2}
    runs = tmp_path / "out" / WORK / "runs/predictions/patient"
    student, _ = load_run(runs / "student/seed0-eval")
    assert student.model.classes == tuple(classes)
    assert student.distillation.teacher_sha256
    no_prompts, weights = load_run(runs / "student_no_prompts/seed0-eval")
    assert no_prompts.model.text.prompts == "none"
    assert not no_prompts.distillation.teacher_sha256
    assert "text.prompts" not in weights


def test_the_four_classes_of_raw_aubmc(
    reproduce: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    root = write_typed_aubmc(tmp_path / "data")
    args = ["--classes", "types", "--models", "student_alone,forest,shuffled"]
    table = reproduce("aubmc", root, *args, "--protocols", "paper")
    assert table["classes"] == [
        *("background", FOCAL, TYPES["sz_electrographic"], INVISIBLE),
    ]
    (left_out,) = table["about"]["left_out"]
    assert left_out.startswith("seizure of no stated type: left out")
    assert len(table["paper"]["student_alone"]["confusion"]) == 4


def test_the_shipped_segments_of_aubmc(
    reproduce: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    root = write_aubmc(tmp_path / "data")
    table = reproduce("aubmc", root, "--classes", "shipped")
    assert table["classes"] == list(SHIPPED)
    assert list(table["paper"]) == ["forest"]
    assert table["paper"]["forest"]["segments"] == 8
    assert "as the data set ships them" in (tmp_path / "out/table.md").read_text()
    before = Key("paper", "forest", 0, "shipped").path(tmp_path / "out").read_bytes()
    again = reproduce("aubmc", root, "--classes", "shipped", "--seeds", "2")
    assert again["paper"]["forest"]["seeds"] == [0, 1]
    assert (
        before
        == Key("paper", "forest", 0, "shipped").path(tmp_path / "out").read_bytes()
    )
    with pytest.raises(ConfigError, match="'shipped' of chbmit, expected aubmc"):
        reproduce("chbmit", root, "--classes", "shipped")


def test_shipped_segments_of_what_is_no_number_are_refused(
    reproduce: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    root = write_aubmc(tmp_path / "data")
    (path,) = root.rglob("x_train.npy")
    eeg = np.load(path)
    eeg[7, 3, 100] = np.inf
    np.save(path, eeg)
    with pytest.raises(CorpusError, match=r"x_train\.npy: found segment 7 with"):
        reproduce("aubmc", root, "--classes", "shipped")


def test_a_data_set_without_types_is_refused(
    reproduce: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    root = write_aubmc(tmp_path / "data")
    with pytest.raises(CorpusError, match="found 0 types of seizures to tell apart"):
        reproduce("aubmc", root, "--classes", "types")


@pytest.mark.parametrize("found", [1.0, 0.5])
def test_to_find_what_cannot_be_seen_is_an_alarm(tmp_path: Path, found: float) -> None:
    labels = np.arange(40) % 4
    p = np.eye(4)[labels]
    lost = np.flatnonzero(labels == 3)[round(10 * found) :]
    p[lost] = [1, 0, 0, 0]
    rows = [Row(f"s{k}", "unknown", SHIPPED[c]) for k, c in enumerate(labels)]
    write_rows(tmp_path, Key("paper", "forest", 0, "random"), rows, p, SHIPPED)
    table = table_of(tmp_path)
    text = markdown(table, "On toys")
    assert table["paper"]["forest"][f"recall/{INVISIBLE}"]["mean"] == found
    assert table["paper"]["forest"]["confusion"][3] == [
        *(10 - round(10 * found), 0, 0, round(10 * found)),
    ]
    assert ("> **Leak alarm: under `paper` `forest` finds 100% of" in text) == (
        found == 1
    )
    assert len(table["alarms"]) == (found == 1)
