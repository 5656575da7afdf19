"""An EDF or BDF file -> a copy that does not say who was recorded, nor on which day.

The header is written anew from what is needed to read the samples: identification in
the anonymous forms of EDF+ (clauses 2.1.3.3 and 2.1.3.4), 1 January 1985 as date,
nothing in reserved fields, nothing between header and records or after them. Records
are copied byte for byte, a piece at a time. Cannot know whether a note or a label names
somebody: it counts those that repeat words of the identification.

Sources: Kemp 1992 (EDF), Kemp & Olivan 2003 (EDF+), biosemi.com (BDF).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from distilclip_eeg.eeg.edf_header import EdfHeader, read_header
from distilclip_eeg.eeg.edf_notes import read_notes
from distilclip_eeg.eeg.whole_files import claimed, written_whole
from distilclip_eeg.errors import (
    DistilClipError,
    OutputExistsError,
    UnreadableRecordingError,
)

PATIENT: Final = b"X X X X"
RECORDING: Final = b"Startdate X X X X"
DATE: Final = b"01.01.85"
TIME: Final = b"00.00.00"

# What may say who and when, by its place in the main header.
_IDENTIFYING: Final = {
    "patient identification": slice(8, 88),
    "recording identification": slice(88, 168),
    "start date": slice(168, 176),
    "start time": slice(176, 184),
    "reserved field": slice(192, 236),
}
_RECORD_S, _N_SIGNALS = slice(244, 252), slice(252, 256)
_MAIN_BYTES = 256
# Widths of the fields of a signal, and which are texts: label, transducer, prefilter.
_SIGNAL_FIELDS = ((16, True), (80, True), (40, False), (80, True))
_RESERVED = 32
_CLOCK = re.compile(rb"\d\d[.:]\d\d[.:]\d\d")
_PIECE_BYTES = 2**20
# The onset that keeps time stands first in the first annotation signal of a record.
_KEEPS_TIME = re.compile(rb"[\s\0]*([+-]\d{1,12}(?:\.\d{0,12})?)[\x14\x15]")
_LONGEST_ONSET_BYTES = 64
_EDF_PLUS_PATIENT = re.compile(r"(\S+) [FMX] (?:X|\d\d-[A-Z]{3}-\d{4}) (\S+)(?: .*)?")
_EDF_PLUS_RECORDING = re.compile(r"Startdate \S+ (\S+) (\S+) \S+(?: .*)?")
_WORD = re.compile(r"[^\W_]{3,}")


@dataclass(frozen=True, slots=True)
class Anonymized:
    """What was done, by the names of fields; never what stood in them.

    Attributes
    ----------
    removed
        Fields that said something and do not any more.
    repeats
        Signal fields and annotations that were kept and repeat a word (of three
        letters or more) of the patient, the administration code or the technician.
    """

    removed: tuple[str, ...]
    repeats: dict[str, int]


def anonymize(
    source: Path,
    out: Path,
    *,
    keep_annotations: bool = True,
    keep_time: bool = True,
    overwrite: bool = False,
) -> Anonymized:
    """Write a copy of an EDF, EDF+, BDF or BDF+ file that names nobody.

    Samples are those of `source`, to the byte, and so are labels, transducers,
    filters, scaling and gaps. The copy appears whole or not at all; memory does not
    grow with the file.

    Parameters
    ----------
    keep_annotations
        If not, only the onsets that keep time in EDF+ stay.
    keep_time
        Of day, at which the recording began; the day itself is never kept.
    overwrite
        `out` if it is there; it may be `source` itself.

    Raises
    ------
    UnreadableRecordingError
        If `source` is no EDF or BDF, or damaged.
    OutputExistsError
        If `out` exists and is not to be written over.
    InUseError
        If another process writes it.
    DistilClipError
        If the suffix of `out` promises another format.
    """
    header = read_header(source)
    if out.exists() and not overwrite:
        what = "is the recording itself" if out.samefile(source) else "exists already"
        raise OutputExistsError(f"{out}: {what}; --force writes over it")
    _check_suffix(source, out, header)
    notes = [note.text for note in read_notes(source)]
    with (
        claimed(out),
        written_whole(out) as partial,
        source.open("rb", _PIECE_BYTES) as file,
        partial.open("xb") as copy,
    ):
        copying = _Copying(file, source, header)
        removed = copying.header_to(copy, keep_time=keep_time)
        copying.records_to(copy, keep_annotations=keep_annotations)
    names = _names(copying.main)
    repeats = {
        "signal fields": _count(_kept_texts(copying.signals), names),
        "annotations": _count(notes, names) if keep_annotations else 0,
    }
    if notes and not keep_annotations:
        removed.append("annotations")
    return Anonymized(tuple(removed), {what: n for what, n in repeats.items() if n})


def _check_suffix(source: Path, out: Path, header: EdfHeader) -> None:
    kind = "EDF" if header.sample_bytes == 2 else "BDF"
    if out.suffix.lower() not in (f".{kind.lower()}", source.suffix.lower()):
        raise DistilClipError(
            f"{out}: {source.name} is {kind}, name the copy {out.stem}.{kind.lower()}"
        )


class _Copying:
    """One file on its way to its copy."""

    def __init__(self, file: BinaryIO, source: Path, header: EdfHeader) -> None:
        self._file, self._name, self._header = file, source.name, header
        self.main = self._bytes(_MAIN_BYTES)
        self.signals = self._bytes(_MAIN_BYTES * len(header.signals))

    def header_to(self, copy: BinaryIO, *, keep_time: bool) -> list[str]:
        """Write the header; gives the names of what it does not say any more."""
        n_reserved = _RESERVED * len(self._header.signals)
        new, kept = self._new_main(keep_time), self.signals[:-n_reserved]
        copy.write(new + kept.ljust(len(self.signals)))
        removed = [
            name
            for name, place in _IDENTIFYING.items()
            if self.main[place].rstrip(b" \0") != new[place].rstrip()
        ]
        if self.signals[-n_reserved:].strip(b" \0"):
            removed.append("reserved fields of signals")
        return removed + self._surplus()

    def _new_main(self, keep_time: bool) -> bytes:
        n_records = self._header.n_records
        clock = self.main[_IDENTIFYING["start time"]]
        return b"".join(
            (
                self.main[:8],
                PATIENT.ljust(80),
                RECORDING.ljust(80),
                DATE,
                clock if keep_time and _CLOCK.fullmatch(clock) else TIME,
                b"%-8d" % (_MAIN_BYTES + len(self.signals)),
                self._kind().ljust(44),
                b"%-8d" % (n_records if n_records < 10**8 else -1),
                self.main[_RECORD_S],
                self.main[_N_SIGNALS],
            )
        )

    def _kind(self) -> bytes:
        family = b"EDF+" if self._header.sample_bytes == 2 else b"BDF+"
        if self._header.is_plus:
            return family + (b"D" if self._header.is_discontinuous else b"C")
        stated = self.main[_IDENTIFYING["reserved field"]].strip()
        return b"24BIT" if stated.startswith(b"24BIT") else b""

    def _surplus(self) -> list[str]:
        """Name what lies outside of header and records, where some exporters write."""
        header, found = self._header, []
        if header.data_start > _MAIN_BYTES + len(self.signals):
            found.append("bytes between header and records")
        end = header.data_start + header.n_records * header.record_bytes
        if self._file.seek(0, os.SEEK_END) > end:
            found.append("bytes after the last whole record")
        return found

    def records_to(self, copy: BinaryIO, *, keep_annotations: bool) -> None:
        header = self._header
        self._file.seek(header.data_start)
        if keep_annotations:
            self._pass_on(copy, header.n_records * header.record_bytes)
            return
        spans = self._spans()
        for _ in range(header.n_records):
            keeps_time = True
            for is_annotation, n_bytes in spans:
                if is_annotation:
                    self._pass_on_time(copy, n_bytes, keeps_time)
                    keeps_time = False
                else:
                    self._pass_on(copy, n_bytes)

    def _spans(self) -> list[tuple[bool, int]]:
        """Bytes of a record, in order; samples that lie together are one span."""
        spans: list[tuple[bool, int]] = []
        for signal in self._header.signals:
            n_bytes = signal.n_samples * self._header.sample_bytes
            if spans and not signal.is_annotation and not spans[-1][0]:
                spans[-1] = (False, spans[-1][1] + n_bytes)
            elif n_bytes:
                spans.append((signal.is_annotation, n_bytes))
        return spans

    def _pass_on(self, copy: BinaryIO, n_bytes: int) -> None:
        while n_bytes:
            piece = self._bytes(min(n_bytes, _PIECE_BYTES))
            copy.write(piece)
            n_bytes -= len(piece)

    def _pass_on_time(self, copy: BinaryIO, n_bytes: int, keeps_time: bool) -> None:
        """Write an annotation signal of a record: its first onset alone, or nothing."""
        head = self._bytes(min(n_bytes, _LONGEST_ONSET_BYTES))
        self._file.seek(n_bytes - len(head), os.SEEK_CUR)
        onset = _KEEPS_TIME.match(head) if keeps_time else None
        kept = (onset[1] + b"\x14\x14" if onset else b"")[:n_bytes]
        copy.write(kept)
        for start in range(len(kept), n_bytes, _PIECE_BYTES):
            copy.write(bytes(min(_PIECE_BYTES, n_bytes - start)))

    def _bytes(self, n_bytes: int) -> bytes:
        try:
            data = self._file.read(n_bytes)
        except OSError as error:
            raise self._gone(error.strerror or "cannot be read") from None
        if len(data) < n_bytes:
            raise self._gone("it became shorter")
        return data

    def _gone(self, reason: str) -> UnreadableRecordingError:
        return UnreadableRecordingError(
            f"{self._name}: the file changed while it was copied ({reason}); expected "
            "the records that its header was read with, try again"
        )


def _names(main: bytes) -> frozenset[str]:
    """Words that may name somebody, case folded."""
    patient, recording = (
        " ".join(main[_IDENTIFYING[name]].decode("latin-1").split())
        for name in ("patient identification", "recording identification")
    )
    found = _EDF_PLUS_PATIENT.fullmatch(patient)
    by_whom = _EDF_PLUS_RECORDING.fullmatch(recording)
    said = [*(found.groups() if found else [patient])]
    said += by_whom.groups() if by_whom else []
    return frozenset(word for text in said for word in _words(text))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _kept_texts(signals: bytes) -> Iterator[str]:
    """Labels, transducers and filters."""
    n, at = len(signals) // _MAIN_BYTES, 0
    for width, is_text in _SIGNAL_FIELDS:
        for start in range(at, at + n * width, width) if is_text else ():
            yield signals[start : start + width].decode("latin-1")
        at += n * width


def _count(texts: Iterable[str], names: frozenset[str]) -> int:
    return sum(not names.isdisjoint(_words(text)) for text in texts)
