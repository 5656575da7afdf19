"""Routes of what is decided: recordings, events, decisions, agreement, exports."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.agreement import SCORER, all_pairs
from distilclip_eeg.review.decisions import (
    BEGINS,
    Action,
    Review,
    redoable,
    review_of,
    undecided,
    undoable,
)
from distilclip_eeg.review.desk import Desk, without_path
from distilclip_eeg.review.exports import export_suffix, write_export
from distilclip_eeg.review.messages import (
    DecisionMade,
    Reviewer,
    Threshold,
    ThresholdKept,
    agreement_json,
    decision_json,
    event_json,
    kept_json,
    outcome_json,
    proposal_json,
    review_json,
)
from distilclip_eeg.review.patient_thresholds import outcome, propose
from distilclip_eeg.review.recordings import Entry
from distilclip_eeg.review.routes_signal import Chosen, Table

MAX_PER_REVIEWER: Final = 20_000  # decisions on one recording; a person makes hundreds

router = APIRouter(prefix="/api")


@router.get("/recordings")
def recordings(desk: Table) -> dict[str, Any]:
    """List the recordings with their state."""
    reviewed = set(desk.store.reviewed())
    return {
        "folder": desk.library.root.resolve().name,
        "reviewers": desk.store.reviewers(),
        "left_out": list(desk.library.left_out),
        "recordings": [
            _listed(desk, entry, entry.id in reviewed)
            for entry in desk.library.entries.values()
        ],
    }


def _listed(desk: Desk, entry: Entry, is_reviewed: bool) -> dict[str, Any]:
    state, why = desk.detection_state(entry)
    duration_s = None
    try:
        duration_s = desk.library.open(entry).duration_s
    except DistilClipError as error:
        why = without_path(str(error), entry)
    found = desk.found(entry) if state == "done" else None
    reviews = desk.reviews(entry).values() if is_reviewed else ()
    return {
        "id": entry.id,
        "name": entry.name,
        "patient": entry.patient,
        "duration_s": duration_s,
        "detection": {"state": state, "why": why},
        "n_events": len(found.events) if found else None,
        "reviews": [
            {
                "reviewer": review.reviewer,
                "is_finished": review.is_finished,
                "n_seizures": len(review.seizures),
                "n_rejected": len(review.rejected),
            }
            for review in reviews
            if review.n_decisions
        ],
    }


@router.post("/recordings/{recording}/detect", status_code=202)
def detect_again(desk: Table, entry: Chosen) -> dict[str, str]:
    """Queue a recording for detection."""
    desk.detections.again(entry)
    return {"state": desk.detection_state(entry)[0]}


@router.get("/recordings/{recording}/candidates")
def candidates(
    desk: Table,
    entry: Chosen,
    reviewer: Annotated[Reviewer | None, Query()] = None,
    threshold: Annotated[Threshold | None, Query()] = None,
) -> dict[str, Any]:
    """Give the model's events at a threshold, and which the reviewer decided on."""
    found = desk.found(entry)
    events = found.at(threshold) if found else []
    review = desk.reviews(entry).get(reviewer or "", Review(reviewer or ""))
    open_ones = undecided(events, review)
    return {"events": [event_json(event, event not in open_ones) for event in events]}


@router.get("/recordings/{recording}/reviews")
def reviews(desk: Table, entry: Chosen) -> dict[str, Any]:
    """Give what holds for each reviewer."""
    return {"reviews": [review_json(r) for r in desk.reviews(entry).values()]}


@router.get("/recordings/{recording}/decisions")
def record(desk: Table, entry: Chosen) -> dict[str, Any]:
    """Give the whole record: every decision that was ever made."""
    everybody = desk.store.decisions(entry.id).values()
    lines = sorted((d for own in everybody for d in own), key=lambda d: d.id)
    return {"decisions": [decision_json(decision) for decision in lines]}


@router.post("/recordings/{recording}/decisions", status_code=201)
def decide(desk: Table, entry: Chosen, made: DecisionMade) -> dict[str, Any]:
    """Keep a decision; it is on disk before this answers."""
    with desk.deciding:
        own = desk.store.decisions(entry.id).get(made.reviewer, [])
        if not desk.store.knows(made.key):
            if len(own) >= MAX_PER_REVIEWER:
                raise HTTPException(409, "too many decisions on one recording")
            if made.action in ("undo", "redo"):
                target = (undoable if made.action == "undo" else redoable)(own)
                if target is None:
                    raise HTTPException(409, f"nothing to {made.action}")
                undoes, action = target.id, Action.UNDO
            else:
                undoes, action = None, Action(made.action)
                _check(desk, entry, made, review_of(made.reviewer, own))
            desk.store.add(
                key=made.key,
                recording=entry.id,
                reviewer=made.reviewer,
                action=action,
                event=made.event,
                details=_details(made),
                undoes=undoes,
            )
        own = desk.store.decisions(entry.id).get(made.reviewer, [])
    return review_json(review_of(made.reviewer, own))


