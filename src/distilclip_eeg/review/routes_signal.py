"""Routes of what is seen: traces, probability, spectrogram, where the model looked."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from distilclip_eeg.errors import DistilClipError
from distilclip_eeg.review.desk import Desk
from distilclip_eeg.review.filters import (
    HIGHPASS_HZ,
    LOWPASS_HZ,
    NOTCH_HZ,
    ViewFilter,
)
from distilclip_eeg.review.looking import look
from distilclip_eeg.review.messages import number
from distilclip_eeg.review.recordings import Entry
from distilclip_eeg.review.tiles import BIN_S, packed

BYTES = "application/octet-stream"

router = APIRouter(prefix="/api/recordings/{recording}")


def desk_of(request: Request) -> Desk:
    """Give the desk of the application that a request came to."""
    desk: Desk = request.app.state.desk
    return desk


def entry_of(recording: str, desk: Annotated[Desk, Depends(desk_of)]) -> Entry:
    """Find a recording by its id, the only name that is taken from outside."""
    entry = desk.library.entries.get(recording)
    if entry is None:
        raise HTTPException(404, "no such recording")
    return entry


Table = Annotated[Desk, Depends(desk_of)]
Chosen = Annotated[Entry, Depends(entry_of)]


def chosen_filter(
    highpass: float = 0.5, lowpass: float = 70.0, notch: float = 0.0
) -> ViewFilter:
    """Take filters that are on the list; others would fill the memory."""
    if highpass in HIGHPASS_HZ and lowpass in LOWPASS_HZ and notch in NOTCH_HZ:
        return ViewFilter(highpass, lowpass, notch)
    raise HTTPException(422, "no such filter")


@router.get("/tile")
def tile(
    desk: Table,
    entry: Chosen,
    view_filter: Annotated[ViewFilter, Depends(chosen_filter)],
    montage: Annotated[str, Query(max_length=20)],
    level: Annotated[int, Query(ge=0, lt=len(BIN_S))],
    index: Annotated[int, Query(ge=0, le=10**7)],
) -> Response:
    """Give a tile of traces, as `Tile.to_bytes` packs it."""
    try:
        found = desk.tile(entry, montage, view_filter, level, index)
    except (IndexError, KeyError):
        raise HTTPException(404, "no such tile") from None
    return Response(found.to_bytes(), media_type=BYTES)


@router.get("/probability")
def probability(desk: Table, entry: Chosen) -> Response:
    """Give the model's probability of every second."""
    found = desk.found(entry)
    if found is None or found.probability is None:
        raise HTTPException(404, "no probabilities")
    values = found.probability
    about = {"start_s": 0, "step_s": 1, "shape": [1, len(values)], "is_whole": True}
    return Response(packed(about, values), media_type=BYTES)


@router.get("/spectrogram")
def spectrogram(desk: Table, entry: Chosen) -> Response:
    """Give the power on the left and on the right by frequency and time."""
    drawn = desk.spectrogram(entry)
    about = {
        "column_s": drawn.column_s,
        "step_hz": drawn.step_hz,
        "shape": list(drawn.db.shape),
        "is_whole": True,
    }
    return Response(packed(about, drawn.db), media_type=BYTES)


@router.get("/map")
def lead_map_at(
    desk: Table, entry: Chosen, at: Annotated[float, Query(ge=0, le=10**7)]
) -> dict[str, Any]:
    """Give where and when the model looked in the window around a time."""
    recording = desk.library.open(entry)
    if at > recording.duration_s:
        raise HTTPException(404, "after the recording's end")
    detection = desk.found(entry)
    events = detection.events if detection else ()
    found = look(recording, desk.model(), at, events)
    return {
        "start_s": found.start_s,
        "leads": list(found.leads),
        "usable": found.usable.tolist(),
        "values": [[number(v) for v in row] for row in found.values.tolist()],
        "log_odds": number(found.log_odds),
        "against": found.against,
    }


@router.get("/about")
def about(desk: Table, entry: Chosen) -> dict[str, Any]:
    """Give what the page must know of a recording before it draws it."""
    recording = desk.library.open(entry)
    state, why = desk.detection_state(entry)
    if desk.detects:
        _see_to_detection(desk, entry)
    found = desk.found(entry) if state == "done" else None
    started = recording.start_time
    return {
        "id": entry.id,
        "name": entry.name,
        "patient": entry.patient,
        "duration_s": recording.duration_s,
        "sfreq": recording.sfreq,
        "starts_at_s": _time_of_day(started) if started else None,
        "segments": [
            [s.onset_s, s.onset_s + s.n_times / recording.sfreq]
            for s in recording.segments
        ],
        "montages": [
            {
                "name": d.name,
                "missing": list(d.missing),
                "traces": [
                    {"name": t.name, "side": t.side, "group": t.group} for t in d.traces
                ],
            }
            for d in desk.derivations(entry).values()
        ],
        "detection": {"state": state, "why": why},
        "model": found.model if found else None,
        "threshold": found.settings.onset_threshold if found else None,
        "has_probability": found is not None and found.probability is not None,
        "warnings": list(found.warnings) if found else [],
    }


def _see_to_detection(desk: Desk, entry: Entry) -> None:
    try:
        if desk.found(entry) is None:
            desk.detections.ask(entry, first=True)
    except DistilClipError:
        return  # what lies beside it does not fit, and the state says so


def _time_of_day(started: Any) -> float:
    midnight = started.replace(hour=0, minute=0, second=0, microsecond=0)
    return float(np.round((started - midnight).total_seconds(), 3))
