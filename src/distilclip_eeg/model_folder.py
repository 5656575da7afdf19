"""A trained model on disk: a folder of plain files, verified before anything is used.

Turns a folder into settings, class vectors and thresholds, and back. Hashes and format
version are checked on reading; nothing is ever unpickled. Knows neither torch nor how
the network is run.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from distilclip_eeg.config import DetectionConfig, SignalConfig
from distilclip_eeg.eeg.arrays import NotArraysError, read_array, read_arrays
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import filter_sections
from distilclip_eeg.eeg.whole_files import claimed, made_whole
from distilclip_eeg.errors import ConfigError, ModelFolderError, OutputExistsError

FORMAT_VERSION: Final = 1
BACKGROUND: Final = "background"  # the class that is no seizure

ONNX: Final = "model.onnx"
WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
PROTOTYPES: Final = "prototypes.npy"
TEST_VECTOR: Final = "test_vector.npz"
CARD: Final = "MODEL_CARD.md"
HASHES: Final = "SHA256SUMS"
HASHED: Final = (ONNX, WEIGHTS, CONFIG, PROTOTYPES, TEST_VECTOR, CARD)
INT8: Final = "model_int8.onnx"  # the one file that a folder may lack

UNIT_TOLERANCE: Final = 1e-3  # class vectors may have been rounded to fp16
_SECTION_TOLERANCE: Final = 1e-9  # filter design differs by rounding between machines
_AGAIN: Final = "install or export the model again"
_LEAST_MEAN: Final = 1e-6  # log-odds of 0 and of 1 are infinite


class OperatingPoint(BaseModel):
    """How often a model cried wolf at a threshold, in false alarms per 24 h."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_day: float = Field(gt=0)
    onset_threshold: float = Field(ge=0, le=1)


class ConfidenceScale(BaseModel):
    """Mean probability of an event's seconds -> probability that it is a seizure.

    A logistic map of the log-odds (Platt 1999); slope 1 and intercept 0 change nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slope: float = Field(1.0, gt=0, allow_inf_nan=False)
    intercept: float = Field(0.0, allow_inf_nan=False)
    measured_on: str = ""  # the recordings behind the two

    def of(self, mean: float) -> float:
        """Give the confidence; a mean is held a millionth away from 0 and from 1."""
        p = min(max(mean, _LEAST_MEAN), 1 - _LEAST_MEAN)
        x = self.slope * math.log(p / (1 - p)) + self.intercept
        return 0.5 * (1 + math.tanh(0.5 * x))


class SignalContract(SignalConfig):
    """How a model's input was conditioned, down to the filter coefficients."""

    leads: tuple[str, ...] = LEADS
    filter_sos: dict[str, list[list[float]]] = Field(default_factory=dict)

    @classmethod
    def of(cls, signal: SignalConfig) -> Self:
        """Write down the leads and the second-order sections that `signal` means."""
        return cls(**signal.model_dump(), filter_sos=_sections(signal))

    @property
    def settings(self) -> SignalConfig:
        """The settings without what follows from them."""
        return SignalConfig(**self.model_dump(exclude={"leads", "filter_sos"}))


class Quantized(BaseModel):
    """How the 8-bit network was made, and how far it is from the f32 one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibrated_on: str
    n_windows: int = Field(ge=1)  # as many again, others, behind `probability_change`
    left_float: tuple[str, ...]  # products, by the name of their node
    probability_change: dict[str, float]  # of a second: mean, p99, max


class FolderConfig(BaseModel):
    """Everything that `config.json` says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = FORMAT_VERSION
    name: str = Field(min_length=1)
    package_version: str
    signal: SignalContract
    classes: tuple[str, ...]
    logit_scale: float = Field(gt=0, allow_inf_nan=False)
    embed_dim: int = Field(ge=1)
    detection: DetectionConfig = DetectionConfig()
    false_alarms_per_day: tuple[OperatingPoint, ...] = ()
    measured_on: str = ""  # the recordings behind `false_alarms_per_day`
    bert: dict[str, str] = Field(default_factory=dict)  # name, sha256
    n_parameters: dict[str, int] = Field(default_factory=dict)
    int8: Quantized | None = None  # if the folder holds the 8-bit network too
    confidence: ConfidenceScale | None = None  # without: the mean of the seconds

    @model_validator(mode="after")
    def _classes_mean_something(self) -> Self:
        if BACKGROUND not in self.classes or len(self.classes) < 2:
            raise ValueError(
                f"classes are {self.classes}; {BACKGROUND!r} and more needed"
            )
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes are {self.classes}; one stands twice")
        return self


