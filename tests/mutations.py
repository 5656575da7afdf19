"""A well-formed file and a seeded generator -> the same file, broken in some way.

Bytes are flipped, cut, doubled and moved; lines and fields of text are shuffled and
replaced by what parsers stumble over; fields of an EDF header likewise. The same
generator state always gives the same bytes. Knows no reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

Mutation: TypeAlias = Callable[[bytes, Random], bytes]

MAX_BYTES: Final = 256 * 1024  # what is broken stays small: memory is judged by it

NUMBERS: Final = (
    *("0", "-0", "-1", "1", "2", "0.1", "-2.5", "1e-300", "1e308", "1e400", "-1e400"),
    *("255", "256", "65536", "2147483648", "4294967296", "1000000000", "9" * 19),
    *("9" * 400, "9" * 5000, "nan", "NaN", "-nan", "inf", "-Infinity", "1_000", "0x10"),
    *("1,5", "1.2.3", "+5", " 7 ", "٣", "²", "1e", "--1", "1-", "true", "null", "None"),
)
TEXTS: Final = (
    *("", " ", "\0", "\n", "\r\n", "\r", "\t", "\x0b", "\x1c", "\x85", "\u2028"),
    *(
        "\ufeff",
        "\x1b[31m",
        "\x7f",
        "ÿ",
        "µV",
        "é" * 40,
        "名前",
        "\U0001f9e0",
        "\u202e",
    ),
    *(
        "..",
        "../../etc/passwd",
        "/dev/zero",
        "/dev/null",
        "a/b",
        "C:\\x",
        "~",
        "*",
        "?",
    ),
    *('"', "'", '"""', "#", "%s%n", "{}", "[]", "[" * 3000, "(" * 300, "{" * 3000),
    *("$HOME", "=1+1", "-", "--", "n/a", "bckg", "seiz", "a" * 300, "x" * 5000, "A\tB"),
)
NASTY: Final = (*NUMBERS, *TEXTS)

