"""The network gives what it should, the same bits whatever stands beside a window."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.detection import runtime as runtime_module
from distilclip_eeg.detection.runtime import BATCH, Runtime
from distilclip_eeg.errors import MissingExtraError, ModelFolderError
from distilclip_eeg.model_folder import ModelFolder, write_folder
from tiny_model import expected_logits, tiny_config, tiny_parts, write_tiny_folder

ENGINES = ("openvino", "onnxruntime")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return write_tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the package find only one engine."""
    name: str = request.param
    pytest.importorskip(name)
    only(monkeypatch, name)
    return name


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def found(name: str) -> Any:
        return find_spec(name) if name in names else None

    monkeypatch.setattr(runtime_module, "find_spec", found)


@pytest.fixture(scope="module")
def windows() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    eeg = rng.normal(0, 50, (13, 18, 2560)).astype(np.float32)
    usable = (rng.random((13, 18, 10)) > 0.2).astype(np.float32)
    usable[5] = 0
    return eeg, usable


Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def test_scores_are_those_of_the_network(
    folder: ModelFolder, engine: str, windows: Pair
) -> None:
    runtime = Runtime(folder, "f32")
    assert runtime.engine == engine
    scores = runtime.run(*windows)
    in_window, in_seconds = expected_logits(*windows)
    np.testing.assert_allclose(scores.window_logits, in_window, atol=1e-4)
    np.testing.assert_allclose(scores.second_logits, in_seconds, atol=1e-4)
    length = np.linalg.norm(scores.second_embedding, axis=2)
    np.testing.assert_allclose(length, 1, atol=1e-5)
    assert scores.window_embedding.shape == (13, 4)


@pytest.mark.parametrize("precision", ["auto", "f32"])
def test_test_vector_is_met(
    folder: ModelFolder, engine: str, precision: runtime_module.Precision
) -> None:
    vector = folder.test_vector()
    scores = Runtime(folder, precision).run(vector["eeg"], vector["usable"])
    np.testing.assert_allclose(scores.second_logits, vector["second_logits"], atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, BATCH - 1, BATCH, BATCH + 1, 13])
def test_batch_does_not_change_a_bit(
    folder: ModelFolder, engine: str, windows: Pair, n: int
) -> None:
    eeg, usable = windows
    runtime = Runtime(folder)
    together = runtime.run(eeg, usable)
    parts = [
        runtime.run(eeg[i : i + n], usable[i : i + n]) for i in range(0, len(eeg), n)
    ]
    for whole, cut in zip(together, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(cut))


@pytest.fixture(scope="module")
def openvino_runtime(folder: ModelFolder) -> Runtime:
    return Runtime(folder, threads=2)


@given(order=st.permutations(range(13)))
@settings(max_examples=20, deadline=None)
def test_order_does_not_change_a_bit(
    openvino_runtime: Runtime, windows: Pair, order: list[int]
) -> None:
    eeg, usable = windows
    straight = openvino_runtime.run(eeg, usable)
    mixed = openvino_runtime.run(eeg[order], usable[order])
    for a, b in zip(straight, mixed, strict=True):
        np.testing.assert_array_equal(a[order], b)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_a_bit(
    folder: ModelFolder, openvino_runtime: Runtime, windows: Pair, threads: int
) -> None:
    expected = openvino_runtime.run(*windows)
    for a, b in zip(
        expected, Runtime(folder, threads=threads).run(*windows), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_no_windows(folder: ModelFolder, engine: str) -> None:
    scores = Runtime(folder).run(
        np.zeros((0, 18, 2560), np.float32), np.zeros((0, 18, 10), bool)
    )
    assert scores.window_logits.shape == (0, 2)
    assert scores.second_embedding.shape == (0, 10, 4)


def test_windows_of_another_shape_are_refused(openvino_runtime: Runtime) -> None:
    with pytest.raises(ValueError, match=r"expected \(B, 18, 2560\)"):
        openvino_runtime.run(
            np.zeros((1, 18, 1024), np.float32), np.zeros((1, 18, 4), bool)
        )


def test_unknown_precision_is_refused(folder: ModelFolder) -> None:
    with pytest.raises(ValueError, match="'auto' or 'f32'"):
        Runtime(folder, "bf16")  # type: ignore[arg-type]


def test_no_engine_says_what_to_install(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch)
    with pytest.raises(MissingExtraError, match="pip install openvino"):
        Runtime(folder)


def test_network_that_is_none(tmp_path: Path, engine: str) -> None:
    parts = tiny_parts() | {"onnx": b"not a network"}
    folder = write_folder(tmp_path / "bad", tiny_config(), **parts)
    with pytest.raises(ModelFolderError, match="cannot run this network") as caught:
        Runtime(folder)
    assert "\n" not in str(caught.value)


def test_network_of_other_sizes(tmp_path: Path, engine: str) -> None:
    prototypes = np.eye(3, 4, dtype=np.float32)
    parts = tiny_parts() | {"prototypes": prototypes}
    config = tiny_config(classes=("background", "seizure", "artefact"))
    folder = write_folder(tmp_path / "three", config, **parts)
    with pytest.raises(ModelFolderError, match="expected"):
        Runtime(folder)


def test_running_leaves_the_folder_alone(folder: ModelFolder, windows: Pair) -> None:
    def content() -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.path.iterdir()
        }

    before = content()
    Runtime(folder).run(*windows)
    assert content() == before
