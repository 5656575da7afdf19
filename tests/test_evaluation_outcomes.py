"""Events beside the truth: cut to what experts saw, found or missed, how soon."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.corpora.store import Marked, overlap_per_second
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.outcomes import (
    SCORERS,
    Outcome,
    duration_class,
    outcome_of,
    outcome_with,
)
from distilclip_eeg.evaluation.predictions import Pattern, Prediction


def outcome(
    seizures: list[tuple[float, float]],
    events: list[Event],
    patterns: tuple[Pattern, ...] = (),
    duration_s: float = 600,
) -> Outcome:
    marks = tuple(Marked(on, end) for on, end in seizures)
    return Outcome("r", "d", "p", marks, tuple(events), duration_s, patterns)


def prediction(
    n: int, seizures: list[tuple[float, float]], labelled: tuple[int, int]
) -> Prediction:
    seconds = np.arange(float(n))
    return Prediction(
        name="r",
        dataset="d",
        patient="p",
        kind="seizure",
        log_odds=np.full(n, -5.0),
        ictal=overlap_per_second(seconds, seizures),
        labelled=(seconds >= labelled[0]) & (seconds < labelled[1]),
        seizures=tuple(Marked(on, end, "sz_foc") for on, end in seizures),
        patterns=((0.0, 25.0, "lpd"),),
    )


def test_every_scorer_counts() -> None:
    counts = outcome([(100, 150)], [Event(120, 60)]).counts()
    assert counts.keys() == SCORERS.keys()
    assert {name: c.tp for name, c in counts.items()} == {
        "szcore_event": 1,
        "szcore_sample": 30,
        "nedc_ovlp": 1,
        "nedc_taes": pytest.approx(0.6),
        "nedc_epoch": 30,
    }
    assert all(c.duration_s == 600 for c in counts.values())


def test_found_by_the_first_event_that_overlaps() -> None:
    late, later = Event(110, 5, raised_s=117), Event(120, 10, raised_s=128)
    (pair,) = outcome([(100, 150)], [Event(50, 50), late, later]).found()
    assert pair[1] is late


def test_latency_from_onset_until_raised() -> None:
    events = [Event(110, 20, raised_s=121), Event(290, 30, raised_s=298), Event(400, 9)]
    of = outcome([(100, 150), (300, 310), (400, 410), (500, 510)], events)
    assert of.latencies_s() == [21, 0]  # raised before onset; unknown; missed
    assert [event is not None for _, event in of.found()] == [True, True, True, False]


def test_pages_that_are_left_to_read() -> None:
    assert outcome([], []).pages() == (0, 60)
    assert outcome([], [Event(5, 5), Event(19.5, 1)]).pages() == (3, 60)
    assert outcome([], [Event(590, 50)], duration_s=595).pages() == (1, 60)


def test_false_alarms_by_the_pattern_under_them() -> None:
    patterns = ((0.0, 50.0, "lpd"), (60.0, 80.0, "gpd"), (200.0, 210.0, "lpd"))
    events = [Event(45, 30), Event(205, 50), Event(300, 5), Event(400, 5)]
    of = outcome([(399, 401)], events, patterns)
    assert of.false_by_pattern() == {"gpd": 1, "lpd": 1, "none": 1}


def test_only_what_experts_looked_at() -> None:
    made = prediction(60, [(15, 30), (50, 55)], labelled=(20, 40))
    events = [Event(0, 10), Event(18, 4, raised_s=27), Event(38, 12, raised_s=44)]
    of = outcome_with(made, events)
    assert of.duration_s == 20
    assert list(of.seizures) == [Marked(0, 10, "sz_foc")]
    assert list(of.patterns) == [(0, 5, "lpd")]
    spans = [(e.onset, e.duration, e.raised_s) for e in of.events]
    assert spans == [(0, 2, 7), (18, 2, 24)]


def test_nothing_labelled_counts_nothing() -> None:
    of = outcome_of(prediction(30, [(5, 20)], labelled=(0, 0)), DetectionConfig())
    assert (of.duration_s, of.seizures, of.pages()) == (0, (), (0, 0))
    assert all(c.tp == c.fn == c.fp == 0 for c in of.counts().values())


@pytest.mark.parametrize(
    ("length_s", "kind"),
    [
        (9.9, "under 10 s"),
        (10, "10 to 30 s"),
        (30, "10 to 30 s"),
        (30.1, "over 30 s"),
    ],
)
def test_durations(length_s: float, kind: str) -> None:
    assert duration_class(Marked(0, length_s)) == kind


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 90)), max_size=4))
def test_pages_hold_all_events(drawn: list[tuple[int, int]]) -> None:
    events = [Event(float(on), float(n)) for on, n in drawn]
    touched, n_pages = outcome([], events).pages()
    covered = {s // 10 for on, n in drawn for s in range(on, min(600, on + n))}
    assert touched == len(covered)
    assert n_pages == 60
