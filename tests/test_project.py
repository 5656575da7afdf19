"""What the package says of itself, and what a wheel of it carries."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).parent.parent
BASE = {"numpy", "scipy", "edfio", "mne", "openvino", "pydantic", "typer", "rich"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(content["project"])


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return match[0]


def test_base_install_is_what_detection_needs(project: dict[str, Any]) -> None:
    assert {name_of(line) for line in project["dependencies"]} == BASE


def test_torch_is_pinned_and_only_for_training(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    with_torch = {
        name: line
        for name, lines in extras.items()
        for line in lines
        if name_of(line) == "torch"
    }
    assert with_torch == {"train": "torch==2.13.0"}


def test_every_dependency_is_bounded(project: dict[str, Any]) -> None:
    """From below by what was tried, from above by the next release that may break."""
    content = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    lines = [*project["dependencies"], *content["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    lines += re.findall(r'pip install [^"\n]*"([a-z][^"]*)"', makefile())
    assert len(lines) > 30
    unbounded = [
        line
        for line in lines
        if not re.fullmatch(r"[\w.-]+(==[\w.]+|>=[\w.]+,<[\w.]+)", line)
    ]
    assert not unbounded


def makefile() -> str:
    return (REPO / "Makefile").read_text(encoding="utf-8")


def test_no_file_names_an_index(project: dict[str, Any]) -> None:
    for name in ("pyproject.toml", "Makefile", ".ci/run"):
        text = (REPO / name).read_text(encoding="utf-8")
        assert not re.search(r"index-url|find-links|download\.pytorch", text), name


def test_licence_is_apache(project: dict[str, Any]) -> None:
    assert project["license"] == "Apache-2.0"
    text = (REPO / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_changelog_has_this_version(project: dict[str, Any]) -> None:
    text = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{project['version']}]" in text


def test_example_names_nobody() -> None:
    header = (REPO / "examples" / "chb01_03_1_eeg.edf").read_bytes()[:256]
    patient, recording = header[8:88].decode(), header[88:168].decode()
    assert patient.split() == ["X", "X", "X", "X"]
    assert recording.split() == ["Startdate", "X", "X", "X", "X"]


@pytest.mark.slow
def test_wheel_carries_weights_types_and_licence(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(
        [*build, "--outdir", str(tmp_path), str(REPO)], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "distilclip_eeg/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    folder = REPO / "src" / "distilclip_eeg"
    for path in (folder / "pretrained").rglob("*"):
        if path.is_file():
            assert f"distilclip_eeg/{path.relative_to(folder).as_posix()}" in names
    assert not any(name.startswith(("tests/", "examples/")) for name in names)
