"""A recording and what was found in it -> maps of seizures and of normal segments.

Normal is what lies well away from every event and has the lowest probabilities. The
mean of a class is over segments, each asked in the same way. Does not know how a map is
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import Detection
from distilclip_eeg.eeg.findings import State
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.explain.ecam import (
    GUARD_S,
    LeadMap,
    Method,
    ecam_of_event,
    ecam_of_span,
)

SEGMENT_S: Final = 15
MOST: Final = 8  # segments of a class in one recording
APART_S: Final = 10  # of a normal segment from the nearest event
CLASSES: Final[tuple[State, State]] = ("background", "seizure")

ByClass: TypeAlias = dict[State, list[LeadMap]]


@dataclass(frozen=True, eq=False)
class MeanMap:
    """What a class shows on average.

    Attributes
    ----------
    by_lead
        (18,) NaN for a lead that was never usable.
    n
        Segments behind it.
    """

    by_lead: NDArray[np.float32]
    n: int


def maps_by_class(
    recording: Recording,
    detection: Detection,
    model: Model,
    *,
    method: Method | None = None,
    most: int = MOST,
) -> ByClass:
    """Map the surest events and the most ordinary segments, the plainest first."""
    surest = sorted(detection.events, key=lambda e: -(e.confidence or 0.0))[:most]
    window_s = model.signal.window_s
    return {
        "seizure": [
            ecam_of_event(recording, event, model, method=method, shown_s=SEGMENT_S)
            for event in surest
        ],
        "background": [
            ecam_of_span(
                recording,
                start_s,
                SEGMENT_S,
                model,
                before_s=start_s + (GUARD_S if start_s >= window_s else 0),
                method=method,
            )
            for start_s in quiet_starts(detection)[:most]
        ],
    }


def quiet_starts(detection: Detection) -> list[int]:
    """Seconds at which normal segments begin, none overlapping, the calmest first."""
    probability = detection.seizure_probability
    allowed = np.isfinite(probability)
    for event in detection.events:
        first = max(0, int(event.onset) - APART_S)
        allowed[first : int(event.onset + event.duration) + APART_S] = False
    chosen: list[int] = []
    for start in _by_probability(probability, allowed):
        if all(abs(start - other) >= SEGMENT_S for other in chosen):
            chosen.append(start)
    return chosen


def alike(maps: Sequence[LeadMap]) -> list[LeadMap]:
    """Keep those that were told from what was before, if there are any.

    The others were asked in another way and are on another scale.
    """
    told = [found for found in maps if found.against == "before"]
    return told or list(maps)


def mean_map(maps: Sequence[LeadMap]) -> MeanMap:
    """Average maps of a class, each lead over those in which it could be used.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not maps:
        raise ValueError("found no maps, expected one or more")
    rows = np.stack([found.by_lead for found in maps])
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return MeanMap(mean.astype(np.float32), len(maps))


def _by_probability(
    probability: NDArray[np.float32], allowed: NDArray[np.bool_]
) -> Iterator[int]:
    """Starts of segments that are allowed throughout, by rising mean probability."""
    n = len(probability) - SEGMENT_S + 1
    if n < 1:
        return
    spans = np.lib.stride_tricks.sliding_window_view
    whole: NDArray[np.bool_] = np.all(spans(allowed, SEGMENT_S), axis=1)
    mean = spans(np.nan_to_num(probability), SEGMENT_S).mean(axis=1)
    # Those that have a window before them first: the others are asked in another way.
    early = np.arange(n) < GUARD_S
    for start in np.lexsort((mean, early)):
        if whole[start]:
            yield int(start)
