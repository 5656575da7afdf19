"""One file from a server that misbehaves: it comes whole, or its name stays free."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.corpora import fetch
from distilclip_eeg.corpora.fetch import (
    UnreachableError,
    fetch_small,
    fetch_verified,
    size_at,
)
from distilclip_eeg.errors import DownloadError
from publisher import Publisher, publishing

MANY = 100_000
CONTENT = np.random.default_rng(0).bytes(MANY)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "a+b c.edf"


@pytest.fixture(scope="module")
def one_server() -> Iterator[Publisher]:
    with publishing() as publisher, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "PAUSES_S", (0, 0))
        patch.setenv("no_proxy", "*")
        yield publisher


@pytest.fixture
def server(one_server: Publisher) -> Publisher:
    one_server.clear()
    one_server.publish({NAME: CONTENT})
    return one_server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "target.edf"


def address(server: Publisher) -> str:
    return f"{server.url}a%2Bb%20c.edf"


def assert_comes(server: Publisher, target: Path) -> None:
    counted: list[int] = []
    part = target.with_name("target.edf.part")
    there = part.stat().st_size if part.exists() else 0
    fetch_verified(address(server), target, SHA256, counted.append)
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]
    assert there + sum(counted) == MANY


@pytest.mark.parametrize("resets", [False, True])
def test_goes_on_after_drops(server: Publisher, target: Path, resets: bool) -> None:
    server.drops, server.resets = {NAME: [40_000, 0, 1, 30_000]}, resets
    assert_comes(server, target)
    first, *_, last = [wanted for _, _, wanted in server.asked]
    assert (len(server.asked), first) == (5, None)
    assert last is not None
    if not resets:  # a reset may cost what was on its way
        assert last == "bytes=70001-"
        assert server.sent[NAME] == MANY


def test_server_without_ranges(server: Publisher, target: Path) -> None:
    server.knows_ranges = False
    server.drops = {NAME: [40_000, 60_000, 60_000]}
    assert_comes(server, target)
    assert server.sent[NAME] == 160_000 + MANY


def test_server_without_ranges_that_never_gets_further(
    server: Publisher, target: Path
) -> None:
    server.knows_ranges = False
    server.drops = {NAME: [60_000] * 99}
    with pytest.raises(UnreachableError, match="broke off, 3 times in a row"):
        fetch_verified(address(server), target, SHA256)
    assert server.gets(NAME) == 4  # the first brought something


@pytest.mark.parametrize("part", [MANY, MANY + 1, 10])
def test_part_of_another_file_is_thrown_away(
    server: Publisher, target: Path, part: int
) -> None:
    target.parent.mkdir()
    target.with_name("target.edf.part").write_bytes(bytes(part))
    assert_comes(server, target)


def test_whole_part_needs_no_server(server: Publisher, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("target.edf.part").write_bytes(CONTENT)
    assert_comes(server, target)
    assert not server.asked


def test_wrong_file_is_tried_once_more(server: Publisher, target: Path) -> None:
    server.wrong = {NAME: [b"<html>log in first</html>"]}
    assert_comes(server, target)


def test_twice_wrong_is_said(server: Publisher, target: Path) -> None:
    server.wrong = {NAME: [b"wrong"] * 2}
    with pytest.raises(DownloadError, match=r"came twice with another.*\(5 bytes\)"):
        fetch_verified(address(server), target, SHA256)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("status", [503, 429, 500, 408])
def test_busy_server_is_asked_again(
    server: Publisher, target: Path, status: int
) -> None:
    server.statuses = {NAME: [status, status]}
    assert_comes(server, target)


@pytest.mark.parametrize("status", [404, 403, 410, 401])
def test_refusal_is_taken_as_said(server: Publisher, target: Path, status: int) -> None:
    server.statuses = {NAME: [status]}
    with pytest.raises(DownloadError, match=f"the server says {status}"):
        fetch_verified(address(server), target, SHA256)
    assert server.gets(NAME) == 1
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize(("asked_s", "waits_s"), [("7", 7), ("9999", 120), ("soon", 0)])
def test_waits_as_long_as_the_server_asks(
    server: Publisher,
    target: Path,
    asked_s: str,
    waits_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    server.statuses, server.retry_after = {NAME: [503]}, asked_s
    assert_comes(server, target)
    assert waited == [waits_s]


def test_pauses_grow_while_nothing_comes(
    server: Publisher, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr(fetch, "PAUSES_S", (1, 2, 4))
    server.drops = {NAME: [0, 0, 500, 0, 0, 0, 0]}
    with pytest.raises(UnreachableError):
        fetch_verified(address(server), target, SHA256)
    assert waited == [1, 2, 1, 1, 2, 4]


def test_other_range_than_asked_for_is_no_use(server: Publisher, target: Path) -> None:
    server.drops, server.shifts_ranges = {NAME: [50]}, True
    with pytest.raises(UnreachableError, match="other bytes than asked for"):
        fetch_verified(address(server), target, SHA256)


def test_server_that_falls_silent(
    server: Publisher, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.2)
    server.stalls = {NAME: 33_000}
    assert_comes(server, target)
    server.goes_on.set()
    # A piece that was under way when it fell silent may come twice, not all of it.
    assert MANY <= server.sent[NAME] < MANY + 33_000


def test_small_file(server: Publisher) -> None:
    server.drops = {NAME: [70_000]}
    assert fetch_small(address(server)) == CONTENT
    with pytest.raises(DownloadError, match=f"{server.url}x: the server says 404"):
        fetch_small(f"{server.url}x")


def test_size(server: Publisher) -> None:
    assert size_at(address(server)) == MANY
    assert size_at(f"{server.url}x") is None
    assert size_at("http://127.0.0.1:1/x") is None
    server.says_sizes = False
    assert size_at(address(server)) is None


@settings(max_examples=25, deadline=None)
@given(
    drops=st.lists(st.integers(0, MANY - 1), max_size=5),
    knows_ranges=st.booleans(),
    says_sizes=st.booleans(),
    part=st.integers(0, MANY + 2),
    n_wrong=st.integers(0, 3),
)
def test_whatever_happens_the_file_is_right_or_not_there(
    one_server: Publisher,
    drops: list[int],
    knows_ranges: bool,
    says_sizes: bool,
    part: int,
    n_wrong: int,
) -> None:
    one_server.clear()
    one_server.publish({NAME: CONTENT})
    one_server.drops = {NAME: list(drops)}  # it takes them off its list
    one_server.wrong = {NAME: [bytes(MANY)] * n_wrong}
    one_server.knows_ranges, one_server.says_sizes = knows_ranges, says_sizes
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x"
        target.with_name("x.part").write_bytes((CONTENT + b"..")[:part])
        try:
            fetch_verified(address(one_server), target, SHA256)
        except UnreachableError:
            assert not target.exists()
        except DownloadError:
            assert n_wrong or (drops and not says_sizes)
            assert not list(Path(folder).iterdir())
        else:
            assert target.read_bytes() == CONTENT
            assert list(Path(folder).iterdir()) == [target]
