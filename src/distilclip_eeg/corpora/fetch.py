"""An address and a SHA-256 -> a verified file, however often the connection drops.

What came so far lies in `NAME.part`, so that the next try, in this run or after a kill,
asks for the rest alone (HTTP ranges, RFC 9110 §14). The file takes its name last. Does
not know what it fetches.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from distilclip_eeg.errors import DownloadError

OnBytes: TypeAlias = Callable[[int], None]

TIMEOUT_S = 30.0  # without a single byte
PAUSES_S: Sequence[float] = (1, 2, 4, 8, 16)  # between tries that bring nothing
LONGEST_PAUSE_S: Final = 120.0  # whatever a server asks for
CHUNK: Final = 1 << 18  # bytes; no more than this is lost by a kill

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_WORTH_ASKING_AGAIN: Final = (408, 416, 425, 429)  # and every 5xx
_HEADERS: Final = {"User-Agent": "distilclip-eeg", "Accept-Encoding": "identity"}


class UnreachableError(DownloadError):
    """The server gave no more bytes, however often it was asked."""


class _DroppedError(Exception):
    """This answer, or this connection, was of no use."""

    def __init__(self, reason: str, status: int = 0, after_s: float = 0) -> None:
        super().__init__(reason)
        self.status, self.after_s = status, after_s


def fetch_verified(
    url: str, target: Path, sha256: str, on_bytes: OnBytes = lambda n: None
) -> None:
    """Fetch a file; it gets its name once its content is what the publisher signed.

    Parameters
    ----------
    url, target, sha256
        What is fetched, where to, and the lower-case hexadecimal hash it must have.
    on_bytes
        Told how many bytes came; negative for bytes that were of no use.

    Raises
    ------
    UnreachableError
        If the server gives nothing any more; what came is kept for the next run.
    DownloadError
        If the server has no such file, or twice gave other content.
    OSError
        If the disk is full or cannot be written.
    """
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):  # what an earlier run left may be at fault; after that, no more
        if not has_hash(part, sha256):
            _receive_all(url, part, on_bytes)
        if has_hash(part, sha256):
            os.replace(part, target)
            return
        n_bytes, found = size_of(part), _sha256(part)
        _discard(part, on_bytes)
    raise DownloadError(
        f"came twice with another SHA-256: {found[:12]}… ({n_bytes} bytes), expected "
        f"{sha256[:12]}…; try again later, or another mirror with --from"
    )


def fetch_small(url: str) -> bytes:
    """Fetch what nobody signed, into memory; errors as for `fetch_verified`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small"
        try:
            _receive_all(url, path, lambda n: None)
        except DownloadError as error:
            raise type(error)(f"{url}: {error}") from None
        return path.read_bytes()


def size_at(url: str) -> int | None:
    """Ask for the size of a file in bytes; None if the server does not say."""
    try:
        with _opened(url, method="HEAD") as response:
            return _length(response)
    except (_DroppedError, DownloadError):
        return None


def part_of(target: Path) -> Path:
    """Say where a file lies while it is not whole."""
    return target.with_name(target.name + ".part")


def size_of(path: Path) -> int:
    """Give the bytes of a file that need not exist."""
    return path.stat().st_size if path.exists() else 0


def has_hash(path: Path, sha256: str) -> bool:
    """Say whether a file is there and has this content."""
    return path.is_file() and _sha256(path) == sha256


def _receive_all(url: str, part: Path, on_bytes: OnBytes) -> None:
    """Fill `part`, however often the connection drops, as long as something comes."""
    n_fruitless = 0
    while True:
        before = size_of(part)
        try:
            _receive(url, part, on_bytes)
            return
        except _DroppedError as drop:
            n_fruitless = 0 if size_of(part) > before else n_fruitless + 1
            if drop.status == 416:  # more is there than the file has: it is another's
                _discard(part, on_bytes)
            if n_fruitless > len(PAUSES_S):
                raise UnreachableError(
                    f"{drop}, {n_fruitless} times in a row; try again later"
                ) from None
            pause_s = PAUSES_S[max(0, n_fruitless - 1)] if PAUSES_S else 0
            time.sleep(max(pause_s, min(drop.after_s, LONGEST_PAUSE_S)))


def _receive(url: str, part: Path, on_bytes: OnBytes) -> None:
    """Append to `part` what one answer gives."""
    start = size_of(part)
    with _opened(url, start) as response:
        skip, total = _extent(response, start)
        try:
            with part.open("ab") as file:
                for chunk in _chunks(response):
                    new = chunk[skip:]
                    skip -= len(chunk) - len(new)
                    file.write(new)
                    file.flush()
                    on_bytes(len(new))
                os.fsync(file.fileno())
        except OSError as error:  # a full disk does not say where it was full
            error.filename = error.filename or str(part)
            raise
    if total is not None and size_of(part) < total:
        raise _DroppedError("the connection broke off")


def _extent(response: HTTPResponse, start: int) -> tuple[int, int | None]:
    """How many bytes of the answer are there already, and how long the file will be."""
    length = _length(response)
    if response.status != 206:
        return start, length  # a server that knows no ranges begins from the start
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise _DroppedError("the server answered with other bytes than asked for")
    if match[2] != "*":
        return 0, int(match[2])
    return 0, None if length is None else start + length


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    left = _length(response)
    while left is None or left > 0:
        try:
            chunk = response.read1(CHUNK if left is None else min(CHUNK, left))
        except (OSError, HTTPException) as error:
            raise _DroppedError(_reason(error)) from None
        if not chunk:
            return
        left = None if left is None else left - len(chunk)
        yield chunk


def _opened(url: str, start: int = 0, method: str = "GET") -> HTTPResponse:
    headers = {**_HEADERS, **({"Range": f"bytes={start}-"} if start else {})}
    try:
        answer = urlopen(Request(url, headers=headers, method=method), None, TIMEOUT_S)
    except HTTPError as error:
        error.close()
        said = f"the server says {error.code} {error.reason}"
        if error.code in _WORTH_ASKING_AGAIN or error.code >= 500:
            after = error.headers.get("Retry-After", "")
            after_s = float(after) if after.isdecimal() else 0
            raise _DroppedError(said, error.code, after_s) from None
        raise DownloadError(said) from None
    except (OSError, HTTPException) as error:
        raise _DroppedError(_reason(error)) from None
    assert isinstance(answer, HTTPResponse)
    return answer


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"nothing came for {TIMEOUT_S:g} s"
    text = cause.strerror if isinstance(cause, OSError) else None
    return text or str(cause) or type(cause).__name__


def _length(response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _discard(part: Path, on_bytes: OnBytes) -> None:
    on_bytes(-size_of(part))
    part.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
