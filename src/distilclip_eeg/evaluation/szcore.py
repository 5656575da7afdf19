"""Seizures and found events -> the counts of SzCORE, by its reference implementation.

Events: those less than 90 s apart are one, those longer than 300 s are cut; any overlap
with a reference from 30 s before to 60 s after it is a hit; what touches no reference
that was hit is a false alarm. Samples: every second for itself. `timescoring` trusts
that events come sorted and without overlap, so they are put in order first.

Dan et al. 2024, https://eegstandards.com; PyPI timescoring 0.0.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from distilclip_eeg.evaluation.counts import Counts, Span, disjoint

RATE_HZ: Final = 10  # at which timescoring compares events


def event_counts(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> Counts:
    """Count events of one recording; spans in seconds from its start, in any order."""
    if _is_void(reference, hypothesis, duration_s):
        return Counts(duration_s=duration_s)
    score = EventScoring(
        _annotation(reference, duration_s), _annotation(hypothesis, duration_s)
    )
    return Counts(score.tp, score.refTrue - score.tp, score.fp, duration_s)


def sample_counts(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> Counts:
    """Count seconds of one recording."""
    if _is_void(reference, hypothesis, duration_s):
        return Counts(duration_s=duration_s)
    score = SampleScoring(
        _annotation(reference, duration_s), _annotation(hypothesis, duration_s)
    )
    missed = int(score.refTrue) - int(score.tp)
    return Counts(int(score.tp), missed, int(score.fp), duration_s)


def _is_void(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> bool:
    # timescoring divides by the duration, and has nothing to say of no events.
    return not (reference or hypothesis) or round(duration_s) < 1


def _annotation(spans: Sequence[Span], duration_s: float) -> Annotation:
    n_samples = round(duration_s * RATE_HZ)
    return Annotation(disjoint(spans, duration_s), RATE_HZ, n_samples)