_FIELD = re.compile(r"[^\s,:;=()\[\]{}\"']+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CODINGS = ("utf-16", "utf-8-sig", "latin-1", "utf-32-le", "cp437")
# Offsets and widths of the main header, then widths of the fields of each signal.
_EDF_MAIN = (
    *((0, 8), (8, 80), (88, 80), (168, 8), (176, 8), (184, 8), (192, 44)),
    *((236, 8), (244, 8), (252, 4)),
)
_EDF_SIGNAL = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
_EDF_NASTY = (
    *(
        *NUMBERS,
        *TEXTS,
        "EDF Annotations",
        "BDF Annotations",
        "EDF+D",
        "BDF+D",
        "EDF+C",
    ),
    *(
        "-32768",
        "32767",
        "1e-30",
        "1e30",
        "0.001",
        "100000",
        "99999999",
        "9999",
        "4096",
    ),
)


def flip_bits(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        if out:
            out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def flip_early_bits(data: bytes, random: Random) -> bytes:
    """Flip bits of the first few hundred bytes, where headers lie."""
    edge = min(len(data), random.choice((16, 64, 256, 1024)))
    return flip_bits(data[:edge], random) + data[edge:]


def set_bytes(data: bytes, random: Random) -> bytes:
    start, stop = _span(data, random)
    return (
        data[:start]
        + bytes([random.choice((0, 255, 32, 127, 10))]) * (stop - start)
        + data[stop:]
    )


def cut_off(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def cut_out(data: bytes, random: Random) -> bytes:
    start, stop = _span(data, random)
    return data[:start] + data[stop:]


def double(data: bytes, random: Random) -> bytes:
    start, stop = _span(data, random)
    return data[:stop] + data[start:stop] * random.choice((1, 1, 2, 20)) + data[stop:]


def exchange(data: bytes, random: Random) -> bytes:
    a, b, c, d = sorted(random.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def insert_nasty(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + _bytes(random.choice(NASTY)) + data[at:]


def append_noise(data: bytes, random: Random) -> bytes:
    return data + random.randbytes(random.choice((1, 3, 100, 5000)))


def shuffle_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    start = random.randrange(len(lines))
    some = lines[start : start + random.choice((2, 5, len(lines)))]
    random.shuffle(some)
    return b"\n".join([*lines[:start], *some, *lines[start + len(some) :]])


def drop_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    del lines[(at := random.randrange(len(lines))) : at + random.choice((1, 1, 3))]
    return b"\n".join(lines)


def double_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    at = random.randrange(len(lines))
    lines[at:at] = [lines[at]] * random.choice((1, 2, 500))
    return b"\n".join(lines)


def replace_number(data: bytes, random: Random) -> bytes:
    return _replaced(data, _NUMBER, NUMBERS, random)


def replace_field(data: bytes, random: Random) -> bytes:
    return _replaced(data, _FIELD, NASTY, random)


def exchange_fields(data: bytes, random: Random) -> bytes:
    """Put a word of the file where another stands."""
    text = data.decode("utf-8", "surrogateescape")
    words = [match[0] for match in _FIELD.finditer(text)]
    return _replaced(data, _FIELD, words, random) if words else data


def drop_separator(data: bytes, random: Random) -> bytes:
    places = [i for i, byte in enumerate(data) if byte in b"\t,:;=\"'()[]{}"]
    if not places:
        return data
    at = random.choice(places)
    return data[:at] + random.choice((b"", b" ", b"\t\t", b",")) + data[at + 1 :]


def recode(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(random.choice(_CODINGS), "replace")


def other_line_ends(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\n", b"\0", b"\x85")))


def edf_field(data: bytes, random: Random) -> bytes:
    """Replace one field of an EDF or BDF header, of the file or of a signal."""
    n_signals = len(data[252:256].strip()) and _count(data[252:256])
    if not n_signals or random.random() < 0.4:
        start, width = random.choice(_EDF_MAIN)
    else:
        which = random.randrange(len(_EDF_SIGNAL))
        width = _EDF_SIGNAL[which]
        before = sum(_EDF_SIGNAL[:which]) * n_signals
        start = 256 + before + width * random.randrange(n_signals)
        if random.random() < 0.2:  # every signal alike
            value = _bytes(random.choice(_EDF_NASTY))[:width].ljust(width)
            stop = 256 + before + width * n_signals
            return data[: 256 + before] + value * n_signals + data[stop:]
    value = _bytes(random.choice(_EDF_NASTY))[:width].ljust(width)
    return data[:start] + value + data[start + width :]


def edf_notes(data: bytes, random: Random) -> bytes:
    """Replace the time of a record, or a note, in the annotations of EDF+."""
    places = [match.start() for match in re.finditer(rb"[+-]\d+\.?\d*[\x14\x15]", data)]
    if not places:
        return flip_bits(data, random)
    at = random.choice(places)
    value = random.choice(
        (
            *(b"+99999999999\x14\x14", b"-99999999999\x14\x14", b"+0\x14", b"+1e5\x14"),
            *(b"+5.5.5\x14\x14", b"\0" * 12, b"+1\x15-4\x14x\x14", b"+2592000\x14\x14"),
            *(
                b"+31000000\x14\x14",
                b"+0\x15999999999999\x14",
                b"\x14" * 12,
                b"nan\x14",
            ),
        )
    )
    return data[:at] + value + data[at + len(value) :]


BYTES: Final[tuple[Mutation, ...]] = (
    *(flip_bits, flip_early_bits, set_bytes, cut_off, cut_out, double, exchange),
    *(insert_nasty, append_noise),
)
TEXT: Final[tuple[Mutation, ...]] = (
    *(flip_bits, cut_off, cut_out, double, insert_nasty, shuffle_lines, drop_lines),
    *(double_lines, replace_number, replace_number, replace_field, replace_field),
    *(exchange_fields, drop_separator, recode, other_line_ends),
)
EDF: Final[tuple[Mutation, ...]] = (*BYTES, *(edf_field,) * 12, edf_notes, edf_notes)


def broken(data: bytes, kinds: tuple[Mutation, ...], random: Random) -> bytes:
    """Break a file once, or a few times over."""
    most = max(MAX_BYTES, len(data))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(kinds)(data, random)[:most]
    return data


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    length = random.choice((1, 2, 8, 64, 1024, len(data) - start))
    return start, min(len(data), start + length)


def _replaced(
    data: bytes,
    pattern: re.Pattern[str],
    by: tuple[str, ...] | list[str],
    random: Random,
) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    found = list(pattern.finditer(text))
    if not found:
        return insert_nasty(data, random)
    match = random.choice(found)
    out = text[: match.start()] + random.choice(by) + text[match.end() :]
    return out.encode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _count(field: bytes) -> int:
    return int(field) if field.strip().isdigit() else 0
