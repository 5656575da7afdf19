"""From what was confirmed of a patient to a threshold, and what it would change."""

from __future__ import annotations

import numpy as np

from distilclip_eeg.review.decisions import Review, ReviewedEvent
from distilclip_eeg.review.outputs_beside import Found, cut_events
from distilclip_eeg.review.patient_thresholds import Reviewed, outcome, propose
from review_folder import SETTINGS, probabilities


def found(*bumps: tuple[int, int, float]) -> Found:
    values = probabilities(bumps)
    events = tuple(cut_events(values, SETTINGS, 120.0))
    return Found("made-up", events, SETTINGS, values, 120.0)


def review(
    seizures: list[tuple[float, float]],
    rejected: list[tuple[float, float]],
    *,
    is_finished: bool = False,
) -> Review:
    spans = [(span, True) for span in seizures] + [(span, False) for span in rejected]
    events = tuple(
        ReviewedEvent(f"e{i}", start, stop - start, "sz", is_seizure)
        for i, ((start, stop), is_seizure) in enumerate(spans)
    )
    return Review("me", events, is_finished=is_finished, n_decisions=len(events))


def test_rises_above_what_was_rejected() -> None:
    one = Reviewed(found((20, 40, 0.9), (70, 90, 0.7)), review([(20, 40)], [(70, 90)]))
    proposal = propose([one])
    assert proposal is not None
    assert (proposal.default.n_found, proposal.default.n_false) == (1, 1)
    assert (proposal.best.n_found, proposal.best.n_false) == (1, 0)
    assert proposal.best.threshold == 0.71  # of equals the nearest to the model's


def test_falls_to_what_was_missed() -> None:
    one = Reviewed(
        found((20, 40, 0.9), (70, 90, 0.4)), review([(20, 40), (70, 90)], [])
    )
    proposal = propose([one])
    assert proposal is not None
    assert (proposal.default.n_found, proposal.default.n_missed) == (1, 1)
    assert (proposal.best.n_found, proposal.best.threshold) == (2, 0.4)


def test_keeps_the_models_own_where_it_does_best() -> None:
    one = Reviewed(found((20, 40, 0.9)), review([(20, 40)], []))
    proposal = propose([one])
    assert proposal is not None
    assert proposal.best == proposal.default
    assert proposal.best.threshold == SETTINGS.onset_threshold


def test_undecided_events_are_false_only_when_finished() -> None:
    bumps = ((20, 40, 0.9), (70, 90, 0.9))
    for is_finished in (False, True):
        one = Reviewed(found(*bumps), review([(20, 40)], [], is_finished=is_finished))
        assert outcome([one], 0.6).n_false == int(is_finished)


def test_nothing_is_proposed_without_a_seizure_or_probabilities() -> None:
    assert propose([]) is None
    assert propose([Reviewed(found((20, 40, 0.9)), review([], [(20, 40)]))]) is None
    table = Found("other.tsv", (), SETTINGS, None, 120.0)
    assert propose([Reviewed(table, review([(20, 40)], []))]) is None


def test_several_recordings_count_together() -> None:
    both = [
        Reviewed(found((20, 40, 0.9)), review([(20, 40)], [])),
        Reviewed(found((20, 40, 0.7)), review([], [(20, 40)])),
    ]
    proposal = propose(both)
    assert proposal is not None
    assert proposal.n_recordings == 2
    assert 0.7 < proposal.best.threshold <= 0.9
    assert np.isclose(proposal.best.f1, 1.0)
