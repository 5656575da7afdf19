"""`distilclip anonymize` as a user meets it, and the numbers that stand for names."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.cli import main
from distilclip_eeg.corpora.numbered import number_paths, read_key, write_key
from distilclip_eeg.errors import CorpusError
from edf_writer import plain

NAMED = {"patient": "MCH-0234567 F 02-MAY-1951 Haagse_Harry"}

Run = Callable[..., int]


@pytest.fixture
def run() -> Run:
    """Run the command in this process; gives the exit status."""

    def call(*args: str | Path) -> int:
        with pytest.raises(SystemExit) as done:
            main(["anonymize", *map(str, args)])
        return int(done.value.code or 0)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings in two folders, one of them damaged, and a list of names."""
    for name in ("harry/day.edf", "harry/night.EDF", "sally/day.edf"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        plain(path, main=NAMED)
    (tmp_path / "in" / "sally" / "bad.edf").write_bytes(b"0       Sally")
    (tmp_path / "in" / "harry" / "harry.txt").write_text("Harry")
    return tmp_path / "in"


def written(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_one_recording(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = plain(tmp_path / "a.edf", main=NAMED)
    out = tmp_path / "new" / "b.edf"
    assert run(source, out) == 0
    said, talk = capsys.readouterr()
    assert said == f"{out}: removed patient identification, start date\n"
    assert not talk
    assert run(source, out) == 2
    assert "--force writes over it" in capsys.readouterr().err
    assert run(source, out, "--force", "--drop-time") == 0
    assert "start time" in capsys.readouterr().out
    assert run(out, tmp_path / "c.edf") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'c.edf'}: names nobody\n"


def test_a_folder_keeps_its_paths(
    run: Run, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, tmp_path / "out") == 1
    said, talk = capsys.readouterr()
    assert said.splitlines() == [
        f"3 of 4 recordings copied to {tmp_path / 'out'}",
        "removed from 3: patient identification",
        "removed from 3: start date",
    ]
    renaming, failed = talk.splitlines()
    assert "use --rename" in renaming
    assert str(folder / "sally" / "bad.edf") in failed
    assert "Haagse" not in said + talk
    assert written(tmp_path / "out") == [
        "harry/day.edf",
        "harry/night.EDF",
        "sally/day.edf",
    ]


def test_numbers_for_names(run: Run, folder: Path, tmp_path: Path) -> None:
    key, out = tmp_path / "key.tsv", tmp_path / "out"
    assert run(folder, out, "--rename", key) == 1
    copies = read_key(key)
    assert len(copies) == 4
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert {copy.parts[0] for copy in copies.values()} == {"0001", "0002"}
    assert len(written(out)) == 3
    assert not [name for name in written(out) if "harry" in name or "day" in name]
    (folder / "sally" / "bad.edf").unlink()
    plain(folder / "sally" / "later.edf")
    assert run(folder, out, "--rename", key, "--force") == 0
    assert read_key(key).items() > copies.items()
    assert len(written(out)) == 4


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("in", "in"), "in lies in in"),
        (("in", "in/copies"), "lies in"),
        (("in", "file"), "is a file, expected a folder"),
        (("empty", "out"), "no recordings"),
        (("in", "out", "--rename", "out/key.tsv"), "keep the key apart"),
        (("in", "out", "--rename", "file"), "found no key"),
        (("in/sally/day.edf", "empty"), "is a folder; name the copy"),
        (("in/sally/day.edf", "b.edf", "--rename", "k.tsv"), "you name the copy"),
        (("in/harry/harry.txt", "b.edf"), "begins with neither"),
        (("nothing.edf", "b.edf"), "No such file"),
    ],
)
def test_misuse_is_one_line(
    run: Run,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("not a key\n")
    Path("empty").mkdir()
    before = written(tmp_path)
    assert run(*args) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert said in line
    assert written(tmp_path) == before


part = st.text(min_size=1, max_size=8).filter(
    lambda text: "/" not in text and "\0" not in text and text not in (".", "..")
)
trees = st.sets(st.lists(part, min_size=1, max_size=3).map(tuple), max_size=12)


@given(first=trees, second=trees)
@settings(max_examples=50, deadline=None)
def test_numbers_are_one_to_one_and_stay(
    first: set[tuple[str, ...]], second: set[tuple[str, ...]]
) -> None:
    one = [Path("rec", *parts[:-1], f"{parts[-1]}.edf") for parts in first]
    two = [Path("rec", *parts[:-1], f"{parts[-1]}.edf") for parts in second]
    key = number_paths(one)
    later = number_paths(two, key)
    assert key.items() <= later.items()
    assert set(later) == {*one, *two}
    assert len(set(later.values())) == len(later)
    for old, new in later.items():
        assert len(old.parts) == len(new.parts)
        assert all(name.removesuffix(".edf").isdigit() for name in new.parts)
        for other, its in later.items():
            assert (old.parent == other.parent) == (new.parent == its.parent)


@given(names=st.sets(part, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_key_is_read_as_it_was_written(
    names: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("key") / "key.tsv"
    key = number_paths(Path(f"{name}.edf") for name in names)
    write_key(path, key)
    assert read_key(path) == key


@pytest.mark.parametrize(
    "row", ["a.edf\t../0001.edf", "a.edf\t/0001.edf", "a/b.edf\t0001.edf", "a.edf"]
)
def test_a_key_cannot_lead_elsewhere(tmp_path: Path, row: str) -> None:
    key = tmp_path / "key.tsv"
    key.write_text(f"recording\tcopy\n{row}\n")
    with pytest.raises(CorpusError, match="found no key"):
        read_key(key)
