"""A server of the review page in a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self


class Server:
    """`distilclip review` on a folder; `kill` is SIGKILL."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "distilclip_eeg.cli", "review", str(folder)]
        self._process = subprocess.Popen(
            [*command, "--port", str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http"), self.end()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def answers(self) -> bool:
        with urllib.request.urlopen(self.url) as answer:
            return bool(answer.status == 200)

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def end(self) -> str:
        """Interrupt it as a person does; gives what it said on stderr."""
        self._process.send_signal(signal.SIGINT)
        return self._process.communicate(timeout=30)[1]

    @property
    def status(self) -> int | None:
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.kill()
