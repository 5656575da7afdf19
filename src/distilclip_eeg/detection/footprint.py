"""A model folder -> what the model costs: parameters, multiply-adds, bytes.

Counts the arithmetic on the graph that detection runs, with the engine that runs it.
`training.sizes` says the same of a configuration that nobody has trained yet. Knows no
torch and measures no time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from distilclip_eeg.errors import MissingExtraError
from distilclip_eeg.model_folder import ONNX, WEIGHTS, ModelFolder

PARTS: Final = {
    "eeg": "EEG tower and projections",
    "bert": "BERT, frozen",
    "prompts": "prompt vectors",
    "projection": "text projection",
    "total": "all parameters",
}
PROTOTYPE_BYTES: Final = 4  # a number of a class vector, f32
TOWER_BYTES: Final = 2  # a number of the tower, fp16


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model costs.

    Attributes
    ----------
    parameters
        By part, with the keys of `PARTS`.
    multiply_adds
        Of the EEG part for one window; norms and activations are not counted.
    window_s, hop_s
        Length of a window, and how often one is looked at.
    n_classes, embed_dim
        Shape of the class vectors.
    files
        Name -> bytes of the weight files.
    estimated
        The names among `files` whose size follows from others.
    """

    name: str
    parameters: Mapping[str, int]
    multiply_adds: int
    window_s: int
    hop_s: int
    n_classes: int
    embed_dim: int
    files: Mapping[str, int]
    estimated: tuple[str, ...] = ()

    @property
    def multiply_adds_per_hour(self) -> int:
        """Of an hour of EEG."""
        return round(self.multiply_adds * 3600 / self.hop_s)

    @property
    def runtime_parameters(self) -> int:
        """What is left at run time: EEG tower, projections, class vectors."""
        return self.parameters.get("eeg", 0) + self.n_classes * self.embed_dim

    @property
    def runtime_bytes(self) -> int:
        """The same in bytes, the tower in fp16 and the class vectors in f32."""
        prototypes = self.n_classes * self.embed_dim
        return (
            TOWER_BYTES * self.parameters.get("eeg", 0) + PROTOTYPE_BYTES * prototypes
        )

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can say it."""
        return {
            "name": self.name,
            "parameters": dict(self.parameters),
            "multiply_adds_per_window": self.multiply_adds,
            "multiply_adds_per_hour": self.multiply_adds_per_hour,
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "files_bytes": dict(self.files),
            "estimated": list(self.estimated),
            "run_time": {
                "parameters": self.runtime_parameters,
                "bytes": self.runtime_bytes,
                "classes": self.n_classes,
                "embed_dim": self.embed_dim,
            },
        }

    def table(self) -> str:
        """All of it for a person, one figure a line, aligned."""
        about = dict.fromkeys(self.estimated, "about ")
        rows = [
            *((PARTS.get(key, key), f"{n:,}") for key, n in self.parameters.items()),
            (f"multiply-adds, window of {self.window_s} s", f"{self.multiply_adds:,}"),
            (
                f"multiply-adds, hour of EEG, hop {self.hop_s} s",
                f"{self.multiply_adds_per_hour:,}",
            ),
            *(
                (f"bytes of {name}", f"{about.get(name, '')}{n:,}")
                for name, n in self.files.items()
            ),
            ("at run time: parameters", f"{self.runtime_parameters:,}"),
            ("at run time: bytes of weights", f"{self.runtime_bytes:,}"),
        ]
        left = max(len(label) for label, _ in rows)
        right = max(len(value) for _, value in rows)
        lines = [f"{label:<{left}}  {value:>{right}}" for label, value in rows]
        return "\n".join([self.name, *lines]) + "\n"


def folder_footprint(folder: ModelFolder) -> Footprint:
    """Read a model folder's footprint off its files.

    Raises
    ------
    MissingExtraError
        If OpenVINO, which reads the graph, is not installed.
    """
    signal = folder.signal
    n_classes, embed_dim = folder.prototypes.shape
    n_leads = len(folder.config.signal.leads)
    shapes = {
        "eeg": [1, n_leads, signal.window_samples],
        "usable": [1, n_leads, signal.window_s],
    }
    return Footprint(
        name=folder.name,
        parameters=folder.config.n_parameters,
        multiply_adds=graph_multiply_adds(folder.onnx, shapes),
        window_s=signal.window_s,
        hop_s=signal.hop_s,
        n_classes=n_classes,
        embed_dim=embed_dim,
        files={
            WEIGHTS: folder.weights.stat().st_size,
            ONNX: folder.onnx.stat().st_size,
        },
    )


def graph_multiply_adds(onnx: Path, shapes: Mapping[str, list[int]]) -> int:
    """Count products that are summed: matrix products, convolutions, Einstein sums.

    Parameters
    ----------
    shapes
        Of each input, its batch included.

    Raises
    ------
    MissingExtraError
        If OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise MissingExtraError(
            "openvino is not installed, and the graph of a model cannot be read "
            "without it: pip install openvino"
        ) from None
    graph = openvino.Core().read_model(onnx)
    graph.reshape(dict(shapes))
    return sum(_multiply_adds(node) for node in graph.get_ordered_ops())


def _multiply_adds(node: Any) -> int:
    kind = node.get_type_name()
    if kind not in ("MatMul", "Convolution", "GroupConvolution", "Einsum"):
        return 0
    first, second = (list(node.input(i).get_shape()) for i in (0, 1))
    n_results = math.prod(node.output(0).get_shape())
    if kind == "MatMul":
        summed = first[-2 if node.get_attributes()["transpose_a"] else -1]
        return int(n_results * summed)
    if kind == "Einsum":
        return math.prod(_einsum_sizes(node, first, second).values())
    # (out, in, taps), with groups (group, out, in, taps): each result sums in x taps
    weights = second[1:] if kind == "Convolution" else second[2:]
    return int(n_results * math.prod(weights))


def _einsum_sizes(node: Any, first: list[int], second: list[int]) -> dict[str, int]:
    """Size of every letter of the equation."""
    left, right = node.get_attributes()["equation"].split("->")[0].split(",")
    return dict(zip(left.strip() + right.strip(), first + second, strict=True))
