"""Each data set goes the whole way that a user goes, from its files to a report.

What stands in the report is held against what was planted: recordings, people and
seizures are counted by hand from the replicas, and the seconds called ictal must be
those in which the signal is loud. Models are too small, and taught too shortly, to be
good; that something can be learned is a test of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner, Result

from corpus_replicas import (
    write_aubmc,
    write_bids,
    write_chbmit,
    write_siena,
    write_tusz,
)
from distilclip_eeg.cli import app
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Store, StoredRecording
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.predictions import Prediction, read_predictions
from distilclip_eeg.training.run_folder import load_run
from replica_signals import SECONDS

CONFIG = """
name = "{name}"
[model]
embed_dim = 16
[model.tower]
dim = 16
depth = 1
heads = 2
stem_filters = 8
[model.text]
layers = 1
n_prompts = 2
[training]
steps = {steps}
batch_size = {batch_size}
warmup_steps = {warmup}
learning_rate = 5e-3
ema_decay = 0.9
precision = "32-true"
"""


class Planted(NamedTuple):
    """What a replica holds, counted by hand.

    Attributes
    ----------
    seconds
        Of all seizures together.
    learned
        What is learned from: patients, recordings, seizures and their seconds.
    """

    write: Callable[[Path], object]
    patients: tuple[str, ...]
    recordings: int
    seizures: int
    seconds: int
    learned: tuple[int, int, int, int]


PLANTED = {
    "chbmit": Planted(  # chb21 is chb01 again; nobody vouches for chb24_02
        write_chbmit,
        ("chb01", "chb04", "chb07", "chb12", "chb24"),
        *(12, 11, 125),
        (5, 12, 11, 125),
    ),
    "tusz": Planted(  # dev and eval are not learned from
        write_tusz,
        ("00000258", "aaaaaaac", "aaaaaajy", "aaaaaaaq"),
        *(5, 4, 48),
        (2, 3, 2, 24),
    ),
    "aubmc": Planted(  # a seizure that the script lists twice counts once
        write_aubmc, ("p10", "p11", "p12"), *(4, 4, 37), (3, 4, 4, 37)
    ),
    "siena": Planted(  # hours typed wrong, ends typed twice, clinical onsets
        write_siena,
        ("PN00", "PN01", "PN06", "PN10", "PN11", "PN12", "PN14"),
        *(9, 11, 119),
        (7, 9, 11, 119),
    ),
    "bids": Planted(  # subjects go by the name of their tree, too
        write_bids,
        tuple(f"bids-replica-scalp-eeg:sub-{number}" for number in ("00", "01", "02")),
        *(5, 4, 40),
        (3, 5, 4, 40),
    ),
}


class Done(NamedTuple):
    """A replica that went the whole way."""

    dataset: str
    planted: Planted
    root: Path
    folder: Path
    scores: dict[str, Any]
    predictions: list[Prediction]

    @property
    def stored(self) -> list[StoredRecording]:
        return Store(self.folder / "store", SignalConfig()).recordings


def run(*args: object) -> Result:
    done = CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


def whole_way(dataset: str, folder: Path, *, steps: int, batch_size: int) -> Done:
    """Prepare, train, distil, export, evaluate."""
    planted, root = PLANTED[dataset], folder / "copy"
    planted.write(root)
    store = folder / "store"
    run("prepare", dataset, root, store, "--workers", 1)
    for name in ("teacher", "student"):
        text = CONFIG.format(
            name=name, steps=steps, batch_size=batch_size, warmup=max(1, steps // 10)
        )
        (folder / f"{name}.toml").write_text(text)
        taught = ("--teacher", folder / "teacher") if name == "student" else ()
        config = folder / f"{name}.toml"
        run("train", config, "--data", store, "--run", folder / name, *taught)
    model, out = folder / "model", folder / "scores"
    run("export", folder / "student.toml", model, "--run", folder / "student")
    said = run(*_evaluate(store, model), "--output", out)
    assert said.stdout == (out / "scores.md").read_text()
    return Done(
        dataset,
        planted,
        root,
        folder,
        json.loads((out / "scores.json").read_text()),
        read_predictions(out / "predictions.tsv"),
    )


def _evaluate(data: object, model: Path) -> tuple[object, ...]:
    return ("evaluate", data, "--model", model, "--threads", 1, "--draws", 20)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """One thread; what a model costs is measured elsewhere."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distilclip_eeg.evaluation.cost.cost_of", lambda *_: {})
        yield
    torch.set_num_threads(n_threads)


GONE_THROUGH = [
    name if name == "tusz" else pytest.param(name, marks=pytest.mark.slow)
    for name in PLANTED
]  # each takes several seconds; TUSZ has most ways to go wrong