def _check(desk: Desk, entry: Entry, made: DecisionMade, review: Review) -> None:
    """Refuse what makes no sense, with the reason."""
    action = Action(made.action)
    known = {event.id for event in review.events}
    if action in (Action.FINISH, Action.REOPEN):
        return
    if action == Action.COMMENT:
        if made.event and made.event not in known:
            raise HTTPException(409, "that event is not there any more")
        return
    if not made.event:
        raise HTTPException(422, "which event?")
    if action == Action.ADD and made.event in known:
        raise HTTPException(409, "an event of that name is there already")
    if action not in BEGINS and made.event not in known:
        raise HTTPException(409, "that event is not there any more")
    if action == Action.MOVE or made.event not in known:
        _check_span(desk, entry, made)


def _check_span(desk: Desk, entry: Entry, made: DecisionMade) -> None:
    duration_s = desk.library.open(entry).duration_s
    if made.onset is None or made.duration is None:
        raise HTTPException(422, "an event needs onset and duration")
    if made.onset + made.duration > duration_s + 1e-3:
        raise HTTPException(422, f"the recording ends at {duration_s:g} s")


def _details(made: DecisionMade) -> dict[str, Any]:
    match made.action:
        case "accept" | "reject" | "add" if made.onset is not None:
            return {
                "onset": made.onset,
                "duration": made.duration,
                "event_type": made.event_type,
                "channels": made.channels,
                "confidence": made.confidence,
                "model_span": made.model_span,
            }
        case "move":
            return {"onset": made.onset, "duration": made.duration}
        case "comment":
            return {"text": made.text}
        case _:
            return {}


@router.get("/recordings/{recording}/agreement")
def agreement(
    desk: Table,
    entry: Chosen,
    threshold: Annotated[Threshold | None, Query()] = None,
) -> dict[str, Any]:
    """Compare every reviewer with the model and with each other."""
    found = desk.found(entry)
    duration_s = desk.library.open(entry).duration_s
    spans = {
        name: [event.span for event in review.seizures]
        for name, review in desk.reviews(entry).items()
        if review.n_decisions
    }
    events = found.at(threshold) if found else []
    model = [(e.onset, e.onset + e.duration) for e in events]
    pairs = all_pairs(("model", model) if found else None, spans, duration_s)
    return {"scorer": SCORER, "pairs": [agreement_json(pair) for pair in pairs]}


@router.get("/recordings/{recording}/patient-threshold")
def patient_threshold(
    desk: Table, entry: Chosen, reviewer: Annotated[Reviewer | None, Query()] = None
) -> dict[str, Any]:
    """Give the threshold kept for this patient, and the one that fits best now."""
    reviewed = desk.of_patient(entry, reviewer) if reviewer else []
    kept = desk.store.threshold_for(entry.patient_key)
    return {"kept": kept_json(kept), "proposal": proposal_json(propose(reviewed))}


@router.post("/recordings/{recording}/patient-threshold", status_code=201)
def keep_threshold(desk: Table, entry: Chosen, kept: ThresholdKept) -> dict[str, Any]:
    """Keep a threshold for the patient of a recording."""
    if not entry.patient_key:
        raise HTTPException(409, "nothing says whose recording this is")
    reviewed = desk.of_patient(entry, kept.reviewer)
    usable = [one for one in reviewed if one.found.probability is not None]
    then = outcome_json(outcome(usable, kept.threshold))
    proposal = proposal_json(propose(reviewed))
    before = proposal["default"] if proposal else None
    details = {"then": then, "before": before, "n_recordings": len(usable)}
    return {
        "kept": kept_json(
            desk.store.keep_threshold(
                entry.patient_key, kept.reviewer, kept.threshold, details
            )
        )
    }


@router.get("/recordings/{recording}/export")
def export(
    desk: Table,
    entry: Chosen,
    reviewer: Annotated[Reviewer, Query()],
    kind: Annotated[Literal["tsv", "edf", "csv_bi"], Query()],
) -> FileResponse:
    """Give what a reviewer confirmed as a file."""
    review = desk.reviews(entry).get(reviewer)
    if review is None:
        raise HTTPException(404, "this reviewer decided nothing here")
    events = [event.to_event() for event in review.seizures]
    suffix = export_suffix(kind, entry.path)
    with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as file:
        out = Path(file.name)
    try:
        write_export(kind, entry.path, desk.library.open(entry), events, out)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return FileResponse(
        out,
        media_type="application/octet-stream",
        filename=f"{entry.path.stem}_reviewed{suffix}",
        background=BackgroundTask(out.unlink, missing_ok=True),
    )
