"""The bundled models find the same, whatever runs them: golden events, `make golden`.

Golden are the events and probabilities of OpenVINO in f32 and in int8 on one thread;
`make golden` writes them anew after a training (`tests/golden.py`). Tolerances are on
the probability of a second; docs/reliability.md has what was measured.

- Threads: not a bit.
- f32, on any engine and processor: 0.0001.
- bf16, where the processor has it (precision "auto"), against f32: 0.03.
- int8 against int8, on any engine and processor: 0.03; it rounds to 8 bits at other
  places where a last bit differs.
- Events: as many, each within 1 s of onset and end. In f32 the engines name the same
  leads too; elsewhere leads that weigh nearly the same may change places.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from distilclip_eeg import detect, load_model
from distilclip_eeg.detection.models import bundled_models
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.detection.runtime import Engine, Precision
from golden import RECORDINGS, networks, read_golden

TOLERANCE: Final = {"f32": 1e-4, "auto": 0.03, "int8": 0.03}
EVENT_TOLERANCE_S = 1.0
ENGINES: Final[tuple[Engine, ...]] = ("openvino", "onnxruntime")
WAYS: Final = [
    (name, precision, engine)
    for name in sorted(bundled_models())
    for precision in (*networks(name), "auto")
    for engine in ENGINES
    if (precision, engine) != ("auto", "onnxruntime")  # there it means f32
]


@lru_cache
def found(
    name: str, precision: Precision, engine: Engine, threads: int, recording: Path
) -> Detection:
    if not find_spec(engine):
        pytest.skip(f"{engine} is not installed")
    return detect(recording, model=load_model(name, precision, threads, engine))


def assert_golden(
    probability: Any, events: list[dict[str, Any]], expected: Any, precision: str
) -> None:
    """Compare with the golden values of the network that was run."""
    golden = expected["int8" if precision == "int8" else "f32"]
    np.testing.assert_allclose(
        np.array(probability, float),
        np.array(golden["seizure_probability"], float),
        atol=TOLERANCE[precision],
        rtol=0,
    )
    spans, expected_spans = spans_of(events), spans_of(golden["events"])
    assert len(spans) == len(expected_spans)
    np.testing.assert_allclose(spans, expected_spans, atol=EVENT_TOLERANCE_S, rtol=0)


def spans_of(events: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(e["onset"], e["onset"] + e["duration"]) for e in events]


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_golden_is_of_this_model(name: str) -> None:
    """If not: `make golden` after a training, and a look at what it changed."""
    golden = read_golden(name)
    assert golden["model_sha256"] == load_model(name).folder.sha256
    assert set(golden["found"]) == {path.name for path in RECORDINGS}
    assert all(set(of) == set(networks(name)) for of in golden["found"].values())


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
@pytest.mark.parametrize(("name", "precision", "engine"), WAYS)
@pytest.mark.parametrize("threads", [1, 2])
def test_golden_events(
    name: str, precision: Precision, engine: Engine, threads: int, recording: Path
) -> None:
    detection = found(name, precision, engine, threads, recording)
    events = [event.to_dict() for event in detection.events]
    expected = read_golden(name)["found"][recording.name]
    assert_golden(detection.seizure_probability, events, expected, precision)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
@pytest.mark.parametrize(("name", "precision", "engine"), WAYS)
def test_threads_do_not_change_a_bit(
    name: str, precision: Precision, engine: Engine, recording: Path
) -> None:
    one = found(name, precision, engine, 1, recording)
    two = found(name, precision, engine, 2, recording)
    np.testing.assert_array_equal(one.seizure_probability, two.seizure_probability)
    assert one.events == two.events


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_engines_name_the_same_leads(name: str, recording: Path) -> None:
    of = [found(name, "f32", engine, 1, recording).events for engine in ENGINES]
    assert [e.channels for e in of[0]] == [e.channels for e in of[1]]


OTHER_PROCESSOR = {
    # A product of bf16 is then made of f32 instructions, and NumPy's sums of eight.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
    "AVX512_ICL AVX512_SPR",
}
FIND = """
import json, sys
from distilclip_eeg import detect, load_model
found = []
for precision in sys.argv[3:]:
    model = load_model(sys.argv[1], precision, 1, "openvino")
    found.append(detect(sys.argv[2], model=model).to_dict())
json.dump(found, sys.stdout)
"""


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_fewer_instructions(recording: Path) -> None:
    """As on a processor without bf16, and without AVX-512 for what comes before."""
    pytest.importorskip("openvino")
    name = "edge"
    precisions = [*networks(name), "auto"]
    done = subprocess.run(
        [sys.executable, "-c", FIND, name, str(recording), *precisions],
        env={**os.environ, **OTHER_PROCESSOR},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = read_golden(name)["found"][recording.name]
    for precision, values in zip(precisions, json.loads(done.stdout), strict=True):
        probability, events = values["seizure_probability"], values["events"]
        assert_golden(probability, events, expected, precision)
