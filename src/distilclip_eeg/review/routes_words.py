"""The route of what is asked for in words."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from distilclip_eeg.review.desk import Desk
from distilclip_eeg.review.routes_signal import desk_of

TOP = 24

router = APIRouter(prefix="/api")


@router.get("/search")
def search(
    desk: Annotated[Desk, Depends(desk_of)],
    words: Annotated[str, Query(min_length=1, max_length=200)],
) -> dict[str, Any]:
    """Give the moments that are most like the words, and how much was searched."""
    answer = desk.words.ask(words, TOP)
    entries = desk.library.entries
    return {
        "moments": [
            {
                "id": moment.recording,
                "name": entries[moment.recording].name,
                "onset": moment.onset_s,
                "duration": moment.duration_s,
                "score": moment.score,
            }
            for moment in answer.moments
        ],
        "n_searched": answer.n_searched,
        "n_waiting": answer.n_waiting,
        "n_failed": answer.n_failed,
    }
