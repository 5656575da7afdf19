"""Commands in processes of their own, to be killed, stopped or left alone.

One process imports what commands need, once; each command is a fork of it. It is a
process like any other, without the seconds that imports take.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PARENT = """
import json, os, sys
for module in json.loads(sys.argv[1]):
    __import__(module)
from distilclip_eeg.cli import main
while line := sys.stdin.readline():
    order = json.loads(line)
    if "wait" in order:
        status = os.waitpid(order["wait"], 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        continue
    for number, path in enumerate((os.devnull, order["said"], order["said"])):
        flags = os.O_RDWR | os.O_CREAT | (os.O_APPEND if number else 0)
        os.dup2(os.open(path, flags, 0o644), number)
    if "call" in order:
        sys.path.append(order["path"])
        function = getattr(__import__(order["call"][0]), order["call"][1])
        function(*order["args"])
        sys.exit()
    main(order["args"])
"""

TIMEOUT_S = 300.0


class Parent:
    """Forks commands; used by `with`."""

    def __init__(self, *modules: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PARENT, json.dumps(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._living: set[int] = set()

    def start(self, said: Path, *args: str | Path) -> Forked:
        """Begin a command; what it says goes to a file."""
        return self._started(said, args)

    def call(self, said: Path, module: str, function: str, *args: Any) -> Forked:
        """Begin a function of a module that lies beside this one."""
        path = str(Path(__file__).parent)
        return self._started(said, args, call=[module, function], path=path)

    def _started(self, said: Path, args: Sequence[Any], **order: Any) -> Forked:
        texts = [str(arg) for arg in args]
        pid = self._ask({"args": texts, "said": str(said), **order})
        self._living.add(pid)
        return Forked(self, pid, said)

    def status_of(self, pid: int) -> int:
        """Wait for the end of a command; minus the signal if one ended it."""
        self._living.discard(pid)
        return self._ask({"wait": pid})

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._living:
            os.kill(pid, signal.SIGKILL)
        self._process.communicate()


@dataclass
class Forked:
    """A command that was begun."""

    parent: Parent
    pid: int
    said: Path

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; give its exit status."""
        return self.parent.status_of(self.pid)

    def killed(self, after_s: float = 0.0) -> bool:
        """Kill it, after a while; whether it was still alive then."""
        time.sleep(after_s)
        self.send(signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def text(self) -> str:
        return self.said.read_text() if self.said.exists() else ""


def wait_for(what: Any) -> Any:
    """Be patient: a busy machine may need long for little."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return found
