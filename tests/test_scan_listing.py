"""What lies below a root: folders, list files, URLs; companions, links, stamps."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.archive.listing import (
    companions,
    list_archive,
    shown,
    stamp_of,
)
from distilclip_eeg.archive.scan import scan
from distilclip_eeg.detection.outputs import table_names
from distilclip_eeg.eeg.files import RECORDING_SUFFIXES, find_recordings
from distilclip_eeg.errors import ArchiveError, MissingExtraError
from small_archive import Archive, check, rows_of, write_archive, write_recording
from tiny_model import write_tiny_model


@pytest.fixture
def few(tmp_path: Path) -> Archive:
    return write_archive(tmp_path / "archive", 3)


@pytest.fixture
def memory() -> Iterator[Any]:
    """A store that is far away as far as a scan can tell."""
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


def names_below(root: str | Path) -> list[str]:
    return [source.name for source in list_archive(str(root)).sources]


class TestFolders:
    def test_finds_what_detect_finds(self, tmp_path: Path) -> None:
        for name in (
            *("a.edf", "b/c.BDF", "b/d.set", "b/d.fdt", ".hidden.edf", ".h/e.edf"),
            *("f.vhdr", "f.eeg", "f.vmrk", "g.eeg", "h_raw.fif", "h_raw-1.fif"),
            *("i_split-01_raw.fif", "i_split-02_raw.fif", "j-1.fif", "notes.txt"),
        ):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        found = [path.relative_to(tmp_path) for path in find_recordings(tmp_path)]
        assert sorted(names_below(tmp_path)) == sorted(p.as_posix() for p in found)
        sources = {s.name: s for s in list_archive(str(tmp_path)).sources}
        beside = {name: [Path(f).name for f in s.files] for name, s in sources.items()}
        assert beside["f.vhdr"] == ["f.vhdr", "f.eeg", "f.vmrk"]
        assert beside["b/d.set"] == ["d.set", "d.fdt"]
        assert beside["h_raw.fif"] == ["h_raw.fif", "h_raw-1.fif"]
        assert beside["i_split-01_raw.fif"] == [f"i_split-0{i}_raw.fif" for i in (1, 2)]
        assert beside["a.edf"] == ["a.edf"]
        assert sources["f.vhdr"].size_bytes == len("f.vhdrf.eegf.vmrk")

    def test_a_changed_companion_changes_the_stamp(self, tmp_path: Path) -> None:
        (tmp_path / "a.set").write_text("header")
        (tmp_path / "a.fdt").write_text("samples")
        (before,) = list_archive(str(tmp_path)).sources
        (tmp_path / "a.fdt").write_text("others")
        (after,) = list_archive(str(tmp_path)).sources
        assert after.stamp != before.stamp

    def test_linked_folders_are_told_not_followed(
        self, few: Archive, tmp_path: Path
    ) -> None:
        (few.root / "again").symlink_to(few.root)
        listing = list_archive(str(few.root))
        assert {source.name for source in listing.sources} == few.names
        (note,) = listing.notes
        assert "again: a linked folder" in note

    def test_a_folder_that_cannot_be_looked_into_is_a_problem(
        self, few: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = few.root / "closed"
        closed.mkdir()
        scandir = os.scandir

        def refusing(path: Any) -> Any:
            if str(path) == str(closed):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        model = write_tiny_model(tmp_path / "model")
        end = scan(few.root, tmp_path / "out", model=model)
        assert end.problems == {str(closed): "Permission denied"}
        check(tmp_path / "out", few)

    def test_a_pipe_is_never_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.edf")
        (source,) = list_archive(str(tmp_path)).sources
        assert not source.stamp
        with pytest.raises(OSError, match="no ordinary file"):
            stamp_of(source.files)


class TestListFiles:
    def test_paths_as_they_stand(self, few: Archive, tmp_path: Path) -> None:
        first, second, third = sorted(few.events)
        text = f"# mine\n\n{first}\r\n{few.root / second}\n../{third}\n{first}\n"
        (few.root / "some.txt").write_text(text)
        outside = write_recording(tmp_path / third, 1)
        found = names_below(few.root / "some.txt")
        assert found == sorted([first, second, str(outside).lstrip("/")])

    def test_a_missing_one_is_a_failure(self, few: Archive, tmp_path: Path) -> None:
        (few.root / "some.lst").write_text(f"{min(few.events)}\nnowhere.edf\n")
        model = write_tiny_model(tmp_path / "model")
        end = scan(few.root / "some.lst", tmp_path / "out", model=model)
        assert (end.n_recordings, end.n_failed) == (2, 1)
        failure = rows_of(tmp_path / "out")["nowhere.edf"]["failure"]
        assert failure == "No such file or directory"

    def test_one_recording_is_a_root_too(self, few: Archive) -> None:
        name = min(few.events)
        assert names_below(few.root / name) == [Path(name).name]

    @pytest.mark.parametrize("content", [b"\0\1\2", b"", b"# nothing\n"])
    def test_what_is_no_list_is_refused(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "some.bin").write_bytes(content)
        with pytest.raises(ArchiveError):
            list_archive(str(tmp_path / "some.bin"))


class TestUrls:
    def test_a_store(self, memory: Any, few: Archive, tmp_path: Path) -> None:
        memory.put(str(few.root), "/hospital", recursive=True)
        model = write_tiny_model(tmp_path / "model")
        out = tmp_path / "out"
        assert scan("memory://hospital", out, model=model).n_failed == 0
        check(out, few)
        assert scan("memory://hospital", out, model=model).n_to_do == 0
        name = min(few.events)
        changed = write_recording(tmp_path / "changed.edf", 2, seed=9)
        memory.put(str(changed), f"/hospital/{name}")
        few.events[name] = 2
        assert scan("memory://hospital/", out, model=model).n_to_do == 1
        check(out, few)

    def test_companions_are_fetched_too(self, memory: Any) -> None:
        for name in ("a.vhdr", "a.eeg", "b.set", ".c.edf"):
            memory.pipe(f"/hospital/{name}", name.encode())
        sources = {s.name: s for s in list_archive("memory://hospital").sources}
        assert sources.keys() == {"a.vhdr", "b.set"}
        assert sources["a.vhdr"].files == ("/hospital/a.vhdr", "/hospital/a.eeg")

    def test_a_store_within_a_file(self, few: Archive, tmp_path: Path) -> None:
        packed = tmp_path / "packed.zip"
        with zipfile.ZipFile(packed, "w") as file:
            for name in few.names:
                file.write(few.root / name, name)
        model = write_tiny_model(tmp_path / "model")
        scan(f"zip://::{packed}", tmp_path / "out", model=model)
        check(tmp_path / "out", few)

    def test_local_files_are_not_copied(self, few: Archive) -> None:
        sources = list_archive(f"file://{few.root}").sources
        assert {source.name for source in sources} == few.names
        assert not any(source.store for source in sources)

    def test_one_that_cannot_be_fetched_is_a_failure(
        self, memory: Any, few: Archive, tmp_path: Path
    ) -> None:
        memory.put(str(few.root / min(few.events)), "/hospital/a.edf")
        (tmp_path / "some.txt").write_text("memory://hospital/a.edf\nmemory://b.edf\n")
        model = write_tiny_model(tmp_path / "model")
        end = scan(tmp_path / "some.txt", tmp_path / "out", model=model)
        assert end.n_failed == 1
        rows = rows_of(tmp_path / "out")
        assert rows.keys() == {"hospital/a.edf", "b.edf"}
        assert "cannot be fetched" in rows["b.edf"]["failure"]

    def test_unknown_stores(self) -> None:
        with pytest.raises(ArchiveError, match="cannot be opened"):
            list_archive("nosuch://place")
        with pytest.raises(ArchiveError):
            list_archive("memory://empty")

    def test_fsspec_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
        with pytest.raises(MissingExtraError, match=r"\[archive\]"):
            list_archive("memory://hospital")


@given(
    st.sets(
        st.builds(
            "{}{}".format,
            st.text("ab.", min_size=1, max_size=4).filter(lambda x: x.strip(".")),
            st.sampled_from(sorted(RECORDING_SUFFIXES)),
        )
    )
)
def test_no_two_recordings_share_a_table(names: set[str]) -> None:
    ordered = [Path(name) for name in sorted(names)]
    tables = table_names(ordered)
    assert len(set(tables)) == len(ordered)
    assert all(table.suffix == ".tsv" for table in tables)


def test_nothing_belongs_to_an_edf() -> None:
    assert companions("a.edf", ["a.edf", "a.tsv", "a.eeg", "a.bdf"]) == ()


@given(st.text())
def test_a_name_is_shown_on_one_line(name: str) -> None:
    assert len(shown(name).splitlines()) <= 1
    assert shown("Müller 1.edf") == "Müller 1.edf"
