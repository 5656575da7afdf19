"""The queue goes on after a kill; the table is what the predictions say, no more."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from distilclip_eeg.cli import app
from distilclip_eeg.config import (
    Config,
    ModelConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.splits import PatientSplit, given_folds
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.experiment import protocol_table
from distilclip_eeg.evaluation.experiment.protocol_report import markdown
from distilclip_eeg.evaluation.experiment.protocol_table import table_of, write_table
from distilclip_eeg.evaluation.experiment.protocols import LEAK, random_trial
from distilclip_eeg.evaluation.experiment.scored_segments import (
    COLUMNS,
    Key,
    read_scored,
    write_scored,
)
from distilclip_eeg.evaluation.experiment.segment_forest import (
    forest_probability,
    shuffled_within_patients,
)
from distilclip_eeg.training import reproduction
from distilclip_eeg.training.experiments import cross_validate
from distilclip_eeg.training.reproduction import (
    MODELS,
    PROMPTS,
    Experiment,
    about,
    job_config,
    jobs,
    run_jobs,
)
from distilclip_eeg.training.run_folder import CHECKPOINT, load_run
from distilclip_eeg.training.whole_recordings import listen_to_tested
from small_corpus import small_store, write_corpus

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)
STEPS = 4
SPLIT = PatientSplit(
    "by hand", {"n1": "a", "n2": "b", "s1": "b", "c1": "a"}, ("a", "b")
)
NETWORKS = ("teacher", "student", "student_alone")


def tiny_configs() -> dict[str, Config]:
    settings = TrainingConfig(
        steps=STEPS, batch_size=4, warmup_steps=2, precision="32-true"
    )
    return {
        kind: Config(name=kind, model=TINY, training=settings)
        for kind in ("teacher", "student")
    }


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Any:
    patch = pytest.MonkeyPatch()
    patch.setattr("distilclip_eeg.evaluation.forest.N_TREES", 10)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


def experiment(store: Store, **changes: Any) -> Experiment:
    settings: dict[str, Any] = {
        "protocols": ("paper", "patient"),
        "models": ("forest", *NETWORKS),
        "n_seeds": 1,
        "configs": tiny_configs(),
        "split": SPLIT,
    }
    return Experiment(store.recordings, **(settings | changes))


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole experiment, and a second seed of the cheap models."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experiment")
    run_jobs(experiment(store), folder, lambda _: None)
    cheap = experiment(store, models=("forest", "clock", "shuffled"), n_seeds=2)
    run_jobs(cheap, folder, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def table(done: Path) -> dict[str, Any]:
    return table_of(done)


# ---- the queue


def test_every_job_is_listed_and_a_teacher_before_its_student(store: Store) -> None:
    queue = list(jobs(experiment(store, n_seeds=2, models=MODELS)))
    assert len(queue) == len({job.key for job in queue}) == 2 * (1 + 2) * len(MODELS)
    keys = [job.key for job in queue]
    for key in keys:
        if key.model == "student":
            assert keys.index(key._replace(model="teacher")) < keys.index(key)


def test_every_job_leaves_its_predictions(store: Store, done: Path) -> None:
    for job in jobs(experiment(store)):
        lines = job.key.path(done).read_text().splitlines()
        assert lines[0].split("\t") == list(COLUMNS)
        names = [line.split("\t")[0] for line in lines[1:]]
        assert names == [s.name for s in job.trial.test]
        assert {line.split("\t")[2] for line in lines[1:]} == {job.trial.part}


def test_what_is_done_is_not_done_again(
    store: Store, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_to_do(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(reproduction, "_probability", nothing_to_do)
    said: list[str] = []
    paths = run_jobs(experiment(store), done, said.append)
    assert len(paths) == 12
    assert all(path.is_file() for path in paths)
    assert not said


def test_a_killed_queue_goes_on_and_says_the_same(
    store: Store, done: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    shutil.copytree(done, again)
    job = next(j for j in jobs(experiment(store)) if j.model == "student")
    before = job.key.path(again).read_bytes()
    job.key.path(again).unlink()  # killed after the training, before the predictions
    run_jobs(experiment(store), again, lambda _: None)
    assert job.key.path(again).read_bytes() == before
    job.key.path(again).unlink()
    for model in ("teacher", "student"):  # killed with neither, all of it lost
        key = job.key._replace(model=model)
        shutil.rmtree(again / "work" / key.path(Path("runs")).with_suffix(""))
    run_jobs(experiment(store), again, lambda _: None)
    assert job.key.path(again).read_bytes() == before


def test_without_learned_prompts_only_prompts_differ(store: Store) -> None:
    asked = experiment(store, models=("student_alone", *PROMPTS), protocols=("paper",))
    found = {job.model: job_config(asked, job) for job in jobs(asked)}
    alone = found.pop("student_alone")
    assert {c.model.text.prompts for c in found.values()} == {"fixed", "none"}
    for name, config in found.items():
        text = config.model.text.model_copy(update={"prompts": "learned"})
        model = config.model.model_copy(update={"text": text})
        same = config.model_copy(update={"name": alone.name, "model": model})
        assert (config.name, same) == (name, alone)


def test_every_network_begins_with_a_pretraining_of_its_own_kind(
    store: Store, tmp_path: Path
) -> None:
    began: list[tuple[str, str]] = []

    def initial(config: Config) -> None:
        began.append((config.name, config.model.text.prompts))

    wanted = ("student_alone", "student_no_prompts")
    asked = experiment(store, models=wanted, protocols=("paper",), initial=initial)
    run_jobs(asked, tmp_path, lambda _: None)
    assert began == [("student", "learned"), ("student_no_prompts", "none")]


def test_student_is_taught_by_the_teacher_of_its_trial(
    store: Store, done: Path
) -> None:
    for job in jobs(experiment(store, models=NETWORKS)):
        run = done / "work" / job.key.path(Path("runs")).with_suffix("")
        config, _ = load_run(run)
        taught = bool(config.distillation.teacher_sha256)
        assert taught == (job.model == "student")
        assert config.training.seed == job.seed
        assert not (run / CHECKPOINT).exists()


def test_finished_runs_are_judged_on_the_fold_they_never_saw(
    store: Store, tmp_path: Path
) -> None:
    recordings = [r for r in store.recordings if r.fold is not None]
    config = tiny_configs()["teacher"]
    cross_validate(config, recordings, tmp_path / "teacher")
    judged = Experiment(
        recordings,
        ("patient",),
        ("teacher",),
        1,
        tiny_configs(),
        given_folds(recordings),
        finished=str(tmp_path / "{model}" / "fold{fold}"),
    )
    assert len(run_jobs(judged, tmp_path / "out", lambda _: None)) == 2
    assert not (tmp_path / "out" / "work" / "runs").exists()
    assert listen_to_tested(judged, tmp_path / "out", lambda _: None)

    (tmp_path / "teacher" / "fold0").rename(tmp_path / "teacher" / "kept")
    (tmp_path / "teacher" / "fold1").rename(tmp_path / "teacher" / "fold0")
    with pytest.raises(ConfigError, match="learned from folds 0, expected some"):
        run_jobs(judged, tmp_path / "again", lambda _: None)
    for wrong in ({"finished": "runs/{fold}"}, {"protocols": ("paper", "patient")}):
        with pytest.raises(ConfigError, match="found finished runs"):
            replace(judged, **wrong)


def test_a_split_of_its_own_cannot_hide_whom_a_finished_run_saw(
    store: Store, tmp_path: Path
) -> None:
    """Its part 0 has the name of a fold of the data set, and other people."""
    recordings = [r for r in store.recordings if r.fold is not None]
    cross_validate(tiny_configs()["teacher"], recordings, tmp_path / "teacher")
    mixed = PatientSplit("2 parts", {"n1": "1", "n2": "0", "s1": "0"}, ("0", "1"))
    judged = Experiment(
        recordings,
        ("patient",),
        ("teacher",),
        1,
        tiny_configs(),
        mixed,
        finished=str(tmp_path / "{model}" / "fold{fold}"),
    )
    with pytest.raises(ConfigError, match="hold nobody of part 0"):
        run_jobs(judged, tmp_path / "out", lambda _: None)


def test_a_folder_holds_one_experiment(store: Store, done: Path) -> None:
    longer = tiny_configs()
    training = longer["student"].training.model_copy(update={"steps": 5})
    longer["student"] = longer["student"].model_copy(update={"training": training})
    with pytest.raises(ConfigError, match="experiment with other configs"):
        run_jobs(experiment(store, configs=longer), done, print)
    fewer = Experiment(store.recordings[:-1], ("paper",), (), 1, tiny_configs())
    with pytest.raises(ConfigError, match="other recordings and recordings_sha256"):
        run_jobs(fewer, done, print)


# ---- the models without a network


def test_the_forest_learns_the_obvious_and_the_controls_do_not_see_it(
    store: Store,
) -> None:
    trial = random_trial(store.recordings, 3)
    ictal = np.array([s.ictal for s in trial.test])
    called = forest_probability(trial, 0, 256.0) >= 0.5
    assert np.mean(called == ictal) > 0.7
    late = random_trial(store.recordings, 3)
    by_clock = forest_probability(late, 0, 256.0, "clock")
    same = [s.start_s for s in late.test]
    for start in set(same):  # all that it knows
        assert len({p for p, s in zip(by_clock, same, strict=True) if s == start}) == 1


def test_shuffled_labels_keep_the_count_of_each_patient(store: Store) -> None:
    trial = random_trial(store.recordings, 0)
    patients = np.array([s.recording.patient for s in trial.train])
    ictal = np.array([s.ictal for s in trial.train], np.intp)
    found = [shuffled_within_patients(trial.train, ictal, seed) for seed in range(5)]
    for labels in found:
        for patient in set(patients.tolist()):
            own = patients == patient
            assert labels[own].sum() == ictal[own].sum()
    assert any((labels != ictal).any() for labels in found)


# ---- the table


def test_the_table_comes_from_the_predictions_alone(
    done: Path, table: dict[str, Any], tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(done / "predictions", alone / "predictions")
    assert table_of(alone) == table
    assert table["warning"] == LEAK
    assert set(table["paper"]) == set(MODELS) - set(PROMPTS)
    for section in ("paper", "patient"):
        for model in ("teacher", "student", "student_alone", "forest"):
            for figure in ("accuracy", "f1", "auroc"):
                assert {"mean", "low", "high"} <= table[section][model][figure].keys()
    assert table["patient"]["forest"]["seeds"] == [0, 1]
    assert table["patient"]["forest"]["parts"] == 2
    assert table["paper"]["teacher"]["seeds"] == [0]


def test_figures_over_seeds_by_hand(done: Path, table: dict[str, Any]) -> None:
    row = table["paper"]["forest"]
    each = []
    for seed in (0, 1):
        lines = Key("paper", "forest", seed, "random").path(done).read_text()
        cells = [line.split("\t") for line in lines.splitlines()[1:]]
        each.append(np.mean([(float(c[4]) >= 0.5) == (c[3] == "1") for c in cells]))
    assert row["accuracy"]["mean"] == pytest.approx(np.mean(each), abs=1e-5)
    reach = 12.7062 * abs(each[0] - each[1]) / 2  # t of one degree of freedom
    low = max(0, np.mean(each) - reach)
    assert row["accuracy"]["low"] == pytest.approx(low, abs=1e-3)
    assert row["segments"] == len(cells)


def test_figures_over_patients_by_hand(done: Path, table: dict[str, Any]) -> None:
    row = table["patient"]["forest"]
    right: dict[str, dict[int, list[bool]]] = {}
    for scored in read_scored(done):
        if scored.key.protocol == "patient" and scored.key.model == "forest":
            called = (scored.probability >= 0.5) == scored.ictal
            for patient, well in zip(scored.patients, called.tolist(), strict=True):
                of_seed = right.setdefault(patient, {})
                of_seed.setdefault(scored.key.seed, []).append(well)
    means = {p: np.mean([np.mean(w) for w in s.values()]) for p, s in right.items()}
    assert row["patients"] == len(means) == 4
    assert row["accuracy"]["mean"] == pytest.approx(
        np.mean(list(means.values())), abs=1e-5
    )
    assert row["f1"]["each"]["c1"] is None  # no seizure: nothing to say
    assert row["accuracy"]["low"] <= row["accuracy"]["mean"] <= row["accuracy"]["high"]


def test_crossed_data_sets_are_rows_of_their_own(store: Store, tmp_path: Path) -> None:
    crossed = experiment(store, protocols=("cross",), models=("forest",))
    run_jobs(crossed, tmp_path, lambda _: None)
    table = table_of(tmp_path)
    assert not table["warning"]
    assert protocol_table.sections(table) == [
        "cross: north to south",
        "cross: south to north",
    ]


def test_markdown_warns_on_top_and_shows_the_published_figures(
    store: Store, table: dict[str, Any], tmp_path: Path
) -> None:
    table = {**table, "about": about(experiment(store))}
    text = markdown(table, "On toys")
    lines = text.splitlines()
    assert lines[0] == "# On toys"
    assert LEAK in lines[2]
    assert "| paper | *as published, teacher and student* | > 0.97 | > 0.94 |" in text
    assert "| paper (leaky) | teacher |" in text
    assert "on people it never saw" in text
    paths = write_table(tmp_path, table, text)
    assert [path.name for path in paths] == ["table.json", "table.md"]
    assert json.loads(paths[0].read_text()) == json.loads(json.dumps(table))


def test_broken_predictions_are_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="found no predictions"):
        table_of(tmp_path)
    trial = random_trial(store.recordings, 0)
    key = Key("paper", "forest", 0, "random")
    path = write_scored(tmp_path, key, trial.test, np.full(len(trial.test), 0.5))
    path.write_text(path.read_text().replace("probability", "p"))
    with pytest.raises(CorpusError, match=r"seed0-random.tsv: found ValueError"):
        table_of(tmp_path)


def test_curves_end_in_the_corners(done: Path) -> None:
    found = protocol_table.curves(done)
    assert [c.model for c in found if c.protocol == "paper"] == [
        *("teacher", "student", "student_alone", "forest", "clock", "shuffled")
    ]
    for curve in found:
        assert (curve.false_rate[0], curve.sensitivity[0]) == (0, 0)
        assert (curve.false_rate[-1], curve.sensitivity[-1]) == (1, 1)


# ---- the command


def test_the_command_from_files_to_table(tmp_path: Path) -> None:
    root = write_corpus(tmp_path / "corpus")
    configs = tmp_path / "configs"
    configs.mkdir()
    for kind in ("teacher", "student"):
        (configs / f"{kind}.toml").write_text(f'name = "{kind}"\n')
    args = ["reproduce", "manifest", str(root), "--output", str(tmp_path / "out")]
    args += ["--config-dir", str(configs), "--seeds", "1", "--models", "forest,clock"]
    args += ["--source", "north,south", "--protocols", "paper,patient,cross"]
    done = CliRunner().invoke(app, args, catch_exceptions=False)
    assert done.exit_code == 0
    assert LEAK in done.stdout
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    assert table["about"]["split"] == "2 given folds"
    assert table["about"]["patients"] == 3
    assert "configs" in table["about"]
    for picture in ("roc.png", "confusion.png"):
        assert (tmp_path / "out" / picture).stat().st_size > 10_000
    assert not (tmp_path / "out" / "events.json").exists()  # no network heard anything
    wrong = CliRunner().invoke(app, [*args, "--models", "oracle"])
    assert isinstance(wrong.exception, ConfigError)
    assert "found model 'oracle'" in str(wrong.exception)
