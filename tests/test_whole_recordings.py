"""Networks hear whom they never saw, as `evaluate` would hear, and events follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilclip_eeg.config import (
    Config,
    DetectionConfig,
    ModelConfig,
    SignalConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.splits import PatientSplit
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.detection.runtime import Scores
from distilclip_eeg.detection.windows import SecondScorer
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.evaluation.experiment import event_table
from distilclip_eeg.evaluation.experiment.event_table import (
    Heard,
    events_of,
    seconds_path,
    timed,
    write_events,
)
from distilclip_eeg.evaluation.experiment.scored_segments import Key
from distilclip_eeg.evaluation.predictions import (
    Prediction,
    read_predictions,
    save_predictions,
)
from distilclip_eeg.explain.event_pictures import write_event_pictures
from distilclip_eeg.training.predict import predict
from distilclip_eeg.training.reproduction import WORK, Experiment, run_jobs
from distilclip_eeg.training.trained import load_trained
from distilclip_eeg.training.whole_recordings import listen_to, listen_to_tested
from small_corpus import small_store

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)
LOW = DetectionConfig(onset_threshold=0.45, offset_threshold=0.3, min_duration_s=2)
SPLIT = PatientSplit(
    "by hand", {"n1": "a", "n2": "b", "s1": "b", "c1": "a"}, ("a", "b")
)


@pytest.fixture(scope="module", autouse=True)
def cheap() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_table, "DRAWS", 20)
        yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """One network and two seeds, leaky and by patient."""
    settings = TrainingConfig(
        steps=2, batch_size=4, warmup_steps=1, precision="32-true"
    )
    config = Config(name="student", model=TINY, training=settings, detection=LOW)
    store: Store = small_store(tmp_path_factory.mktemp("data") / "store")
    return Experiment(
        store.recordings,
        ("paper", "patient"),
        ("student_alone",),
        2,
        {"teacher": config, "student": config},
        SPLIT,
    )


@pytest.fixture(scope="module")
def folder(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("experiment")
    run_jobs(experiment, made, lambda _: None)
    return made


@pytest.fixture(scope="module")
def heard(experiment: Experiment, folder: Path) -> list[Heard]:
    return listen_to_tested(experiment, folder, lambda _: None)


def _run(heard: Heard, folder: Path) -> Path:
    return folder / WORK / heard.key.path(Path("runs")).with_suffix("")


def test_everybody_is_heard_by_whom_never_saw_them(heard: list[Heard]) -> None:
    assert [(h.key.protocol, h.key.seed, h.key.part) for h in heard] == [
        ("patient", seed, part) for seed in (0, 1) for part in ("a", "b")
    ]
    for one in heard:
        people = {p.patient for p in read_predictions(one.path)}
        assert people == ({"n1", "c1"} if one.key.part == "a" else {"n2", "s1"})
        assert one.settings == LOW


def test_seconds_are_those_of_other_ways(
    experiment: Experiment, heard: list[Heard], folder: Path
) -> None:
    """Of `predict`, and the times are those that a table has lost."""
    run = _run(heard[0], folder)
    config, model = load_trained(run)
    found = listen_to(run, experiment.recordings)
    expected = predict(model, experiment.recordings, config.signal)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.log_odds, other.log_odds, atol=1e-5)
        np.testing.assert_array_equal(one.labelled, other.labelled)
        (stretch,), (again,) = one.stretches, timed(other, config.signal).stretches
        np.testing.assert_array_equal(again.available_s, stretch.available_s)
        assert (again.onset_s, again.length_s) == (stretch.onset_s, stretch.length_s)


@pytest.mark.parametrize("n_seconds", [3, 10, 12, 15, 34])
@pytest.mark.parametrize("hop_s", [5, 7, 10])
def test_times_for_any_length(n_seconds: int, hop_s: int) -> None:
    """The rule of `timed` against the windows themselves."""
    signal = SignalConfig(hop_s=hop_s)
    scorer = SecondScorer(_Silent(), signal, 0)  # type: ignore[arg-type]
    leads = np.zeros((18, n_seconds * 256), np.float32)
    seconds = Conditioned(leads, np.ones((18, n_seconds), bool), {})
    settled = [*scorer.push(seconds), *scorer.close()]
    ends = [min(w.end, n_seconds) for w in settled for _ in w.settled]
    odds = np.zeros(n_seconds)
    short = Prediction("r", "d", "p", "background", odds, odds, odds >= 0, ())
    assert timed(short, signal).stretches[0].available_s.tolist() == ends


class _Silent:
    """A runtime that hears nothing."""

    def run(self, eeg: Any, usable: Any) -> Any:
        n = len(eeg)
        return Scores(
            window_embedding=np.zeros((n, 4), np.float32),
            second_embedding=np.zeros((n, 10, 4), np.float32),
            window_logits=np.zeros((n, 2), np.float32),
            second_logits=np.zeros((n, 10, 2), np.float32),
        )


def test_what_was_heard_is_not_heard_again(
    experiment: Experiment, heard: list[Heard], folder: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    assert listen_to_tested(experiment, folder, said.append) == heard
    assert not said
    assert not listen_to_tested(experiment, tmp_path, said.append)
    assert len(said) == 4
    assert "found no finished run" in said[0]


def test_events_of_all_seeds(heard: list[Heard], tmp_path: Path) -> None:
    events = events_of(heard)
    row = events.table["patient"]["student_alone"]
    assert (row["seeds"], row["patients"], row["seizures"]) == (2, 4, 4)
    assert row["hours"] == pytest.approx((184 - 20) / 3600, abs=1e-3)
    each = [events_of([h for h in heard if h.key.seed == seed]) for seed in (0, 1)]
    for name in ("at_per_day/1", "at_per_day/10", "found", "false_alarms_per_day"):
        values = [e.table["patient"]["student_alone"][name]["value"] for e in each]
        assert row[name]["value"] == pytest.approx(np.mean(values), abs=1e-4)
    (curve,) = events.alarms["patient"]
    assert curve.at(10) == pytest.approx(row["at_per_day/10"]["value"], abs=1e-4)
    (found,) = events.latencies["patient"]
    assert found.n_seizures == 8
    paths = write_events(tmp_path, events, "Toys")
    assert [path.name for path in paths] == ["events.json", "events.md"]
    assert json.loads(paths[0].read_text()) == events.table
    text = paths[1].read_text()
    assert text.startswith("# Toys: events\n")
    assert "| patient | student_alone | " in text
    assert not write_events(tmp_path, events_of([]), "Toys")
    curves = events.alarms, events.latencies
    for picture in write_event_pictures(tmp_path, *curves, title="Toys"):
        assert picture.is_file()


def test_crossed_data_sets_stand_apart(heard: list[Heard], tmp_path: Path) -> None:
    crossed = []
    for part in ("north to south", "south to north"):
        key = Key("cross", "teacher", 0, part)
        path = seconds_path(key, tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_predictions(path, read_predictions(heard[0].path))
        crossed.append(heard[0]._replace(key=key, path=path))
    assert len({h.path for h in crossed}) == 2
    assert list(events_of(crossed).table) == [
        "cross: north to south",
        "cross: south to north",
    ]
