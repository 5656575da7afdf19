"""Finds epileptic seizures in scalp EEG: a recording goes in, events come out."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distilclip_eeg.detection.detector import (
        StreamDetector,
        detect,
        encode_eeg,
        load_model,
    )
    from distilclip_eeg.detection.result import Detection, Update
    from distilclip_eeg.eeg.annotations import Event

    __version__: str

__all__ = [
    "Detection",
    "Event",
    "StreamDetector",
    "Update",
    "__version__",
    "detect",
    "encode_eeg",
    "load_model",
]

_HOME = {
    "Detection": "distilclip_eeg.detection.result",
    "Event": "distilclip_eeg.eeg.annotations",
    "StreamDetector": "distilclip_eeg.detection.detector",
    "Update": "distilclip_eeg.detection.result",
    "detect": "distilclip_eeg.detection.detector",
    "encode_eeg": "distilclip_eeg.detection.detector",
    "load_model": "distilclip_eeg.detection.detector",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the import itself costs nothing."""
    if name == "__version__":
        return version("distilclip-eeg")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
