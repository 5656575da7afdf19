"""Training ends with the same weights whatever happens to the process in between."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import LABELS
from distilclip_eeg.config import (
    Config,
    ModelConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.store import Store, prepare
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.fit import (
    averaged,
    batch_losses,
    fit,
    learning_rate,
    loss_weights,
    make_optimizer,
    stalled,
    validate,
)
from distilclip_eeg.training.predict import predict, save_predictions
from distilclip_eeg.training.run_folder import LoopState, RunFolder, Weights, load_run
from distilclip_eeg.training.trained import build, trained_parameters
from edf_writer import Signal, write_edf
from small_corpus import SIGNAL, Clip, small_store, write_clip

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)
STEPS, CHECKPOINT_EVERY = 24, 3


def tiny_config(**training: Any) -> Config:
    settings = {
        "steps": STEPS,
        "batch_size": 4,
        "warmup_steps": 2,
        "precision": "32-true",
        "validate_every": 4,
        "checkpoint_every": CHECKPOINT_EVERY,
        **training,
    }
    return Config(name="tiny", model=TINY, training=TrainingConfig(**settings))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # a sum over two threads rounds in another way


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return small_store(folder / "store")


@pytest.fixture(scope="module")
def uninterrupted(folder: Path, store: Store) -> Path:
    """All steps in one go, every recording seen and validated on."""
    torch.set_num_threads(1)
    fit(tiny_config(), folder / "whole", store.recordings, store.recordings)
    return folder / "whole"


def assert_same(a: Weights, b: Weights) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


def checkpoint(run: Path) -> dict[str, Any]:
    kept = RunFolder(run, tiny_config()).load_checkpoint()
    assert kept is not None
    return kept


def assert_same_run(a: Path, b: Path) -> None:
    assert_same(load_run(a)[1], load_run(b)[1])
    one, other = checkpoint(a), checkpoint(b)
    assert one["state"] == other["state"]
    assert_same(one["model"], other["model"])
    assert_same(one["average"], other["average"])


# ---- the same again


def test_the_same_seed_gives_the_same_weights(
    uninterrupted: Path, store: Store, tmp_path: Path
) -> None:
    steps: list[int] = []
    fit(
        tiny_config(),
        tmp_path / "again",
        store.recordings,
        store.recordings,
        on_step=lambda state, noted: steps.append(state.step),
    )
    assert steps == [*range(1, STEPS + 1)]
    assert_same_run(uninterrupted, tmp_path / "again")


def test_another_seed_gives_other_weights(
    uninterrupted: Path, store: Store, tmp_path: Path
) -> None:
    fit(tiny_config(seed=1, steps=2), tmp_path / "run", store.recordings)
    other = load_run(tmp_path / "run")[1]
    assert not torch.equal(
        load_run(uninterrupted)[1]["eeg.tower.mix.by_lead.weight"],
        other["eeg.tower.mix.by_lead.weight"],
    )


FIT_IN_A_PROCESS = """
import sys
from pathlib import Path

import torch

from distilclip_eeg.config import Config
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.training.fit import fit