@pytest.fixture(scope="module", params=GONE_THROUGH)
def done(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Done:
    folder = tmp_path_factory.mktemp(request.param)
    return whole_way(request.param, folder, steps=3, batch_size=4)


def test_the_report_counts_what_was_planted(done: Done) -> None:
    planted, data = done.planted, done.scores["data"]
    assert data["datasets"] == [_named(done)]
    assert data["n_recordings"] == planted.recordings
    assert data["n_patients"] == len(planted.patients)
    assert data["n_seizures"] == planted.seizures
    assert data["hours"] == pytest.approx(planted.recordings * SECONDS / 3600, abs=1e-4)
    assert set(done.scores["patients"]) == set(planted.patients)
    assert done.scores["skipped"] == {}
    n = done.scores["scores"]["n"]
    assert (n["patients"], n["seizures"]) == (data["n_patients"], data["n_seizures"])
    for picture in ("alarms.png", "latency.png"):
        assert (done.folder / "scores" / picture).is_file()
    text = (done.folder / "scores" / "scores.md").read_text()
    rests_on = (
        f"{planted.recordings} recordings of {len(planted.patients)} patients, "
        f"{data['hours']:.2f} h, {planted.seizures} seizures."
    )
    assert text.startswith("# student on store\n")
    assert rests_on in text


def test_what_is_called_ictal_is_loud(done: Done) -> None:
    """A time, a channel or a patient read wrongly would tear the two apart."""
    stored = {recording.name: recording for recording in done.stored}
    assert sum(p.ictal.sum() for p in done.predictions) == pytest.approx(
        done.planted.seconds, abs=0.1
    )
    n_heard = 0
    for prediction in done.predictions:
        assert prediction.labelled.all()
        assert np.isfinite(prediction.log_odds).all()
        ictal = prediction.ictal >= 0.5
        if ictal.any():
            loudness = _loudness_uv(stored[prediction.name])
            assert roc_auc_score(ictal, loudness) > 0.95, prediction.name
            n_heard += len(prediction.seizures)
    assert n_heard == done.planted.seizures


def test_a_student_learned_from_the_teacher_and_from_the_right_part(
    done: Done,
) -> None:
    patients, recordings, seizures, seconds = done.planted.learned
    hours = recordings * SECONDS / 3600
    row = f"| {patients} | {recordings} | {hours:.2f} | {seizures} | {seconds} |"
    for name in ("teacher", "student"):
        facts = json.loads((done.folder / name / "facts.json").read_text())
        assert facts["data"] == f"| {_named(done)} {row}"
        config, _ = load_run(done.folder / name)
        assert bool(config.distillation.teacher_sha256) == (name == "student")
    card = (done.folder / "model" / "MODEL_CARD.md").read_text()
    assert row in card


def test_files_and_store_are_scored_alike(done: Done) -> None:
    """Without a store the signal is conditioned on the way, and the same is heard."""
    out = done.folder / "from-files"
    data = f"{done.dataset}:{done.root}"
    run(*_evaluate(data, done.folder / "model"), "--output", out)
    heard = {p.name: p for p in read_predictions(out / "predictions.tsv")}
    assert set(heard) == {p.name for p in done.predictions}
    for prediction in done.predictions:
        again = heard[prediction.name]
        assert (again.patient, again.seizures) == (
            prediction.patient,
            prediction.seizures,
        )
        np.testing.assert_allclose(again.log_odds, prediction.log_odds, atol=0.05)


def _named(done: Done) -> str:
    """A BIDS tree has a name of its own."""
    return {r.dataset for r in done.stored}.pop()


def _loudness_uv(recording: StoredRecording) -> NDArray[np.floating]:
    """Per second, the root mean square of the middling lead."""
    eeg = recording.crop(0, recording.n_seconds).eeg
    each = eeg.reshape(len(eeg), recording.n_seconds, -1)
    rms: NDArray[np.floating] = np.sqrt((each**2).mean(axis=2))
    seen = rms[(rms > 0).all(axis=1)]
    loudness: NDArray[np.floating] = np.median(seen, axis=0)
    return loudness


# ---- parts of a data set, and what cannot be learned from


@pytest.fixture(scope="module")
def tusz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The replica, and stores of all of it and of the part for judging."""
    folder = tmp_path_factory.mktemp("tusz")
    write_tusz(folder / "copy")
    run("prepare", "tusz", folder / "copy", folder / "all", "--workers", 1)
    inside = folder / "copy" / "edf" / "eval"
    run("prepare", "tusz", inside, folder / "eval", "--workers", 1)
    return folder


def toml(folder: Path, more: str = "") -> Path:
    path = folder / "toy.toml"
    text = CONFIG.format(name="toy", steps=1, batch_size=2, warmup=1)
    path.write_text(text + more)
    return path


def test_the_part_for_judging_teaches_nobody(tusz: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found folds or parts eval, expected some"):
        run("train", toml(tmp_path), "--data", tusz / "eval", "--run", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_folds_that_a_store_does_not_have(tusz: Path, tmp_path: Path) -> None:
    config = toml(tmp_path, "[data]\nfolds = [0, 1]\n")
    args = (config, "--data", tusz / "all", "--run", tmp_path / "r")
    with pytest.raises(ConfigError, match=r"expected some of 0, 1.* leave it out"):
        run("train", *args)
    with pytest.raises(ConfigError, match="found no folds, expected them in a"):
        run("crossvalidate", toml(tmp_path), *args[1:])


def test_a_store_of_another_signal_is_refused(tusz: Path, tmp_path: Path) -> None:
    config = toml(tmp_path, "[signal]\nhighpass_hz = 1.0\n")
    with pytest.raises(CorpusError, match="made with other signal settings"):
        run("train", config, "--data", tusz / "all", "--run", tmp_path / "r")


@pytest.mark.slow
def test_there_is_something_to_learn(tmp_path: Path) -> None:
    found = whole_way("chbmit", tmp_path, steps=120, batch_size=16)
    windows = found.scores["scores"]["windows"]
    assert windows["auroc"]["pooled"]["value"] > 0.9
    assert windows["accuracy"]["pooled"]["value"] > 0.8
