"""One alarm for one seizure, whatever happens to the signal meanwhile."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from distilclip_eeg.detection.result import Update
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.live.alarms import HOLD_S, AlarmDesk


def update(
    kind: Literal["raise", "update"], onset: float, end: float, time_s: float
) -> Update:
    return Update(kind, Event(onset, end - onset, confidence=0.8), time_s)


def over(onset: float, end: float) -> Event:
    return Event(onset, end - onset, confidence=0.7, channels=("F7-T7",))


def kinds(lines: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(line["kind"], line["id"]) for line in lines if line["type"] == "alarm"]


def test_raise_update_clear() -> None:
    desk = AlarmDesk(update_every_s=10)
    lines = desk.hear([update("raise", 10, 16, 20)], None)
    assert kinds(lines) == [("raise", 1)]
    assert lines[0]["evidence_s"] == 20
    assert desk.current == 1
    assert desk.hear([update("update", 10, 22, 25)], None) == []  # too soon
    lines = desk.hear([update("update", 10, 30, 32), over(10, 33)], None)
    assert kinds(lines) == [("update", 1), ("clear", 1)]
    assert lines[0]["duration"] == 20
    (event,) = (line for line in lines if line["type"] == "event")
    assert (event["onset"], event["duration"]) == (10, 23)
    assert lines[-1]["channels"] == ["F7-T7"]
    assert lines[-1]["reason"] == "over"
    assert [desk.current] == [None]
    assert kinds(desk.hear([update("raise", 90, 95, 100)], None)) == [("raise", 2)]


def test_what_goes_on_after_a_gap_is_the_same_alarm() -> None:
    desk = AlarmDesk()
    desk.hear([update("raise", 10, 20, 24)], None)
    assert kinds(desk.hear([over(10, 30)], (30, 70))) == []
    assert desk.current == 1
    assert desk.tick(70 + HOLD_S - 1) == []
    lines = desk.hear([update("raise", 75, 85, 90)], None)
    assert kinds(lines) == [("update", 1)]
    assert (lines[0]["onset"], lines[0]["duration"]) == (10, 75)
    assert desk.tick(999) == []  # no longer held
    assert kinds(desk.hear([over(75, 95)], None)) == [("clear", 1)]


def test_what_is_raised_as_the_signal_ends_is_held_too() -> None:
    desk = AlarmDesk()
    lines = desk.hear([update("raise", 10, 20, 21), over(10, 21)], (21, 21))
    assert kinds(lines) == [("raise", 1)]
    assert kinds(desk.hear([], (21, 50))) == []
    assert desk.tick(60) == []
    assert kinds(desk.tick(80)) == [("clear", 1)]


def test_what_is_not_found_again_is_cleared() -> None:
    desk = AlarmDesk()
    desk.hear([update("raise", 10, 20, 24)], None)
    desk.hear([over(10, 30)], (30, 40))
    (line,) = desk.tick(40 + HOLD_S)
    assert (line["kind"], line["reason"]) == ("clear", "not found again after a gap")
    assert line["duration"] == 20


def test_after_a_long_absence_it_is_another() -> None:
    desk = AlarmDesk()
    desk.hear([update("raise", 10, 20, 24)], None)
    lines = desk.hear([over(10, 30)], (30, 331))
    assert kinds(lines) == [("clear", 1)]
    assert lines[-1]["reason"] == "signal lost"
    assert kinds(desk.hear([update("raise", 340, 350, 352)], None)) == [("raise", 2)]


def test_an_absence_in_pieces_is_one_absence() -> None:
    desk = AlarmDesk()
    desk.hear([update("raise", 10, 20, 24)], None)
    desk.hear([], (30, 30))
    desk.hear([over(10, 30)], (30, 40))
    assert desk.current == 1
    assert kinds(desk.hear([], (40, 340))) == [("clear", 1)]


def test_a_flood_is_muted_and_still_written() -> None:
    desk = AlarmDesk(per_hour=3)
    muted = []
    for k in range(6):
        start = 100.0 * k
        (line,) = desk.hear([update("raise", start, start + 6, start + 12)], None)
        muted.append(line["muted"])
        desk.hear([over(start, start + 10)], None)
    assert muted == [False] * 3 + [True] * 3
    (line,) = desk.hear([update("raise", 4000, 4006, 4012)], None)
    assert (line["muted"], line["id"]) == (False, 7)


@pytest.mark.parametrize("cut", range(6))
def test_a_restart_anywhere_changes_nothing(cut: int) -> None:
    def tell(desk: AlarmDesk, step: int) -> list[dict[str, Any]]:
        match step:
            case 0:
                return desk.hear([update("raise", 10, 20, 24)], None)
            case 1:
                return desk.hear([over(10, 30)], (30, 60))
            case 2:
                return desk.tick(75)
            case 3:
                return desk.hear([update("raise", 66, 70, 76)], None)
            case 4:
                return desk.hear([over(66, 90)], None)
            case _:
                return desk.hear([update("raise", 200, 210, 212)], None)

    whole, first = AlarmDesk(), AlarmDesk()
    want = [line for step in range(6) for line in tell(whole, step)]
    got = [line for step in range(cut) for line in tell(first, step)]
    second = AlarmDesk()
    second.restore(json.loads(json.dumps(first.state())))
    got += [line for step in range(cut, 6) for line in tell(second, step)]
    assert got == want
    assert kinds(want) == [("raise", 1), ("update", 1), ("clear", 1), ("raise", 2)]
