"""A copy that names nobody: the same samples, none of the identification.

Clauses are those of EDF+ (https://www.edfplus.info/specs/edfplus.html).
"""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import LABELS
from distilclip_eeg import detect, load_model
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg import anonymous
from distilclip_eeg.eeg.anonymous import Anonymized, anonymize
from distilclip_eeg.eeg.edf import EdfRecording
from distilclip_eeg.eeg.edf_header import read_header
from distilclip_eeg.eeg.edf_notes import read_notes
from distilclip_eeg.errors import (
    DistilClipError,
    OutputExistsError,
    UnreadableRecordingError,
)
from edf_writer import Signal, everything, plain, ramp, write_edf
from tiny_model import write_tiny_folder

NAMED = {
    "patient": "MCH-0234567 F 02-MAY-1951 Haagse_Harry",
    "recording": "Startdate 02-MAR-2002 EMG561 BK/JOP Sony_MNC_R",
    "date": "02.03.02",
}
WORDS = (b"MCH", b"0234567", b"1951", b"Haagse", b"Harry", b"2002", b"EMG", b"BK/JOP")
FIELDS = ("patient identification", "recording identification", "start date")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def tal(*lists: bytes, n_bytes: int = 64) -> bytes:
    """Time-stamped annotation lists of one record."""
    return b"".join(text + b"\0" for text in lists).ljust(n_bytes, b"\0")


def noted(path: Path, records: list[bytes], kind: str = "EDF+C") -> Path:
    """Write EDF+ whose first signal is EEG, then annotations, then EEG again."""
    n = len(records)
    notes = np.frombuffer(b"".join(records), "<i2")
    signals = [
        Signal("Fp1", ramp(n, 100)),
        Signal("EDF Annotations", notes, "", (-1, 1)),
        Signal("Fp2", ramp(n, 100, -70)),
    ]
    return write_edf(path, signals, n_records=n, kind=kind, main=NAMED)


def records_of(path: Path) -> bytes:
    return path.read_bytes()[read_header(path).data_start :]


def test_identification_takes_its_anonymous_form(tmp_path: Path) -> None:
    source = plain(tmp_path / "a.edf", main=NAMED)
    done = anonymize(source, tmp_path / "b.edf")
    assert done == Anonymized(FIELDS, {})
    old, new = source.read_bytes(), (tmp_path / "b.edf").read_bytes()
    assert new[8:88].rstrip() == b"X X X X"  # clause 2.1.3.3
    assert new[88:168].rstrip() == b"Startdate X X X X"  # clause 2.1.3.4
    assert new[168:184] == b"01.01.8505.06.07"
    assert new[184:] == old[184:]
    assert not [word for word in WORDS if word in new]


def test_other_readers_take_the_copy(tmp_path: Path) -> None:
    signals = [Signal(label, ramp(12, 256, i)) for i, label in enumerate(LABELS)]
    onsets = list(range(12))
    source = write_edf(
        tmp_path / "a.edf",
        signals,
        n_records=12,
        onsets_s=onsets,
        kind="EDF+C",
        main=NAMED,
    )
    anonymize(source, out := tmp_path / "b.edf")
    np.testing.assert_array_equal(
        everything(EdfRecording(out)), everything(EdfRecording(source))
    )
    copy = edfio.read_edf(out)
    assert copy.patient.code == copy.patient.name == "X"
    with pytest.raises(edfio.AnonymizedDateError):
        _ = copy.patient.birthdate
    for mine, theirs in zip(copy.signals, edfio.read_edf(source).signals, strict=True):
        np.testing.assert_array_equal(mine.digital, theirs.digital)
    raw = mne.io.read_raw_edf(out, preload=True, verbose="ERROR")
    before = mne.io.read_raw_edf(source, preload=True, verbose="ERROR")
    np.testing.assert_array_equal(raw.get_data(), before.get_data())
    assert f"{raw.info['meas_date']:%Y-%m-%d %H:%M:%S}" == "1985-01-01 05:06:07"
    assert set((raw.info["subject_info"] or {}).values()) <= {"X", "", 0}


@pytest.mark.parametrize("kind", ["", "24BIT", "BDF+C"])
def test_bdf_stays_bdf(tmp_path: Path, kind: str) -> None:
    onsets = list(range(5)) if kind == "BDF+C" else None
    source = plain(
        tmp_path / "a.bdf", is_bdf=True, kind=kind, onsets_s=onsets, main=NAMED
    )
    assert anonymize(source, out := tmp_path / "b.bdf").removed == FIELDS
    assert records_of(out) == records_of(source)
    assert out.read_bytes()[192:236].rstrip() == kind.encode()
    assert edfio.read_bdf(out).signals[0].digital.tolist() == ramp(5, 10).tolist()


def test_gaps_stay(gap_edf: Path, tmp_path: Path) -> None:
    for number, keep in enumerate((True, False)):
        out = tmp_path / f"{number}.edf"
        anonymize(gap_edf, out, keep_annotations=keep)
        old, new = EdfRecording(gap_edf), EdfRecording(out)
        assert [s.onset_s for s in new.segments] == [0, 112]
        assert (new.segments, new.warnings) == (old.segments, old.warnings)
        np.testing.assert_array_equal(everything(new, 1), everything(old, 1))


