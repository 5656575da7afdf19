"""Windows of conditioned EEG -> embeddings and class scores, on the CPU.

Runs `model.onnx`, or its form in 8 bits, with OpenVINO, or with ONNX Runtime where
OpenVINO is not installed.
A window gives the same bits whatever stands beside it in a batch, so that a file and
a live stream agree. Knows nothing of time, seconds to come, or events.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.errors import MissingExtraError, ModelFolderError
from distilclip_eeg.model_folder import ModelFolder

Samples = NDArray[np.float32]
Precision = Literal["auto", "f32", "int8"]
Engine = Literal["openvino", "onnxruntime"]
_Shapes: TypeAlias = dict[str, tuple[int, ...]]

OUTPUTS: Final = (
    "window_embedding",
    "second_embedding",
    "window_logits",
    "second_logits",
)
# One thread per stream: a product split between threads rounds by the size of the
# batch (bf16 logits moved by 0.03). A window in a batch of 4 costs 7 % more CPU than
# in one of 16, alone 30 % more; a live window waits for 4: some 10 ms.
BATCH: Final = 4
MAX_THREADS: Final = 8  # unless asked for: a block of a file has no work for more


class Scores(NamedTuple):
    """What the network says of B windows of S seconds; K classes, D dimensions."""

    window_embedding: Samples  # (B, D) unit length
    second_embedding: Samples  # (B, S, D) unit length
    window_logits: Samples  # (B, K)
    second_logits: Samples  # (B, S, K)


class Runtime:
    """A compiled network.

    Parameters
    ----------
    folder
        A verified model folder.
    precision
        "auto" lets the CPU use bf16 where it is fast, "f32" is exact, "int8" runs
        `model_int8.onnx`: for processors without bf16, and where bytes count.
    threads
        Cores to use; all up to eight if not given. The numbers do not depend on it.
    engine
        OpenVINO if not given, or ONNX Runtime where that is not installed.

    Raises
    ------
    MissingExtraError
        If the engine, or both, are not installed.
    ModelFolderError
        If the network cannot be run, is not of the expected shape, or the folder holds
        none in 8 bits.
    """

    def __init__(
        self,
        folder: ModelFolder,
        precision: Precision = "auto",
        threads: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        if precision not in get_args(Precision):
            known = " or ".join(map(repr, get_args(Precision)))
            raise ValueError(f"precision is {precision!r}; {known} is needed")
        threads = threads or min(_available_cores(), MAX_THREADS)
        signal = folder.signal
        self._sizes = (len(folder.config.signal.leads), signal.window_samples)
        self._window_s = signal.window_s
        n_classes, embed_dim = folder.prototypes.shape
        self._tails = (
            (embed_dim,),
            (self._window_s, embed_dim),
            (n_classes,),
            (self._window_s, n_classes),
        )
        self._lock = threading.Lock()
        self.engine: str
        self._engine: _Engine
        self._wanted = engine
        network = folder.int8 if precision == "int8" else folder.onnx
        self._engine = self._compile(network, precision, threads, BATCH)
        if not self._place_is_irrelevant(folder):
            self._engine = self._compile(network, precision, threads, 1)

    def run(
        self, eeg: Samples, usable: NDArray[np.float32] | NDArray[np.bool_]
    ) -> Scores:
        """Score windows.

        Parameters
        ----------
        eeg
            (B, 18, T) conditioned microvolts; B may be 0.
        usable
            (B, 18, S) whether a second of a lead can be trusted.
        """
        n = len(eeg)
        leads, n_times = self._sizes
        if eeg.shape[1:] != (leads, n_times) or usable.shape != (
            n,
            leads,
            self._window_s,
        ):
            raise ValueError(
                f"windows have the shapes {eeg.shape} and {usable.shape}; expected "
                f"(B, {leads}, {n_times}) and (B, {leads}, {self._window_s})"
            )
        out = Scores(*(np.empty((n, *tail), np.float32) for tail in self._tails))
        eeg = np.ascontiguousarray(eeg, np.float32)
        mask = np.ascontiguousarray(usable, np.float32)
        with self._lock:
            try:
                self._submit(eeg, mask, out)
            finally:  # an interrupt must not leave the engine at work behind Python
                self._engine.wait()
        return out

    def _submit(self, eeg: Samples, mask: Samples, out: Scores) -> None:
        n, batch = len(eeg), self._engine.batch
        for start in range(0, n - n % batch, batch):
            span = slice(start, start + batch)
            self._engine.submit(eeg[span], mask[span], [o[span] for o in out])
        if rest := n % batch:
            # The last window is repeated: a real one, so nothing odd is computed.
            row = np.minimum(np.arange(n - rest, n - rest + batch), n - 1)
            self._engine.submit(eeg[row], mask[row], [o[n - rest :] for o in out])

    def _compile(
        self, path: Path, precision: Precision, threads: int, batch: int
    ) -> _Engine:
        inputs: _Shapes = {
            "eeg": (batch, *self._sizes),
            "usable": (batch, self._sizes[0], self._window_s),
        }
        outputs: _Shapes = {
            name: (batch, *tail)
            for name, tail in zip(OUTPUTS, self._tails, strict=True)
        }
        engines: tuple[type[_OpenVino] | type[_OnnxRuntime], ...]
        engines = (_OpenVino, _OnnxRuntime)
        for engine in engines:
            if self._wanted in (None, engine.package) and find_spec(engine.package):
                self.engine = engine.package
                return engine(path, inputs, outputs, precision, threads)
        if self._wanted:
            found, missing = f"{self._wanted} is not installed", self._wanted
        else:
            found, missing = "neither openvino nor onnxruntime is installed", "openvino"
        raise MissingExtraError(f"{found}: pip install {missing}")

    def _place_is_irrelevant(self, folder: ModelFolder) -> bool:
        vector = folder.test_vector()
        rows = np.zeros(self._engine.batch, np.intp)
        scores = self.run(vector["eeg"][rows], vector["usable"][rows])
        return all(np.array_equal(o[:1].repeat(len(o), 0), o) for o in scores)


class _Engine(ABC):
    """Somebody else's inference engine, at a fixed batch size."""

    package: str
    batch: int

    def __init__(
        self,
        path: Path,
        inputs: _Shapes,
        outputs: _Shapes,
        precision: Precision,
        threads: int,
    ) -> None:
        self.batch = inputs["eeg"][0]
        try:
            self._open(path, inputs, precision, threads)
            found = self._output_shapes()
        except Exception as error:  # engines raise bare RuntimeError and their own
            reason = " ".join(str(error).split())[:200]
            raise ModelFolderError(
                f"{path}: {self.package} cannot run this network ({reason}): "
                "export the model again with this version"
            ) from None
        for name, shape in outputs.items():
            if found.get(name) != shape:
                raise ModelFolderError(
                    f"{path}: output {name} has the shape {found.get(name)}, expected "
                    f"{shape}: export the model again with this version"
                )

    @abstractmethod
    def _open(
        self,
        path: Path,
        inputs: _Shapes,
        precision: Precision,
        threads: int,
    ) -> None: ...

    @abstractmethod
    def _output_shapes(self) -> _Shapes: ...

    @abstractmethod
    def submit(self, eeg: Samples, usable: Samples, out: list[Samples]) -> None:
        """Score one batch; the first rows fill `out`, at the latest after `wait`."""

    @abstractmethod
    def wait(self) -> None:
        """Return when everything submitted is done."""


