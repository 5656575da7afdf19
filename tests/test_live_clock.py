"""Stamps that jitter, drift, step and jump, and what a clock makes of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distilclip_eeg.live.clock import (
    ClockJump,
    Missed,
    Notice,
    SampleClock,
    Stamps,
    Together,
)

SFREQ = 256.0
T0 = 35059.128352467


def even(duration_s: float, start_s: float = 0.0, rate: float = SFREQ) -> Stamps:
    return T0 + start_s + np.arange(round(duration_s * rate)) / rate


def told(
    clock: SampleClock, stamps: Stamps, chunk: int = 13, delay_s: float = 0.02
) -> list[Notice]:
    """Push chunk by chunk, each pulled a little after its last stamp."""
    notices: list[Notice] = []
    for start in range(0, len(stamps), chunk):
        part = stamps[start : start + chunk]
        notices += clock.push(part, float(part[-1]) + delay_s)
    return joined([*notices, *clock.flush()])


def joined(notices: list[Notice]) -> list[Notice]:
    out: list[Notice] = []
    for notice in notices:
        if out and isinstance(notice, Together) and isinstance(out[-1], Together):
            out[-1] = Together(out[-1].n + notice.n)
        else:
            out.append(notice)
    return out


def test_an_even_stream_is_one_piece() -> None:
    clock = SampleClock(SFREQ)
    assert told(clock, even(100)) == [Together(25600)]
    assert clock.time_s == pytest.approx(100)
    assert clock.rate_hz == pytest.approx(SFREQ)
    assert clock.stamp_of(50.0) == pytest.approx(T0 + 50)


@given(
    gap_samples=st.integers(2, 256 * 3600),
    at=st.integers(256 * 11, 256 * 12),
    chunk=st.sampled_from([9, 64, 255, 256, 1000]),
)
@example(gap_samples=76792, at=2816, chunk=9)  # just as old as what is remembered
@settings(max_examples=20, deadline=None)
def test_lost_samples_are_found_to_the_sample(
    gap_samples: int, at: int, chunk: int
) -> None:
    stamps = even(14)
    stamps[at:] += gap_samples / SFREQ
    got = told(SampleClock(SFREQ), stamps, chunk)
    before, missed, after = got
    assert (before, after) == (Together(at), Together(3584 - at))
    assert isinstance(missed, Missed)
    assert missed.duration_s == pytest.approx(gap_samples / SFREQ, abs=1e-6)


@given(seed=st.integers(0, 10**6), jitter_ms=st.floats(0, 25))
@settings(max_examples=10, deadline=None)
def test_jitter_drift_and_a_late_chunk_are_no_gap(seed: int, jitter_ms: float) -> None:
    rng = np.random.default_rng(seed)
    stamps = even(80) * (1 + 100e-6) - T0 * 100e-6  # a poor crystal
    n_chunks = -(-len(stamps) // 25)
    late = np.repeat(rng.exponential(jitter_ms / 1000, n_chunks), 25)[: len(stamps)]
    late = np.minimum(late, 0.15)
    late[25 * 700 : 25 * 703] += 0.2  # the sender was busy
    assert told(SampleClock(SFREQ), stamps + late) == [Together(len(stamps))]


def test_a_gap_is_found_through_jitter() -> None:
    rng = np.random.default_rng(0)
    late = np.repeat(rng.uniform(0, 0.02, 1200), 13)[:15360]
    stamps = even(60) + late
    stamps[8000:] += 2.0
    before, missed, after = told(SampleClock(SFREQ), stamps)
    assert isinstance(before, Together)
    assert before.n == pytest.approx(8000, abs=26)
    assert isinstance(missed, Missed)
    assert missed.duration_s == pytest.approx(2.0, abs=0.05)
    assert isinstance(after, Together)


@pytest.mark.parametrize("by_s", [-3600.0, -2.0, 2.0, 7200.0])
def test_a_clock_that_is_set_misses_nothing(by_s: float) -> None:
    clock = SampleClock(SFREQ)
    stamps = even(40)
    notices = []
    for start in range(0, len(stamps), 16):
        now = float(stamps[start]) + 16 / SFREQ
        shown = stamps[start : start + 16] + (by_s if start >= 5120 else 0)
        notices += clock.push(shown, now)
    before, jump, after = joined(notices)
    assert before == after == Together(5120)
    assert isinstance(jump, ClockJump)
    assert jump.by_s == pytest.approx(by_s)
    assert clock.time_s == pytest.approx(40)
    assert clock.behind_s(float(shown[-1]), now) == pytest.approx(1 / SFREQ, abs=1e-3)


@pytest.mark.parametrize("rate", [0.9, 0.97, 1.03, 1.1])
def test_a_wrong_rate_is_told_and_is_no_gap(rate: float) -> None:
    clock = SampleClock(SFREQ)
    assert told(clock, even(90, rate=SFREQ * rate)) == [
        Together(round(90 * SFREQ * rate))
    ]
    assert clock.is_rate_wrong
    assert clock.rate_hz == pytest.approx(SFREQ * rate, rel=1e-3)
    right = SampleClock(SFREQ)
    told(right, even(90, rate=SFREQ * 1.0001))
    assert not right.is_rate_wrong


def test_an_absence_is_as_long_as_the_stamps_say() -> None:
    clock = SampleClock(SFREQ)
    told(clock, even(20))
    assert clock.left(is_gone=True) == []
    later = even(20, start_s=33.25)
    assert told(clock, later)[0] == Missed(13.25)


def test_after_a_reboot_this_machine_says_how_long_it_was() -> None:
    clock = SampleClock(SFREQ)
    told(clock, even(20))
    clock.left(is_gone=True)
    fresh = np.arange(2560) / SFREQ + 3.0  # a clock that began anew
    first, jump, together = joined(clock.push(fresh, T0 + 50.0))
    assert isinstance(first, Missed)
    assert first.duration_s == pytest.approx(30, abs=0.1)
    assert isinstance(jump, ClockJump)
    assert together == Together(2560)


def test_late_samples_are_not_missed() -> None:
    clock = SampleClock(SFREQ)
    told(clock, even(20))
    clock.left(is_gone=False)  # nothing came for 12 s, but the connection holds
    late = clock.push(even(15, start_s=20), T0 + 36.0)
    assert sum(n.duration_s for n in late if isinstance(n, Missed)) == 0
    assert not any(isinstance(notice, ClockJump) for notice in late)
    assert clock.time_s == pytest.approx(35)


def test_a_restart_goes_on_where_the_state_was() -> None:
    clock = SampleClock(SFREQ)
    told(clock, even(20.0))
    state = clock.state(19.5)  # half a second has not been looked at
    again = SampleClock(SFREQ)
    again.restore(state, now=T0 + 23)
    again._arrived = (T0 + 20, time.time() - 3)
    assert told(again, even(5, start_s=23))[:1] == [Missed(3.5)]
    assert again.time_s == pytest.approx(28)


def test_speed_counts_for_absence_and_latency() -> None:
    clock = SampleClock(SFREQ, speed=20.0)
    for second in range(30):
        clock.push(even(1, start_s=second), 100 + (second + 1) / 20)
    clock.left(is_gone=True)
    (missed, _) = joined(clock.push(even(2, start_s=50), 100 + 52 / 20))
    assert missed == Missed(20.0)
    last = float(even(2, start_s=50)[-1])
    assert clock.behind_s(last, 100 + 52 / 20 + 0.4) == pytest.approx(0.4, abs=0.01)