def test_events_are_those_of_the_source(
    small_edf: Path, tmp_path: Path, model: Model
) -> None:
    anonymize(small_edf, out := tmp_path / "b.edf")
    before, after = detect(small_edf, model=model), detect(out, model=model)
    assert before.events == after.events
    np.testing.assert_array_equal(before.seizure_probability, after.seizure_probability)


def test_notes_are_kept_or_dropped(tmp_path: Path) -> None:
    records = [
        tal(b"+0\x14\x14Recording of Mr Harry starts\x14", b"+0.5\x14eyes open\x14"),
        tal(b"+1\x14\x14", b"+1.25\x152\x14Harry moves\x14"),
        tal(b"+2.5\x14\x14", b"+2.75\x14seen by BK\x14"),
    ]
    source = noted(tmp_path / "a.edf", records)
    kept = anonymize(source, tmp_path / "kept.edf")
    assert kept == Anonymized(FIELDS, {"annotations": 2})
    assert records_of(tmp_path / "kept.edf") == records_of(source)
    dropped = anonymize(source, tmp_path / "dropped.edf", keep_annotations=False)
    assert dropped == Anonymized((*FIELDS, "annotations"), {})
    assert read_notes(tmp_path / "dropped.edf") == ()
    data = records_of(tmp_path / "dropped.edf")
    old = records_of(source)
    for i, onset in enumerate((b"+0", b"+1", b"+2.5")):
        at = i * (200 + 64 + 200)
        assert data[at : at + 200] == old[at : at + 200]
        # Clause 2.2.4: an onset, an empty text, and nothing else.
        assert data[at + 200 : at + 264] == (onset + b"\x14\x14").ljust(64, b"\0")
        assert data[at + 264 : at + 464] == old[at + 264 : at + 464]
    edfio.read_edf(tmp_path / "dropped.edf")


def test_second_annotation_signal_is_emptied(tmp_path: Path) -> None:
    first = np.frombuffer(tal(b"+0\x14\x14", n_bytes=16), "<i2")
    second = np.frombuffer(tal(b"+0\x14Harry\x14", n_bytes=16), "<i2")
    signals = [
        Signal("EDF Annotations", first, "", (-1, 1)),
        Signal("EDF Annotations", second, "", (-1, 1)),
        Signal("Fp1", ramp(1, 10)),
    ]
    source = write_edf(tmp_path / "a.edf", signals, n_records=1, kind="EDF+C")
    anonymize(source, out := tmp_path / "b.edf", keep_annotations=False)
    assert records_of(out)[:32] == b"+0\x14\x14".ljust(32, b"\0")
    assert records_of(out)[32:] == records_of(source)[32:]


def test_time_of_day_can_go_too(tmp_path: Path) -> None:
    source = plain(tmp_path / "a.edf")
    done = anonymize(source, out := tmp_path / "b.edf", keep_time=False)
    assert done.removed == ("start date", "start time")
    start = EdfRecording(out).start_time
    assert start is not None
    assert start.isoformat() == "1985-01-01T00:00:00"


def test_what_repeats_the_name_is_counted(tmp_path: Path) -> None:
    signals = [Signal("Fp1 HARRY", ramp(1, 10)), Signal("Fp2", ramp(1, 10))]
    source = write_edf(tmp_path / "a.edf", signals, n_records=1, main=NAMED)
    assert anonymize(source, tmp_path / "b.edf").repeats == {"signal fields": 1}
    signals = [Signal("Fp1 F", ramp(1, 10)), Signal("MAY", ramp(1, 10))]
    source = write_edf(tmp_path / "c.edf", signals, n_records=1, main=NAMED)
    assert anonymize(source, tmp_path / "d.edf").repeats == {}


def test_hiding_places_are_emptied(tmp_path: Path) -> None:
    """Reserved fields, a longer header, bytes after the records, odd times."""
    source = plain(
        tmp_path / "a.edf",
        kind="Haagse Harry",
        main={**NAMED, "time": "Harry 7"},
        tail=b"Haagse Harry",
    )
    data = bytearray(source.read_bytes())
    data[768 - 64 : 768] = b"Haagse".ljust(32) * 2  # reserved fields of the signals
    longer = data[:768] + b"Harry".ljust(256) + data[768:-12]
    longer[184:192] = b"1024    "
    for number, content in enumerate((data, longer)):
        path = tmp_path / f"in{number}.edf"
        path.write_bytes(content)
        done = anonymize(path, out := tmp_path / f"out{number}.edf")
        assert {*FIELDS, "start time", "reserved field"} < set(done.removed)
        assert "reserved fields of signals" in done.removed
        assert done.removed[-1].startswith("bytes ")
        assert not [word for word in WORDS if word in out.read_bytes()]
        assert out.stat().st_size == 768 + 5 * 40
        np.testing.assert_array_equal(
            everything(EdfRecording(out)), everything(EdfRecording(path))
        )