torch.set_num_threads(1)
config = Config.model_validate_json(sys.argv[1])
recordings = Store(Path(sys.argv[2]), config.signal).recordings
fit(
    config,
    Path(sys.argv[3]),
    recordings,
    recordings,
    on_step=lambda state, noted: print(state.step, flush=True),
)
"""


def killed_at_a_random_moment(store: Path, run: Path, steps: tuple[int, int]) -> str:
    """Train in a process of its own until one of `steps`, then SIGKILL; say when."""
    chance = random.Random()
    last_step = chance.randint(*steps)
    arguments = [tiny_config().model_dump_json(), str(store), str(run)]
    process = subprocess.Popen(
        [sys.executable, "-c", FIT_IN_A_PROCESS, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        times = []
        for line in output:
            times.append(time.monotonic())
            if int(line) == last_step:
                break
        step_s = (times[-1] - times[0]) / len(times)
        wait_s = chance.uniform(0, 2 * step_s)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    return f"killed {1000 * wait_s:.1f} ms after step {last_step}"


def test_killed_and_started_again_it_ends_the_same(
    uninterrupted: Path, folder: Path, store: Store
) -> None:
    run = folder / "killed"
    when = killed_at_a_random_moment(folder / "store", run, (3, 8))
    assert 0 < checkpoint(run)["state"]["step"] < 12, when
    when += " and " + killed_at_a_random_moment(folder / "store", run, (12, 16))
    print(when)  # shown if what follows fails
    stood_at = checkpoint(run)["state"]["step"]
    assert 12 <= stood_at < STEPS, when
    seen: list[int] = []
    fit(
        tiny_config(),
        run,
        store.recordings,
        store.recordings,
        on_step=lambda state, noted: seen.append(state.step),
    )
    assert seen == [*range(stood_at + 1, STEPS + 1)], when
    assert_same_run(uninterrupted, run)


def test_a_run_that_is_done_stays_as_it_is(uninterrupted: Path, store: Store) -> None:
    before = load_run(uninterrupted)[1]
    steps: list[int] = []
    state = fit(
        tiny_config(),
        uninterrupted,
        store.recordings,
        store.recordings,
        on_step=lambda state, noted: steps.append(state.step),
    )
    assert steps == []
    assert state.step == STEPS
    assert_same(before, load_run(uninterrupted)[1])


# ---- what a run leaves


def test_it_learns(store: Store, tmp_path: Path) -> None:
    """Seizures of 120 microvolts at 3 Hz are not to be overlooked."""
    config = tiny_config(
        steps=60, learning_rate=3e-3, ema_decay=0.9, augment=False, validate_every=20
    )
    noted: list[dict[str, float]] = []
    fit(
        config,
        tmp_path / "run",
        store.recordings,
        store.recordings,
        on_step=lambda state, losses: noted.append(losses),
    )
    early = np.mean([losses["second_loss"] for losses in noted[:10]])
    late = np.mean([losses["second_loss"] for losses in noted[-10:]])
    assert late < 0.8 * early
    assert noted[-1]["auroc"] > 0.9
    model = build(*load_run(tmp_path / "run"))
    auroc = validate(model, store.recordings, config)
    best = max(losses.get("auroc", 0) for losses in noted)
    assert auroc == pytest.approx(best, abs=0.02)  # but for the rounding to fp16


def test_the_history_of_a_run(uninterrupted: Path) -> None:
    lines = (uninterrupted / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert [line["step"] for line in history] == [4, 8, 12, 16, 20, 24]
    for line in history:
        assert set(line) == {
            *("step", "contrastive_loss", "window_loss", "second_loss", "auroc")
        }
        assert all(math.isfinite(value) for value in line.values())
    state = checkpoint(uninterrupted)["state"]
    best = max(history, key=lambda line: line["auroc"])
    assert (state["best_step"], state["best_score"]) == (best["step"], best["auroc"])


def test_bert_is_not_saved(uninterrupted: Path) -> None:
    _, weights = load_run(uninterrupted)
    assert not [name for name in weights if ".bert." in name]
    assert (uninterrupted / "best.safetensors").stat().st_size < 500_000


def test_without_validation_the_last_average_is_kept(
    store: Store, tmp_path: Path
) -> None:
    fit(tiny_config(steps=5), tmp_path / "run", store.recordings)
    assert_same(load_run(tmp_path / "run")[1], checkpoint_of(tmp_path)["average"])


def checkpoint_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(
        folder / "run" / "checkpoint.pt", weights_only=True
    )
    return content


def test_it_stops_when_nothing_gets_better(store: Store, tmp_path: Path) -> None:
    """At a learning rate of nought every validation gives the same score."""
    config = tiny_config(learning_rate=0.0, validate_every=1, patience=3)
    state = fit(config, tmp_path / "run", store.recordings, store.recordings)
    assert (state.step, state.best_step) == (4, 1)


def test_another_configuration_is_refused(uninterrupted: Path, store: Store) -> None:
    before = (uninterrupted / "config.json").read_bytes()
    with pytest.raises(ConfigError, match="a run of another configuration"):
        fit(tiny_config(steps=STEPS + 1), uninterrupted, store.recordings)
    assert (uninterrupted / "config.json").read_bytes() == before


def test_a_folder_without_weights_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no best\.safetensors"):
        load_run(tmp_path)


def test_a_checkpoint_torn_in_writing_leaves_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run", tiny_config())
    folder.save_checkpoint(LoopState(step=3), model={"a": torch.ones(2)})

    def torn(content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(KeyboardInterrupt):
        folder.save_checkpoint(LoopState(step=6), model={"a": torch.zeros(2)})
    kept = folder.load_checkpoint()
    assert kept is not None
    assert kept["state"]["step"] == 3
    assert torch.equal(kept["model"]["a"], torch.ones(2))


# ---- the pieces of the loop


def test_the_learning_rate_rises_and_falls() -> None:
    settings = TrainingConfig(steps=1000, warmup_steps=100, learning_rate=1e-3)
    rates = [learning_rate(settings, step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[99] == rates[100] == max(rates) == pytest.approx(1e-3)
    assert np.all(np.diff(rates[100:]) < 0)
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)


def test_norms_biases_prompts_and_temperature_are_not_decayed() -> None:
    model = DistilCLIP(TINY, SIGNAL)
    names = {id(p): name for name, p in trained_parameters(model)}
    decayed, free = make_optimizer(model, TrainingConfig()).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    free_names = [names[id(p)] for p in free["params"]]
    assert {"log_scale", "text.prompts", "eeg.norm.weight"} <= set(free_names)
    for parameter in decayed["params"]:
        assert "norm" not in names[id(parameter)]
        assert parameter.ndim > 1  # the attention's bias by distance is a matrix
    assert len(names) == len(decayed["params"]) + len(free_names)


def test_every_term_has_a_weight(store: Store) -> None:
    """A batch in which nothing is labelled costs nothing but the contrastive term."""
    model = DistilCLIP(TINY, SIGNAL).eval()
    calm = next(r for r in store.recordings if r.dataset == "calm")
    crop = calm.crop(0, 10)
    batch = {
        "eeg": torch.from_numpy(crop.eeg[None]),
        "usable": torch.from_numpy(crop.usable[None].astype(np.float32)),
        "window_labels": torch.tensor([[1.0, 0.0]]),
        "second_labels": torch.tensor([[[1.0, 0.0]] * 10]),
        "second_valid": torch.zeros(1, 10, dtype=torch.bool),
        "captions": ["EEG with background activity."],
    }
    config = Config(name="tiny", model=TINY, signal=SIGNAL)
    losses = batch_losses(model, batch, config)  # type: ignore[arg-type]
    assert losses.keys() <= loss_weights(config).keys()
    assert losses["window_loss"] == losses["second_loss"] == 0
    assert all(value.isfinite() for value in losses.values())


def test_averaged_weights_are_lent_and_given_back() -> None:
    model = DistilCLIP(TINY, SIGNAL)
    own = {n: p.detach().clone() for n, p in trained_parameters(model)}
    zeros = {n: torch.zeros_like(p) for n, p in own.items()}

    class InsideError(Exception):
        pass

    def look() -> None:
        with averaged(model, zeros):
            assert_same(dict(trained_parameters(model)), zeros)
            raise InsideError

    with pytest.raises(InsideError):
        look()
    assert_same(dict(trained_parameters(model)), own)


@pytest.mark.parametrize(
    ("scores", "best_step", "since"),
    [([0.5, 0.7, 0.6, 0.7], 2, 2), ([0.5, float("nan")], 1, 1), ([0.2, 0.3], 2, 0)],
)
def test_scores_are_compared(scores: list[float], best_step: int, since: int) -> None:
    state = LoopState()
    for state.step, score in enumerate(scores, start=1):
        state.note_score(score)
    assert (state.best_step, state.validations_since_best) == (best_step, since)
    assert stalled(state, TrainingConfig(patience=2)) == (since >= 2)


# ---- a model over whole recordings


def test_predictions_cover_every_second(
    uninterrupted: Path, store: Store, tmp_path: Path
) -> None:
    model = build(*load_run(uninterrupted))
    predictions = predict(model, store.recordings, SIGNAL)
    for prediction, recording in zip(predictions, store.recordings, strict=True):
        assert len(prediction.log_odds) == recording.n_seconds
        assert np.isfinite(prediction.log_odds).all()
        assert prediction.seizures == tuple(recording.seizures)
    save_predictions(tmp_path / "p.tsv", predictions)
    lines = (tmp_path / "p.tsv").read_text().splitlines()
    assert len(lines) == 1 + sum(r.n_seconds for r in store.recordings)
    assert lines[16].split("\t")[:6] == ["n1/sz.edf", "north", "n1", "15", "0.75", "1"]


def test_recordings_without_a_window_to_score(
    uninterrupted: Path, tmp_path: Path
) -> None:
    """Shorter than a window it is filled up; flat throughout, nothing is said."""
    write_clip(tmp_path / "short.edf", Clip("", "", "", "", "background", 6), seed=0)
    flat = [Signal(label, np.full(12 * 256, 70)) for label in LABELS]
    write_edf(tmp_path / "flat.edf", flat, n_records=12)
    recordings = [
        CorpusRecording(name, tmp_path / name, "d", "p", "background", None, ())
        for name in ("short.edf", "flat.edf")
    ]
    stored = prepare(recordings, tmp_path / "store", SIGNAL).recordings
    short, silent = predict(build(*load_run(uninterrupted)), stored, SIGNAL)
    assert short.log_odds.shape == (6,)
    assert np.isfinite(short.log_odds).all()
    assert silent.log_odds.shape == (12,)
    assert np.isnan(silent.log_odds).all()
