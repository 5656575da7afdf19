"""A model folder of a few kilobytes that hears loudness and nothing else.

A second's seizure logit rises with the mean absolute amplitude over its usable leads;
a window's is the mean over its seconds. `at_uv` has even odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from distilclip_eeg.config import DetectionConfig, SignalConfig
from distilclip_eeg.model_folder import (
    FolderConfig,
    ModelFolder,
    OperatingPoint,
    SignalContract,
    write_folder,
)

CLASSES = ("background", "seizure")
EMBED_DIM = 4
AT_UV = 20.0
PER_UV = 0.3  # log-odds per microvolt, halved between the two classes


def tiny_config(**changes: Any) -> FolderConfig:
    """Give settings that fit the network of this file."""
    points = [(0.5, 0.9), (2.0, 0.7), (24.0, 0.5)]
    values: dict[str, Any] = {
        "name": "tiny",
        "package_version": "0.1.0",
        "signal": SignalContract.of(SignalConfig()),
        "classes": CLASSES,
        "logit_scale": 10.0,
        "embed_dim": EMBED_DIM,
        "detection": DetectionConfig(),
        "false_alarms_per_day": tuple(
            OperatingPoint(per_day=rate, onset_threshold=threshold)
            for rate, threshold in points
        ),
        "measured_on": "made up",
        "bert": {"name": "none", "sha256": "0" * 64},
        "n_parameters": {"eeg": 3},
    }
    return FolderConfig(**(values | changes))


def tiny_parts(seed: int = 0) -> dict[str, Any]:
    """Give everything that `write_folder` asks for beside path and settings."""
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 60, (2, 18, 2560)).astype(np.float32)
    usable = np.ones((2, 18, 10), np.float32)
    usable[1, 3] = 0
    window, seconds = expected_logits(eeg, usable)
    return {
        "onnx": tiny_network().SerializeToString(),
        "weights": b"no weights here",
        "prototypes": np.eye(2, EMBED_DIM, dtype=np.float32),
        "test_vector": {
            "eeg": eeg,
            "usable": usable,
            "window_logits": window,
            "second_logits": seconds,
        },
        "card": "# tiny\n\nHears loudness.\n",
    }


def write_tiny_folder(path: Path, **changes: Any) -> ModelFolder:
    """Write and load the folder; `changes` go into `config.json`."""
    return write_folder(path, tiny_config(**changes), **tiny_parts())


def write_tiny_model(path: Path, **changes: Any) -> Path:
    """Write the folder and return where it lies."""
    return write_tiny_folder(path, **changes).path


def expected_logits(
    eeg: NDArray[np.float32], usable: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute in numpy what the network gives: (B, K) and (B, S, K) logits."""
    loud = np.abs(eeg).reshape(*usable.shape, -1).mean(3) * usable
    loudness = loud.sum(1) / np.maximum(usable.sum(1), 1)  # (B, S)
    x = (loudness - AT_UV) * PER_UV / 2
    seconds = np.stack([-x, x], axis=2).astype(np.float32)
    return seconds.mean(1), seconds


def tiny_network() -> ModelProto:
    """Build the graph; one node per line of `expected_logits`, roughly."""
    constants: dict[str, tuple[Sequence[float], Any]] = {
        "per_second": ([0, 18, 10, 256], np.int64),
        "axis_1": ([1], np.int64),
        "axis_2": ([2], np.int64),
        "axis_3": ([3], np.int64),
        "one": ([1.0], np.float32),
        "at_uv": ([AT_UV], np.float32),
        "per_uv": ([PER_UV / 2], np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Reshape", ["eeg", "per_second"], ["cut"]),
        node("Abs", ["cut"], ["positive"]),
        node("ReduceMean", ["positive", "axis_3"], ["loud"], keepdims=0),
        node("Mul", ["loud", "usable"], ["heard"]),
        node("ReduceSum", ["heard", "axis_1"], ["total"], keepdims=0),
        node("ReduceSum", ["usable", "axis_1"], ["n"], keepdims=0),
        node("Max", ["n", "one"], ["n_at_least_1"]),
        node("Div", ["total", "n_at_least_1"], ["loudness"]),
        node("Sub", ["loudness", "at_uv"], ["above"]),
        node("Mul", ["above", "per_uv"], ["flat_x"]),
        node("Unsqueeze", ["flat_x", "axis_2"], ["x"]),
        node("Neg", ["x"], ["minus_x"]),
        node("Concat", ["minus_x", "x"], ["second_logits"], axis=2),
        node("ReduceMean", ["second_logits", "axis_1"], ["window_logits"], keepdims=0),
        node("Sub", ["x", "x"], ["nought"]),
        node("Add", ["nought", "one"], ["ones"]),
        node("Concat", ["minus_x", "x", "ones", "nought"], ["long"], axis=2),
        node("ReduceL2", ["long", "axis_2"], ["length"], keepdims=1),
        node("Div", ["long", "length"], ["second_embedding"]),
        node("ReduceMean", ["long", "axis_1"], ["middle"], keepdims=0),
        node("ReduceL2", ["middle", "axis_1"], ["size"], keepdims=1),
        node("Div", ["middle", "size"], ["window_embedding"]),
    ]
    shapes: dict[str, Sequence[str | int | None]] = {
        "eeg": ["B", 18, 2560],
        "usable": ["B", 18, 10],
        "window_embedding": ["B", EMBED_DIM],
        "second_embedding": ["B", 10, EMBED_DIM],
        "window_logits": ["B", 2],
        "second_logits": ["B", 10, 2],
    }
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    weights = [
        numpy_helper.from_array(np.array(values, kind), name)
        for name, (values, kind) in constants.items()
    ]
    graph = helper.make_graph(nodes, "tiny", ports[:2], ports[2:], weights)
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)
