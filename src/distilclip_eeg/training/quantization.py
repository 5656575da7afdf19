"""A model folder and windows -> the same network in 8 bits, beside the f32 one.

ONNX Runtime's static quantisation (QDQ form; Jacob et al. 2018, arXiv:1712.05877) of
products with weights: int8 per channel for weights, int8 per tensor for what enters.
Final norm, projection and cosine stay f32, as do the products that cost most in
probability, as few as keep the change within a limit. Knows no torch and no recordings.
"""

from __future__ import annotations

import logging
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from distilclip_eeg.detection.windows import WINDOW_SHARE, log_odds
from distilclip_eeg.errors import ModelFolderError
from distilclip_eeg.model_folder import (
    CARD,
    INT8,
    ModelFolder,
    Quantized,
    write_folder,
)
from distilclip_eeg.training.calibration import DrawnWindows
from distilclip_eeg.training.narrowing import narrowed, widened

MAX_CHANGE: Final = 0.01  # of a second's probability, 99th percentile: that of bf16
MIN_WEIGHTS: Final = 256  # numbers; less is not worth a rounding
N_RANKING: Final = 48  # windows to rank products by: it is done once for each
BATCH: Final = 16
HEADING: Final = "\n## In 8 bits\n"

Values = NDArray[np.float64]


def quantize(
    folder: ModelFolder,
    windows: DrawnWindows,
    *,
    max_change: float = MAX_CHANGE,
    on_step: Callable[[str], None] = lambda line: None,
) -> ModelFolder:
    """Make the 8-bit network of a folder and put it into the folder.

    Parameters
    ----------
    windows
        Every second one sets the ranges, the others judge the result.
    max_change
        Of a second's probability against f32, 99th percentile over the windows that
        judge. Products are left in f32, the costliest first, until it holds.
    on_step
        Is told what was tried.

    Raises
    ------
    ModelFolderError
        If the network holds no product to quantise, or too few windows are given.
    """
    content = folder.onnx.read_bytes()
    names = products(widened(content))
    ranging, judging = windows.every(2), windows.every(2, 1)
    if not names or not len(judging):
        raise ModelFolderError(
            f"{folder.path}: {len(names)} products with weights and {len(judging)} "
            "windows to judge by; one or more of each are needed"
        )
    exact = probabilities(content, judging, folder.background)
    left, order = list[str](), _ranked(content, names, windows, folder.background)
    while True:
        kept = [name for name in names if name not in left]
        int8 = quantized(content, kept, ranging)
        change = np.abs(probabilities(int8, judging, folder.background) - exact)
        on_step(
            f"{len(kept)} of {len(names)} products in 8 bits: probability changes by "
            f"{np.quantile(change, 0.99):.4f} (99th percentile)"
        )
        if np.quantile(change, 0.99) <= max_change or len(kept) == 1:
            break
        left.append(order[len(left)])
    how = Quantized(
        calibrated_on=windows.source,
        n_windows=len(ranging),
        left_float=tuple(left),
        probability_change=_summary(change),
    )
    return _with_int8(folder, int8, how)


def products(model: onnx.ModelProto) -> list[str]:
    """Name the matrix products with weights that may be quantised.

    Those after the last softmax, which pools over time, are the final norm's,
    the projection's and the cosine's: they are not named.
    """
    graph = model.graph
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    names, pooled = [], set[str]()
    for node in reversed(graph.node):
        if node.op_type != "Softmax" and pooled.isdisjoint(node.output):
            continue
        pooled.update(node.input)
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= MIN_WEIGHTS:
            names.append(node.name)
    return names[::-1]


def quantized(content: bytes, nodes: Sequence[str], windows: DrawnWindows) -> bytes:
    """Quantise some products of a network, ranges from the extremes over windows."""
    with tempfile.TemporaryDirectory() as work, _quiet():
        wide, out = Path(work) / "wide.onnx", Path(work) / "int8.onnx"
        onnx.save(widened(content), wide)
        quantize_static(
            wide,
            out,
            _Reader(windows),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=list(nodes),
            per_channel=True,
            # Weights of 7 bits: sums of pairs then fit the 16 bits that processors
            # without VNNI have for them, and every device gives the same numbers.
            reduce_range=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "OpTypesToExcludeOutputQuantization": ["MatMul"],
            },
        )
        return narrowed(onnx.load(out))


def probabilities(content: bytes, windows: DrawnWindows, background: int) -> Values:
    """Return the seizure probability of each second of each window, (W, S)."""
    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    parts = []
    for feed in _batches(windows):
        of_window, of_second = session.run(["window_logits", "second_logits"], feed)
        logits = WINDOW_SHARE * of_window[:, None] + (1 - WINDOW_SHARE) * of_second
        odds = log_odds(logits.astype(np.float64), background)
        parts.append(0.5 * (1 + np.tanh(0.5 * odds)))
    return np.concatenate(parts)


def _ranked(
    content: bytes, names: Sequence[str], windows: DrawnWindows, background: int
) -> list[str]:
    """Sort products by the change that each alone makes, the costliest first."""
    step = max(2, len(windows) // N_RANKING)
    ranging, judging = windows.every(step), windows.every(step, 1)
    exact = probabilities(content, judging, background)

    def change(name: str) -> float:
        alone = quantized(content, [name], ranging)
        return float(np.abs(probabilities(alone, judging, background) - exact).mean())

    return sorted(names, key=change, reverse=True)


def _summary(change: Values) -> dict[str, float]:
    return {
        "mean": round(float(change.mean()), 5),
        "p99": round(float(np.quantile(change, 0.99)), 5),
        "max": round(float(change.max()), 5),
    }


def _with_int8(folder: ModelFolder, int8: bytes, how: Quantized) -> ModelFolder:
    card = (folder.path / CARD).read_text(encoding="utf-8")
    return write_folder(
        folder.path,
        folder.config.model_copy(update={"int8": how}),
        onnx=folder.onnx.read_bytes(),
        weights=folder.weights.read_bytes(),
        prototypes=folder.prototypes,
        test_vector=folder.test_vector(),
        card=card.partition(HEADING)[0].rstrip("\n") + "\n" + _section(how, len(int8)),
        int8=int8,
        force=True,
    )


def _section(how: Quantized, n_bytes: int) -> str:
    change = how.probability_change
    text = (
        f"`--precision int8` runs `{INT8}` ({n_bytes / 1e6:.1f} MB). Ranges come from "
        f"{how.n_windows} windows ({how.calibrated_on}). On as many others the "
        f"probability of a second is {change['mean']:.4f} away from f32 in the mean, "
        f"{change['p99']:.4f} at the 99th percentile, {change['max']:.3f} at most. "
        f"{len(how.left_float)} products stay in f32, and the final norm, projection "
        "and cosine."
    )
    return f"{HEADING}\n{textwrap.fill(text, 88)}\n"


class _Reader(CalibrationDataReader):  # type: ignore[misc] # it has no types
    """Windows as the quantiser asks for them."""

    def __init__(self, windows: DrawnWindows) -> None:
        self._batches = _batches(windows)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def _batches(windows: DrawnWindows) -> Iterator[dict[str, Any]]:
    for start in range(0, len(windows), BATCH):
        part = slice(start, start + BATCH)
        yield {"eeg": windows.eeg[part], "usable": windows.usable[part]}


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises every caller, through the root logger, to preprocess."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
