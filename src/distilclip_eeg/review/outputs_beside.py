"""What a detector left beside a recording -> probabilities, events, settings.

The `.json` that `distilclip detect` writes, or, of a detector that keeps no
probabilities, its HED-SCORE table. Both come from disk and are checked as if a
stranger had written them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState
from distilclip_eeg.eeg.annotations import Event, read_tsv
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.model_folder import ConfidenceScale

MAX_BYTES: Final = 64 * 2**20  # a probability per second of a month is below
LENGTH_TOLERANCE_S: Final = 1.5

Span = tuple[float, float]


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    onset: float = Field(ge=0)
    duration: float = Field(ge=0)
    eventType: str = Field("sz", pattern="^[A-Za-z0-9_]{1,40}$")  # noqa: N815
    confidence: float | None = Field(None, ge=0, le=1)
    channels: list[str] = Field(default_factory=list, max_length=64)
    type_confidence: float | None = Field(None, ge=0, le=1)
    side: str | None = Field(None, pattern="^[a-z]{1,20}$")
    side_confidence: float | None = Field(None, ge=0, le=1)
    lobe: str | None = Field(None, pattern="^[a-z]{1,20}$")
    lobe_confidence: float | None = Field(None, ge=0, le=1)


class _Found(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    duration_s: float = Field(gt=0)
    seizure_probability: list[Annotated[float, Field(ge=0, le=1)] | None]
    events: list[_Event]
    settings: DetectionConfig
    model: dict[str, str]
    warnings: list[str] = Field(default_factory=list)
    confidence_scale: ConfidenceScale | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of one recording.

    Attributes
    ----------
    events
        By onset, as the detector cut them.
    probability
        (n_seconds,), NaN where nothing could be seen; None if it was not kept, and
        then no other threshold can be tried.
    confidence_scale
        Of the detector's model; None: confidence is the mean of the probabilities.
    """

    model: str
    events: tuple[Event, ...]
    settings: DetectionConfig
    probability: NDArray[np.float32] | None
    duration_s: float
    warnings: tuple[str, ...] = ()
    confidence_scale: ConfidenceScale | None = None

    def at(self, threshold: float | None) -> list[Event]:
        """Give the events at another threshold, with what was told of them.

        The offset threshold keeps its ratio to it, as in `distilclip detect`.
        """
        if threshold is None or self.probability is None:
            return list(self.events)
        ratio = self.settings.offset_threshold / self.settings.onset_threshold
        settings = self.settings.model_copy(
            update={
                "onset_threshold": threshold,
                "offset_threshold": threshold * ratio,
            }
        )
        cut = cut_events(
            self.probability, settings, self.duration_s, self.confidence_scale
        )
        return [self._as_told(event) for event in cut]

    def _as_told(self, event: Event) -> Event:
        for known in self.events:
            shared = min(event.onset + event.duration, known.onset + known.duration)
            if shared > max(event.onset, known.onset):
                return replace(
                    event,
                    event_type=known.event_type,
                    channels=known.channels,
                    type_confidence=known.type_confidence,
                    place=known.place,
                )
        return event


def cut_events(
    probability: NDArray[np.float32],
    settings: DetectionConfig,
    duration_s: float,
    scale: ConfidenceScale | None = None,
) -> list[Event]:
    """Turn probabilities that are smoothed already into events, as `detect` does.

    Seconds that cannot belong to an event are passed over in one step.
    """
    values: NDArray[np.float64] = np.asarray(probability, np.float64).round(4)
    above = np.flatnonzero(values >= settings.offset_threshold)
    state, events, done = AlarmState(settings, scale), list[Event](), 0
    for second in above.tolist():
        if second > done:
            events += _pass_over(state, values, done, second, settings)
        length_s = max(0.0, min(1.0, duration_s - second))
        available_s = min(second + 1.0, duration_s)
        events += state.push(second, float(values[second]), available_s, length_s)
        done = second + 1
    if done < len(values):
        events += _pass_over(state, values, done, len(values), settings)
    return events + state.close()


def _pass_over(
    state: AlarmState,
    values: NDArray[np.float64],
    start: int,
    stop: int,
    settings: DetectionConfig,
) -> list[Event]:
    if stop - start > settings.min_gap_s + 1:  # whatever was open is over then
        return state.gap(start, float(stop - start))
    return [
        event
        for second in range(start, stop)
        for event in state.push(second, float(values[second]), second + 1.0)
    ]


def read_found(path: Path, duration_s: float) -> Found | None:
    """Read a `.json` or `.tsv`; None if it is of something else.

    Raises
    ------
    CorpusError
        If it is a detector's but cannot be used with a recording that lasts so long.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CorpusError(f"{path.name}: larger than {MAX_BYTES >> 20} MiB, not read")
    if path.suffix.lower() == ".tsv":
        return _from_table(path, duration_s)
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    # A BIDS sidecar has the same name.
    if not isinstance(values, dict) or "seizure_probability" not in values:
        return None
    try:
        found = _Found.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorpusError(f"{path.name}: {where}: {first['msg']}") from None
    return _checked(path, found, duration_s)


def _checked(path: Path, found: _Found, duration_s: float) -> Found:
    n_seconds = len(found.seizure_probability)
    if abs(found.duration_s - duration_s) > LENGTH_TOLERANCE_S or not (
        n_seconds == math.ceil(found.duration_s - 1e-6)
    ):
        raise CorpusError(
            f"{path.name}: found {found.duration_s:g} s and {n_seconds} probabilities, "
            f"expected those of a recording of {duration_s:g} s; detect again"
        )
    probability = np.array(
        [math.nan if p is None else p for p in found.seizure_probability], np.float32
    )
    return Found(
        model=found.model.get("name", "unknown")[:80],
        events=tuple(Event.from_dict(event.model_dump()) for event in found.events),
        settings=found.settings,
        probability=probability,
        duration_s=duration_s,
        warnings=tuple(found.warnings),
        confidence_scale=found.confidence_scale,
    )


def _from_table(path: Path, duration_s: float) -> Found | None:
    try:
        events = read_tsv(path)
    except CorpusError:
        return None  # some other table of this name
    seizures = [event for event in events if event.is_seizure]
    if any(event.onset + event.duration > duration_s + 1.5 for event in seizures):
        raise CorpusError(
            f"{path.name}: found an event after the recording's end at "
            f"{duration_s:g} s; detect again"
        )
    return Found(path.name, tuple(seizures), DetectionConfig(), None, duration_s)
