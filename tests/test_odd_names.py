"""Names with newlines and bytes, links, loops and pipes, where a file is expected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attacked_tables import recording as small_recording
from distilclip_eeg.archive.listing import list_archive
from distilclip_eeg.cli import app
from distilclip_eeg.config import load_config
from distilclip_eeg.corpora.aubmc_times import read_seizure_times
from distilclip_eeg.corpora.chbmit import read_summary
from distilclip_eeg.corpora.manifest import COLUMNS, read_manifest_catalog
from distilclip_eeg.corpora.splits import read_split
from distilclip_eeg.corpora.tusz import read_tusz
from distilclip_eeg.corpora.tusz_annotations import read_csv
from distilclip_eeg.detection.stream_state import read_state
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.eeg.files import find_recordings, open_recording
from distilclip_eeg.eeg.texts import read_content
from distilclip_eeg.errors import CorpusError, DistilClipError
from distilclip_eeg.model_folder import load_folder
from edf_writer import plain
from review_folder import write_recording
from tiny_model import write_tiny_model

NAMES = {
    "newline": b"a\nb.edf",
    "escape": b"\x1b[31mred.edf",
    "no UTF-8": b"caf\xe9.edf",
    "right to left": "a\u202eb.edf".encode(),
    "only a suffix, nearly": b" .edf",
}
READERS: dict[str, Callable[[Path], object]] = {
    "recording": open_recording,
    "events": read_tsv,
    "csv": read_csv,
    "summary": read_summary,
    "times": read_seizure_times,
    "split": read_split,
    "state": read_state,
    "text": read_content,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def odd(folder: Path, name: bytes) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch()
    except (OSError, UnicodeError):
        pytest.skip("this drive takes no such name")
    return path


@pytest.mark.parametrize("what", NAMES)
def test_detect_in_a_folder_of_odd_names(what: str, tmp_path: Path, model: str) -> None:
    good = odd(tmp_path / "in" / "sub\nfolder", NAMES[what])
    write_recording(good, seconds=12)
    odd(tmp_path / "in", NAMES[what]).write_bytes(b"no recording")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["detect", str(tmp_path / "in"), "--output", str(out), "--model", model]
    )
    assert done.exit_code == 1, done.output
    lines = done.stderr.splitlines()
    assert all(line.startswith("distilclip: ") for line in lines), lines
    assert all(line.isprintable() for line in lines), lines
    assert len([line for line in lines if "begins with" in line]) == 1
    table = (out / good.relative_to(tmp_path / "in")).with_suffix(".tsv")
    assert read_tsv(table)


@pytest.mark.parametrize("what", NAMES)
def test_every_place_that_lists_files_shows_them(what: str, tmp_path: Path) -> None:
    good = odd(tmp_path, NAMES[what])
    plain(good)
    assert find_recordings(tmp_path) == [good]
    assert [source.files for source in list_archive(str(tmp_path)).sources] == [
        (str(good),)
    ]
    catalog = read_tusz(tmp_path)
    assert len(catalog.problems) == 1
    assert str(catalog.problems[0]).isprintable()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["loop", "dangling", "folder", "pipe", "endless"])
def test_what_is_no_file_is_refused_at_once(
    reader: str, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "a\n.edf"
    make: dict[str, Callable[[], object]] = {
        "loop": lambda: path.symlink_to(path),
        "dangling": lambda: path.symlink_to(tmp_path / "nowhere"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
    }
    make[kind]()
    with pytest.raises(DistilClipError) as caught:
        READERS[reader](path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
@pytest.mark.parametrize("reader", READERS)
def test_names_that_no_file_can_have(reader: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(DistilClipError):
        READERS[reader](tmp_path / name)


def test_links_to_recordings_are_read_and_loops_are_left(tmp_path: Path) -> None:
    here = plain(tmp_path / "a.edf")
    (tmp_path / "b.edf").symlink_to(here)
    (tmp_path / "c.edf").symlink_to("c.edf")
    (tmp_path / "d.edf").symlink_to("e.edf")
    (tmp_path / "e.edf").symlink_to("d.edf")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    found = find_recordings(tmp_path)
    assert [path.name for path in found] == ["a.edf", "b.edf"]
    assert open_recording(found[1]).duration_s == 5


def test_a_catalog_of_links_and_loops(tmp_path: Path) -> None:
    folder = tmp_path / "aaaaaaaa" / "s001_2003"
    small_recording(folder / "aaaaaaaa_s001_t000.edf")
    (folder / "up").symlink_to(tmp_path)
    (folder / "aaaaaaaa_s001_t001.edf").symlink_to("aaaaaaaa_s001_t001.edf")
    os.mkfifo(folder / "aaaaaaaa_s001_t002.edf")
    (folder / "aaaaaaaa_s001_t003.edf").mkdir()
    for number in range(4):
        table = "channel,start_time,stop_time,label,confidence\nTERM,0,5,seiz,1\n"
        (folder / f"aaaaaaaa_s001_t00{number}.csv_bi").write_text(table)
    catalog = read_tusz(tmp_path)
    assert [r.path.name for r in catalog.recordings] == ["aaaaaaaa_s001_t000.edf"]
    assert len(catalog.problems) == 3
    assert {problem.kind for problem in catalog.problems} == {"unreadable"}


def test_a_manifest_of_odd_names(tmp_path: Path) -> None:
    rows = ["x" * 5000, "../../../etc/passwd", "a\0.edf", "/dev/zero", ".", ""]
    lines = ["\t".join(COLUMNS)]
    lines += [f"{name}\t\tbackground\t\tnorth\tn1\t0" for name in rows]
    (tmp_path / "manifest.tsv").write_text("\n".join(lines) + "\n")
    catalog = read_manifest_catalog(tmp_path)
    assert not catalog.recordings
    assert len(catalog.problems) == len(rows)
    assert all(str(problem).isprintable() for problem in catalog.problems)


def test_a_model_folder_of_links(tmp_path: Path, model: str) -> None:
    linked = tmp_path / "model"
    linked.symlink_to(model)
    assert load_folder(linked).name == "tiny"
    copied = shutil.copytree(model, tmp_path / "copy\nof it")
    (copied / "prototypes.npy").unlink()
    (copied / "prototypes.npy").symlink_to("prototypes.npy")
    with pytest.raises(DistilClipError, match="is missing") as caught:
        load_folder(copied)
    assert str(caught.value).isprintable()


def test_a_config_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DistilClipError):
        load_config(tmp_path)


def test_text_of_any_length_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(CorpusError, match="found 2000 bytes"):
        read_content(path, max_bytes=1000)
