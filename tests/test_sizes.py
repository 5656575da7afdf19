"""The models have the sizes that are published, and arithmetic is counted right."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import nn

from distilclip_eeg.cli import main
from distilclip_eeg.config import Config, SignalConfig, load_config
from distilclip_eeg.detection.footprint import (
    Footprint,
    folder_footprint,
    graph_multiply_adds,
)
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.model_folder import ONNX
from distilclip_eeg.training.export import deployed, to_onnx
from distilclip_eeg.training.narrowing import narrowed
from distilclip_eeg.training.sizes import config_footprint, multiply_adds
from distilclip_eeg.training.trained import trained_parameters
from tiny_model import tiny_config, write_tiny_folder

REPO = Path(__file__).parent.parent
CONFIGS = REPO / "configs"


@cache
def of(name: str) -> Footprint:
    return config_footprint(load_config(CONFIGS / f"{name}.toml"))


@pytest.mark.parametrize(("name", "millions"), [("teacher", 30.8), ("student", 17.9)])
def test_parameters_are_those_of_the_paper(name: str, millions: float) -> None:
    assert of(name).parameters["total"] == pytest.approx(millions * 1e6, rel=0.005)


def test_student_is_as_much_smaller_as_in_the_paper() -> None:
    ratio = of("student").parameters["total"] / of("teacher").parameters["total"]
    assert ratio == pytest.approx(0.581, abs=0.005)


def test_edge_tower_is_small() -> None:
    assert of("edge").parameters["eeg"] <= 1_500_000


@pytest.mark.parametrize("name", ["teacher", "student", "edge"])
def test_parts_add_up(name: str) -> None:
    parts = dict(of(name).parameters)
    assert parts.pop("total") == sum(parts.values()) + 1  # the temperature


def test_one_linear_layer_by_hand() -> None:
    layer = nn.Linear(7, 5)
    assert multiply_adds(layer, torch.zeros(3, 7)) == 3 * 7 * 5


def test_one_convolution_by_hand() -> None:
    layer = nn.Conv1d(4, 6, 3, padding=1, groups=2)
    assert multiply_adds(layer, torch.zeros(1, 4, 10)) == 6 * 10 * (4 // 2) * 3


def test_twice_the_batch_is_twice_the_work() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Conv1d(3, 3, 3), nn.GELU())
    one, two = (multiply_adds(model, torch.zeros(b, 3, 8)) for b in (1, 2))
    assert two == 2 * one > 0


GRAPHS: dict[str, tuple[list[int], dict[str, Any], int]] = {
    "MatMul": ([7, 5], {}, 2 * 3 * 7 * 5),
    "Conv": ([4, 3, 2], {"kernel_shape": [2]}, 2 * 4 * 6 * 3 * 2),
    "Einsum": ([7, 5], {"equation": "bcn,nk->bk"}, 2 * 3 * 7 * 5),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_graph_is_counted_as_by_hand(kind: str, tmp_path: Path) -> None:
    shape, attributes, by_hand = GRAPHS[kind]
    weights = numpy_helper.from_array(np.ones(shape, np.float32), "w")
    node = helper.make_node(kind, ["x", "w"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 3, 7])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "one", [x], [y], [weights])
    opset = [helper.make_opsetid("", 18)]
    path = tmp_path / "one.onnx"
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    assert graph_multiply_adds(path, {"x": [2, 3, 7]}) == by_hand


def test_torch_and_the_exported_graph_agree(tmp_path: Path) -> None:
    """Two counts of one model: torch's own, and a walk over what OpenVINO runs."""
    config = load_config(CONFIGS / "edge.toml")
    model = DistilCLIP(config.model, config.signal).eval()
    rounded = {k: v.half().float() for k, v in trained_parameters(model)}
    model.load_state_dict(rounded, strict=False)  # as a trained run is
    onnx = narrowed(to_onnx(deployed(model)[0], config))
    (tmp_path / ONNX).write_bytes(onnx)
    shapes = {"eeg": [1, 18, 2560], "usable": [1, 18, 10]}
    counted = of("edge")
    assert graph_multiply_adds(tmp_path / ONNX, shapes) == counted.multiply_adds
    assert len(onnx) == pytest.approx(counted.files[ONNX], rel=0.01)


def test_an_hour_has_as_many_windows_as_hops() -> None:
    student = of("student")
    per_window = student.multiply_adds
    assert student.multiply_adds_per_hour == round(per_window * 3600 / student.hop_s)


def test_what_runs_is_tower_and_class_vectors(tmp_path: Path) -> None:
    footprint = folder_footprint(write_tiny_folder(tmp_path / "tiny"))
    n_vectors = len(tiny_config().classes) * tiny_config().embed_dim
    assert footprint.runtime_parameters == 3 + n_vectors
    assert footprint.runtime_bytes == 2 * 3 + 4 * n_vectors
    assert footprint.files[ONNX] == (tmp_path / "tiny" / ONNX).stat().st_size


def test_table_is_aligned() -> None:
    lines = of("edge").table().splitlines()
    assert lines[0] == "edge"
    assert len({len(line) for line in lines[1:]}) == 1


def run(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


def test_info_of_a_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", CONFIGS / "edge.toml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"]["eeg"] <= 1_500_000
    assert told["multiply_adds_per_hour"] > told["multiply_adds_per_window"] > 0


def test_info_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_folder(tmp_path / "tiny")
    assert run("info", tmp_path / "tiny") == 0
    assert "at run time: parameters" in capsys.readouterr().out


@pytest.mark.parametrize("source", ["nowhere.toml", "no-such-model"])
def test_info_of_nothing_is_one_line(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("info", source) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_size_depends_on_the_tower_alone() -> None:
    """A longer window costs more arithmetic and, but for distances, no parameters."""
    config = load_config(CONFIGS / "edge.toml")
    longer = Config(
        **config.model_dump(exclude={"signal"}), signal=SignalConfig(window_s=20)
    )
    one, two = of("edge"), config_footprint(longer)
    assert two.multiply_adds > 2 * one.multiply_adds - 1
    n_distances = 2 * 10 * config.model.tower.tokens_per_s
    n_biases = config.model.tower.depth * config.model.tower.heads * n_distances
    assert two.parameters["eeg"] - one.parameters["eeg"] == n_biases
