"""Stored recordings without some of their seizures, and sentences that ask for these.

What is left out is a type with all below it, or a place. Whatever holds it is cut out
with a margin, so that no window of what remains shows any of it. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Self

import numpy as np

from distilclip_eeg.corpora.store import Crop, Marked, StoredRecording
from distilclip_eeg.eeg.findings import (
    Amplitude,
    Course,
    Findings,
    Lobe,
    Measured,
    Rhythm,
    Side,
    kind_of,
    semiology_of,
)
from distilclip_eeg.errors import ConfigError
from distilclip_eeg.model.captions import caption

SIDES: Final[tuple[Side, ...]] = ("left", "right")
LOBES: Final[tuple[Lobe, ...]] = (
    "frontal", "temporal", "central", "parietal", "occipital", "insular",
)  # fmt: skip
MARGIN_S: Final = 10.0  # cut out around a seizure that is left out

_COURSES: tuple[Course, ...] = ("unknown", "onset", "middle", "end")
_RHYTHMS: tuple[Rhythm, ...] = ("irregular", "delta", "theta", "alpha", "beta")
_AMPLITUDES: tuple[Amplitude, ...] = ("medium", "high")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Which seizures the model never sees: a type and all below it, or a place."""

    name: str
    event_type: str = ""
    side: Side = "unknown"
    lobe: Lobe = "unknown"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `sz_gen_nm`, `right temporal`, `temporal` or `right`.

        Raises
        ------
        ConfigError
            If it is neither a type below `sz` nor a place.
        """
        if text.startswith("sz_"):
            return cls(text, event_type=text)
        words = text.split()
        side: Side = next((name for name in SIDES if name in words), "unknown")
        lobe: Lobe = next((name for name in LOBES if name in words), "unknown")
        if not words or {side, lobe} - {"unknown"} != set(words):
            raise ConfigError(
                f"'{text}': neither a type such as sz_gen_nm nor a place such as "
                f"'right temporal'; sides: {' '.join(SIDES)}; lobes: {' '.join(LOBES)}"
            )
        return cls(text, side=side, lobe=lobe)

    def covers(self, seizure: Marked) -> bool:
        """Tell whether a seizure is left out."""
        if self.event_type:
            return f"{seizure.event_type}_".startswith(f"{self.event_type}_")
        return self.side in ("unknown", seizure.side) and self.lobe in (
            "unknown",
            seizure.lobe,
        )

    @property
    def findings(self) -> Findings:
        """What its prompts say."""
        if self.event_type:
            return Findings(
                state="seizure",
                kind=kind_of(self.event_type),
                semiology=semiology_of(self.event_type),
            )
        return Findings(state="seizure", side=self.side, lobe=self.lobe)

    def fits(self, seizure: Marked) -> bool:
        """Tell whether its prompts are true of a seizure, as captions have it."""
        said = self.findings
        event_type = seizure.event_type
        return all(
            word in ("unknown", found)
            for word, found in (
                (said.kind, kind_of(event_type)),
                (said.semiology, semiology_of(event_type)),
                (said.side, seizure.side),
                (said.lobe, seizure.lobe),
            )
        )

    @property
    def mirrors(self) -> bool:
        """Whether a mirrored window can show it although it was cut out."""
        return self.side != "unknown"


class Excerpt(StoredRecording):
    """A stretch of a stored recording; nothing beyond it can be cut.

    Raises
    ------
    ValueError
        On cutting beyond its ends.
    """

    def __init__(self, whole: StoredRecording, start_s: int, stop_s: int) -> None:
        self._whole, self._start_s = whole, start_s
        self.name = f"{whole.name}:{start_s}-{stop_s}"
        self.dataset, self.patient = whole.dataset, whole.patient
        self.kind, self.fold = whole.kind, whole.fold
        self.n_seconds = stop_s - start_s
        first, last = whole.labelled_s
        self.labelled_s = (
            max(first - start_s, 0.0),
            min(last - start_s, float(self.n_seconds)),
        )
        self.seizures = [
            s._replace(onset_s=s.onset_s - start_s, end_s=s.end_s - start_s)
            for s in whole.seizures
            if s.onset_s >= start_s and s.end_s <= stop_s
        ]
        self.patterns = [
            (onset - start_s, end - start_s, name)
            for onset, end, name in whole.patterns
            if onset >= start_s and end <= stop_s
        ]

    def crop(self, start_s: float, length_s: int) -> Crop:
        """Cut `length_s` whole seconds from `start_s`."""
        if start_s < 0 or start_s + length_s > self.n_seconds:
            raise ValueError(
                f"{self.name}: {start_s:g} s and {length_s} s more; it has "
                f"{self.n_seconds} s"
            )
        crop = self._whole.crop(self._start_s + start_s, length_s)
        seizure = crop.seizure
        if seizure is not None:
            seizure = seizure._replace(
                onset_s=seizure.onset_s - self._start_s,
                end_s=seizure.end_s - self._start_s,
            )
        return replace(crop, start_s=crop.start_s - self._start_s, seizure=seizure)


def without(
    recordings: Sequence[StoredRecording], left_out: LeftOut, window_s: int
) -> list[StoredRecording]:
    """Cut the seizures that are left out from recordings, with a margin.

    What is left of a recording are the stretches between them that hold a window and
    cut no other seizure in two.
    """
    kept: list[StoredRecording] = []
    for recording in recordings:
        gone = [s for s in recording.seizures if left_out.covers(s)]
        if not gone:
            kept.append(recording)
            continue
        start_s = 0
        for onset_s, end_s in [
            *((s.onset_s - MARGIN_S, s.end_s + MARGIN_S) for s in gone),
            (float(recording.n_seconds), float(recording.n_seconds)),
        ]:
            stop_s = int(onset_s)
            if stop_s - start_s >= window_s and _cuts_none(recording, start_s, stop_s):
                kept.append(Excerpt(recording, start_s, stop_s))
            start_s = max(start_s, int(np.ceil(end_s)))
    return kept


def prompts(findings: Findings) -> list[str]:
    """Say the same of a seizure with every course, rhythm and loudness.

    The mean of their embeddings asks for what they have in common.
    """
    return [
        caption(
            replace(findings, course=course),
            Measured(rhythm=rhythm, amplitude=amplitude),
        )
        for course, rhythm, amplitude in product(_COURSES, _RHYTHMS, _AMPLITUDES)
    ]


def _cuts_none(recording: StoredRecording, start_s: int, stop_s: int) -> bool:
    return all(
        s.end_s <= start_s
        or s.onset_s >= stop_s
        or (s.onset_s >= start_s and s.end_s <= stop_s)
        for s in recording.seizures
    )
