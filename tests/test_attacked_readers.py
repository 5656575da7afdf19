"""Broken files through every reader: nothing but the package's own errors comes out.

A thousand cases here, many more by `make nightly`; see `attack.py`. Every target is
read in a process of its own group, under limits of memory and time.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

import attacked_models
import attacked_recordings
import attacked_tables
from attack import Laid, TooSlowError, attack, attacked_in_child, case, laid
from attack_target import Target
from attacked import TARGETS
from distilclip_eeg.errors import CorpusError
from mutations import EDF, MAX_BYTES, NASTY, TEXT, broken

CASES = 36  # of each target: over a thousand together
GROUPS = {
    "recordings": (*attacked_recordings.RECORDINGS, *attacked_recordings.REAL),
    "tables": (*attacked_tables.TABLES, *attacked_tables.REAL),
    "models": attacked_models.MODELS,
}


@pytest.mark.parametrize("group", GROUPS)
def test_only_own_errors_come_out(group: str) -> None:
    targets = [target.name for target in GROUPS[group]]
    reports = attacked_in_child(targets, CASES)
    assert [report.target for report in reports] == targets
    assert {report.cases for report in reports} == {CASES}
    assert not [failure for report in reports for failure in report.failures]
    # Breaking that breaks nothing, or everything, would not be a test.
    assert sum(report.refused for report in reports) > 0.1 * CASES * len(targets)
    assert sum(report.read for report in reports) > 0.1 * CASES * len(targets)


def test_there_are_a_thousand_cases() -> None:
    always = [t for t in TARGETS.values() if not t.name.startswith("real_")]
    assert len(always) * CASES >= 1000  # and more than a hundred of the review page
    assert len(always) == len({t.name for t in always})


def _text_target(read: object) -> Target:
    def write(root: Path) -> None:
        (root / "a.txt").write_text("7 lines\n" * 7)

    return Target("made_up", ("a.txt",), write, read)  # type: ignore[arg-type]


def _fails_on_broken(root: Path) -> None:
    text = (root / "a.txt").read_text(errors="replace")
    if text == "7 lines\n" * 7:
        return
    if len(text) % 2:
        raise CorpusError("found other lines, expected 7")
    raise KeyError("of the reader")


def test_a_foreign_exception_is_found_and_kept(tmp_path: Path) -> None:
    report = attack(_text_target(_fails_on_broken), range(40), tmp_path, 60)
    assert report.cases == 40
    assert report.refused > 5
    assert report.failures
    assert all("KeyError" in failure for failure in report.failures)
    kept = list((tmp_path / "made_up").iterdir())
    assert 0 < len(kept) <= len(report.failures)


def _outcome(read: object) -> str | None:
    with laid(_text_target(lambda root: None)) as whole:
        target = _text_target(read)
        return Laid(target, whole.root, whole.files).attempt("a.txt", b"")


def test_a_hang_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attack.CPU_LIMIT_S", 0.05)

    def hangs(root: Path) -> None:
        while True:
            with suppress(Exception):  # such readers exist
                sum(range(100))

    assert "took longer" in str(_outcome(hangs))
    assert not issubclass(TooSlowError, Exception)


def test_memory_and_unreadable_messages_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("attack.RESIDENT_BYTES", 2**20)

    def takes(root: Path) -> None:
        from attack import _highest_bytes

        held = [bytearray(b"x") * (_highest_bytes() + 2**24)]
        assert held

    assert "MiB" in str(_outcome(takes))

    class MuteError(CorpusError):
        def __str__(self) -> str:
            return "two\nlines"

    def says(root: Path) -> None:
        raise MuteError

    assert "not one readable line" in str(_outcome(says))


def test_a_case_is_its_number() -> None:
    with laid(TARGETS["tsv"]) as whole:
        first = [case(whole, number) for number in range(20)]
        assert first == [case(whole, number) for number in range(20)]
        assert len({data for _, data in first}) > 10


@pytest.mark.parametrize("kinds", [TEXT, EDF], ids=["text", "edf"])
def test_every_mutation_takes_any_bytes(kinds: tuple[object, ...]) -> None:
    chance = random.Random(0)
    samples = (b"", b"\xff", b"0" * 256, b"a\tb\n", b"0".ljust(252) + b"1   " * 80)
    for kind in kinds:
        for data in samples:
            assert isinstance(kind(data, chance), bytes)  # type: ignore[operator]
    assert len(broken(b"x" * 10, TEXT, chance)) <= MAX_BYTES
    assert {"\n", "nan", "1e400"} <= set(NASTY)
