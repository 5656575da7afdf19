"""The rooms of the package import one way, and the base install stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny_model import write_tiny_model

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "src" / "distilclip_eeg"
EXAMPLE = REPO / "examples" / "chb01_03_1_eeg.edf"

# Each may import itself and what stands before it.
ROOMS = (
    "errors",
    "config",
    "eeg",
    "model_folder",
    "corpora",
    "detection",
    "evaluation",
    "model",
    "training",
    "explain",
    "live",
    "review",
    "archive",
    "cli",
)
TORCH_ROOMS = ("model", "training")
TORCH_FILES = ("explain/gradient.py",)
HEAVY = ("torch", "transformers", "ray", "fastapi", "uvicorn", "starlette", "onnx")


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield f"{node.module}"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_only_rooms_that_stand_before(path: Path) -> None:
    if path.name == "__init__.py" and len(path.parts) == 1:
        return  # the front door gathers names from everywhere, lazily
    own = ROOMS.index(room_of(path))
    rooms = {
        name.split(".")[1]
        for name in imported(path)
        if name.startswith("distilclip_eeg.")
    }
    late = {room for room in rooms if room in ROOMS[own + 1 :]}
    assert not late, f"{path} may not import {late}"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_torch_stays_in_its_rooms(path: Path) -> None:
    if room_of(path) in TORCH_ROOMS or path.as_posix() in TORCH_FILES:
        return
    assert not {name for name in imported(path) if name.split(".")[0] == "torch"}


def loaded_by(code: str, *watched: str) -> set[str]:
    """Which of the watched packages a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(watched) & set(json.loads(done.stdout.splitlines()[-1]))


def test_import_is_light() -> None:
    watched = (*HEAVY, "mne", "scipy", "openvino", "matplotlib", "pydantic")
    assert not loaded_by("import distilclip_eeg", *watched)


@pytest.mark.parametrize(
    ("args", "heavy"),
    [
        (["--help"], ("pydantic",)),
        (["detect", "--help"], ()),  # typer itself checks a command with pydantic
    ],
)
def test_help_is_light(args: list[str], heavy: tuple[str, ...]) -> None:
    code = f"""
from distilclip_eeg.cli import main
try:
    main({args!r})
except SystemExit as done:
    assert done.code == 0
"""
    watched = (*HEAVY, *heavy, "mne", "scipy", "openvino", "numpy", "rich")
    assert not loaded_by(code, *watched)


def test_detect_is_light(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model")
    args = ["detect", str(EXAMPLE), "--model", str(model), str(tmp_path / "out.tsv")]
    code = f"""
from distilclip_eeg.cli import main
try:
    main({args!r})
except SystemExit as done:
    assert done.code in (0, None), done.code
"""
    assert not loaded_by(code, *HEAVY, "matplotlib", "sklearn")
    assert (tmp_path / "out.tsv").exists()
