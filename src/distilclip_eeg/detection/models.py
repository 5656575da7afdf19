"""The name of a model, or a folder -> a model that is ready to run.

Also turns what a user asks of a model (a threshold, false alarms per day) into
settings. Knows no recordings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from distilclip_eeg.config import DetectionConfig, SignalConfig
from distilclip_eeg.detection.result import ModelIdentity
from distilclip_eeg.detection.runtime import Engine, Precision, Runtime
from distilclip_eeg.errors import ConfigError, ModelFolderError
from distilclip_eeg.model_folder import (
    CONFIG,
    ConfidenceScale,
    ModelFolder,
    load_folder,
)

DEFAULT_MODEL: Final = "student"


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, ready to run."""

    folder: ModelFolder
    runtime: Runtime

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def signal(self) -> SignalConfig:
        return self.folder.signal

    @property
    def confidence(self) -> ConfidenceScale | None:
        """How an event's confidence follows from its seconds; None: their mean."""
        return self.folder.config.confidence

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(self.folder.name, self.folder.sha256)

    def settings(
        self,
        *,
        threshold: float | None = None,
        false_alarms_per_day: float | None = None,
    ) -> DetectionConfig:
        """Choose how probabilities become events; without a choice, as trained.

        Parameters
        ----------
        threshold
            Replaces `onset_threshold`; `offset_threshold` keeps its ratio to it.
        false_alarms_per_day
            Takes the threshold that gave so many where the model was measured.

        Raises
        ------
        ConfigError
            If both are given, the threshold is not within 0 to 1, or the model was
            not measured at such a rate.
        """
        if false_alarms_per_day is not None:
            if threshold is not None:
                raise ConfigError("give threshold or false_alarms_per_day, not both")
            threshold = self.folder.onset_threshold(false_alarms_per_day)
        default = self.folder.detection
        if threshold is None:
            return default
        if not 0 < threshold <= 1:
            raise ConfigError(
                f"threshold is {threshold:g}; above 0 and up to 1 is needed"
            )
        ratio = default.offset_threshold / default.onset_threshold
        return default.model_copy(
            update={"onset_threshold": threshold, "offset_threshold": threshold * ratio}
        )


def load_model(
    name_or_path: str | os.PathLike[str] = DEFAULT_MODEL,
    precision: Precision = "auto",
    threads: int | None = None,
    engine: Engine | None = None,
) -> Model:
    """Load a model that the package carries, or a model folder.

    Parameters
    ----------
    name_or_path
        Such as "student", "edge", or "./my_model".
    precision
        "auto" lets the CPU use bf16 where it is fast, "f32" is exact, "int8" runs the
        8-bit network of folders that hold one.
    threads
        Cores to use; all up to eight if not given.
    engine
        OpenVINO if not given, or ONNX Runtime where that is not installed.

    Raises
    ------
    ModelFolderError
        If there is no such model, or it is not what it was when it was saved.
    MissingExtraError
        If no inference engine is installed.

    Examples
    --------
    >>> from distilclip_eeg import load_model
    >>> model = load_model("student")
    >>> model.folder.classes
    ('background', 'seizure')
    """
    folder = load_folder(find_model(name_or_path))
    return Model(folder, Runtime(folder, precision, threads, engine))


def bundled_models() -> dict[str, Path]:
    """Name -> folder of the models that the package carries."""
    home = Path(str(files("distilclip_eeg") / "pretrained"))
    found = sorted(home.glob(f"*/{CONFIG}"))
    return {path.parent.name: path.parent for path in found}


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    bundled = bundled_models()
    if name_or_path in bundled:
        return bundled[str(name_or_path)]
    path = Path(name_or_path)
    if not path.is_dir():
        raise ModelFolderError(
            f"{path}: neither a model folder nor a bundled model; bundled are: "
            f"{' '.join(bundled) or 'none'}"
        )
    return path
