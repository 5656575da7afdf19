"""What is masked does not exist, and a window does not know its neighbours.

Shapes as in the module: B batch, C leads, T samples, S seconds, W width.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from distilclip_eeg.config import SignalConfig, TowerConfig
from distilclip_eeg.model.conformer import ConformerBlock, ConformerTower

SIZES = TowerConfig(stem_filters=8, dim=16, depth=2, heads=2, ff_mult=2, conv_kernel=7)
SIGNAL = SignalConfig()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tower_of(sizes: TowerConfig = SIZES, signal: SignalConfig = SIGNAL) -> nn.Module:
    torch.manual_seed(0)
    tower = ConformerTower(sizes, signal, 18)
    for parameter in tower.parameters():  # biases start at zero and would hide faults
        nn.init.normal_(parameter, std=0.2)
    return tower.eval()


@pytest.fixture(scope="module")
def tower() -> nn.Module:
    return tower_of()


def windows(n: int = 3) -> tuple[Tensor, Tensor]:
    """EEG of 40 microvolts, all of it usable."""
    generator = torch.Generator().manual_seed(1)
    return 40 * torch.randn(n, 18, 2560, generator=generator), torch.ones(n, 18, 10)


def encode(tower: nn.Module, eeg: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        window, seconds = tower(eeg, usable)
    return window, seconds


def garbage(like: Tensor) -> Tensor:
    return 5000 * torch.randn(like.shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("window_s", "tokens_per_s"), [(10, 4), (4, 2), (1, 8)])
def test_shapes(window_s: int, tokens_per_s: int) -> None:
    sizes = SIZES.model_copy(update={"tokens_per_s": tokens_per_s})
    signal = SignalConfig(window_s=window_s, hop_s=1)
    eeg, usable = torch.randn(2, 18, window_s * 256), torch.ones(2, 18, window_s)
    window, seconds = encode(tower_of(sizes, signal), eeg, usable)
    assert window.shape == (2, 16)
    assert seconds.shape == (2, window_s, 16)


def test_no_window_at_all(tower: nn.Module) -> None:
    window, seconds = encode(tower, torch.zeros(0, 18, 2560), torch.zeros(0, 18, 10))
    assert window.shape == (0, 16)
    assert seconds.shape == (0, 10, 16)


def test_an_odd_number_of_samples_per_token_is_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of 8 is needed"):
        tower_of(SIZES.model_copy(update={"tokens_per_s": 5}))


# ---- masks


def test_what_a_missing_lead_holds_does_not_matter(tower: nn.Module) -> None:
    eeg, usable = windows()
    usable[:, [0, 7, 13]] = 0
    before = encode(tower, eeg, usable)
    eeg[:, [0, 7, 13]] = garbage(eeg[:, [0, 7, 13]])
    for old, new in zip(before, encode(tower, eeg, usable), strict=True):
        assert torch.equal(old, new)


def test_what_an_unusable_second_holds_does_not_matter(tower: nn.Module) -> None:
    eeg, usable = windows()
    usable[:, 5, 3] = usable[1, :, 8] = 0
    before = encode(tower, eeg, usable)
    lost = slice(3 * 256, 4 * 256)
    eeg[:, 5, lost] = garbage(eeg[:, 5, lost])
    lost = slice(8 * 256, 9 * 256)
    eeg[1, :, lost] = garbage(eeg[1, :, lost])
    for old, new in zip(before, encode(tower, eeg, usable), strict=True):
        assert torch.equal(old, new)


def test_a_block_does_not_look_at_unseen_tokens() -> None:
    torch.manual_seed(0)
    block = ConformerBlock(SIZES, 40).eval()
    x, seen = torch.randn(2, 40, 16), torch.ones(2, 40)
    seen[:, 8:20] = 0
    y = torch.where(seen.bool().unsqueeze(2), x, garbage(x))
    with torch.no_grad():
        before, after = block(x, seen), block(y, seen)
    assert torch.equal(before[seen.bool()], after[seen.bool()])


def test_a_missing_lead_is_not_a_flat_one(tower: nn.Module) -> None:
    eeg, usable = windows()
    eeg[:, 4] = 0
    flat = encode(tower, eeg, usable)[0]
    usable[:, 4] = 0
    assert (encode(tower, eeg, usable)[0] - flat).abs().max() > 1e-3


def test_every_lead_and_second_is_looked_at(tower: nn.Module) -> None:
    eeg, usable = windows(1)
    eeg.requires_grad_()
    tower(eeg, usable)[0].square().sum().backward()
    assert eeg.grad is not None
    assert (torch.unflatten(eeg.grad, 2, (10, 256)).abs().amax(3) > 0).all()


def test_an_unusable_window_is_finite_and_can_be_trained_on(tower: nn.Module) -> None:
    eeg, usable = windows()
    usable[1] = 0
    window, seconds = tower(eeg, usable)
    assert window.isfinite().all()
    assert seconds.isfinite().all()
    (window.sum() + seconds.sum()).backward()
    gradients = [p.grad for p in tower.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    tower.zero_grad()


@pytest.mark.parametrize("uv", [0.0, 1e-3, 3000.0, 30_000.0])
def test_any_amplitude_is_finite(tower: nn.Module, uv: float) -> None:
    eeg, usable = windows(1)
    for out in encode(tower, eeg / 40 * uv, usable):
        assert out.isfinite().all()


def test_a_single_usable_second(tower: nn.Module) -> None:
    """The window then says what its one second says."""
    eeg, usable = windows(1)
    usable[:, :, :6] = usable[:, :, 7:] = 0
    window, _ = encode(tower, eeg, usable)
    assert window.isfinite().all()
    eeg[:, :, 6 * 256 : 7 * 256] = garbage(eeg[:, :, 6 * 256 : 7 * 256])
    assert (encode(tower, eeg, usable)[0] - window).abs().max() > 1e-3


# ---- batches


def test_the_order_of_a_batch_does_not_matter(tower: nn.Module) -> None:
    eeg, usable = windows(5)
    usable[2, :9] = usable[3, :, 5:] = 0
    order = torch.tensor([3, 0, 4, 2, 1])
    straight = encode(tower, eeg, usable)
    shuffled = encode(tower, eeg[order], usable[order])
    for old, new in zip(straight, shuffled, strict=True):
        torch.testing.assert_close(old[order], new, rtol=0, atol=1e-6)


def test_a_window_does_not_know_its_neighbours(tower: nn.Module) -> None:
    eeg, usable = windows(4)
    together = encode(tower, eeg, usable)
    eeg[1:] = garbage(eeg[1:])
    for old, new in zip(together, encode(tower, eeg, usable), strict=True):
        torch.testing.assert_close(old[0], new[0], rtol=0, atol=1e-6)
    alone = encode(tower, eeg[:1], usable[:1])
    for old, new in zip(together, alone, strict=True):
        torch.testing.assert_close(old[:1], new, rtol=0, atol=1e-5)


def test_no_layer_mixes_a_batch() -> None:
    for module in tower_of().modules():
        assert "BatchNorm" not in type(module).__name__
        assert "InstanceNorm" not in type(module).__name__
    assert not [name for name, _ in tower_of().named_buffers() if "running" in name]


def test_dropout_is_the_only_chance(tower: nn.Module) -> None:
    still = tower_of(SIZES.model_copy(update={"dropout": 0.0})).train()
    eeg, usable = windows(2)
    with torch.no_grad():
        assert torch.equal(still(eeg, usable)[0], encode(tower, eeg, usable)[0])
        moving = tower_of().train()
        torch.manual_seed(3)
        first = moving(eeg, usable)[0]
        assert not torch.equal(first, moving(eeg, usable)[0])
        torch.manual_seed(3)
        assert torch.equal(first, moving(eeg, usable)[0])
