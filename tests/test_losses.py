"""The laws of the loss terms, and CLIP's own loss where captions are all distinct."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn import functional as F

from distilclip_eeg.model.losses import (
    contrastive,
    deduplicate,
    second_class,
    total,
    window_class,
)

SCALE = 14.0
law = settings(max_examples=50, deadline=None)  # the first call of torch is slow


def unit(rows: int, seed: int, dim: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator), dim=1)


def labels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator).softmax(dim=-1)


def contrast(eeg: Tensor, text: Tensor, target: Tensor) -> float:
    return contrastive(eeg, text, target, SCALE)["contrastive_loss"].item()


targets = st.lists(st.integers(0, 4), min_size=1, max_size=12).map(torch.tensor)
seeds = st.integers(0, 2**31)


class TestContrastive:
    @law
    @given(rows=st.integers(1, 20), seed=seeds)
    def test_distinct_captions_give_clip(self, rows: int, seed: int) -> None:
        eeg, text = unit(rows, seed), unit(rows, seed + 1)
        logits, diagonal = SCALE * eeg @ text.T, torch.arange(rows)
        clip = F.cross_entropy(logits, diagonal) + F.cross_entropy(logits.T, diagonal)
        found = contrast(eeg, text, diagonal)
        assert found == pytest.approx(clip.item() / 2, abs=1e-5)

    @law
    @given(target=targets, seed=seeds)
    def test_is_the_written_out_sum(self, target: Tensor, seed: int) -> None:
        eeg, text = unit(len(target), seed), unit(5, seed + 1)
        logits = (SCALE * eeg @ text.T).double()
        to_text = [-logits[i].log_softmax(0)[t] for i, t in enumerate(target)]
        to_eeg = [
            -logits[:, c].log_softmax(0)[target == c].mean()
            for c in torch.unique(target)
        ]
        expected = torch.stack(to_text).mean() + torch.stack(to_eeg).mean()
        assert contrast(eeg, text, target) == pytest.approx(
            expected.item() / 2, abs=1e-5
        )

    @law
    @given(target=targets, seed=seeds)
    def test_order_of_the_batch_is_irrelevant(self, target: Tensor, seed: int) -> None:
        eeg, text = unit(len(target), seed), unit(5, seed + 1)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(target), generator=generator)
        assert contrast(eeg[order], text, target[order]) == pytest.approx(
            contrast(eeg, text, target), abs=1e-5
        )

    @law
    @given(target=targets, seed=seeds)
    def test_order_of_the_captions_is_irrelevant(
        self, target: Tensor, seed: int
    ) -> None:
        eeg, text = unit(len(target), seed), unit(5, seed + 1)
        order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
        assert contrast(eeg, text[order], order.argsort()[target]) == pytest.approx(
            contrast(eeg, text, target), abs=1e-5
        )

    @law
    @given(target=targets, seed=seeds)
    def test_equal_captions_are_one(self, target: Tensor, seed: int) -> None:
        """A caption per row, duplicates and all, is what the distinct ones give."""
        eeg, text = unit(len(target), seed), unit(5, seed + 1)
        distinct, index = deduplicate([str(one) for one in target.tolist()])
        merged = contrast(eeg, text[[int(one) for one in distinct]], index)
        per_row = contrast(eeg, text[target], torch.arange(len(target)))
        assert per_row == pytest.approx(merged, abs=1e-5)

    def test_equal_captions_do_not_repel(self) -> None:
        eeg = unit(6, 0).requires_grad_()
        same = unit(1, 1).expand(6, -1)
        loss = contrastive(eeg, same, torch.arange(6), SCALE)["contrastive_loss"]
        # One caption for all: the rows can differ in nothing but how evenly they share.
        even = torch.log(torch.tensor(6.0)) / 2
        assert loss.item() >= even.item()
        perfect = contrast(same, same, torch.arange(6))
        assert perfect == pytest.approx(even.item(), abs=1e-5)

    def test_an_unused_caption_is_a_negative_only(self) -> None:
        eeg, text, target = unit(4, 0), unit(3, 1), torch.tensor([0, 1, 1, 0])
        assert contrast(eeg, text, target) > contrast(eeg, text[:2], target)

    def test_gradient_reaches_both_sides_and_the_scale(self) -> None:
        eeg, text = unit(4, 0).requires_grad_(), unit(2, 1).requires_grad_()
        scale = torch.tensor(SCALE, requires_grad=True)
        target = torch.tensor([0, 1, 1, 0])
        loss = contrastive(eeg, text, target, scale)["contrastive_loss"]
        for grad in torch.autograd.grad(loss, [eeg, text, scale]):
            assert grad.abs().sum() > 0

    def test_autocast_changes_nothing(self) -> None:
        eeg, text, target = unit(8, 0), unit(3, 1), torch.arange(8) % 3
        with torch.autocast("cpu", torch.bfloat16):
            loss = contrastive(eeg, text, target, SCALE)["contrastive_loss"]
        assert loss.dtype == torch.float32
        assert loss.item() == contrast(eeg, text, target)


class TestWindowClass:
    def test_is_the_cross_entropy_of_soft_labels(self) -> None:
        logits, soft = torch.randn(7, 3), labels(7, 3)
        found = window_class(logits, soft, label_smoothing=0.1)["window_loss"]
        oracle = F.cross_entropy(logits, soft, label_smoothing=0.1)
        assert found.item() == pytest.approx(oracle.item(), abs=1e-6)

    @law
    @given(weights=st.lists(st.integers(0, 3), min_size=1, max_size=10), seed=seeds)
    def test_a_weight_counts_a_window_that_often(
        self, weights: list[int], seed: int
    ) -> None:
        weight = torch.tensor(weights)
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(len(weights), 2, generator=generator)
        soft = labels(len(weights), 2, seed=seed)
        found = window_class(logits, soft, weight)["window_loss"].item()
        repeated = (
            logits.repeat_interleave(weight, 0),
            soft.repeat_interleave(weight, 0),
        )
        expected = window_class(*repeated)["window_loss"].item()
        assert found == pytest.approx(expected, abs=1e-5)

    def test_weight_zero_hides_not_a_number(self) -> None:
        logits = torch.tensor([[torch.nan, 0.0], [1.0, 2.0]], requires_grad=True)
        weight = torch.tensor([0.0, 1.0])
        loss = window_class(logits, labels(2, 2), weight)["window_loss"]
        assert loss.isfinite()
        assert torch.autograd.grad(loss, logits)[0].isfinite().all()

    def test_bfloat16_scores_are_summed_in_float32(self) -> None:
        logits, soft = torch.randn(5, 2).bfloat16(), labels(5, 2)
        with torch.autocast("cpu", torch.bfloat16):
            loss = window_class(logits, soft)["window_loss"]
        assert loss.dtype == torch.float32
        assert loss.item() == window_class(logits.float(), soft)["window_loss"].item()


class TestSecondClass:
    def test_only_valid_seconds_count(self) -> None:
        logits, soft = torch.randn(3, 4, 2), labels(3, 4, 2)
        valid = torch.rand(3, 4, generator=torch.Generator().manual_seed(1)) > 0.5
        found = second_class(logits, soft, valid, label_smoothing=0.05)["second_loss"]
        oracle = F.cross_entropy(logits[valid], soft[valid], label_smoothing=0.05)
        assert found.item() == pytest.approx(oracle.item(), abs=1e-6)

    def test_what_stands_at_an_invalid_second_is_not_looked_at(self) -> None:
        logits, soft = torch.zeros(1, 3, 2), labels(1, 3, 2)
        valid = torch.tensor([[True, False, True]])
        clean = second_class(logits, soft, valid)["second_loss"]
        logits[0, 1], soft[0, 1] = torch.nan, torch.inf
        assert second_class(logits, soft, valid)["second_loss"] == clean

    def test_no_valid_second_is_a_loss_of_zero(self) -> None:
        logits = torch.full((2, 3, 2), torch.nan, requires_grad=True)
        valid = torch.zeros(2, 3, dtype=torch.bool)
        loss = second_class(logits, labels(2, 3, 2), valid)["second_loss"]
        assert loss.item() == 0
        assert not torch.autograd.grad(loss, logits)[0].any()

    def test_order_of_the_batch_is_irrelevant(self) -> None:
        logits, soft, valid = (
            torch.randn(5, 4, 2),
            labels(5, 4, 2),
            torch.ones(5, 4) > 0,
        )
        order = torch.tensor([3, 1, 4, 0, 2])
        found = second_class(logits[order], soft[order], valid[order])["second_loss"]
        same = second_class(logits, soft, valid)["second_loss"]
        assert found.item() == pytest.approx(same.item(), abs=1e-6)


class TestTotal:
    def test_weighs_each_term_by_its_name(self) -> None:
        losses = {"a_loss": torch.tensor(2.0), "b_loss": torch.tensor(3.0)}
        weights = {"a_loss": 0.5, "b_loss": 2.0, "absent_loss": 1.0}
        assert total(losses, weights).item() == 7.0

    def test_a_term_without_a_weight_is_a_mistake(self) -> None:
        with pytest.raises(KeyError, match="b_loss"):
            total({"b_loss": torch.tensor(1.0)}, {})


def test_deduplicate_keeps_the_first_order() -> None:
    captions, index = deduplicate(["b", "a", "b", "c", "a"])
    assert captions == ["b", "a", "c"]
    assert index.tolist() == [0, 1, 0, 2, 1]
