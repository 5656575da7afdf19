"""How much of each hour was seizure, and when that is too much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.review.report.burden import hours, status

EVENTS = st.lists(
    st.builds(
        lambda onset, duration: Event(float(onset), float(duration)),
        st.integers(0, 9000),
        st.integers(1, 2000),
    ),
    max_size=8,
)


def by_second(events: list[Event], n_seconds: int = 15_000) -> NDArray[np.bool_]:
    """Whether each second is part of a seizure: the events are in whole seconds."""
    out = np.zeros(n_seconds, bool)
    for event in events:
        out[int(event.onset) : int(event.onset + event.duration)] = True
    return out


@settings(deadline=None)
@given(EVENTS)
def test_hours_hold_every_second_once(events: list[Event]) -> None:
    duration_s = 11_500
    table = hours(events, [(0.0, float(duration_s))], float(duration_s))
    truth = by_second(events)[:duration_s]
    assert [hour.seizure_s for hour in table] == [
        truth[k * 3600 : (k + 1) * 3600].sum() for k in range(4)
    ]
    assert sum(hour.recorded_s for hour in table) == duration_s


@settings(deadline=None)
@given(EVENTS)
def test_fullest_hour_is_the_fullest(events: list[Event]) -> None:
    total = np.concatenate([[0], by_second(events).cumsum()])
    found = status(events)
    assert found.fullest_s == (total[3600:] - total[:-3600]).max()
    start = int(found.fullest_start_s)
    assert total[start + 3600] - total[start] == found.fullest_s


@pytest.mark.parametrize(
    ("events", "is_long", "is_full"),
    [
        ([], False, False),
        ([Event(0, 599.9)], False, False),
        ([Event(0, 600)], True, False),
        ([Event(0, 720)], True, True),
        ([Event(k * 300.0, 59.9) for k in range(12)], False, False),
        ([Event(k * 300.0, 60.0) for k in range(12)], False, True),
        ([Event(1800.0 + k * 300.0, 60.0) for k in range(12)], False, True),
        ([Event(0, 400), Event(3700, 400)], False, False),
        ([Event(0, 900, event_type="bckg")], False, False),
    ],
)
def test_status_epilepticus(events: list[Event], is_long: bool, is_full: bool) -> None:
    found = status(events)
    assert (found.is_long, found.is_full) == (is_long, is_full)
    assert found.is_met == (is_long or is_full)


def test_share_is_of_what_was_recorded() -> None:
    table = hours([Event(0, 300)], [(0.0, 600.0), (7200.0, 7260.0)], 7260.0)
    assert [hour.share for hour in table] == [0.5, None, 0.0]
    assert [hour.recorded_s for hour in table] == [600.0, 0.0, 60.0]