def test_the_copy_has_nothing_left_to_repair(tmp_path: Path) -> None:
    source = plain(
        tmp_path / "a.edf", main={"n_records": "-1", "n_bytes": "junk"}, tail=b"abc"
    )
    assert len(EdfRecording(source).warnings) == 3
    anonymize(source, out := tmp_path / "b.edf")
    assert EdfRecording(out).warnings == ()


def texts(n: int) -> st.SearchStrategy[bytes]:
    """Fields as exporters fill them: any bytes, also of other encodings."""
    return st.one_of(
        st.binary(max_size=n),
        st.text(max_size=n).map(lambda text: text.encode()[:n]),
    )


@given(
    patient=texts(80),
    recording=texts(80),
    date=texts(8),
    clock=texts(8),
    kind=texts(44),
    keep_time=st.booleans(),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_of_any_header_survives(
    tmp_path: Path,
    patient: bytes,
    recording: bytes,
    date: bytes,
    clock: bytes,
    kind: bytes,
    keep_time: bool,
) -> None:
    """The copy depends on no byte of the identification, whatever it is."""
    main = {
        "patient": patient,
        "recording": recording,
        "date": date,
        "time": clock,
        "reserved": kind,
    }
    source = plain(tmp_path / "a.edf", main=main)
    out = tmp_path / "b.edf"
    anonymize(source, out, keep_time=keep_time, overwrite=True)
    header = out.read_bytes()[:256]
    assert header[:88] == b"0".ljust(8) + b"X X X X".ljust(80)
    assert header[88:176] == b"Startdate X X X X".ljust(80) + b"01.01.85"
    assert header[176:184] == b"00.00.00" or (keep_time and header[176:184] == clock)
    assert header[192:236].rstrip() in (b"", b"EDF+C", b"EDF+D", b"24BIT")
    assert header[236:] == source.read_bytes()[236:256]
    assert records_of(out) == records_of(source)
    assert anonymize(out, tmp_path / "c.edf", overwrite=True).removed == ()


@pytest.mark.parametrize("piece", [2, 7, 100, 10**6])
def test_pieces_do_not_matter(
    tmp_path: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [tal(b"+%d\x14\x14" % i, b"+0\x14note\x14") for i in range(3)]
    source = noted(tmp_path / "a.edf", records)
    for keep in (True, False):
        anonymize(source, tmp_path / f"whole{keep}.edf", keep_annotations=keep)
    monkeypatch.setattr(anonymous, "_PIECE_BYTES", piece)
    for keep in (True, False):
        out = tmp_path / f"cut{keep}.edf"
        anonymize(source, out, keep_annotations=keep)
        assert out.read_bytes() == (tmp_path / f"whole{keep}.edf").read_bytes()


@pytest.mark.parametrize("keep_annotations", [True, False])
def test_memory_does_not_grow(tmp_path: Path, keep_annotations: bool) -> None:
    source = tmp_path / "a.edf"
    signals = [Signal("Fp1", ramp(1, 100_000)), Signal("Fp2", ramp(1, 100_000))]
    write_edf(source, signals, n_records=1, onsets_s=[0], kind="EDF+C", main=NAMED)
    os.truncate(source, source.stat().st_size * 200)  # a hole: 80 MB of zeros
    tracemalloc.start()
    try:
        anonymize(source, tmp_path / "b.edf", keep_annotations=keep_annotations)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    source = plain(tmp_path / "a.edf", main=NAMED)
    other = plain(tmp_path / "b.edf")
    before = other.read_bytes()
    with pytest.raises(OutputExistsError, match=r"b\.edf: exists already; --force"):
        anonymize(source, other)
    with pytest.raises(OutputExistsError, match="is the recording itself; --force"):
        anonymize(source, source)
    assert other.read_bytes() == before
    expected = anonymize(source, tmp_path / "c.edf")
    assert anonymize(source, source, overwrite=True) == expected
    assert source.read_bytes() == (tmp_path / "c.edf").read_bytes()


@pytest.fixture
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording that loses its second half after its header was read."""
    source = plain(tmp_path / "a.edf", main=NAMED)

    def shortened(path: Path) -> object:
        notes = read_notes(path)
        os.truncate(path, 800)
        return notes

    monkeypatch.setattr(anonymous, "read_notes", shortened)
    return source


def test_whole_or_not_at_all(cut_off: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecordingError, match="changed while it was copied"):
        anonymize(cut_off, tmp_path / "b.edf")
    assert [path.name for path in tmp_path.iterdir()] == ["a.edf"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Brain Vision Data", "found a file that begins with"),
        (b"0       " + b" " * 100, "as number of signals"),
        (b"", "the file is empty"),
    ],
)
def test_what_is_no_edf_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    source = tmp_path / "a.edf"
    source.write_bytes(content)
    with pytest.raises(UnreadableRecordingError, match=said):
        anonymize(source, tmp_path / "b.edf")
    assert not (tmp_path / "b.edf").exists()


def test_the_suffix_must_not_lie(tmp_path: Path) -> None:
    source = plain(tmp_path / "a.edf")
    with pytest.raises(DistilClipError, match=r"a\.edf is EDF, name the copy b\.edf"):
        anonymize(source, tmp_path / "b.bdf")
