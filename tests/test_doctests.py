"""The examples in public docstrings, executed where a reader would run them."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
MODULES = ("detector", "models", "stream")


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    module = import_module(f"distilclip_eeg.detection.{name}")
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
