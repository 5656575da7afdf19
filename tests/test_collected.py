"""Experiments with settings of their own -> one table, which their predictions give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from distilclip_eeg.cli import app
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.experiment.collected import collect
from distilclip_eeg.evaluation.experiment.protocol_table import sections, table_of
from distilclip_eeg.evaluation.experiment.scored_segments import (
    SETTINGS,
    Key,
    Row,
    write_rows,
)

RESULTS = Path(__file__).parents[1] / "docs/results"


def written(folder: Path, protocol: str, wrong: int = 0, seeds: int = 2) -> Path:
    """Predictions of two patients of which the first `wrong` of 12 are wrong."""
    rows = [
        Row(f"r{k}.edf@{k}", f"p{k % 2}", ("background", "seizure")[k % 3 == 0])
        for k in range(12)
    ]
    ictal = np.array([row.label == "seizure" for row in rows])
    said = np.where(np.arange(12) < wrong, ~ictal, ictal)
    for seed in range(seeds):
        key = Key(protocol, "forest", seed, "random")
        write_rows(folder, key, rows, 0.1 + 0.8 * said)
    about = {"recordings": 12, "patients": 2, "datasets": "toys", "hours": 0.1}
    (folder / SETTINGS).write_text(json.dumps({**about, "split": protocol}))
    return folder


def test_one_table_says_what_each_protocol_rests_on(tmp_path: Path) -> None:
    leaky = written(tmp_path / "a", "paper")
    honest = written(tmp_path / "b", "patient", wrong=3)
    done = CliRunner().invoke(
        app, ["collect", str(leaky), str(honest), "--output", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    table = json.loads((tmp_path / "out.json").read_text())
    assert sections(table) == ["paper", "patient"]
    assert table["paper"]["forest"]["accuracy"]["mean"] == 1
    assert table["patient"]["forest"]["accuracy"]["pooled"] == 0.75
    assert [e["protocols"] for e in table["about"]["experiments"]] == [
        ["paper"],
        ["patient"],
    ]
    text = (tmp_path / "out.md").read_text()
    assert "`patient` rests on 12 recordings of 2 patients (toys), 0.1 h." in text
    alone = table_of(leaky)
    assert alone["paper"] == table["paper"]


def test_what_cannot_be_collected_leaves_nothing(tmp_path: Path) -> None:
    one = written(tmp_path / "a", "paper")
    other = written(tmp_path / "b", "paper", wrong=1)
    with pytest.raises(ConfigError, match=r"found other predictions than in .*a/pred"):
        collect([one, other], tmp_path / "out")
    with pytest.raises(ConfigError, match="found no predictions with settings"):
        collect([one, tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    again = collect([one, one], tmp_path / "out")
    assert again["paper"] == table_of(one)["paper"]
