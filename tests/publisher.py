"""A server as PhysioNet is one, on this machine, that can be told to misbehave.

`sent` counts the bytes of each file that left it: tests hold a resumed download to it.
"""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

PIECE = 1 << 14  # bytes written at once

EDF = "chb01/chb01_01.edf"
CHBMIT = {  # a small one
    "RECORDS": b"chb01/chb01_01.edf\nchb02/chb02_16+.edf\n",
    "SUBJECT-INFO": b"Case Gender Age\n",
    "chb01/chb01-summary.txt": b"File Name: chb01_01.edf\n",
    EDF: np.random.default_rng(1).bytes(100_000),
    "chb02/chb02-summary.txt": b"File Name: chb02_16+.edf\n",
    "chb02/chb02_16+.edf": np.random.default_rng(2).bytes(30_000),
    "chb02/chb02_16+.edf.seizures": b"",
}


def files_in(folder: Path) -> dict[str, bytes]:
    """Give what was downloaded, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS.txt"
    }


class Publisher:
    """Files by name, and what goes wrong with them.

    The lists hold one entry per GET, first come first served; when a list is used up,
    all is well.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/files/"
        self.clear()

    def clear(self) -> None:
        self.files: dict[str, bytes] = {}
        self.wrong: dict[str, list[bytes]] = {}  # content given instead
        self.statuses: dict[str, list[int]] = {}
        self.retry_after = ""  # seconds, said with each status
        self.drops: dict[str, list[int]] = {}  # bytes after which the connection ends
        self.resets = False  # it ends with RST, not with FIN
        self.knows_ranges = True
        self.shifts_ranges = False
        self.says_sizes = True
        self.stalls: dict[str, int] = {}  # bytes after which nothing comes any more
        self.goes_on = threading.Event()
        self.sent: Counter[str] = Counter()
        self.asked: list[tuple[str, str, str | None]] = []

    def publish(self, files: dict[str, bytes], **unsigned: bytes) -> None:
        """Offer files and sign them; `unsigned` replaces what was signed, by name."""
        lines = [f"{hashlib.sha256(v).hexdigest()} {k}\n" for k, v in files.items()]
        self.files = {**files, "SHA256SUMS.txt": "".join(lines).encode(), **unsigned}

    def gets(self, name: str) -> int:
        return sum(method == "GET" and n == name for method, n, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    publisher: Publisher  # set by the server

    def do_HEAD(self) -> None:
        name = self._name()
        if not self.publisher.says_sizes or name not in self.publisher.files:
            self.send_error(405 if name in self.publisher.files else 404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.publisher.files[name])))
        self.end_headers()

    def do_GET(self) -> None:
        server, name = self.publisher, self._name()
        status = _next(server.statuses, name)
        if status or name not in server.files:
            self._refuse(status or 404)
            return
        content = _next(server.wrong, name) or server.files[name]
        start = self._start()
        if start > 0 and start >= len(content):
            self.send_error(416)
            return
        self._send_headers(start, len(content))
        self._send(name, content[start:])

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Retry-After", self.publisher.retry_after)
        self.end_headers()

    def _start(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match and self.publisher.knows_ranges else 0

    def _send_headers(self, start: int, total: int) -> None:
        self.send_response(206 if start else 200)
        if start:
            begin = start + self.publisher.shifts_ranges
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        if self.publisher.says_sizes:
            self.send_header("Content-Length", str(total - start))
        self.end_headers()

    def _send(self, name: str, body: bytes) -> None:
        server = self.publisher
        drop, stall = _next(server.drops, name), server.stalls.pop(name, None)
        end = next((n for n in (drop, stall) if n is not None), len(body))
        for at in range(0, end, PIECE):
            piece = body[at : min(at + PIECE, end)]
            self.wfile.write(piece)
            server.sent[name] += len(piece)
        if stall is not None:
            server.goes_on.wait(120)
        if drop is not None and server.resets:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _name(self) -> str:
        name = unquote(self.path).removeprefix("/files/")
        self.publisher.asked.append((self.command, name, self.headers.get("Range")))
        return name

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """A client that goes away is what is tested."""


def _next(what: dict[str, list[Any]], name: str) -> Any:
    return what[name].pop(0) if what.get(name) else None


@contextmanager
def publishing() -> Iterator[Publisher]:
    server = _Server(("127.0.0.1", 0), _Handler)
    publisher = Publisher(server.server_address[1])
    _Handler.publisher = publisher
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield publisher
    finally:
        publisher.goes_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
