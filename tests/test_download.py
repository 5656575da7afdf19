"""A data set from a server that misbehaves: whole files, or a name and a reason."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.cli import main
from distilclip_eeg.corpora import download, fetch
from distilclip_eeg.corpora.download import SOURCES, plan_download, read_sums
from distilclip_eeg.errors import CorpusError, DownloadError
from publisher import CHBMIT, EDF, Publisher, files_in, publishing

Run = Callable[..., int]


@pytest.fixture(scope="module")
def one_server() -> Iterator[Publisher]:
    with publishing() as publisher:
        yield publisher


@pytest.fixture
def server(one_server: Publisher, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """A server with CHBMIT, and a client that does not wait long."""
    monkeypatch.setattr(fetch, "PAUSES_S", (0, 0))
    monkeypatch.setenv("no_proxy", "*")
    one_server.clear()
    one_server.publish(CHBMIT)
    return one_server


@pytest.fixture
def run(server: Publisher, tmp_path: Path) -> Run:
    """Run `distilclip download chbmit data` in this process; gives the exit status."""

    def run(*args: str | Path, dataset: str = "chbmit", sure: bool = True) -> int:
        call = ["download", dataset, str(tmp_path / "data"), *map(str, args)]
        with pytest.raises(SystemExit) as done:
            main([*call, *(["--from", server.url]), *(["--yes"] if sure else [])])
        return int(done.value.code or 0)

    return run


def test_everything_comes_and_is_verified(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    assert files_in(tmp_path / "data") == CHBMIT
    sums = (tmp_path / "data" / "SHA256SUMS.txt").read_bytes()
    assert sums == server.files["SHA256SUMS.txt"]
    out, err = capsys.readouterr()
    assert out == ""
    said = err.splitlines()
    assert "CHB-MIT" in said[0]
    assert "ODC-By" in said[0]
    assert "to come: 7 files, 130.1 kB, into" in said[1]
    assert said[2].startswith("distilclip: all 7 files are in ")
    assert len(said) == 3  # no bar where nobody watches


def test_what_is_there_and_right_is_not_fetched_again(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    (tmp_path / "data" / EDF).write_bytes(b"altered")
    server.sent.clear()
    capsys.readouterr()
    assert run() == 0
    assert server.sent.keys() == {"SHA256SUMS.txt", "RECORDS", EDF}
    assert files_in(tmp_path / "data") == CHBMIT
    assert "chb01_01.edf is not the published file" in capsys.readouterr().err
    assert run(sure=False) == 0  # nothing to come, nothing to ask
    assert "to come" not in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["chb02", "CHB02, "])
def test_patients(run: Run, tmp_path: Path, asked: str) -> None:
    wanted = {name for name in CHBMIT if not name.startswith("chb01/")}
    assert run("--patients", asked) == (2 if asked.endswith(" ") else 0)
    if not asked.endswith(" "):
        assert files_in(tmp_path / "data").keys() == wanted
        assert run("--patients", "chb01,CHB02") == 0
        assert files_in(tmp_path / "data") == CHBMIT


def test_no_such_patient(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--patients", "chb01,chb03") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "distilclip: no patient 'chb03' here; there are chb01 chb02"


def test_siena(run: Run, server: Publisher, tmp_path: Path) -> None:
    files = {"RECORDS": b"PN00/PN00-1\n", "PN00/PN00-1.edf": b"edf"}
    server.publish(files)
    assert run(dataset="siena") == 0
    assert files_in(tmp_path / "data") == files


def test_wrong_file_costs_the_others_nothing(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = bytes(100)
    server.files[EDF] = wrong
    old = tmp_path / "data" / EDF
    old.parent.mkdir(parents=True)
    old.write_bytes(b"somebody's own")
    assert run() == 1
    assert server.gets(EDF) == 2
    expected = {n: c for n, c in CHBMIT.items() if n != EDF}
    assert files_in(tmp_path / "data") == expected | {EDF: b"somebody's own"}
    *_, reason, count = capsys.readouterr().err.splitlines()
    assert reason.startswith(f"distilclip: {EDF}: came twice with another SHA-256")
    assert hashlib.sha256(wrong).hexdigest()[:12] in reason
    assert count == "distilclip: 1 of 7 files failed"


def test_absent_file_costs_the_others_nothing(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del server.files[EDF]
    assert run() == 1
    assert f"{EDF}: the server says 404" in capsys.readouterr().err
    assert server.gets(EDF) == 1  # asking again would not help
    assert files_in(tmp_path / "data").keys() == CHBMIT.keys() - {EDF}


def test_record_without_a_hash_is_named(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = CHBMIT["RECORDS"] + b"chb01/chb01_99.edf\nchb03/\x1b[31mx.edf\n"
    server.publish(CHBMIT | {"RECORDS": records})
    assert run() == 1
    said = capsys.readouterr().err
    assert "chb01/chb01_99.edf: not in SHA256SUMS.txt: not fetched" in said
    assert "2 of 9 files failed" in said
    assert "\x1b" not in said
    assert run("--patients", "chb02") == 0  # not asked for


def test_gives_up_when_the_server_is_gone(
    run: Run, server: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [name for name in CHBMIT if name != "RECORDS"]
    server.drops = {name: [0] * 9 for name in names}
    assert run() == 1
    said = capsys.readouterr().err.splitlines()
    assert sum("the connection broke off, 3 times in a row" in line for line in said)
    assert "cannot be reached; 3 files still to come" in said[-2]
    assert said[-1] == "distilclip: 3 of 7 files failed"
    server.drops = {}
    assert run() == 0
    assert files_in(tmp_path / "data") == CHBMIT


def test_no_server_at_all(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fetch, "PAUSES_S", ())
    url = "http://127.0.0.1:1/files"
    with pytest.raises(SystemExit) as done:
        main(["download", "siena", str(tmp_path / "new"), "--from", url])
    assert done.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"distilclip: {url}/SHA256SUMS.txt: Connection refused")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("url", ["file:///etc/", "physionet.org/files", "http://", "x"])
def test_only_web_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="begins with http"):
        plan_download("chbmit", tmp_path, url=url)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "a/../../x", "/etc/passwd", "./../x", "a//b", "a/", "a/./b", ".."),
        *("C:/x", "..\\x", "a\\..\\x", "x\x00", "x\x1b[31m", "a:b"),
    ],
)
def test_paths_that_lead_out_are_refused(
    run: Run, server: Publisher, tmp_path: Path, name: str
) -> None:
    lines = f"{'0' * 64} good.edf\n{'0' * 64}  {name}\n"
    with pytest.raises(CorpusError, match="sums:2"):
        read_sums(lines, "sums")
    server.files["SHA256SUMS.txt"] = lines.encode()
    before = sorted(tmp_path.parent.rglob("*"))
    assert run() == 2
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_sums_as_sha256sum_writes_them() -> None:
    a, b = "A" * 64, "b" * 64
    text = f"{a} RECORDS\n{b}  ./x/y z.edf\r\n{b} *q\n\n{a} SHA256SUMS.txt\n"
    assert read_sums(text, "sums") == {"RECORDS": "a" * 64, "x/y z.edf": b, "q": b}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "sums:1: '<html>'; expected 64 digits"),
        (f"\n{'0' * 63} x", "sums:2"),
        (f"{'0' * 64} ", "sums:1"),
        (f"{'0' * 64} x\n{'1' * 64} x", "sums:2: 'x' stands here with two hashes"),
        ("", "sums: no files in it"),
    ],
)
def test_sums_that_are_none(text: str, said: str) -> None:
    with pytest.raises(CorpusError) as error:
        read_sums(text, "sums")
    assert said in str(error.value)


@settings(deadline=None)
@given(name=st.text(max_size=12) | st.from_regex(r"[./\\a]{1,8}", fullmatch=True))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    root = Path("/data/set")
    try:
        names = read_sums(f"{'0' * 64} {name}", "sums")
    except CorpusError:
        return
    for kept in names:
        assert Path(os.path.normpath(root / kept)).is_relative_to(root)
        assert Path(os.path.normpath(root / kept)) != root


def test_too_small_a_disk_is_known_before(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "free_bytes", lambda folder: 100_000)
    assert run() == 2
    assert not (tmp_path / "data").exists()
    assert run("--patients", "chb02") == 0


def test_two_downloads_keep_apart(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "data").mkdir()
    handle = os.open(tmp_path / "data", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert run() == 2
    finally:
        os.close(handle)
    assert "another download is writing there" in capsys.readouterr().err
    assert run() == 0


def test_sources_are_physionets() -> None:
    for source in SOURCES.values():
        assert source.url.startswith("https://physionet.org/files/")
        assert source.url.endswith("/1.0.0/")
