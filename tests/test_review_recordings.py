"""Which recordings lie in a folder, whose they are, and what lies beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.recordings import SALT, STATE_FOLDER, Library, patient_keys
from review_folder import NAME, write_folder, write_recording


def library(root: Path) -> Library:
    return Library(root, root / STATE_FOLDER)


def test_ids_stay_and_tell_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path, ["a.edf", "sub/b.edf"])
    first, second = library(tmp_path), library(tmp_path)
    assert list(first.entries) == list(second.entries)
    assert [e.name for e in first.entries.values()] == ["a.edf", "sub/b.edf"]
    assert all(name.isalnum() and len(name) == 16 for name in first.entries)


def test_no_folder_and_no_recording(tmp_path: Path) -> None:
    with pytest.raises(DistilClipError, match="no recordings"):
        library(tmp_path)
    with pytest.raises(DistilClipError, match="found no folder"):
        library(tmp_path / "gone")


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "in")
    outside = write_recording(tmp_path / "out" / "b.edf")
    (root / "b.edf").symlink_to(outside)
    (root / "c.edf").symlink_to(root / "a.edf")
    found = library(root)
    assert [e.name for e in found.entries.values()] == ["a.edf", "c.edf"]
    assert found.left_out == ("b.edf",)


def test_the_same_patient_has_the_same_number(tmp_path: Path) -> None:
    for name, patient in [
        ("a.edf", f"7 F X {NAME}"),
        ("b.edf", "X X X X"),
        ("c.edf", f"7 F X {NAME}"),
        ("d.edf", "8 F X Other"),
        ("e.edf", "X F 01-JAN-1990 X"),
        ("sub-01/f.edf", "X X X X"),
        ("sub-01/g.edf", "9 M X Third"),
    ]:
        write_recording(tmp_path / name, seconds=2, patient=patient)
    entries = library(tmp_path).entries.values()
    assert [e.patient for e in entries] == [1, 0, 1, 2, 0, 3, 3]
    assert all(NAME not in e.patient_key for e in entries)


def test_a_manifest_says_whose_they_are(tmp_path: Path) -> None:
    write_folder(tmp_path, ["a.edf", "b.edf"])
    (tmp_path / "manifest.tsv").write_text(
        "recording\tevents\tpatient\na.edf\t\tp1\nb.edf\t\tp2\n"
    )
    assert [e.patient for e in library(tmp_path).entries.values()] == [1, 2]


def test_keys_stay_with_the_salt_and_change_without(tmp_path: Path) -> None:
    write_folder(tmp_path)
    keys = [e.patient_key for e in library(tmp_path).entries.values()]
    assert keys == [e.patient_key for e in library(tmp_path).entries.values()]
    salt = tmp_path / STATE_FOLDER / SALT
    assert salt.stat().st_mode & 0o077 == 0
    salt.unlink()
    assert keys != [e.patient_key for e in library(tmp_path).entries.values()]
    assert patient_keys(tmp_path, [tmp_path / "a.edf"], b"x" * 32) != keys
    salt.write_bytes(b"short")
    with pytest.raises(DistilClipError, match="5 bytes"):
        library(tmp_path)


def test_detection_beside_comes_first(tmp_path: Path) -> None:
    write_folder(tmp_path)
    found = library(tmp_path)
    (entry,) = found.entries.values()
    own = found.detection_path(entry)
    own.parent.mkdir(parents=True)
    shutil.move(tmp_path / "a.json", own)
    first = found.found(entry)
    assert first is not None
    assert first.model == "made-up"
    (tmp_path / "a.tsv").write_text("onset\tduration\teventType\n5\t9\tsz\n")
    second = found.found(entry)
    assert second is not None
    assert second.model == "a.tsv"


def test_nothing_beside(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "a.json").unlink()
    found = library(tmp_path)
    (entry,) = found.entries.values()
    assert found.found(entry) is None
