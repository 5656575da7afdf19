"""One thing is taken away at a time; the queue goes on; the table is paired."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distilclip_eeg.cli import main
from distilclip_eeg.config import (
    Config,
    DataConfig,
    ModelConfig,
    PretrainingConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.evaluation.ablation_table import (
    Part,
    markdown,
    read_parts,
    table_of,
)
from distilclip_eeg.model.conformer import ConformerTower
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training import ablation as module
from distilclip_eeg.training.ablation import (
    Ablation,
    Job,
    config_of,
    folds_of,
    jobs,
    pretraining_of,
    run_jobs,
)
from distilclip_eeg.training.batches import Batches
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.predict import TorchRuntime, WindowRuntime
from distilclip_eeg.training.run_folder import CHECKPOINT, load_run
from distilclip_eeg.training.variants import (
    FULL,
    TAUGHT,
    VARIANTS,
    changed,
    chosen,
    variants_of,
)
from small_corpus import SIGNAL, small_store, write_corpus

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)
TRAINED = ("full", "no_contrastive", "no_second_loss", "taught", "taught_no_window")


def tiny_config(name: str = "tiny") -> Config:
    settings = TrainingConfig(
        steps=2, batch_size=4, warmup_steps=1, precision="32-true", checkpoint_every=1
    )
    return Config(name=name, model=TINY, training=settings)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


def ablation(store: Store, *names: str, **changes: Any) -> Ablation:
    settings: dict[str, Any] = {
        "folds": folds_of(store.recordings, None),
        "variants": [v for v in VARIANTS if v.name in names],
        "n_seeds": 1,
        "configs": [tiny_config()],
    }
    return Ablation(**(settings | changes))


@pytest.fixture(scope="module")
def teacher(store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One run per fold; what it learned does not matter here."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("teacher")
    fit(tiny_config("teacher"), folder / "fold0", store.recordings)
    shutil.copytree(folder / "fold0", folder / "fold1")
    return str(folder / "fold{fold}")


@pytest.fixture(scope="module")
def done(store: Store, teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    run_jobs(ablation(store, *TRAINED, teacher=teacher), folder, lambda _: None)
    return folder


# ---- variants


def test_every_variant_changes_what_it_says_and_nothing_else() -> None:
    config = tiny_config()
    for variant in VARIANTS:
        other = changed(config, variant.changes)
        before, after = config.model_dump(), other.model_dump()
        for path, value in variant.changes.items():
            *rooms, last = path.split(".")
            for room in rooms[:-1]:
                assert room in before
            inner = after
            for room in rooms:
                inner = inner[room]
            assert inner[last] == value
        back = {path: _at(config, path) for path in variant.changes}
        assert changed(other, back) == config


def _at(config: Config, path: str) -> Any:
    value: Any = config
    for room in path.split("."):
        value = getattr(value, room)
    return value


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"found setting 'model.tower.wings'"):
        changed(tiny_config(), {"model.tower.wings": 2})
    with pytest.raises(ConfigError, match=r"found setting 'wings.of'"):
        changed(tiny_config(), {"wings.of": 2})


def test_rows_are_chosen_by_name_and_a_teacher_is_needed_for_some() -> None:
    wanted, lacking = chosen(None, ["student"], has_teacher=False)
    assert FULL in [v.name for v in wanted]
    assert [v.name for v in lacking if v.taught] == [v.name for v in lacking]
    assert {TAUGHT, "student_taught"} <= {v.name for v in lacking}
    few, _ = chosen(["no_prompts", FULL], [], has_teacher=False)
    assert [v.name for v in few] == [FULL, "no_prompts"]  # in the order of the queue
    with pytest.raises(ConfigError, match="found variant 'wings', expected some of"):
        chosen(["wings"], [], has_teacher=False)
    with pytest.raises(ConfigError, match="taught learns from a teacher"):
        chosen([TAUGHT], [], has_teacher=False)


def test_what_differs_in_training_alone_shares_a_pretraining(store: Store) -> None:
    asked = ablation(store)
    names = {v.name: pretraining_of(asked, v).name for v in VARIANTS}
    assert names[FULL] == names[TAUGHT] == names["taught_no_pattern"] == "tiny"
    assert names["no_second_loss"] == "tiny-no_second_loss"
    own = {"fixed_prompts", "no_prompts", "class_names", "no_lead_mask"}
    assert {name for name in own if names[name] == f"tiny-{name}"} == own


# ---- settings that were added for it


def test_todays_settings_are_the_defaults() -> None:
    training = TrainingConfig()
    fields = PretrainingConfig.model_fields
    for name in ("contrastive_weight", "second_weight", "augment", "lose_leads"):
        assert fields[name].default == getattr(training, name)
    assert TowerConfig().lead_mask
    assert TextConfig().captions == "findings"


def test_without_a_lead_mask_the_tower_sees_zeros() -> None:
    torch.manual_seed(0)
    eeg = torch.randn(2, 18, 2560)
    usable = torch.ones(2, 18, 10)
    usable[0, 3], usable[1, :, 4] = 0, 0
    silent = eeg.clone()
    silent[0, 3] = 0
    towers = {}
    for told in (True, False):
        torch.manual_seed(1)
        config = TINY.tower.model_copy(update={"lead_mask": told})
        towers[told] = ConformerTower(config, SIGNAL, 18).eval()
    with torch.no_grad():
        whole = usable.clone()
        whole[0] = 1
        untold, _ = towers[False](eeg, usable)
        faked, _ = towers[True](silent, whole)
        told, _ = towers[True](eeg, usable)
    torch.testing.assert_close(untold, faked)  # and second 4 of the other is not seen
    assert not torch.allclose(untold[0], told[0])
    torch.testing.assert_close(untold[1], told[1])


def test_leads_are_lost_or_not_and_all_else_is_the_same(store: Store) -> None:
    batch = {}
    for lose in (True, False):
        made = Batches(store.recordings, SIGNAL, seed=0, batch_size=8, lose_leads=lose)
        batch[lose] = made.batch(3)
    assert torch.equal(batch[True]["eeg"], batch[False]["eeg"])
    assert (batch[True]["usable"] <= batch[False]["usable"]).all()
    assert batch[True]["usable"].sum() < batch[False]["usable"].sum()


def test_bare_captions_name_the_class_that_the_labels_have(store: Store) -> None:
    made = Batches(
        store.recordings, SIGNAL, seed=0, batch_size=16, class_names_only=True
    )
    full = Batches(store.recordings, SIGNAL, seed=0, batch_size=16).batch(0)
    batch = made.batch(0)
    assert set(batch["captions"]) == {"background", "seizure"}
    for bare, said in zip(batch["captions"], full["captions"], strict=True):
        assert (bare == "seizure") == ("seizure" in said)
    assert torch.equal(batch["eeg"], full["eeg"])
    text = TINY.text.model_copy(update={"captions": "class_names"})
    model = DistilCLIP(TINY.model_copy(update={"text": text}), SIGNAL)
    assert model.wordings == [["background"], ["seizure"]]


def test_a_window_speaks_for_its_seconds() -> None:
    torch.manual_seed(0)
    model = DistilCLIP(TINY, SIGNAL).eval()
    rng = np.random.default_rng(0)
    eeg = rng.normal(0, 20, (3, 18, 2560)).astype(np.float32)
    usable = np.ones((3, 18, 10), bool)
    plain, spread = (kind(model).run(eeg, usable) for kind in KINDS)
    assert np.array_equal(plain.window_logits, spread.window_logits)
    assert (spread.second_logits == spread.window_logits[:, None]).all()
    assert not np.array_equal(plain.second_logits, spread.second_logits)


KINDS = (TorchRuntime, WindowRuntime)


# ---- the queue


def test_no_job_learns_from_the_fold_it_scores(store: Store, done: Path) -> None:
    asked = ablation(store, *TRAINED, teacher="{fold}")
    queue = list(jobs(asked))
    assert len({job.part for job in queue}) == len(queue) == 2 * len(TRAINED)
    for job in queue:
        assert job.fold not in config_of(asked, job).data.folds
        run = done / "work" / "runs" / job.variant.name / f"seed0-fold{job.fold}"
        config, _ = load_run(run)
        assert config.data.folds == (1 - job.fold,)
        taught = bool(config.distillation.teacher_sha256)
        assert taught == job.variant.taught
        assert not (run / CHECKPOINT).exists()
        scored = read_parts(done)[job.variant.name][0][job.fold]
        mine = [r.name for r in store.recordings if r.fold == job.fold]
        assert [p.name for p in scored] == mine


def test_a_term_that_is_off_is_off(done: Path) -> None:
    runs = done / "work" / "runs"
    without, _ = load_run(runs / "taught_no_window" / "seed0-fold0")
    assert without.distillation.window_weight == 0
    assert without.distillation.second_weight > 0
    without, _ = load_run(runs / "no_second_loss" / "seed0-fold0")
    assert without.training.second_weight == 0


def test_a_killed_queue_goes_on_and_says_the_same(
    store: Store, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again"
    shutil.copytree(done, again)
    job = Job(VARIANTS[0], 0, 1)
    before = job.part.path(again).read_bytes()
    job.part.path(again).unlink()
    run_jobs(ablation(store, FULL), again, lambda _: None)
    assert job.part.path(again).read_bytes() == before  # trained, not scored
    job.part.path(again).unlink()
    shutil.rmtree(again / "work" / "runs" / FULL / "seed0-fold1")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "predict", killed)
        with pytest.raises(KeyboardInterrupt):
            run_jobs(ablation(store, FULL), again, lambda _: None)
    said: list[str] = []
    run_jobs(ablation(store, FULL), again, said.append)
    assert said == ["job 2 of 2: full, seed 0, fold 1"]
    assert job.part.path(again).read_bytes() == before


def test_a_folder_holds_one_ablation(store: Store, done: Path) -> None:
    config = tiny_config()
    longer = config.training.model_copy(update={"steps": 3})
    other = config.model_copy(update={"training": longer})
    with pytest.raises(ConfigError, match="other configs"):
        run_jobs(ablation(store, FULL, configs=[other]), done, print)


def test_what_an_event_is_may_be_chosen_afterwards(store: Store, done: Path) -> None:
    config = tiny_config()
    later = config.detection.model_copy(update={"onset_threshold": 0.8})
    other = config.model_copy(update={"detection": later})
    said: list[str] = []
    run_jobs(ablation(store, FULL, configs=[other]), done, said.append)
    assert not said
    assert table_of(done, later)["settings"]["onset_threshold"] == 0.8


def test_a_pretraining_is_asked_for_once_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    made: list[tuple[str, int]] = []

    def draw(config: Config, kept: Path) -> list[int]:
        drawn.append(1)
        return [1]

    monkeypatch.setattr(module, "simulated_recordings", draw)
    monkeypatch.setattr(
        module,
        "pretrained",
        lambda config, simulated, kept: made.append((config.name, len(simulated))),
    )
    initial = module.pretrained_in(tmp_path)
    for name in ("full", "full", "no_prompts", "no_prompts", "full"):
        initial(tiny_config(name))
    assert made == [("full", 1), ("no_prompts", 1), ("full", 1)]
    assert drawn == [1]


def test_a_settings_file_of_before_a_setting_was_there_still_fits(
    store: Store, done: Path, tmp_path: Path
) -> None:
    shutil.copytree(done, tmp_path / "old")
    path = tmp_path / "old" / "settings.json"
    content = json.loads(path.read_text())
    del content["configs"]["tiny"]["training"]["lose_leads"]
    path.write_text(json.dumps(content))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "old").rglob("*.tsv")}
    assert before
    run_jobs(ablation(store, FULL), tmp_path / "old", print)
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "old").rglob("*.tsv")}
    assert after == before  # taken for its own, and nothing done twice


def test_a_teacher_is_one_per_fold(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"expected \{fold\} in it"):
        ablation(store, TAUGHT, teacher="runs/teacher")


def test_folds_are_given_or_made(store: Store) -> None:
    given = folds_of(store.recordings, None)
    assert {r.patient for r in given[0]} == {"n1"}
    with pytest.raises(ConfigError, match="found 2 folds, expected 3"):
        folds_of(store.recordings, 3)
    for recording in store.recordings:
        assert recording.fold in (None, 0, 1)
    bare = [replace_fold(r) for r in store.recordings]
    made = folds_of(bare, 2)
    patients = [{r.patient for r in of} for of in made.values()]
    assert not patients[0] & patients[1]
    with pytest.raises(ConfigError, match="found 0 folds, expected 2"):
        folds_of(bare, None)


def replace_fold(recording: Any) -> Any:
    from copy import copy

    other = copy(recording)
    other.fold = None
    return other


# ---- the table


def test_the_table_says_what_the_predictions_say(done: Path) -> None:
    table = table_of(done, tiny_config().detection)
    assert list(table["rows"]) == list(TRAINED)
    rows = table["rows"]
    for name, row in rows.items():
        assert row["seeds"] == [0]
        assert row["folds"] == [0, 1]
        assert row["note"]["windows_per_second"] > 0
        each = [p["auroc"] for p in row["patients"].values()]
        mean = np.mean([x for x in each if x is not None])
        assert row["figures"]["auroc"]["value"] == pytest.approx(mean, abs=1e-3)
        assert set(row["above"]) == set(next_to(name))
    above = rows["no_contrastive"]["above"][FULL]["auroc"]["value"]
    a, b = (rows[n]["figures"]["auroc"]["value"] for n in ("no_contrastive", FULL))
    assert above == pytest.approx(a - b, abs=2e-4)
    assert rows[FULL]["counts"]["found"]["whole"] == 4


def next_to(name: str) -> tuple[str, ...]:
    return next(v.against for v in VARIANTS if v.name == name)


def test_a_table_of_part_of_a_queue_is_a_table(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "part")
    Part("no_contrastive", 0, 1).path(tmp_path / "part").unlink()
    table = table_of(tmp_path / "part", tiny_config().detection)
    row = table["rows"]["no_contrastive"]
    assert row["folds"] == [0]
    assert list(row["patients"]) == ["n1"]
    full = table["rows"][FULL]["patients"]["n1"]["auroc"]
    expected = row["patients"]["n1"]["auroc"] - full
    assert row["above"][FULL]["auroc"]["value"] == pytest.approx(expected, abs=1e-3)
    assert row["above"][FULL]["auroc"]["low"] is None  # of one patient


def test_markdown_names_every_row(done: Path) -> None:
    text = markdown(table_of(done, tiny_config().detection))
    for name in TRAINED:
        assert f"| {name} |" in text
    assert "| taught_no_window | taught |" in text
    assert "paired" not in text
    assert "\n- `full`: the recipe" in text


def test_further_recipes_stand_beside(store: Store) -> None:
    asked = ablation(
        store,
        variants=variants_of("other"),
        configs=[tiny_config(), tiny_config("other")],
        teacher="{fold}",
    )
    alone, taught = variants_of("other")
    assert pretraining_of(asked, taught).name == "other"
    assert config_of(asked, Job(alone, 2, 0)).training.seed == 2
    assert replace(taught, taught=False, name="x").config == "other"


# ---- the command


def test_the_command_from_files_to_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_corpus(tmp_path / "corpus")
    config = tiny_config().model_copy(update={"data": DataConfig(folds=(0, 1))})
    toml = tmp_path / "tiny.toml"
    tower = "\n".join(
        f"{key} = {str(value).lower()}"
        for key, value in config.model.tower.model_dump().items()
    )
    toml.write_text(
        f'name = "tiny"\n[model]\nembed_dim = 16\n[model.tower]\n{tower}\n'
        "[model.text]\nlayers = 1\nn_prompts = 2\n[training]\nbatch_size = 4\n"
        'precision = "32-true"\n'
    )
    args = ["ablate", str(tmp_path / "out"), "--data", str(root), "--folds", "2"]
    args += ["--config", str(toml), "--seeds", "1", "--steps", "1", "--only", FULL]
    for _ in range(2):
        with pytest.raises(SystemExit) as exit_:
            main(args)
        assert not exit_.value.code
    out, err = capsys.readouterr()
    assert "| full |" in out
    assert err.count("job 1 of 2") == 1
    assert (tmp_path / "out" / "table.json").is_file()
