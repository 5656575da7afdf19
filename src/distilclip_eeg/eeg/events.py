"""One event of a recording, as Python and JSON have it.

Does not know files, nor who found the event and how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Place:
    """Where a seizure begins, as far as it can be said, and how sure that is.

    Attributes
    ----------
    side
        `left`, `right` or `bilateral`; None if it cannot be said.
    lobe
        One of `findings.Lobe`; None if it cannot be said.
    side_confidence, lobe_confidence
        0 to 1; None where nothing is said.
    """

    side: str | None = None
    side_confidence: float | None = None
    lobe: str | None = None
    lobe_confidence: float | None = None

    def __str__(self) -> str:
        """Say it in words: `left temporal`, `bilateral`, or nothing."""
        return " ".join(word for word in (self.side, self.lobe) if word)


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a recording to which somebody or something gave a name.

    Attributes
    ----------
    onset, duration
        Seconds after the start of the recording, and seconds.
    event_type
        HED-SCORE with underscores: `sz`, `sz_foc_ia`, `bckg`, ...
    confidence
        0 to 1, None if not available.
    channels
        Leads or electrodes concerned; empty if not available.
    raised_s
        When a detector had seen enough to raise the event, in seconds of the recording.
    type_confidence
        Of the kind that `event_type` says, 0 to 1; None if not available.
    place
        Where it begins; None if nothing was asked.
    """

    onset: float
    duration: float
    event_type: str = "sz"
    confidence: float | None = None
    channels: tuple[str, ...] = ()
    raised_s: float | None = None
    type_confidence: float | None = None
    place: Place | None = None

    @property
    def is_seizure(self) -> bool:
        """Whether the type is `sz` or one of its kinds."""
        return self.event_type == "sz" or self.event_type.startswith("sz_")

    def to_dict(self) -> dict[str, Any]:
        """Give the event as JSON values, with the column names of HED-SCORE."""
        place = self.place or Place()
        return {
            "onset": self.onset,
            "duration": self.duration,
            "eventType": self.event_type,
            "confidence": self.confidence,
            "channels": list(self.channels),
            "raised_s": self.raised_s,
            "type_confidence": self.type_confidence,
            "side": place.side,
            "side_confidence": place.side_confidence,
            "lobe": place.lobe,
            "lobe_confidence": place.lobe_confidence,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Take what `to_dict` gave; all but `onset` and `duration` may be absent."""
        place = Place(
            values.get("side"),
            values.get("side_confidence"),
            values.get("lobe"),
            values.get("lobe_confidence"),
        )
        return cls(
            onset=values["onset"],
            duration=values["duration"],
            event_type=values.get("eventType", "sz"),
            confidence=values.get("confidence"),
            channels=tuple(values.get("channels") or ()),
            raised_s=values.get("raised_s"),
            type_confidence=values.get("type_confidence"),
            place=None if place == Place() else place,
        )
