"""Seizures and found events -> the counts that users of TUSZ expect.

Written from the definitions of Shah et al. 2021, "Objective evaluation metrics for
automatic classification of EEG events" (arXiv 1712.10107): OVLP, TAES and EPOCH, for
the label seizure alone. Nothing is merged but events that overlap each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.evaluation.counts import Counts, Span, disjoint, shared_s

GUARD_S: Final = 0.001  # an overlap is longer than this
EPOCH_S: Final = 0.25


def overlap_counts(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> Counts:
    """OVLP: any overlap is a hit; an event without any is a false alarm."""
    true, found = disjoint(reference, duration_s), disjoint(hypothesis, duration_s)
    n_hit = sum(_touches(seizure, found) for seizure in true)
    n_false = sum(not _touches(event, true) for event in found)
    return Counts(n_hit, len(true) - n_hit, n_false, duration_s)


def time_aligned_counts(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> Counts:
    """TAES: a seizure is hit by the part of it that events cover.

    What an event has outside the seizure is a false alarm, as a part of the seizure's
    length and at most one whole; an event without a seizure is one whole. An event
    counts for the first seizure that it covers: to the later ones it is lost.
    """
    true, left = disjoint(reference, duration_s), disjoint(hypothesis, duration_s)
    hit = false = 0.0
    for seizure in true:
        length_s = seizure[1] - seizure[0]
        mine = [event for event in left if shared_s(event, seizure) > 0]
        left = [event for event in left if event not in mine]
        for event in mine:
            inside_s = shared_s(event, seizure)
            hit += inside_s / length_s
            false += min(1.0, (event[1] - event[0] - inside_s) / length_s)
    return Counts(hit, len(true) - hit, false + len(left), duration_s)


def epoch_counts(
    reference: Sequence[Span], hypothesis: Sequence[Span], duration_s: float
) -> Counts:
    """EPOCH: epochs of 0.25 s by the label in their middle, counted in seconds."""
    true, found = (_epochs(s, duration_s) for s in (reference, hypothesis))
    return Counts(
        EPOCH_S * int(np.sum(true & found)),
        EPOCH_S * int(np.sum(true & ~found)),
        EPOCH_S * int(np.sum(found & ~true)),
        duration_s,
    )


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(shared_s(span, other) > GUARD_S for other in others)


def _epochs(spans: Sequence[Span], duration_s: float) -> NDArray[np.bool_]:
    middles = np.arange(EPOCH_S / 2, duration_s, EPOCH_S)
    inside = np.zeros(len(middles), bool)
    for start, end in disjoint(spans, duration_s):
        inside |= (middles >= start) & (middles < end)
    return inside
