"""Annotation signals of EDF+ and BDF+ -> what was noted, and when.

Time-stamped annotation lists are read record by record (EDF+ clause 2.2.2); only
their bytes are fetched. What is no list is passed over. Knows no samples, and not
what a note means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from distilclip_eeg.eeg.edf_header import EdfHeader, is_edf, read_header
from distilclip_eeg.eeg.edf_times import record_onsets
from distilclip_eeg.errors import UnreadableRecordingError

MAX_NOTES: Final = 20_000  # of days of monitoring; more is a writing error
MAX_TEXT: Final = 300  # characters

_LIST = re.compile(
    rb"([+-]\d{1,12}(?:\.\d{0,24})?)(?:\x15(\d{1,12}(?:\.\d{0,24})?))?\x14(.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody, or a machine, wrote into a recording.

    Attributes
    ----------
    onset_s
        Seconds after the first sample; negative if before it.
    duration_s
        0 if none was given.
    """

    onset_s: float
    duration_s: float
    text: str


def read_notes(path: Path) -> tuple[Note, ...]:
    """Read the annotations of an EDF+ or BDF+ file, by onset; of others none.

    Raises
    ------
    UnreadableRecordingError
        If the file cannot be opened or its header is damaged.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(8)
        if not is_edf(magic):
            return ()
        header = read_header(path)
        if not any(s.is_annotation and s.n_samples for s in header.signals):
            return ()
        began_s = float(record_onsets(path, header, n_records=1)[0])
        origin_s = began_s if math.isfinite(began_s) else 0.0
        notes: dict[Note, None] = {}  # some writers repeat a note in every record
        for note in _notes(path, header, origin_s):
            notes[note] = None
            if len(notes) == MAX_NOTES:
                break
    except OSError as error:
        raise UnreadableRecordingError(
            f"{path.name}: its annotations cannot be read ({error.strerror}), "
            "expected the file that its header was read from"
        ) from None
    return tuple(sorted(notes, key=lambda note: note.onset_s))


def _notes(path: Path, header: EdfHeader, origin_s: float) -> Iterator[Note]:
    width = header.sample_bytes
    places = [
        (header.data_start + signal.first * width, signal.n_samples * width)
        for signal in header.signals
        if signal.is_annotation and signal.n_samples
    ]
    # Unbuffered, so that a small read does not fetch the samples around it.
    with path.open("rb", buffering=0) as file:
        for record in range(header.n_records):
            for start, n_bytes in places:
                file.seek(start + record * header.record_bytes)
                for piece in file.read(n_bytes).split(b"\0"):
                    yield from _listed(piece, origin_s)


def _listed(piece: bytes, origin_s: float) -> Iterator[Note]:
    """One list: an onset, perhaps a duration, and the texts that share them."""
    match = _LIST.match(piece)
    if match is None:
        return
    onset_s = float(match[1]) - origin_s
    duration_s = float(match[2] or 0)
    for text in match[3].split(b"\x14"):
        if words := _words(text):
            yield Note(onset_s, duration_s, words)


def _words(text: bytes) -> str:
    """UTF-8 as the standard says, Latin-1 where exporters differ; one line."""
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")
    words = " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
    return words if len(words) <= MAX_TEXT else f"{words[: MAX_TEXT - 1]}…"