@dataclass(frozen=True, eq=False)
class ModelFolder:
    """A verified folder.

    Attributes
    ----------
    path
        Where it lies; `onnx` and `weights` are the files in it.
    config
        What `config.json` says.
    prototypes
        (K, D) one unit vector per class, in the order of `classes`.
    sha256
        Of the list of hashes, and so of every file: the model's identity.
    """

    path: Path
    config: FolderConfig
    prototypes: NDArray[np.float32]
    sha256: str

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def signal(self) -> SignalConfig:
        return self.config.signal.settings

    @property
    def classes(self) -> tuple[str, ...]:
        return self.config.classes

    @property
    def background(self) -> int:
        """Position of the class that is no seizure."""
        return self.classes.index(BACKGROUND)

    @property
    def detection(self) -> DetectionConfig:
        return self.config.detection

    @property
    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """Measured thresholds, by rising number of false alarms."""
        points = self.config.false_alarms_per_day
        return tuple(sorted(points, key=lambda point: point.per_day))

    @property
    def onnx(self) -> Path:
        return self.path / ONNX

    @property
    def int8(self) -> Path:
        """The 8-bit network; ModelFolderError if the folder holds none."""
        if self.config.int8 is None:
            advice = "`distilclip quantize` makes it, or choose another precision"
            raise ModelFolderError(f"{self.path}: holds no {INT8}; {advice}")
        return self.path / INT8

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    def onset_threshold(self, false_alarms_per_day: float) -> float:
        """Threshold that gave so many false alarms where this model was measured.

        Between measured points the threshold is linear in the logarithm of the rate.

        Raises
        ------
        ConfigError
            If nothing was measured, or only rates all above or all below.
        """
        points = self.operating_points
        if not points:
            raise ConfigError(
                f"model {self.name} was never measured in false alarms per day; "
                "give a threshold between 0 and 1 instead"
            )
        low, high = points[0].per_day, points[-1].per_day
        if not low <= false_alarms_per_day <= high:
            raise ConfigError(
                f"{false_alarms_per_day:g} false alarms per day asked for; model "
                f"{self.name} was measured from {low:g} to {high:g}: choose one of "
                "these, or give a threshold"
            )
        threshold = np.interp(
            math.log(false_alarms_per_day),
            [math.log(point.per_day) for point in points],
            [point.onset_threshold for point in points],
        )
        return float(threshold)

    def test_vector(self) -> dict[str, NDArray[np.float32]]:
        """Input and expected output: eeg, usable, window_logits, second_logits."""
        return read_arrays(self.path / TEST_VECTOR)


def load_folder(path: str | os.PathLike[str]) -> ModelFolder:
    """Read and verify a model folder.

    Raises
    ------
    ModelFolderError
        If a file is missing or altered, the format is newer, or the parts disagree.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelFolderError(f"{folder}: no such model folder")
    _check_present(folder, (CONFIG, HASHES, *HASHED))
    raw = _read_json(folder / CONFIG)
    _check_version(folder, raw)
    listed = (*HASHED, INT8) if raw.get("int8") else HASHED
    sha256 = _check_hashes(folder, listed)
    config = _checked_config(folder, raw)
    prototypes = _read_prototypes(folder, config)
    _check_test_vector(folder)
    return ModelFolder(folder, config, prototypes, sha256)


def write_folder(
    path: str | os.PathLike[str],
    config: FolderConfig,
    *,
    onnx: bytes,
    weights: bytes,
    prototypes: NDArray[np.floating],
    test_vector: Mapping[str, NDArray[np.floating]],
    card: str,
    int8: bytes | None = None,
    force: bool = False,
) -> ModelFolder:
    """Write a model folder; it appears whole and verified, or not at all.

    Parameters
    ----------
    onnx, weights
        Content of `model.onnx` and `model.safetensors`.
    prototypes
        (K, D) one unit vector per class.
    test_vector
        eeg (B, 18, T) and usable (B, 18, S) with the window_logits (B, K) and
        second_logits (B, S, K) expected from them.
    card
        Content of `MODEL_CARD.md`.
    int8
        Content of `model_int8.onnx`, with `config.int8`.
    force
        Replace a folder that is there.

    Raises
    ------
    OutputExistsError
        If the folder is there and `force` was not given.
    ModelFolderError
        If the parts disagree.
    """
    target = Path(path)
    if target.exists() and not force:
        raise OutputExistsError(f"{target} is there already; --force replaces it")
    with claimed(target), made_whole(target) as partial:
        for name, content in {ONNX: onnx, WEIGHTS: weights, INT8: int8}.items():
            if content is not None:
                (partial / name).write_bytes(content)
        _write_text(partial / CONFIG, config.model_dump_json(indent=2) + "\n")
        np.save(partial / PROTOTYPES, np.asarray(prototypes, np.float32))
        vector = {k: np.asarray(x, np.float32) for k, x in test_vector.items()}
        np.savez(partial / TEST_VECTOR, allow_pickle=False, **vector)
        _write_text(partial / CARD, card)
        listed = HASHED if int8 is None else (*HASHED, INT8)
        sums = [f"{sha256_of(partial / name)}  {name}\n" for name in listed]
        _write_text(partial / HASHES, "".join(sums))
        load_folder(partial)
    return load_folder(target)


def _write_text(path: Path, text: str) -> None:
    # The same bytes, and so the same hashes, on every system.
    path.write_text(text, encoding="utf-8", newline="\n")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ModelFolderError(f"{path}: not a JSON object: {_AGAIN}")
    return values


def _check_version(folder: Path, raw: Mapping[str, Any]) -> None:
    found = raw.get("format_version")
    if found == FORMAT_VERSION:
        return
    if isinstance(found, int) and found > FORMAT_VERSION:
        advice = "update distilclip-eeg"
    else:
        advice = "export the model again with this version"
    raise ModelFolderError(
        f"{folder}: format version {found}, this package reads {FORMAT_VERSION}: "
        f"{advice}"
    )


def _check_present(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise ModelFolderError(
                f"{folder}: {name} is missing; a model folder holds "
                f"{', '.join((*HASHED, HASHES))}: {_AGAIN}"
            )


def _check_hashes(folder: Path, names: Sequence[str]) -> str:
    """Compare every file with the list; return the hash of the list."""
    expected = {}
    listed = (folder / HASHES).read_text(encoding="utf-8", errors="replace")
    for line in listed.split("\n"):
        digest, _, name = line.strip().partition(" ")
        expected[name.lstrip(" *")] = digest.lower()
    _check_present(folder, names)
    for name in names:
        if name not in expected:
            raise ModelFolderError(f"{folder}: {HASHES} does not list {name}: {_AGAIN}")
        if (found := sha256_of(folder / name)) != expected[name]:
            raise ModelFolderError(
                f"{folder}: {name} was altered: sha256 {found[:12]}…, expected "
                f"{expected[name][:12]}…: {_AGAIN}"
            )
    return sha256_of(folder / HASHES)


def sha256_of(path: Path) -> str:
    """Hash a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked_config(folder: Path, raw: Mapping[str, Any]) -> FolderConfig:
    try:
        config = FolderConfig.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        raise ModelFolderError(f"{folder}: {CONFIG}: {where}: {first['msg']}") from None
    if config.signal.leads != LEADS:
        raise ModelFolderError(
            f"{folder}: leads are {' '.join(config.signal.leads)}; this package "
            f"computes {' '.join(LEADS)}: export the model again with this version"
        )
    if not _same_sections(config.signal.filter_sos, _sections(config.signal)):
        raise ModelFolderError(
            f"{folder}: filter_sos differs from the filters of this package: export "
            "the model again with this version, or use the version that wrote it "
            f"({config.package_version})"
        )
    return config


