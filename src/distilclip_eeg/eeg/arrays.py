"""`.npy` and `.npz` files that anybody may have written -> arrays of plain numbers.

The header is matched against the one form that numpy writes and compared with the size
of the file before any memory is taken; nothing is unpickled or evaluated. numpy's own
reader takes memory for as much as a header claims, and lets seven kinds of exceptions
out of damaged files. Does not know what the numbers mean.

Source: numpy.lib.format (NEP 1), versions 1.0 and 2.0.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

MAX_NPZ_BYTES: Final = 2**30  # unpacked; the state of a stream of weeks is below

_MAGIC = b"\x93NUMPY"
_MAX_HEADER_BYTES = 4096
_HEADER = re.compile(
    rb"\{'descr': '([<>|=][biuf])(\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18}L?(?:, |,|(?=\))))*)\),? *\}\s*"
)
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


class NotArraysError(ValueError):
    """The file holds no plain arrays, or is damaged; the message is the reason."""


def read_array(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """Read a `.npy` file.

    Parameters
    ----------
    mapped
        Leave the numbers on disk until they are indexed, read-only.

    Raises
    ------
    NotArraysError
        If it is no array of plain numbers, or another length than its header says.
    OSError
        If it cannot be opened.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_MAX_HEADER_BYTES)
    kind, shape, order, offset = _header(start, size)
    if mapped and 0 not in shape:
        return np.memmap(path, kind, "r", offset, shape, order)
    numbers: NDArray[Any] = np.fromfile(path, kind, offset=offset)
    return numbers.reshape(shape, order=order)


def read_arrays(path: Path, *, max_bytes: int = MAX_NPZ_BYTES) -> dict[str, Any]:
    """Read an `.npz` file, every entry of it.

    Raises
    ------
    NotArraysError
        If it is no such file, is damaged, or holds more than `max_bytes`.
    OSError
        If it cannot be opened.
    """
    with _opened(path) as file:
        try:
            with zipfile.ZipFile(file) as entries:
                return _entries(entries, max_bytes)
        except (
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            EOFError,
            NotImplementedError,
            OSError,  # a seek to before the first byte
            ValueError,
        ) as error:
            raise NotArraysError(_one_line(error)) from None


def content_sha256(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash names, types, shapes and numbers of arrays, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _opened(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never answer
            raise NotArraysError("no ordinary file")
        return path.open("rb")
    except ValueError as error:  # a name that no file can have
        raise NotArraysError(str(error)) from None


def _entries(entries: zipfile.ZipFile, max_bytes: int) -> dict[str, NDArray[Any]]:
    listed = entries.infolist()
    total = sum(entry.file_size for entry in listed)
    if total > max_bytes:
        raise NotArraysError(f"{total} bytes unpacked, expected up to {max_bytes}")
    found: dict[str, NDArray[Any]] = {}
    for entry in listed:
        if entry.compress_type not in _PACKED or entry.flag_bits & _ENCRYPTED:
            raise NotArraysError("an entry is packed in a way that numpy does not use")
        content = entries.read(entry)
        kind, shape, order, offset = _header(content, len(content))
        numbers = np.frombuffer(content, kind, math.prod(shape), offset)
        name = entry.filename.removesuffix(".npy")
        found[name] = numbers.reshape(shape, order=order).copy(order)
    return found


def _header(start: bytes, size: int) -> tuple[np.dtype[Any], tuple[int, ...], Any, int]:
    """Give type, shape, order and offset of the numbers that a file must hold."""
    if start[:6] != _MAGIC or start[6:7] not in (b"\1", b"\2"):
        raise NotArraysError("it does not begin like an array that numpy saved")
    at = 10 if start[6] == 1 else 12
    length = int.from_bytes(start[8:at], "little")
    match = _HEADER.fullmatch(start[at : at + length])
    if match is None or len(start) < at + length:
        raise NotArraysError("its header is damaged, or tells of no plain numbers")
    try:
        kind = np.dtype((match[1] + match[2]).decode())
    except TypeError:
        raise NotArraysError("its header tells of no type of numbers") from None
    texts = match[4].split(b",")
    shape: tuple[int, ...] = tuple(int(n.strip(b" L")) for n in texts if n.strip())
    found, expected = size - at - length, math.prod(shape) * kind.itemsize
    if found != expected or len(shape) > 8:
        raise NotArraysError(f"found {found} bytes of numbers, expected {expected}")
    return kind, shape, "F" if match[3] == b"True" else "C", at + length


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
