"""Gradients: the rebuilt network is the shipped one, and shares add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gradients need torch")

from distilclip_eeg.config import ModelConfig, SignalConfig, TowerConfig  # noqa: E402
from distilclip_eeg.detection.leads import Heard  # noqa: E402
from distilclip_eeg.detection.models import bundled_models  # noqa: E402
from distilclip_eeg.errors import ModelFolderError  # noqa: E402
from distilclip_eeg.explain.gradient import (  # noqa: E402
    Differentiable,
    gradient_map,
    load_differentiable,
    tower_config,
)
from distilclip_eeg.model.distilclip import EEGEncoder  # noqa: E402
from distilclip_eeg.model_folder import load_folder  # noqa: E402
from tiny_model import write_tiny_folder  # noqa: E402


@pytest.fixture(scope="module")
def edge() -> Differentiable:
    return load_differentiable(load_folder(bundled_models()["edge"]))


def heard(seed: int, size_uv: float = 20.0) -> Heard:
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, size_uv, (18, 2560)).astype(np.float32)
    return Heard(eeg, np.ones((18, 10), bool))


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_the_rebuilt_network_is_the_shipped_one(name: str) -> None:
    folder = load_folder(bundled_models()[name])
    vector = folder.test_vector()
    eeg, usable = (torch.from_numpy(vector[key]) for key in ("eeg", "usable"))
    with torch.no_grad():
        window, seconds = load_differentiable(folder)(eeg, usable)
    np.testing.assert_allclose(window, vector["window_logits"], atol=2e-3)
    np.testing.assert_allclose(seconds, vector["second_logits"], atol=2e-3)


@pytest.mark.parametrize(
    "tower",
    [
        TowerConfig(),
        TowerConfig(stem_filters=8, dim=32, depth=2, heads=2, ff_mult=2, conv_kernel=5),
        TowerConfig(tokens_per_s=2, dim=16, depth=1, heads=1),
    ],
    ids=lambda tower: f"{tower.dim}",
)
def test_sizes_are_read_off_the_weights(tower: TowerConfig) -> None:
    encoder = EEGEncoder(ModelConfig(tower=tower), SignalConfig())
    found = tower_config(dict(encoder.named_parameters()), SignalConfig())
    assert found == tower


def test_shares_add_up_to_the_difference(edge: Differentiable) -> None:
    """Completeness (Sundararajan 2017): nothing is lost between the two windows."""
    now, before = heard(1, 40.0), heard(2, 10.0)
    total = float(gradient_map(edge, now, before, steps=64).sum())
    with torch.no_grad():
        odds = edge.odds(
            torch.from_numpy(np.stack([now.eeg, before.eeg])), torch.ones(2, 18, 10)
        ).sum(1)
    assert total == pytest.approx(float(odds[0] - odds[1]), rel=0.1, abs=0.2)


def test_what_is_as_before_gets_nothing(edge: Differentiable) -> None:
    now, before = heard(1), heard(2)
    now.eeg[4], now.eeg[:, 5 * 256 : 6 * 256] = (
        before.eeg[4],
        before.eeg[:, 5 * 256 : 6 * 256],
    )
    found = gradient_map(edge, now, before, steps=8)
    assert (found[4] == 0).all()
    assert (found[:, 5] == 0).all()
    assert (found[5, :5] != 0).all()


def test_unusable_seconds_are_unknown(edge: Differentiable) -> None:
    now, before = heard(1), heard(2)
    now.usable[3, 2:4] = False
    before.usable[7] = False
    found = gradient_map(edge, now, before, steps=8)
    assert np.isnan(found[3, 2:4]).all()
    assert np.isnan(found).sum() == 2


def test_without_a_past_the_way_begins_in_silence(edge: Differentiable) -> None:
    now = heard(1)
    silent = Heard(np.zeros_like(now.eeg), now.usable)
    np.testing.assert_array_equal(
        gradient_map(edge, now, steps=8), gradient_map(edge, now, silent, steps=8)
    )


def test_a_folder_without_a_tower(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny")
    with pytest.raises(ModelFolderError, match="use --method occlusion"):
        load_differentiable(folder)
