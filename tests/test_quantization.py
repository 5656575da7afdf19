"""A folder gets a network in 8 bits that says nearly what its own f32 network says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from distilclip_eeg import detect, load_model  # noqa: E402
from distilclip_eeg.cli import app  # noqa: E402
from distilclip_eeg.corpora.manifest import read_manifest  # noqa: E402
from distilclip_eeg.detection.models import find_model  # noqa: E402
from distilclip_eeg.detection.runtime import Engine, Runtime  # noqa: E402
from distilclip_eeg.errors import (  # noqa: E402
    CorpusError,
    ModelFolderError,
    OutputExistsError,
)
from distilclip_eeg.model_folder import (  # noqa: E402
    INT8,
    ModelFolder,
    load_folder,
    write_folder,
)
from distilclip_eeg.training.calibration import (  # noqa: E402
    DrawnWindows,
    draw_windows,
)
from distilclip_eeg.training.narrowing import narrowed, widened  # noqa: E402
from distilclip_eeg.training.quantization import (  # noqa: E402
    HEADING,
    probabilities,
    products,
    quantize,
    quantized,
)
from small_corpus import SIGNAL, write_corpus  # noqa: E402
from tiny_model import tiny_config, tiny_parts, write_tiny_folder  # noqa: E402

REPO = Path(__file__).parent.parent
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"
WIDTH = 16
LIMIT_BYTES = 4_000_000
TEST_FOLD = 4
ENGINES: tuple[Engine, ...] = ("openvino", "onnxruntime")


def network() -> Any:
    """Two products, a pooling softmax, and two that belong to the projection."""
    rng = np.random.default_rng(0)
    node = helper.make_node
    shapes = {
        "w1": (4608, WIDTH), "wu": (18, WIDTH), "w2": (WIDTH, WIDTH),
        "wp": (WIDTH, 1), "proj": (WIDTH, WIDTH), "classes": (WIDTH, 2),
    }  # fmt: skip
    weights = {
        name: (rng.normal(0, 1, shape) / shape[0] ** 0.5).astype(np.float16)
        for name, shape in shapes.items()
    }
    constants: dict[str, Any] = {
        **{name: value.astype(np.float32) for name, value in weights.items()},
        "flat": np.array([0, 10, 4608], np.int64),
        "axis_1": np.array([1], np.int64),
        "scale": np.array([0.05], np.float32),
    }
    nodes = [
        node("Reshape", ["eeg", "flat"], ["cut"]),
        node("Mul", ["cut", "scale"], ["small"]),
        node("MatMul", ["small", "w1"], ["a"], name="first"),
        node("Transpose", ["usable"], ["by_second"], perm=[0, 2, 1]),
        node("MatMul", ["by_second", "wu"], ["b"], name="mask"),
        node("Add", ["a", "b"], ["ab"]),
        node("Tanh", ["ab"], ["h"]),
        node("MatMul", ["h", "w2"], ["h2"], name="second"),
        node("MatMul", ["h2", "wp"], ["score"], name="pool"),
        node("Softmax", ["score"], ["share"], axis=1),
        node("Mul", ["share", "h2"], ["shared"]),
        node("ReduceSum", ["shared", "axis_1"], ["pooled"], keepdims=0),
        node("MatMul", ["pooled", "proj"], ["window_embedding"], name="of_window"),
        node("MatMul", ["h2", "proj"], ["second_embedding"], name="of_second"),
        node("MatMul", ["window_embedding", "classes"], ["window_logits"], name="c1"),
        node("MatMul", ["second_embedding", "classes"], ["second_logits"], name="c2"),
    ]
    ports: dict[str, list[Any]] = {
        "eeg": ["B", 18, 2560], "usable": ["B", 18, 10],
        "window_embedding": ["B", WIDTH], "second_embedding": ["B", 10, WIDTH],
        "window_logits": ["B", 2], "second_logits": ["B", 10, 2],
    }  # fmt: skip
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in ports.items()
    ]
    tensors = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "small", infos[:2], infos[2:], tensors)
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9)


def windows(n: int, seed: int = 0) -> DrawnWindows:
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 30, (n, 18, 2560)).astype(np.float32)
    usable = (rng.random((n, 18, 10)) > 0.1).astype(np.float32)
    return DrawnWindows(eeg, usable, "noise")


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    parts = tiny_parts() | {"onnx": narrowed(network())}
    parts["prototypes"] = np.eye(2, WIDTH, dtype=np.float32)
    return write_folder(tmp_path / "m", tiny_config(embed_dim=WIDTH), **parts)


def test_weights_survive_in_fp16() -> None:
    """Narrowed and widened again, every number is what it was."""
    before = {t.name: numpy_helper.to_array(t) for t in network().graph.initializer}
    content = narrowed(network())
    assert len(content) < 0.6 * len(network().SerializeToString())
    again = widened(content).graph
    assert {n.op_type for n in again.node} == {n.op_type for n in network().graph.node}
    for tensor in again.initializer:
        np.testing.assert_array_equal(
            numpy_helper.to_array(tensor), before[tensor.name], strict=True
        )


def test_projection_and_cosine_are_not_products_to_quantise() -> None:
    assert products(network()) == ["first", "mask", "second"]


def test_folder_gets_a_network_close_to_its_own(folder: ModelFolder) -> None:
    before = {p.name: p.read_bytes() for p in folder.path.iterdir()}
    made = quantize(folder, windows(32))
    assert made.path == folder.path
    assert made.sha256 != folder.sha256
    for name in ("model.onnx", "model.safetensors", "prototypes.npy"):
        assert (folder.path / name).read_bytes() == before[name]
    assert f"  {INT8}\n" in (folder.path / "SHA256SUMS").read_text()
    how = made.config.int8
    assert how is not None
    assert (how.calibrated_on, how.n_windows, how.left_float) == ("noise", 16, ())
    assert 0 < how.probability_change["p99"] <= 0.01
    other = windows(8, seed=1)
    exact = probabilities(made.onnx.read_bytes(), other, 0)
    change = np.abs(probabilities(made.int8.read_bytes(), other, 0) - exact)
    assert 0 < change.max() < 0.03
    for engine in ENGINES:
        pytest.importorskip(engine)
        scores = Runtime(made, "int8", 1, engine).run(other.eeg, other.usable)
        f32 = Runtime(made, "f32", 1, engine).run(other.eeg, other.usable)
        far = np.abs(scores.second_logits - f32.second_logits)
        assert 0 < far.max() < 0.2


def test_made_again_it_stands_once_and_is_the_same(folder: ModelFolder) -> None:
    first = quantize(folder, windows(16)).int8.read_bytes()
    again = quantize(load_folder(folder.path), windows(16))
    assert again.int8.read_bytes() == first
    assert (folder.path / "MODEL_CARD.md").read_text().count(HEADING) == 1


def test_the_costliest_products_stay_float(folder: ModelFolder) -> None:
    tried: list[str] = []
    made = quantize(folder, windows(16), max_change=0.0, on_step=tried.append)
    how = made.config.int8
    assert how is not None
    assert len(how.left_float) == 2
    assert [line.split()[0] for line in tried] == ["3", "2", "1"]
    alone = [
        float(np.abs(probabilities(quantized(c, [n], w), w, 0) - exact).mean())
        for c in [made.onnx.read_bytes()]
        for w in [windows(16)]
        for exact in [probabilities(c, w, 0)]
        for n in ("first", "mask", "second")
    ]
    assert how.left_float[0] == ("first", "mask", "second")[int(np.argmax(alone))]


def test_a_network_without_products_is_refused(tmp_path: Path) -> None:
    tiny = write_tiny_folder(tmp_path / "tiny")
    with pytest.raises(ModelFolderError, match="0 products with weights"):
        quantize(tiny, windows(4))
    assert load_folder(tiny.path).sha256 == tiny.sha256


def test_a_folder_without_int8_says_how_to_make_it(tmp_path: Path) -> None:
    tiny = write_tiny_folder(tmp_path / "tiny")
    with pytest.raises(ModelFolderError, match="distilclip quantize"):
        load_model(tiny.path, "int8")


@pytest.mark.parametrize("damage", ["missing", "altered", "not listed"])
def test_a_damaged_int8_file_is_noticed(folder: ModelFolder, damage: str) -> None:
    made = quantize(folder, windows(4))
    sums = folder.path / "SHA256SUMS"
    if damage == "missing":
        made.int8.unlink()
    elif damage == "altered":
        made.int8.write_bytes(made.int8.read_bytes()[:-1])
    else:
        sums.write_text("".join(sums.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ModelFolderError, match=INT8):
        load_folder(folder.path)


def test_windows_are_drawn_by_seed_and_fold(tmp_path: Path) -> None:
    corpus = str(write_corpus(tmp_path))
    drawn = draw_windows([corpus], SIGNAL, 12, seed=3)
    again = draw_windows([corpus], SIGNAL, 12, seed=3)
    np.testing.assert_array_equal(drawn.eeg, again.eeg)
    assert drawn.eeg.shape == (12, 18, 2560)
    assert drawn.usable.any(axis=(1, 2)).all()
    assert drawn.source == tmp_path.name
    few = draw_windows([corpus], SIGNAL, 4, folds=[0])
    assert few.source.endswith("; folds 0")
    broken = {"n1/bg.edf", "s1/bg.edf", "c1/bg.edf"}
    for name in broken:
        (tmp_path / name).write_bytes(b"no EDF")
    skipped = [draw_windows([corpus], SIGNAL, 12, seed=k).skipped for k in range(4)]
    named = {name for one in skipped for name in one}
    assert named
    assert named <= broken
    longer = SIGNAL.model_copy(update={"window_s": 60})
    with pytest.raises(CorpusError, match="expected 12"):
        draw_windows([corpus], longer, 12)


def test_command(folder: ModelFolder, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    call = ["quantize", str(folder.path), "--data", str(corpus), "--windows", "12"]
    done = CliRunner().invoke(app, [*call, "--max-change", "0.5"])
    assert done.exit_code == 0, done.output
    assert f"{folder.path / INT8}" in done.output
    assert "6 windows of corpus" in done.output
    refused = CliRunner().invoke(app, call)
    assert isinstance(refused.exception, OutputExistsError)


def test_the_bundled_file_fits_and_is_near_f32() -> None:
    """Against the folder's own f32 network: weights may have been trained again."""
    edge = load_folder(find_model("edge"))
    assert edge.int8.stat().st_size <= LIMIT_BYTES
    exact = detect(EXAMPLE, model=load_model("edge", "f32"))
    for engine in ENGINES:
        pytest.importorskip(engine)
        found = detect(EXAMPLE, model=load_model("edge", "int8", engine=engine))
        change = np.abs(found.seizure_probability - exact.seizure_probability)
        assert 0 < change.max() <= 0.03
        spans = [(e.onset, e.duration) for e in found.events]
        np.testing.assert_allclose(
            spans, [(e.onset, e.duration) for e in exact.events], atol=1
        )


@pytest.mark.slow
def test_real_clips_tell_the_same(data_dir: Path) -> None:
    """Over clips of folds 0-3: 99th percentile, and events but for one clip in 20."""
    models = load_model("edge", "f32"), load_model("edge", "int8")
    clips = [r for r in read_manifest(data_dir) if r.fold != TEST_FOLD][::8]
    pairs = [[detect(clip.path, model=model) for model in models] for clip in clips]
    change = [np.abs(a.seizure_probability - b.seizure_probability) for a, b in pairs]
    assert np.nanquantile(np.concatenate(change), 0.99) <= 0.02
    agreeing = [len(a.events) == len(b.events) for a, b in pairs]
    assert np.mean(agreeing) >= 0.95
