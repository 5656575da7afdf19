"""What a reviewer decided, one after the other -> what holds now.

Decisions are only ever added; to take one back is a decision too. What holds is a
function of the list alone, so it is the same after every restart. Knows no disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from distilclip_eeg.eeg.annotations import Event

Span = tuple[float, float]


class Action(StrEnum):
    """What a reviewer can do."""

    ACCEPT = "accept"
    REJECT = "reject"
    ADD = "add"
    MOVE = "move"
    COMMENT = "comment"
    FINISH = "finish"
    REOPEN = "reopen"
    UNDO = "undo"


BEGINS: Final = frozenset({Action.ACCEPT, Action.REJECT, Action.ADD})


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the record.

    Attributes
    ----------
    id
        Ascending; which came first.
    made_at
        UTC, ISO 8601.
    event
        Name of the event that it is about; "" for the recording as a whole.
    details
        onset, duration, event_type, channels, confidence, text: as the action needs.
    undoes
        For `undo`, the id of the decision that it takes back, which may be an undo.
    """

    id: int
    recording: str
    reviewer: str
    made_at: str
    action: Action
    event: str
    details: dict[str, Any]
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class ReviewedEvent:
    """An event as a reviewer left it.

    Attributes
    ----------
    model_span
        Where the model had it; None if the reviewer added it.
    """

    id: str
    onset: float
    duration: float
    event_type: str
    is_seizure: bool
    channels: tuple[str, ...] = ()
    confidence: float | None = None
    comment: str = ""
    model_span: Span | None = None

    @property
    def span(self) -> Span:
        return self.onset, self.onset + self.duration

    def to_event(self) -> Event:
        """Give it as others read it; a person's word has no confidence."""
        return Event(self.onset, self.duration, self.event_type, channels=self.channels)


@dataclass(frozen=True, slots=True)
class Review:
    """What holds of one recording for one reviewer."""

    reviewer: str
    events: tuple[ReviewedEvent, ...] = ()
    comment: str = ""
    is_finished: bool = False
    n_decisions: int = 0
    undo: Decision | None = None  # what "undo" would take back
    redo: Decision | None = None  # the undo that "redo" would take back

    @property
    def seizures(self) -> list[ReviewedEvent]:
        """Accepted or added, by onset."""
        return [event for event in self.events if event.is_seizure]

    @property
    def rejected(self) -> list[ReviewedEvent]:
        return [event for event in self.events if not event.is_seizure]


def in_force(decisions: Sequence[Decision]) -> list[Decision]:
    """Leave out what was taken back, and everything that takes back.

    An undo that was itself taken back takes nothing back.
    """
    gone = _taken_back(decisions)
    return [d for d in decisions if d.id not in gone and d.action != Action.UNDO]


def _taken_back(decisions: Sequence[Decision]) -> set[int]:
    gone = set[int]()
    for decision in reversed(decisions):
        if decision.undoes is not None and decision.id not in gone:
            gone.add(decision.undoes)
    return gone


def undoable(decisions: Sequence[Decision]) -> Decision | None:
    """Give the decision that "undo" takes back: the last that is in force."""
    holding = in_force(decisions)
    return holding[-1] if holding else None


def redoable(decisions: Sequence[Decision]) -> Decision | None:
    """Give the undo that "redo" takes back; None after any newer decision."""
    gone = _taken_back(decisions)
    for decision in reversed(decisions):
        if decision.action != Action.UNDO:
            return None
        if decision.id in gone or _is_redo(decision, decisions):
            continue
        return decision
    return None


def _is_redo(decision: Decision, decisions: Sequence[Decision]) -> bool:
    """Whether what it takes back is itself an undo."""
    return any(d.id == decision.undoes and d.action == Action.UNDO for d in decisions)


def review_of(reviewer: str, decisions: Sequence[Decision]) -> Review:
    """Put together what holds from all decisions of one reviewer on one recording."""
    events: dict[str, ReviewedEvent] = {}
    comment, is_finished = "", False
    for decision in in_force(decisions):
        match decision.action:
            case Action.FINISH | Action.REOPEN:
                is_finished = decision.action == Action.FINISH
            case Action.COMMENT if not decision.event:
                comment = decision.details["text"]
            case _:
                _apply(events, decision)
    return Review(
        reviewer=reviewer,
        events=tuple(sorted(events.values(), key=lambda e: (e.onset, e.id))),
        comment=comment,
        is_finished=is_finished,
        n_decisions=len(decisions),
        undo=undoable(decisions),
        redo=redoable(decisions),
    )


def _apply(events: dict[str, ReviewedEvent], decision: Decision) -> None:
    details, known = decision.details, events.get(decision.event)
    if known is None:
        if decision.action in BEGINS:
            events[decision.event] = _begun(decision)
        return  # what began it was taken back
    match decision.action:
        case Action.ACCEPT | Action.REJECT:
            is_seizure = decision.action == Action.ACCEPT
            events[decision.event] = replace(known, is_seizure=is_seizure)
        case Action.MOVE:
            onset, duration = details["onset"], details["duration"]
            events[decision.event] = replace(known, onset=onset, duration=duration)
        case Action.COMMENT:
            events[decision.event] = replace(known, comment=details["text"])


def _begun(decision: Decision) -> ReviewedEvent:
    details = decision.details
    span = details.get("model_span")
    return ReviewedEvent(
        id=decision.event,
        onset=details["onset"],
        duration=details["duration"],
        event_type=details.get("event_type", "sz"),
        is_seizure=decision.action != Action.REJECT,
        channels=tuple(details.get("channels", ())),
        confidence=details.get("confidence"),
        model_span=(span[0], span[1]) if span else None,
    )


def undecided(candidates: Iterable[Event], review: Review) -> list[Event]:
    """Leave out the model's events that overlap anything the reviewer decided on.

    So a decision stands when another threshold cuts the events differently.
    """
    spans = [event.span for event in review.events]
    spans += [event.model_span for event in review.events if event.model_span]
    return [
        event
        for event in candidates
        if not any(
            min(event.onset + event.duration, stop) > max(event.onset, start)
            for start, stop in spans
        )
    ]
