"""What a manifest says, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from distilclip_eeg.corpora.catalog import in_folds
from distilclip_eeg.corpora.manifest import COLUMNS, read_manifest
from distilclip_eeg.errors import CorpusError
from small_corpus import CLIPS, write_corpus


def one_row(root: Path, **changes: str) -> Path:
    """A manifest with one row, line 2; `changes` replace its fields."""
    (root / "a.edf").touch()
    (root / "a.tsv").write_text("onset\tduration\teventType\n3\t4\tsz\n")
    row = dict.fromkeys(COLUMNS, "") | {"recording": "a.edf", "kind": "seizure"}
    lines = ["\t".join(COLUMNS), "\t".join((row | changes).values())]
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


def test_every_row_becomes_a_recording(tmp_path: Path) -> None:
    recordings = read_manifest(write_corpus(tmp_path))
    assert [r.name for r in recordings] == [f"{clip.name}.edf" for clip in CLIPS]
    assert [r.patient for r in recordings] == [clip.patient for clip in CLIPS]
    assert [r.dataset for r in recordings] == [clip.dataset for clip in CLIPS]
    assert [r.kind for r in recordings] == [clip.kind for clip in CLIPS]
    assert [r.fold for r in recordings] == [0, 0, 1, 1, 1, None]
    assert [r.labelled_s for r in recordings] == [None] * 5 + [(12.0, 22.0)]
    assert all(r.path.is_file() for r in recordings)
    seizures = [[(e.onset, e.duration) for e in r.events] for r in recordings]
    assert seizures == [list(clip.seizures) for clip in CLIPS]


def test_folds(tmp_path: Path) -> None:
    recordings = read_manifest(write_corpus(tmp_path))
    assert {r.patient for r in in_folds(recordings, (0,))} == {"n1"}
    assert {r.patient for r in in_folds(recordings, (0, 1))} == {"n1", "n2", "s1"}
    assert in_folds(recordings, ()) == []


def test_background_rows_are_no_seizures(tmp_path: Path) -> None:
    root = one_row(tmp_path, events="b.tsv")
    rows = ["onset\tduration\teventType", "0\t60\tbckg", "7\t2\tsz-foc-ia"]
    (root / "b.tsv").write_text("\n".join(rows) + "\n")
    (recording,) = read_manifest(root)
    assert [(e.onset, e.event_type) for e in recording.events] == [(7, "sz_foc_ia")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recording": "b.edf"}, "no such recording: b.edf"),
        ({"recording": ""}, "no such recording"),
        ({"events": "b.tsv"}, "b.tsv: no such events file"),
        ({"kind": "ictal"}, "kind 'ictal'; expected one of seizure, background"),
        ({"fold": "two"}, "fold or labelled is no number"),
        ({"labelled": "20"}, "fold or labelled is no number"),
        ({"labelled": "a-b"}, "fold or labelled is no number"),
        ({"labelled": "30-20"}, "labelled '30-20'"),
    ],
)
def test_a_wrong_row_is_named(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(CorpusError) as raised:
        read_manifest(one_row(tmp_path, **changes))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    if "events" not in changes:  # the events file is named instead
        assert str(raised.value).startswith(f"{tmp_path / 'manifest.tsv'}:2: ")


def test_a_row_cut_short(tmp_path: Path) -> None:
    path = one_row(tmp_path) / "manifest.tsv"
    path.write_text("\t".join(COLUMNS) + "\na.edf\n")
    with pytest.raises(CorpusError, match=r"manifest\.tsv:2: kind ''"):
        read_manifest(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = one_row(tmp_path) / "manifest.tsv"
    path.write_text(path.read_text().replace("\tpatient", "\tperson"))
    with pytest.raises(CorpusError, match=r"manifest\.tsv:1: no column 'patient'"):
        read_manifest(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"manifest\.tsv: not found"):
        read_manifest(tmp_path)


def test_the_manifest_of_the_real_clips(data_dir: Path) -> None:
    recordings = read_manifest(data_dir)
    assert len(recordings) > 200
    fold_of = {(r.patient, r.fold) for r in recordings}
    assert len(fold_of) == len({r.patient for r in recordings})  # nobody in two folds
    for recording in recordings:
        assert (recording.kind == "seizure") == bool(recording.events)
