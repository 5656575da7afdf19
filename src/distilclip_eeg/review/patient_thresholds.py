"""What a reviewer decided on a patient's recordings -> a threshold for that patient.

Every threshold is tried on the probabilities that are there. Best is the one with the
highest F1 of events; of equals the one nearest to the model's own. It is chosen on the
very events that it is judged by, and says so: the figures flatter it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from distilclip_eeg.evaluation.counts import Span, shared_s
from distilclip_eeg.review.decisions import Review
from distilclip_eeg.review.outputs_beside import Found

TRIED: Final = tuple(np.round(np.arange(0.05, 0.96, 0.01), 2).tolist())


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A recording on which somebody decided, and what the model says of it."""

    found: Found
    review: Review


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one threshold finds on the reviewed recordings.

    Attributes
    ----------
    n_found, n_missed
        Confirmed seizures that an event touches, and the others.
    n_false
        Events that touch no confirmed seizure and were rejected, by themselves or
        because the recording was finished without them.
    """

    threshold: float
    n_found: int
    n_missed: int
    n_false: int

    @property
    def f1(self) -> float:
        whole = 2 * self.n_found + self.n_missed + self.n_false
        return 2 * self.n_found / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold for a patient, beside the model's own on the same recordings."""

    best: Outcome
    default: Outcome
    n_recordings: int


def propose(reviewed: Sequence[Reviewed]) -> Proposal | None:
    """Propose a threshold; None unless a seizure was confirmed where it can be tried.

    Recordings of which no probabilities were kept are left out.
    """
    usable = [r for r in reviewed if r.found.probability is not None]
    if not any(r.review.seizures for r in usable):
        return None
    own = usable[0].found.settings.onset_threshold
    default = outcome(usable, own)
    tried = [default] + [outcome(usable, threshold) for threshold in TRIED]
    best = max(tried, key=lambda o: (o.f1, -abs(o.threshold - own)))
    return Proposal(best, default, len(usable))


def outcome(reviewed: Sequence[Reviewed], threshold: float) -> Outcome:
    """Count what a threshold finds."""
    n_found = n_missed = n_false = 0
    for one in reviewed:
        spans = [(e.onset, e.onset + e.duration) for e in one.found.at(threshold)]
        seizures = [event.span for event in one.review.seizures]
        rejected = [event.span for event in one.review.rejected]
        hit = sum(_touches(seizure, spans) for seizure in seizures)
        n_found, n_missed = n_found + hit, n_missed + len(seizures) - hit
        others = [span for span in spans if not _touches(span, seizures)]
        n_false += sum(
            one.review.is_finished or _touches(span, rejected) for span in others
        )
    return Outcome(threshold, n_found, n_missed, n_false)


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(shared_s(span, other) > 0 for other in others)
