"""Both towers in one space: unit vectors, capped cosines, and who is trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from distilclip_eeg.config import (
    Config,
    ModelConfig,
    SignalConfig,
    TextConfig,
    TowerConfig,
)
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.training.export import count_parameters
from distilclip_eeg.training.trained import trained_parameters

TINY = ModelConfig(
    tower=TowerConfig(stem_filters=8, dim=16, depth=1, heads=2, conv_kernel=7),
    text=TextConfig(layers=1, n_prompts=2),
    embed_dim=24,
)
CAPTIONS = ["EEG with a seizure.", "EEG with background activity.", "A third."]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> DistilCLIP:
    torch.manual_seed(0)
    return DistilCLIP(TINY, SignalConfig()).eval()


@pytest.fixture(scope="module")
def student() -> DistilCLIP:
    """The default sizes with BERT's first layer."""
    return DistilCLIP(ModelConfig(text=TextConfig(layers=1)), SignalConfig()).eval()


def windows(n: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    eeg = 40 * torch.randn(n, 18, 2560, generator=generator)
    return eeg, (torch.rand(n, 18, 10, generator=generator) < 0.9).float()


def test_shapes_and_lengths(model: DistilCLIP) -> None:
    with torch.no_grad():
        encoded, text, scale = model(*windows(), CAPTIONS)
    assert encoded["window_embedding"].shape == (4, 24)
    assert encoded["second_embedding"].shape == (4, 10, 24)
    assert encoded["window_logits"].shape == (4, 2)
    assert encoded["second_logits"].shape == (4, 10, 2)
    assert text.shape == (3, 24)
    assert scale.shape == ()
    for rows in (encoded["window_embedding"], encoded["second_embedding"], text):
        torch.testing.assert_close(rows.norm(dim=-1), torch.ones(rows.shape[:-1]))


def test_a_score_is_a_scaled_cosine(model: DistilCLIP) -> None:
    with torch.no_grad():
        prototypes, scale = model.prototypes(), model.logit_scale
        encoded = model.score(*windows(), prototypes)
    assert prototypes.shape == (2, 24)
    for rows, logits in (
        (encoded["window_embedding"], encoded["window_logits"]),
        (encoded["second_embedding"], encoded["second_logits"]),
    ):
        cosine = F.cosine_similarity(rows.unsqueeze(-2), prototypes, dim=-1)
        torch.testing.assert_close(logits, scale * cosine)


def test_a_class_is_the_mean_of_its_wordings(model: DistilCLIP) -> None:
    with torch.no_grad():
        prototypes = model.prototypes()
        for row, wordings in zip(prototypes, model.wordings, strict=True):
            want = F.normalize(model.text(wordings).mean(0), dim=0)
            torch.testing.assert_close(row, want)
    assert [len(group) for group in model.wordings] == [4, 4]


def test_the_scale_is_capped() -> None:
    model = DistilCLIP(TINY, SignalConfig())
    assert model.logit_scale.item() == pytest.approx(10)
    with torch.no_grad():
        model.log_scale.fill_(8)
    assert model.logit_scale.item() == TINY.max_logit_scale


def test_only_our_own_parts_are_trained(model: DistilCLIP) -> None:
    encoded, text, scale = model(*windows(2), CAPTIONS)
    outputs = [encoded["window_logits"], encoded["second_logits"], text, scale]
    loss = torch.cat([out.flatten() for out in outputs]).square().sum()
    torch.autograd.backward(loss)
    ours = dict(trained_parameters(model))
    for name, parameter in model.named_parameters():
        assert (".bert." in name) == (name not in ours)
        if name.endswith("pool.bias"):
            continue  # a softmax does not feel a constant
        got = parameter.grad is not None and bool(parameter.grad.any())
        assert got == (name in ours), name
    model.zero_grad()


def test_in_bf16_the_end_is_float32_and_close(student: DistilCLIP) -> None:
    eeg, usable = windows(3)
    with torch.no_grad():
        prototypes = student.prototypes()
        exact = student.score(eeg, usable, prototypes)
        with torch.autocast("cpu", torch.bfloat16):
            rough = student.score(eeg, usable, prototypes)
    assert rough["window_logits"].dtype == torch.float32
    assert rough["second_embedding"].dtype == torch.float32
    for key in ("window_logits", "second_logits"):
        p, q = exact[key].softmax(-1), rough[key].softmax(-1)
        assert torch.quantile((p - q).abs(), 0.99) < 0.01


def test_the_student_has_its_size(student: DistilCLIP) -> None:
    counts = count_parameters(student)
    assert counts["total"] == sum(p.numel() for p in student.parameters())
    assert counts["total"] == pytest.approx(17.9e6, rel=0.005)
    assert counts["bert"] == pytest.approx(13.7e6, rel=0.005)
    assert Config(name="a").model.tower == ModelConfig().tower


def test_no_layer_mixes_a_batch(student: DistilCLIP) -> None:
    kinds = {type(module).__name__ for module in student.modules()}
    assert not [kind for kind in kinds if "BatchNorm" in kind]


def test_a_third_class_needs_no_code() -> None:
    classes = ("background", "seizure", "periodic discharges")
    config = TINY.model_copy(update={"classes": classes})
    model = DistilCLIP(config, SignalConfig()).eval()
    with torch.no_grad():
        encoded = model.score(*windows(2), model.prototypes())
    assert encoded["second_logits"].shape == (2, 10, 3)
