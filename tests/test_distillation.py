"""A student takes from a teacher what its terms say, and each can be switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distilclip_eeg.config import (
    Config,
    DistillationConfig,
    ModelConfig,
    TextConfig,
    TowerConfig,
    TrainingConfig,
)
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model.losses import (
    embedding_distance,
    pattern_divergence,
    soft_class,
)
from distilclip_eeg.training.batches import Batch, Batches
from distilclip_eeg.training.distillation import (
    TERMS,
    Teacher,
    distillation_losses,
    distillation_weights,
    stream_of,
)
from distilclip_eeg.training.fit import fit
from distilclip_eeg.training.run_folder import load_run
from distilclip_eeg.training.trained import load_trained
from small_corpus import SIGNAL, small_store

TINY = ModelConfig(
    tower=TowerConfig(
        stem_filters=8, dim=16, depth=1, heads=2, ff_mult=2, conv_kernel=7
    ),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=16,
)


def config(name: str = "tiny", **parts: Any) -> Config:
    settings = TrainingConfig(
        steps=3, batch_size=4, warmup_steps=1, precision="32-true", checkpoint_every=1
    )
    return Config(name=name, **{"model": TINY, "training": settings, **parts})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def taught(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "teacher"
    fit(config("teacher"), run, store.recordings)
    return run


def batch_of(store: Store) -> tuple[Batch, list[str]]:
    batches = Batches(store.recordings, SIGNAL, seed=0, batch_size=4)
    batch = batches.batch(0)
    return batch, list(dict.fromkeys(batch["captions"]))


# ---- terms


@given(st.integers(0, 999), st.floats(0.5, 8))
def test_soft_class_is_the_divergence_at_a_temperature(seed: int, t: float) -> None:
    """Oracle: the definition, term by term."""
    torch.manual_seed(seed)
    ours, theirs = torch.randn(5, 3), torch.randn(5, 3)
    valid = torch.tensor([True, True, False, True, True])
    p, q = (theirs / t).softmax(1)[valid], (ours / t).softmax(1)[valid]
    want = t * t * (p * (p.log() - q.log())).sum(1).mean()
    torch.testing.assert_close(soft_class(ours, theirs, valid, t), want)


def test_what_is_invalid_is_never_looked_at() -> None:
    ours, theirs = torch.randn(3, 2), torch.full((3, 2), float("nan"))
    nowhere = torch.zeros(3, dtype=torch.bool)
    assert soft_class(ours, theirs, nowhere, 2.0) == 0
    assert embedding_distance(ours, theirs, nowhere) == 0


def test_a_perfect_student_pays_nothing() -> None:
    x = torch.randn(4, 6)
    valid = torch.ones(4, dtype=torch.bool)
    for loss in (
        soft_class(x, x, valid, 2.0),
        embedding_distance(x, 3 * x, valid),
        pattern_divergence(x, x, valid),
    ):
        assert abs(float(loss)) < 1e-6
    assert pattern_divergence(x, x.flip(0), valid) > 0.01


def test_the_gradient_leads_to_the_teacher() -> None:
    theirs = torch.tensor([[2.0, -1.0], [-3.0, 1.0]])
    ours = torch.zeros(2, 2, requires_grad=True)
    valid = torch.ones(2, dtype=torch.bool)
    for _ in range(400):
        soft_class(ours, theirs, valid, 2.0).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert ours.grad is not None
            ours -= 0.5 * ours.grad
            ours.grad = None
    torch.testing.assert_close(ours.softmax(1), theirs.softmax(1), atol=0.01, rtol=0)


@pytest.mark.parametrize("term", list(TERMS))
def test_each_term_can_be_switched_off(store: Store, taught: Path, term: str) -> None:
    teacher = Teacher(taught)
    batch, captions = batch_of(store)
    said = teacher.says(batch, captions, "stream", 0)
    _, student = load_trained(taught)
    encoded, text, scale = student(batch["eeg"], batch["usable"], captions)
    settings = DistillationConfig(**{f"{term}_weight": 0})
    losses = distillation_losses(encoded, text, scale, batch, said, settings)
    assert set(losses) == set(TERMS.values()) - {TERMS[term]}
    assert set(losses) < set(distillation_weights(settings))


def test_the_teacher_agrees_with_itself(store: Store, taught: Path) -> None:
    """Up to bfloat16, in which the teacher is asked."""
    batch, captions = batch_of(store)
    said = Teacher(taught).says(batch, captions, "stream", 0)
    _, student = load_trained(taught)
    encoded, text, scale = student(batch["eeg"], batch["usable"], captions)
    settings = DistillationConfig()
    losses = distillation_losses(encoded, text, scale, batch, said, settings)
    assert all(float(value.detach()) < 0.02 for value in losses.values()), losses


# ---- the teacher


def test_it_is_asked_once(store: Store, taught: Path, tmp_path: Path) -> None:
    batch, captions = batch_of(store)
    teacher = Teacher(taught, tmp_path / "kept")
    first = teacher.says(batch, captions, "stream", 7)

    def never(*_: object) -> dict[str, Tensor]:
        raise AssertionError("asked again")

    teacher._ask = never  # type: ignore[method-assign,assignment]
    again = teacher.says(batch, captions, "stream", 7)
    fresh = Teacher(taught).says(batch, captions, "stream", 7)
    for name, value in first.items():
        assert torch.equal(value, again[name])
        torch.testing.assert_close(value, fresh[name].float(), atol=2e-2, rtol=2e-2)
    assert len(list((tmp_path / "kept").rglob("*.safetensors"))) == 1
    with pytest.raises(AssertionError, match="asked again"):
        teacher.says(batch, captions, "stream", 8)


def test_another_seed_is_another_stream() -> None:
    one = config()
    names = ["a", "b"]
    training = one.training.model_copy(update={"seed": 1})
    other = one.model_copy(update={"training": training})
    student = config("edge", distillation=DistillationConfig(temperature=4))
    assert stream_of(one, names) != stream_of(other, names)
    assert stream_of(one, names) != stream_of(one, ["a"])
    assert stream_of(one, names) == stream_of(student, names)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"embed_dim": 8}, "embed_dim 8"), ({"classes": ("a", "b")}, "classes")],
)
def test_a_student_in_another_space_is_refused(
    taught: Path, tmp_path: Path, store: Store, change: dict[str, Any], word: str
) -> None:
    other = config(model=TINY.model_copy(update=change))
    with pytest.raises(ConfigError, match=word):
        fit(other, tmp_path / "run", store.recordings, teacher=Teacher(taught))
    assert not (tmp_path / "run").exists()


# ---- in the loop


def test_a_teacher_changes_the_student_and_is_noted(
    store: Store, taught: Path, tmp_path: Path
) -> None:
    teacher = Teacher(taught, tmp_path / "kept")
    student = config("student")
    noted: dict[str, float] = {}
    fit(
        student,
        tmp_path / "taught",
        store.recordings,
        teacher=teacher,
        on_step=lambda _, figures: noted.update(figures),
    )
    fit(student, tmp_path / "alone", store.recordings)
    assert set(TERMS.values()) < set(noted)
    with_teacher, weights = load_run(tmp_path / "taught")
    assert with_teacher.distillation.teacher_sha256 == teacher.sha256
    assert not all(
        torch.equal(value, weights[name])
        for name, value in load_run(tmp_path / "alone")[1].items()
    )
    with pytest.raises(ConfigError, match="another configuration"):
        fit(student, tmp_path / "taught", store.recordings)  # without its teacher


def test_the_student_comes_closer_to_its_teacher(
    store: Store, taught: Path, tmp_path: Path
) -> None:
    settings = TrainingConfig(
        steps=60, batch_size=8, warmup_steps=1, precision="32-true",
        learning_rate=5e-3, ema_decay=0.5, contrastive_weight=0, window_weight=0,
        second_weight=0, seed=1,
    )  # fmt: skip
    far = config("student", training=settings)  # starts elsewhere: another seed
    first: list[float] = []
    fit(
        far,
        tmp_path / "run",
        store.recordings,
        teacher=Teacher(taught),
        on_step=lambda _, figures: first.append(figures[TERMS["embedding"]]),
    )
    assert np.mean(first[-10:]) < 0.6 * first[0]
