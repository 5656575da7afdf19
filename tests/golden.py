"""What the bundled models must find in the bundled recordings: `make golden` writes it.

To be run after a model was trained anew, and looked at before it is kept. One file per
model, `tests/golden/NAME.json`: the hash of the model folder, and for each recording
of `examples/` and each network of the folder (f32, int8) probabilities and events.
Written with OpenVINO on one thread; `test_same_answer.py` says how far other engines,
precisions, threads and processors may be from it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from distilclip_eeg import detect, load_model
from distilclip_eeg.detection.models import bundled_models
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.detection.runtime import Precision
from distilclip_eeg.model_folder import load_folder

REPO = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
RECORDINGS: Final = tuple(sorted((REPO / "examples").glob("*.edf")))


def networks(name: str) -> tuple[Precision, ...]:
    """Which networks the folder of a bundled model holds."""
    folder = load_folder(bundled_models()[name])
    return ("f32",) if folder.config.int8 is None else ("f32", "int8")


@lru_cache
def read_golden(name: str) -> dict[str, Any]:
    path = GOLDEN / f"{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_golden(name: str) -> Path:
    """Write down what a bundled model finds."""
    found: dict[str, dict[str, Any]] = {path.name: {} for path in RECORDINGS}
    for network in networks(name):
        model = load_model(name, network, threads=1, engine="openvino")
        for path in RECORDINGS:
            found[path.name][network] = _content(detect(path, model=model))
    content = {"model_sha256": model.folder.sha256, "found": found}
    path = GOLDEN / f"{name}.json"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def _content(detection: Detection) -> dict[str, Any]:
    return {
        "seizure_probability": [
            None if p != p else round(p, 6)
            for p in detection.seizure_probability.astype(float).tolist()
        ],
        "events": [
            {"onset": e.onset, "duration": e.duration, "confidence": e.confidence}
            for e in detection.events
        ],
    }


if __name__ == "__main__":
    for bundled in bundled_models():
        print(write_golden(bundled))
