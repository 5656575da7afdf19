"""The mean of runs is a run; what must not be mixed is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from distilclip_eeg.cli import main
from distilclip_eeg.config import (
    Config,
    DataConfig,
    PretrainingConfig,
    TrainingConfig,
)
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.training.averaging import average_runs, first_seed, mean_of
from distilclip_eeg.training.run_folder import load_run, read_facts
from small_card import card_of


def write_run(path: Path, seed: int, config: Config | None = None) -> Path:
    path.mkdir()
    config = config or Config(name="net", data=DataConfig(folds=(0, 1)))
    (path / "config.json").write_text(config.model_dump_json())
    facts = {"command": "train", "seconds": 60.0 * seed, "machine": "", "data": ""}
    (path / "facts.json").write_text(json.dumps(facts))
    torch.manual_seed(seed)
    save_file({"a": torch.randn(3, 2), "b": torch.randn(4)}, path / "best.safetensors")
    return path


def test_the_mean_is_a_run(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"r{seed}", seed) for seed in (1, 2)]
    out = average_runs(runs, tmp_path / "mean")
    config, weights = load_run(out)
    given = [load_run(run) for run in runs]
    assert config == given[0][0]
    for name, value in weights.items():
        expected = (given[0][1][name] + given[1][1][name]) / 2
        torch.testing.assert_close(value, expected)
    facts = read_facts(out)
    assert facts["seconds"] == 180
    assert facts["command"] == "distilclip average runs/r1 runs/r2 --run runs/mean"
    assert len(set(facts["mean_of"])) == 2


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8))
def test_the_mean_of_equal_weights_is_the_weights(values: list[float]) -> None:
    weights: dict[str, Tensor] = {"a": torch.tensor(values)}
    assert torch.equal(mean_of([weights] * 3)["a"], weights["a"])


def test_what_knows_other_people_is_not_mixed_in(tmp_path: Path) -> None:
    """Else a run could be scored on a fold that only one of them never saw."""
    a = write_run(tmp_path / "a", 1)
    folds = Config(name="net", data=DataConfig(folds=(0, 2)))
    seed = Config(
        name="net", data=DataConfig(folds=(0, 1)), training=TrainingConfig(seed=1)
    )
    for name, config in (("folds", folds), ("first seed", seed)):
        other = write_run(tmp_path / name, 2, config)
        with pytest.raises(ConfigError, match=f"its {name} differs from that of"):
            average_runs([a, other], tmp_path / "mean")
    with pytest.raises(ConfigError, match="found 1 run"):
        average_runs([a], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_a_pretraining_is_where_a_run_began(tmp_path: Path) -> None:
    """Of a seed of its own, whatever the seed of the steps after it."""
    from_chance = Config(name="a")
    later = TrainingConfig(seed=7)
    pretrained = Config(
        name="b", pretraining=PretrainingConfig(steps=5), training=later
    )
    assert first_seed(from_chance) == first_seed(pretrained) == 0
    runs = [
        write_run(tmp_path / config.name, seed, config)
        for seed, config in enumerate((from_chance, pretrained))
    ]
    assert average_runs(runs, tmp_path / "mean").is_dir()


@pytest.mark.parametrize(("n_runs", "says_so"), [(0, False), (2, True)])
def test_the_card_says_of_how_many_it_is_the_mean(n_runs: int, says_so: bool) -> None:
    card = card_of(Config(name="net"), n_averaged=n_runs)
    assert ("The mean of the weights of 2 runs" in card) == says_so


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / f"r{seed}", seed)) for seed in (1, 2)]
    args = ["average", *runs, "--run", str(tmp_path / "mean")]
    for code, said in ((0, "mean"), (2, "--force replaces it")):
        with pytest.raises(SystemExit) as stopped:
            main(args)
        assert int(stopped.value.code or 0) == code
        out, err = capsys.readouterr()
        assert said in out + err