def _sections(signal: SignalConfig) -> dict[str, list[list[float]]]:
    band, notch = filter_sections(signal)
    return {"band": band.tolist(), "notch": notch.tolist()}


def _same_sections(
    a: Mapping[str, list[list[float]]], b: Mapping[str, list[list[float]]]
) -> bool:
    return a.keys() == b.keys() and all(
        [len(row) for row in a[key]] == [len(row) for row in b[key]]
        and np.allclose(a[key], b[key], rtol=0, atol=_SECTION_TOLERANCE)
        for key in a
    )


def _read_prototypes(folder: Path, config: FolderConfig) -> NDArray[np.float32]:
    try:
        values = read_array(folder / PROTOTYPES)
    except NotArraysError as error:
        raise ModelFolderError(
            f"{folder}: {PROTOTYPES} is no array ({error}): {_AGAIN}"
        ) from None
    expected = (len(config.classes), config.embed_dim)
    if values.dtype != np.float32 or values.shape != expected:
        raise ModelFolderError(
            f"{folder}: {PROTOTYPES} is {values.dtype} {values.shape}, {CONFIG} says "
            f"float32 {expected} (classes, embed_dim): export the model again"
        )
    length = np.linalg.norm(values.astype(np.float64), axis=1)  # squares fit there
    if not (np.abs(length - 1) < UNIT_TOLERANCE).all():  # NaN is not below either
        raise ModelFolderError(
            f"{folder}: the rows of {PROTOTYPES} have the lengths "
            f"{np.round(length, 3).tolist()}, expected 1: export the model again"
        )
    return np.asarray(values)


def _check_test_vector(folder: Path) -> None:
    needed = {"eeg", "usable", "window_logits", "second_logits"}
    try:
        arrays = read_arrays(folder / TEST_VECTOR)
    except NotArraysError as error:
        raise ModelFolderError(
            f"{folder}: {TEST_VECTOR} is no .npz ({error}): {_AGAIN}"
        ) from None
    found = {key: bool(np.isfinite(arrays[key]).all()) for key in arrays}
    if found.keys() != needed or not all(found.values()):
        raise ModelFolderError(
            f"{folder}: {TEST_VECTOR} holds {' '.join(sorted(found)) or 'nothing'}, "
            f"expected finite {' '.join(sorted(needed))}: export the model again"
        )
