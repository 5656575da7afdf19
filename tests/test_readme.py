"""The commands of the README run as they stand there, and its file tree is the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")
PACKAGE = REPO / "src" / "distilclip_eeg"
BUNDLED = PACKAGE / "pretrained" / "student" / "SHA256SUMS"

RUNNABLE = re.findall(
    r"^<!-- runnable -->\n```(sh|python)\n(.*?)^```", README, re.MULTILINE | re.DOTALL
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the commands name: the example, and no more."""
    shutil.copytree(REPO / "examples", tmp_path / "examples")
    return tmp_path


def test_some_commands_are_marked() -> None:
    assert {language for language, _ in RUNNABLE} == {"sh", "python"}


@pytest.mark.skipif(not BUNDLED.exists(), reason="this checkout bundles no model")
@pytest.mark.parametrize(("language", "code"), RUNNABLE)
def test_command_runs(language: str, code: str, checkout: Path) -> None:
    command = {
        "sh": ["bash", "-euo", "pipefail", "-c"],
        "python": [sys.executable, "-c"],
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [*command[language], code],
        cwd=checkout,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_first_result_comes_within_25_lines() -> None:
    top = "\n".join(README.splitlines()[:25])
    assert "make demo" in top
    assert "make test" in top


def test_says_once_at_the_top_what_it_is_not() -> None:
    assert README.lower().count("medical device") == 1
    assert "medical device" in "\n".join(README.splitlines()[:15]).lower()


def test_file_tree_names_every_module() -> None:
    _, _, rest = README.partition("```\nsrc/distilclip_eeg/")
    tree = rest.partition("```")[0]
    missing = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "__init__.py" and not re.search(rf"\b{path.name}\b", tree)
    ]
    assert not missing