class _OpenVino(_Engine):
    package = "openvino"

    def _open(
        self,
        path: Path,
        inputs: _Shapes,
        precision: Precision,
        threads: int,
    ) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(path)
        model.reshape({name: list(shape) for name, shape in inputs.items()})
        settings: dict[str, Any] = {
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": threads,
            # Else several processes of one thread all take the same core.
            "ENABLE_CPU_PINNING": False,
        }
        if precision != "auto":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        self._compiled = core.compile_model(model, "CPU", settings)
        # Not openvino's own queue: that calls Python from threads of its own.
        self._idle = [self._compiled.create_infer_request() for _ in range(threads)]
        self._at_work: deque[tuple[Any, list[Samples]]] = deque()

    def _output_shapes(self) -> _Shapes:
        return {
            name: tuple(port.shape)
            for port in self._compiled.outputs
            for name in port.names
        }

    def submit(self, eeg: Samples, usable: Samples, out: list[Samples]) -> None:
        if not self._idle:
            self._finish()
        request = self._idle.pop()
        request.start_async({"eeg": eeg, "usable": usable})
        self._at_work.append((request, out))

    def wait(self) -> None:
        while self._at_work:
            self._finish()

    def _finish(self) -> None:
        """Wait for the batch that was submitted first, and copy what it gave."""
        request, out = self._at_work[0]
        request.wait()
        for name, rows in zip(OUTPUTS, out, strict=True):
            rows[:] = request.get_tensor(name).data[: len(rows)]
        self._at_work.popleft()
        self._idle.append(request)


class _OnnxRuntime(_Engine):
    package = "onnxruntime"

    def _open(
        self,
        path: Path,
        inputs: _Shapes,
        precision: Precision,  # noqa: ARG002 - the file says it, the rest is f32
        threads: int,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._blank = {
            name: np.ones(shape, np.float32) for name, shape in inputs.items()
        }

    def _output_shapes(self) -> _Shapes:
        found = self._session.run(list(OUTPUTS), self._blank)
        return {name: o.shape for name, o in zip(OUTPUTS, found, strict=True)}

    def submit(self, eeg: Samples, usable: Samples, out: list[Samples]) -> None:
        found = self._session.run(list(OUTPUTS), {"eeg": eeg, "usable": usable})
        for rows, values in zip(out, found, strict=True):
            rows[:] = values[: len(rows)]

    def wait(self) -> None:
        pass  # every call has returned with its result


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
