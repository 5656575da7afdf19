"""Undo and redo, and what holds after any number of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.review.decisions import (
    Action,
    Decision,
    in_force,
    redoable,
    review_of,
    undecided,
    undoable,
)


class Record:
    """A list of decisions, as the database keeps it."""

    def __init__(self) -> None:
        self.lines: list[Decision] = []

    def add(
        self,
        action: Action,
        event: str = "",
        undoes: int | None = None,
        **details: Any,
    ) -> None:
        number = len(self.lines) + 1
        decision = Decision(
            number, "r", "me", "2026-01-01", action, event, details, undoes
        )
        self.lines.append(decision)

    def undo(self) -> bool:
        return self._take_back(undoable(self.lines))

    def redo(self) -> bool:
        return self._take_back(redoable(self.lines))

    def _take_back(self, target: Decision | None) -> bool:
        if target is None:
            return False
        self.add(Action.UNDO, undoes=target.id)
        return True


@given(st.lists(st.sampled_from(["decide", "undo", "redo"]), max_size=40))
def test_undo_and_redo_are_two_stacks(moves: list[str]) -> None:
    record, done, undone = Record(), list[str](), list[str]()
    for number, move in enumerate(moves):
        if move == "decide":
            text = str(number)
            record.add(Action.COMMENT, text=text)
            done, undone = [*done, text], []
        elif move == "undo":
            assert record.undo() == bool(done)
            if done:
                undone.append(done.pop())
        else:
            assert record.redo() == bool(undone)
            if undone:
                done.append(undone.pop())
        assert [d.details["text"] for d in in_force(record.lines)] == done
        assert review_of("me", record.lines).comment == (done[-1] if done else "")


def added() -> Record:
    record = Record()
    record.add(Action.ADD, "e", onset=10.0, duration=5.0)
    return record


def test_moving_twice_and_back() -> None:
    record = added()
    for onset in (11.0, 12.0):
        record.add(Action.MOVE, "e", onset=onset, duration=4.0)
    spans = []
    for _ in range(3):
        spans.append([e.span for e in review_of("me", record.lines).events])
        record.undo()
    assert spans == [[(12.0, 16.0)], [(11.0, 15.0)], [(10.0, 15.0)]]
    assert not review_of("me", record.lines).events


def test_a_second_opinion_replaces_the_first() -> None:
    record = Record()
    record.add(Action.ACCEPT, "e", onset=1.0, duration=2.0, model_span=[1.0, 3.0])
    record.add(Action.REJECT, "e")
    review = review_of("me", record.lines)
    assert (review.seizures, len(review.rejected)) == ([], 1)
    record.undo()
    assert len(review_of("me", record.lines).seizures) == 1


def test_comment_and_finish() -> None:
    record = added()
    record.add(Action.COMMENT, "e", text="spikes before")
    record.add(Action.COMMENT, text="restless")
    record.add(Action.FINISH)
    review = review_of("me", record.lines)
    assert review.events[0].comment == "spikes before"
    assert (review.comment, review.is_finished) == ("restless", True)
    record.add(Action.REOPEN)
    assert not review_of("me", record.lines).is_finished


def test_a_decision_stands_at_another_threshold() -> None:
    record = Record()
    record.add(Action.REJECT, "e", onset=20.0, duration=20.0, model_span=[20.0, 40.0])
    record.add(Action.ADD, "f", onset=100.0, duration=9.0)
    review = review_of("me", record.lines)
    cut = [Event(25.0, 5.0), Event(35.0, 60.0), Event(60.0, 5.0), Event(108.5, 3.0)]
    assert undecided(cut, review) == [cut[2]]


def test_an_event_that_was_moved_away_still_covers_where_the_model_had_it() -> None:
    record = Record()
    record.add(Action.ACCEPT, "e", onset=20.0, duration=9.0, model_span=[20.0, 29.0])
    record.add(Action.MOVE, "e", onset=50.0, duration=9.0)
    review = review_of("me", record.lines)
    assert undecided([Event(20.0, 9.0), Event(52.0, 3.0)], review) == []


def test_what_a_person_says_has_no_confidence() -> None:
    record = Record()
    record.add(
        Action.ACCEPT, "e", onset=1.0, duration=2.0, confidence=0.7, channels=["F7-T7"]
    )
    event = review_of("me", record.lines).events[0].to_event()
    assert event == Event(1.0, 2.0, "sz", None, ("F7-T7",))
