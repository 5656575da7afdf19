"""What the page sends and what it is told, as checked values and as JSON.

Nothing here comes from the header of a recording but channel labels, length, rate and
the time of day at which it began.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.review.agreement import Agreement
from distilclip_eeg.review.decisions import Decision, Review, ReviewedEvent
from distilclip_eeg.review.patient_thresholds import Outcome, Proposal
from distilclip_eeg.review.store import KeptThreshold


def _one_line(text: str) -> str:
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if not text or any(unicodedata.category(c)[0] == "C" for c in text):
        raise ValueError("must be readable characters")
    return text


def _readable(text: str) -> str:
    if any(unicodedata.category(c)[0] == "C" and c != "\n" for c in text):
        raise ValueError("must be readable characters")
    return text.strip()


Asked = Literal[
    "accept", "reject", "add", "move", "comment", "finish", "reopen", "undo", "redo"
]
Reviewer = Annotated[str, Field(max_length=40), AfterValidator(_one_line)]
Key = Annotated[str, Field(pattern="^[A-Za-z0-9-]{8,64}$")]
Threshold = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=10_000_000)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class DecisionMade(_Message):
    """What a reviewer just decided; what is not needed for the action is absent."""

    key: Key
    reviewer: Reviewer
    action: Asked
    event: Annotated[str, Field(pattern="^[A-Za-z0-9-]{0,64}$")] = ""
    onset: Seconds | None = None
    duration: Annotated[float, Field(ge=0.5, le=10_000_000)] | None = None
    event_type: Annotated[str, Field(pattern="^sz(_[A-Za-z0-9]{1,20}){0,4}$")] = "sz"
    channels: Annotated[
        list[Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,20}$")]],
        Field(max_length=32),
    ] = []
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    model_span: tuple[Seconds, Seconds] | None = None
    text: Annotated[str, Field(max_length=2000), AfterValidator(_readable)] = ""


class ThresholdKept(_Message):
    """A threshold that a reviewer keeps for the patient of a recording."""

    reviewer: Reviewer
    threshold: Threshold


def event_json(event: Event, is_decided: bool) -> dict[str, Any]:
    """Give an event of the model."""
    return {
        "onset": event.onset,
        "duration": event.duration,
        "event_type": event.event_type,
        "confidence": event.confidence,
        "channels": list(event.channels),
        "place": str(event.place or ""),
        "is_decided": is_decided,
    }


def review_json(review: Review) -> dict[str, Any]:
    """Give what holds for one reviewer."""
    return {
        "reviewer": review.reviewer,
        "events": [_reviewed(event) for event in review.events],
        "comment": review.comment,
        "is_finished": review.is_finished,
        "n_decisions": review.n_decisions,
        "undo": review.undo.action.value if review.undo else None,
        "redo": review.redo is not None,
    }


def _reviewed(event: ReviewedEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "onset": event.onset,
        "duration": event.duration,
        "event_type": event.event_type,
        "is_seizure": event.is_seizure,
        "channels": list(event.channels),
        "confidence": event.confidence,
        "comment": event.comment,
        "model_span": list(event.model_span) if event.model_span else None,
    }


def decision_json(decision: Decision) -> dict[str, Any]:
    """Give a line of the record: who decided what, and when."""
    return {
        "id": decision.id,
        "reviewer": decision.reviewer,
        "made_at": decision.made_at,
        "action": decision.action.value,
        "event": decision.event,
        "details": decision.details,
        "undoes": decision.undoes,
    }


def agreement_json(pair: Agreement) -> dict[str, Any]:
    """Give how well two agree."""
    return {name: getattr(pair, name) for name in pair.__slots__}


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Give what a threshold finds."""
    return {
        "threshold": round(outcome.threshold, 4),
        "n_found": outcome.n_found,
        "n_missed": outcome.n_missed,
        "n_false": outcome.n_false,
    }


def proposal_json(proposal: Proposal | None) -> dict[str, Any] | None:
    """Give a proposed threshold beside the model's own."""
    if proposal is None:
        return None
    return {
        "best": outcome_json(proposal.best),
        "default": outcome_json(proposal.default),
        "n_recordings": proposal.n_recordings,
    }


def kept_json(kept: KeptThreshold | None) -> dict[str, Any] | None:
    """Give the threshold that was kept for a patient."""
    if kept is None:
        return None
    return {
        "reviewer": kept.reviewer,
        "made_at": kept.made_at,
        "threshold": kept.threshold,
        "details": kept.details,
    }


def number(value: float) -> float | None:
    """Give a number as JSON has it: NaN becomes None."""
    return None if math.isnan(value) else value
