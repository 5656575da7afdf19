"""What a detection found, and how well the recording could be seen.

Turns counts per lead into warnings in words, and the whole into JSON values, a table,
or MNE annotations. Does not know how anything was detected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.model_folder import ConfidenceScale

WORTH_A_WARNING: Final = 0.1  # of the recording


class LeadQuality(TypedDict):
    """Whole seconds of one lead: usable, and by what was wrong; faults can overlap."""

    usable_s: int
    missing_s: int
    faults_s: dict[str, int]


@dataclass(frozen=True, slots=True)
class Update:
    """News of an event that is not over yet; once it is over, the `Event` itself comes.

    Attributes
    ----------
    kind
        "raise" when enough has been seen, once for each event; then "update" with each
        window in which it goes on.
    event
        As far as it goes; its leads are named when it is over.
    time_s
        Time in the recording of the last sample that this rests on.
    """

    kind: Literal["raise", "update"]
    event: Event
    time_s: float


News: TypeAlias = Event | Update


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model it was."""

    name: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Detection:
    """The outcome for one recording.

    Attributes
    ----------
    duration_s
        Of the recording, gaps included.
    start_time
        Local time of its first sample, if known.
    missing_leads
        Of the 18, those that the recording does not hold.
    warnings
        One line each, for a person.
    quality
        Seconds by lead, for leads that are missing or had a fault.
    seizure_probability
        (ceil(duration_s),) for each second of the recording; NaN in gaps and where no
        lead is usable.
    events
        By onset, not overlapping.
    settings
        What turned probabilities into events.
    confidence_scale
        From the mean probability of an event's seconds to its confidence; None: the
        mean itself, not calibrated.
    """

    duration_s: float
    start_time: datetime | None
    missing_leads: tuple[str, ...]
    warnings: tuple[str, ...]
    quality: dict[str, LeadQuality]
    seizure_probability: NDArray[np.float32]
    events: tuple[Event, ...]
    model: ModelIdentity
    settings: DetectionConfig
    confidence_scale: ConfidenceScale | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON values; a probability that is NaN becomes None."""
        probability = self.seizure_probability.astype(np.float64).round(4).tolist()
        scale = self.confidence_scale
        return {
            "duration_s": self.duration_s,
            "start_time": self.start_time.isoformat() if self.start_time else None,
            "missing_leads": list(self.missing_leads),
            "warnings": list(self.warnings),
            "quality": {lead: dict(entry) for lead, entry in self.quality.items()},
            "seizure_probability": [None if p != p else p for p in probability],
            "events": [event.to_dict() for event in self.events],
            "model": {"name": self.model.name, "sha256": self.model.sha256},
            "settings": self.settings.model_dump(mode="json"),
            "confidence_scale": scale and scale.model_dump(mode="json"),
        }

    def to_table(self) -> list[dict[str, Any]]:
        """Give one row per event, with the columns of a HED-SCORE table."""
        return [
            {
                "onset": event.onset,
                "duration": event.duration,
                "eventType": event.event_type,
                "confidence": event.confidence,
                "channels": ",".join(event.channels) or None,
                "dateTime": self.start_time,
                "recordingDuration": self.duration_s,
            }
            for event in self.events
        ]

    def to_annotations(self) -> Any:
        """Give the events as `mne.Annotations`, described by their type.

        Onsets count from the start of the recording; local time is written as UTC, as
        MNE reads it from EDF.
        """
        import mne

        start = self.start_time
        if start is not None and start.tzinfo is None:
            start = start.replace(tzinfo=UTC)
        return mne.Annotations(
            onset=[event.onset for event in self.events],
            duration=[event.duration for event in self.events],
            description=[event.event_type for event in self.events],
            orig_time=start,
        )


class QualityTally:
    """Counts, lead by lead, how much could be used."""

    def __init__(self, missing_leads: tuple[str, ...]) -> None:
        self._missing = missing_leads
        self._n_seconds = 0
        self._n_blind = 0
        self._usable = np.zeros(len(LEADS), np.int64)
        self._faults: dict[str, NDArray[np.int64]] = defaultdict(
            lambda: np.zeros(len(LEADS), np.int64)
        )

    def add(self, seconds: Conditioned) -> None:
        """Count some more seconds."""
        self._n_seconds += seconds.n_seconds
        self._n_blind += int((~seconds.usable.any(axis=0)).sum())
        self._usable += seconds.usable.sum(axis=1)
        for kind, bad in seconds.faults.items():
            self._faults[kind] += bad.sum(axis=1)

    def state(self) -> dict[str, Any]:
        """Give the counts as JSON values and arrays."""
        return {
            "n_seconds": self._n_seconds,
            "n_blind": self._n_blind,
            "usable": self._usable,
            "faults": dict(self._faults),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._n_seconds, self._n_blind = state["n_seconds"], state["n_blind"]
        self._usable = state["usable"]
        self._faults.update(state["faults"])

    def by_lead(self) -> dict[str, LeadQuality]:
        """Give the counts of the leads that are missing or had a fault."""
        entries: dict[str, LeadQuality] = {}
        for i, lead in enumerate(LEADS):
            missing = lead in self._missing
            faults = {kind: int(n[i]) for kind, n in self._faults.items() if n[i]}
            if missing or faults:
                entries[lead] = {
                    "usable_s": int(self._usable[i]),
                    "missing_s": self._n_seconds if missing else 0,
                    "faults_s": faults,
                }
        return entries

    def warnings(self) -> tuple[str, ...]:
        """Say what was wrong for over a tenth of the time, leads alike in one line."""
        together: dict[tuple[str, int], list[str]] = defaultdict(list)
        for lead, entry in self.by_lead().items():
            for kind, n in entry["faults_s"].items():
                if n > WORTH_A_WARNING * self._n_seconds:
                    together[kind, n].append(lead)
        total = self._n_seconds
        lines = [
            f"{' '.join(leads)} {kind.replace('_', ' ')} for {n} s of {total} s"
            for (kind, n), leads in together.items()
        ]
        if self._n_blind > WORTH_A_WARNING * total:
            lines.append(
                f"no lead can be used for {self._n_blind} s of {total} s: "
                "seizures there are not seen"
            )
        return tuple(lines)


def on_grid(values: NDArray[np.float32], duration_s: float) -> NDArray[np.float32]:
    """Cut or fill probabilities with NaN to one per second of the recording."""
    n = math.ceil(duration_s - 1e-6)
    out = np.full(n, np.nan, np.float32)
    out[: min(n, len(values))] = values[:n]
    return out
