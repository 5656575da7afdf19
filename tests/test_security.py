"""What SECURITY.md promises of the source: nothing that runs what a file holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
SOURCES = tuple(
    path
    for folder in ("src", "benchmarks", "examples", "container")
    for path in sorted((REPO / folder).rglob("*.py"))
)
# Modules that make objects, or processes, of bytes.
FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve"),
    *("marshal", "yaml", "ruamel", "jsonpickle", "imp", "xmlrpc", "telnetlib"),
}
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("tempfile.mktemp", "numpy.loads", "pandas.read_pickle"),
}
WRONG_KEYWORDS = {("shell", True), ("allow_pickle", True), ("weights_only", False),
                  ("verify", False)}  # fmt: skip


def complaints(source: str) -> Iterator[str]:
    """Give what must not stand in a module, with its line."""
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        for what in wrong(node, names):
            yield f"line {getattr(node, 'lineno', 0)}: {what}"


def imported_names(tree: ast.AST) -> dict[str, str]:
    """What each name of the module stands for: `np` for `numpy`, ..."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                names[name.asname or name.name.split(".")[0]] = (
                    name.name if name.asname else name.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                names[name.asname or name.name] = f"{node.module}.{name.name}"
    return names


def wrong(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = (
            [name.name for name in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
        )
        yield from (m for m in modules if m.split(".")[0] in FORBIDDEN_MODULES)
    if not isinstance(node, ast.Call):
        return
    called = dotted(node.func, names)
    given = {word.arg: word.value for word in node.keywords}
    if called in FORBIDDEN_CALLS:
        yield called
    if called == "torch.load" and "weights_only" not in given:
        yield "torch.load without weights_only=True"
    for name, value in WRONG_KEYWORDS:
        argument = given.get(name)
        if isinstance(argument, ast.Constant) and argument.value is value:
            yield f"{name}={value}"


def dotted(function: ast.AST, names: dict[str, str]) -> str:
    """`np.load` -> numpy.load; of what is no name: ""."""
    if isinstance(function, ast.Name):
        return names.get(function.id, function.id)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{names.get(function.value.id, function.value.id)}.{function.attr}"
    return ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(REPO).as_posix())
def test_nothing_runs_what_a_file_holds(path: Path) -> None:
    assert not list(complaints(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml.constructor",
        "eval('1')",
        "def f(x):\n    exec(x)",
        "import os\nos.system('ls')",
        "from os import system as s\ns('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import torch\ntorch.load('a')",
        "import torch\ntorch.load('a', weights_only=False)",
        "from torch import load\nload('a')",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
    ],
)
def test_what_would_be_found(source: str) -> None:
    assert list(complaints(source))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import re\nre.compile('a')",
        "import torch\ntorch.load('a', weights_only=True)",
        "import numpy as np\nnp.load('a')",  # NumPy's own default is no pickle
        "import ast\nast.literal_eval('1')",
    ],
)
def test_what_is_allowed(source: str) -> None:
    assert not list(complaints(source))


def test_no_pickle_is_bundled() -> None:
    """They begin with byte 0x80 and a protocol number, or lie in a zip as data.pkl."""
    for folder in (REPO / "models", REPO / "src" / "distilclip_eeg" / "pretrained"):
        for path in folder.rglob("*"):
            if not path.is_file():
                continue
            content = path.read_bytes()
            assert not content.startswith(tuple(b"\x80%c" % n for n in range(2, 6)))
            assert b"data.pkl" not in content, path


def test_the_page_says_what_the_guard_does() -> None:
    text = (REPO / "SECURITY.md").read_text(encoding="utf-8")
    for promise in (
        "127.0.0.1",
        "weights_only=True",
        "allow_pickle=False",
        "make audit",
    ):
        assert promise in text
