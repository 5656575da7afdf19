"""A MATLAB 5 file -> whether its elements lie where they say, or why not.

EEGLAB's `.set` is such a file. SciPy, through which MNE reads it, believes every tag:
one changed byte makes it read beyond its tables and ends the process. So tags are
walked before: kinds that exist, sizes within their parent, as many parts as announced.
Knows neither EEGLAB nor numbers.

Source: MathWorks, "MAT-File Format" (level 5).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

MAX_BYTES: Final = 2**31  # unpacked: a recording of a day with its samples inside

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
# Bytes of a number by its kind; the last three are UTF-8, -16 and -32.
_KINDS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18)
_WIDTHS = dict(zip(_KINDS, (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 1, 2, 4), strict=True))
_TEXT, _INTEGER, _UINT32 = (1, 2, 16), (5, 6), 6
_CELL, _STRUCT, _OBJECT, _CHARS, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 4, 5, 16, 17
_NUMBERS = range(6, 16)
_IS_COMPLEX = 0x0800
_MAX_DEPTH = 32
_MAX_DIMS = 32

_Part: TypeAlias = tuple[int, memoryview]  # kind and content of an element


class NotMatError(ValueError):
    """The file is damaged or of another kind; the message is the reason."""


def check_mat5(path: Path) -> None:
    """Walk the elements of a MATLAB 5 file.

    Raises
    ------
    NotMatError
        If one is not what it says.
    OSError
        If the file cannot be read.
    """
    if not _HEADER_BYTES <= path.stat().st_size <= MAX_BYTES:
        raise NotMatError(f"found {path.stat().st_size} bytes")
    data = np.memmap(path, np.uint8, "r").data
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    versions = (b"\0\1", b"\1\0")
    if order is None or data[124:126] != versions[order == ">"]:
        raise NotMatError("found no header of MATLAB 5")
    walk = _Walk(order)
    for kind, content in walk.elements(data[_HEADER_BYTES:]):
        if kind == _COMPRESSED:
            inner = walk.elements(_unpacked(content))
            parts = [part for part in inner if part[0] == _MATRIX]
            if len(parts) != 1:
                raise NotMatError("a packed variable holds no matrix")
            walk.matrix(parts[0][1], 0)
        elif kind == _MATRIX:
            walk.matrix(content, 0)
        else:
            raise NotMatError(f"found a variable of kind {kind}")


def _unpacked(content: memoryview) -> memoryview:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(content, MAX_BYTES)
    except zlib.error as error:
        raise NotMatError(f"a packed variable is damaged ({error})") from None
    if not unpacker.eof:
        raise NotMatError("a packed variable is cut off or too large")
    return memoryview(data)


class _Walk:
    """Goes through elements in one order of bytes."""

    def __init__(self, order: str) -> None:
        self._order = order

    def elements(self, data: memoryview) -> Iterator[_Part]:
        """Yield kind and content of each element, one after the other."""
        at = 0
        while at < len(data):
            if len(data) - at < 8:
                raise NotMatError("an element is cut off")
            first, size = struct.unpack_from(f"{self._order}II", data, at)
            if small := first >> 16:  # up to four bytes, within the tag
                kind, start, stop, at = first & 0xFFFF, at + 4, at + 4 + small, at + 8
                if small > 4:
                    raise NotMatError("a small element is too long")
            else:
                kind, start, stop = first, at + 8, at + 8 + size
                at = stop if kind == _COMPRESSED else stop + -size % 8
            if kind not in _WIDTHS and kind not in (_MATRIX, _COMPRESSED):
                raise NotMatError(f"found an element of kind {kind}")
            if stop > len(data):
                raise NotMatError("an element is longer than what holds it")
            yield kind, data[start:stop]

    def matrix(self, data: memoryview, depth: int) -> None:
        """Check one variable, field or cell, and all that lies in it."""
        if not len(data):
            return  # an empty one may be nothing but its tag
        if depth > _MAX_DEPTH:
            raise NotMatError("matrices lie too deep within each other")
        parts = list(self.elements(data))
        if len(parts) < 3 or parts[0][0] != _UINT32 or len(parts[0][1]) != 8:
            raise NotMatError("a matrix does not say what it is")
        (flags, _) = struct.unpack(f"{self._order}II", parts[0][1])
        kind, is_complex = flags & 0xFF, bool(flags & _IS_COMPLEX)
        if kind == _OPAQUE:
            self._opaque(parts[1:], depth)
            return
        dims = self._dims(parts[1])
        n = math.prod(dims)
        if parts[2][0] not in _TEXT:
            raise NotMatError("a matrix has no name")
        rest = parts[3:]
        if kind in (_STRUCT, _OBJECT):
            self._fields(rest[kind == _OBJECT :], n, depth)
        elif kind == _CELL:
            self._matrices(rest, n, depth)
        elif kind == _FUNCTION:
            self._matrices(rest, 1, depth)
        elif kind == _SPARSE:
            self._sparse(rest, dims, is_complex)
        elif kind == _CHARS or kind in _NUMBERS:
            self._numbers(rest, n, 1 + is_complex)
        else:
            raise NotMatError(f"found a matrix of class {kind}")

    def _dims(self, part: _Part) -> tuple[int, ...]:
        kind, content = part
        n, rest = divmod(len(content), 4)
        if kind not in _INTEGER or rest or not 1 <= n <= _MAX_DIMS:
            raise NotMatError("a matrix has no size")
        dims = struct.unpack(f"{self._order}{len(content) // 4}i", content)
        if min(dims) < 0:
            raise NotMatError(f"found a matrix of size {dims[:4]}")
        return dims

    def _opaque(self, parts: list[_Part], depth: int) -> None:
        texts, rest = parts[:3], parts[3:]
        if len(texts) < 3 or any(kind not in _TEXT for kind, _ in texts):
            raise NotMatError("an object does not say of what kind it is")
        self._matrices(rest, 1, depth)

    def _sparse(
        self, parts: list[_Part], dims: tuple[int, ...], is_complex: bool
    ) -> None:
        if len(dims) != 2 or len(parts) != 3 + is_complex:
            raise NotMatError("a sparse matrix lacks a part")
        (kind, rows), (other, columns) = parts[:2]
        n_rows, n_columns = len(rows) // 4, len(columns) // 4
        if {kind, other} - {*_INTEGER} or n_columns != dims[1] + 1:
            raise NotMatError("a sparse matrix does not say where its numbers stand")
        at = struct.unpack(f"{self._order}{n_columns}i", columns[: 4 * n_columns])
        which = struct.unpack(f"{self._order}{n_rows}i", rows[: 4 * n_rows])
        if list(at) != sorted(at) or at[0] or at[-1] > n_rows:
            raise NotMatError("a sparse matrix does not say where its numbers stand")
        if which and not 0 <= min(which) <= max(which) < dims[0]:
            raise NotMatError("a sparse matrix has numbers outside of it")
        for part in parts[2:]:
            if part[0] not in _WIDTHS or len(part[1]) < _WIDTHS[part[0]] * at[-1]:
                raise NotMatError("a sparse matrix lacks numbers")

    def _fields(self, parts: list[_Part], n: int, depth: int) -> None:
        if len(parts) < 2 or parts[0][0] not in _INTEGER or len(parts[0][1]) != 4:
            raise NotMatError("a structure does not name its fields")
        (width,) = struct.unpack(f"{self._order}i", parts[0][1])
        kind, names = parts[1]
        if kind not in _TEXT or width < 1 or len(names) % width:
            raise NotMatError("a structure does not name its fields")
        self._matrices(parts[2:], n * (len(names) // width), depth)

    def _matrices(self, parts: list[_Part], n: int, depth: int) -> None:
        if len(parts) != n:
            raise NotMatError(f"found {len(parts)} parts, expected {n}")
        for kind, content in parts:
            if kind != _MATRIX:
                raise NotMatError(f"found an element of kind {kind} for a matrix")
            self.matrix(content, depth + 1)

    def _numbers(self, parts: list[_Part], n: int, n_parts: int) -> None:
        if len(parts) != n_parts:
            raise NotMatError(f"found {len(parts)} rows of numbers, expected {n_parts}")
        for kind, content in parts:
            if kind not in _WIDTHS:
                raise NotMatError(f"found an element of kind {kind} for numbers")
            # UTF-8 may need more bytes than there are characters.
            expected = n * _WIDTHS[kind]
            if len(content) != expected and not (kind == 16 and len(content) >= n):
                raise NotMatError(f"found {len(content)} bytes, expected {expected}")
