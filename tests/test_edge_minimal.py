"""The example in numpy and onnxruntime alone finds what the package finds."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg import Event, detect, load_model
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.detection.models import Model, find_model
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS, derivation
from distilclip_eeg.model_folder import ConfidenceScale
from tiny_model import write_tiny_model

pytest.importorskip("onnxruntime")

REPO = Path(__file__).parent.parent
SOURCE = REPO / "examples" / "edge_minimal.py"
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"
RATE = 256
TEST_FOLD = 4
Found = list[tuple[float, float, float]]


@pytest.fixture(scope="module")
def minimal() -> ModuleType:
    spec = importlib.util.spec_from_file_location("edge_minimal", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_model(path), "f32", threads=1, engine="onnxruntime")


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "scaled"
    scale = ConfidenceScale(slope=0.6, intercept=-1.5, measured_on="made up")
    write_tiny_model(path, confidence=scale)
    return load_model(path, "f32", threads=1, engine="onnxruntime")


def by_example(
    minimal: ModuleType,
    folder: Path,
    file: str,
    eeg: NDArray[np.float32],
    names: Sequence[str],
) -> Found:
    chosen, run, _ = minimal.load(folder, file)
    whole = np.pad(eeg, ((0, 0), (0, -eeg.shape[1] % RATE)), "edge")
    blocks = np.split(whole, whole.shape[1] // RATE, axis=1)
    seconds = minimal.conditioned(blocks, list(names), chosen["signal"])
    odds = minimal.log_odds(seconds, run, chosen["signal"])
    scale = chosen.get("confidence") or {}
    return list(minimal.events(odds, chosen["detection"], **scale))


def assert_same(found: Found, events: Sequence[Event], duration_s: float) -> None:
    spans = [(onset, min(end, duration_s)) for onset, end, _ in found]
    wanted_spans = [(e.onset, e.onset + e.duration) for e in events]
    np.testing.assert_allclose(spans, wanted_spans, atol=1e-5)
    wanted = [event.confidence for event in events]
    assert [confidence for *_, confidence in found] == pytest.approx(wanted, abs=2e-3)


def samples(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    recording = open_recording(path)
    every = tuple(range(len(recording.ch_names)))
    eeg = np.concatenate(list(recording.blocks(every, 0, 120.0)), axis=1)
    points = [derivation(name) or ("", "") for name in recording.ch_names]
    return eeg, ["-".join(filter(None, pair)) for pair in points]


def test_it_is_short_and_needs_little() -> None:
    text = SOURCE.read_text()
    assert len(text.splitlines()) < 120
    tree = ast.parse(text)
    used = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}"]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert used - sys.stdlib_module_names == {"numpy", "onnxruntime"}


@pytest.mark.parametrize(
    ("file", "precision"), [("model_int8.onnx", "int8"), ("model.onnx", "f32")]
)
def test_example_recording(minimal: ModuleType, file: str, precision: Any) -> None:
    found = by_example(minimal, find_model("edge"), file, *samples(EXAMPLE))
    expected = detect(EXAMPLE, model=load_model("edge", precision))
    assert found
    assert_same(found, expected.events, expected.duration_s)


def test_the_test_vector_comes_out(minimal: ModuleType) -> None:
    *_, exact = minimal.load(find_model("edge"), "model.onnx")
    *_, rounded = minimal.load(find_model("edge"))
    assert exact < 1e-3 < rounded < 0.5


def test_real_clips(minimal: ModuleType, data_dir: Path) -> None:
    model = load_model("edge", "int8", engine="onnxruntime")
    clips = [r for r in read_manifest(data_dir) if r.fold != TEST_FOLD]
    n_events = 0
    for clip in clips[::45]:
        if open_recording(clip.path).sfreq != RATE:
            continue
        expected = detect(clip.path, model=model)
        eeg, names = samples(clip.path)
        found = by_example(minimal, model.folder.path, "model_int8.onnx", eeg, names)
        assert_same(found, expected.events, expected.duration_s)
        n_events += len(found)
    assert n_events > 0


@settings(max_examples=12, deadline=None)
@given(
    loud=st.lists(st.sampled_from([2.0, 20.0, 35.0, 80.0]), min_size=2, max_size=40),
    names=st.sampled_from([ELECTRODES, LEADS, LEADS[3:]]),
    dead=st.booleans(),
    calibrated=st.booleans(),
)
def test_any_length_loudness_and_montage(
    minimal: ModuleType,
    tiny: Model,
    scaled: Model,
    loud: list[float],
    names: tuple[str, ...],
    dead: bool,
    calibrated: bool,
) -> None:
    """Loud stretches are events; a flat channel and clipping are left out alike."""
    model = scaled if calibrated else tiny
    rng = np.random.default_rng(len(loud))
    eeg = rng.normal(0, 1, (len(names), len(loud) * RATE)) * np.repeat(loud, RATE)
    if dead:
        eeg[1] = 7.0
        eeg[2] = np.clip(eeg[2], -30, 30)
    eeg = eeg.astype(np.float32)
    expected = detect(eeg, sfreq=RATE, ch_names=names, model=model)
    found = by_example(minimal, model.folder.path, "model.onnx", eeg, names)
    assert_same(found, expected.events, expected.duration_s)
