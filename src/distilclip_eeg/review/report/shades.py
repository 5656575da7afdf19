"""Numbers -> shades of one scale that darkens evenly, as an image to embed.

Light means little, dark means much, on screen, in print and in grey. Knows not what
the numbers are.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Paper to plum; lightness falls all the way, so grey keeps the order.
ANCHORS: Final = (
    (253, 251, 243),
    (247, 223, 165),
    (235, 160, 92),
    (184, 69, 90),
    (61, 26, 79),
)
_N_SHADES: Final = 255  # the first entry of the table is 'nothing', and clear


def hexadecimal(rgb: tuple[int, int, int]) -> str:
    """A colour as HTML writes it."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def table() -> NDArray[np.uint8]:
    """The scale from light to dark, (255, 3)."""
    at = np.linspace(0, len(ANCHORS) - 1, _N_SHADES)
    anchors = np.array(ANCHORS, np.float64).T
    columns = [np.interp(at, np.arange(len(ANCHORS)), channel) for channel in anchors]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def data_uri(values: NDArray[np.floating], low: float, high: float) -> str:
    """Paint values as a PNG of one pixel each, the first row on top, as a data URI.

    Parameters
    ----------
    values
        (rows, columns); NaN is left clear.
    low, high
        Painted lightest and darkest, as is what lies beyond.
    """
    known = np.isfinite(values)
    share = (np.where(known, values, low) - low) / (high - low)
    index = 1 + np.round(np.clip(share, 0, 1) * (_N_SHADES - 1)).astype(np.uint8)
    index[~known] = 0
    return "data:image/png;base64," + base64.b64encode(_png(index)).decode("ascii")


def _png(index: NDArray[np.uint8]) -> bytes:
    """An indexed image, https://www.w3.org/TR/png-3/."""
    height, width = index.shape
    rows = np.zeros((height, width + 1), np.uint8)  # filter 0 before every row
    rows[:, 1:] = index
    colours = b"\0\0\0" + table().tobytes()
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", colours),
            _chunk(b"tRNS", b"\0"),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
