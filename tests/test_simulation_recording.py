"""Whole recordings: from their seed alone, with exact truth, fast, and plausible."""

from __future__ import annotations

import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distilclip_eeg.corpora.simulate import Settings, simulate, write_simulated
from distilclip_eeg.corpora.simulation.background import ASLEEP, state_at
from distilclip_eeg.corpora.simulation.head import head, to_leads
from distilclip_eeg.corpora.simulation.patterns import PATTERNS
from distilclip_eeg.corpora.simulation.recording import Simulated, lay_out
from distilclip_eeg.eeg.annotations import read_tsv
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS, plan_montage

MINUTES = 20


@cache
def recording(seed: int) -> Simulated:
    return simulate(seed, 60.0 * MINUTES)


def test_the_seed_says_everything() -> None:
    first, second = simulate(3, 60.0), simulate(3, 60.0)
    np.testing.assert_array_equal(first.eeg, second.eeg)
    assert first.events == second.events
    assert first.findings == second.findings
    assert first.negatives == second.negatives
    assert not np.array_equal(first.eeg, simulate(4, 60.0).eeg)


@pytest.mark.parametrize("seed", range(4))
def test_shape_units_and_names(seed: int) -> None:
    made = recording(seed)
    assert made.eeg.shape == (19, 60 * MINUTES * 256)
    assert made.eeg.dtype == np.float32
    assert np.isfinite(made.eeg).all()
    assert made.ch_names == ELECTRODES
    assert all(plan_montage(made.ch_names).present)
    assert len(made.events) == len(made.findings) == len(made.seizures)


@pytest.mark.parametrize("seed", range(8))
def test_amplitudes_are_those_of_eeg(seed: int) -> None:
    leads = to_leads(recording(seed).eeg)
    spread = np.median(np.abs(leads), axis=1)
    assert np.median(spread) > 0.7
    assert np.median(spread) < 80
    assert np.abs(recording(seed).eeg).max() <= 3200


@pytest.mark.parametrize("seed", range(8))
def test_seizures_and_hard_negatives_never_overlap(seed: int) -> None:
    made = recording(seed)
    spans = sorted(
        (event.onset, event.onset + event.duration)
        for event in (*made.events, *made.negatives)
    )
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert spans[0][0] >= 0
    assert spans[-1][1] <= made.duration_s


def test_at_least_six_hard_negatives_an_hour() -> None:
    few = Settings(negatives_per_hour=0.0)
    assert len(simulate(0, 600.0, settings=few).negatives) >= 1
    assert len(simulate(0, 1800.0, settings=few).negatives) >= 3
    names = {pattern.name for pattern in PATTERNS}
    found = [event for seed in range(8) for event in recording(seed).negatives]
    assert len(found) >= 6 * 8 * MINUTES / 60
    assert {event.event_type for event in found} <= names
    assert len({event.event_type for event in found}) > 5
    assert not any(event.is_seizure for event in found)


def test_events_are_what_was_planted() -> None:
    for seed in range(8):
        made = recording(seed)
        for event, planted, findings in zip(
            made.events, made.seizures, made.findings, strict=True
        ):
            assert event.event_type == planted.plan.event_type
            assert event.duration == pytest.approx(planted.plan.duration_s, abs=0.01)
            assert event.channels
            assert set(event.channels) <= set(LEADS)
            assert findings.state == "seizure"
            assert findings.side == planted.plan.side
            assert findings.lobe == planted.plan.lobe


def test_most_seizures_come_in_their_state() -> None:
    fitting = [
        (state_at(made.stages, event.onset) in ASLEEP) == planted.plan.asleep
        for made in map(recording, range(8))
        for event, planted in zip(made.events, made.seizures, strict=True)
        if {stage.state in ASLEEP for stage in made.stages} == {True, False}
    ]
    assert np.mean(fitting) > 0.6


def test_rate_of_seizures_is_what_was_asked_for() -> None:
    none = Settings(seizures_per_hour=0.0)
    assert simulate(1, 120.0, settings=none).events == ()
    n_seizures = sum(len(recording(seed).events) for seed in range(8))
    assert 0.4 < n_seizures / (8 * MINUTES / 60 * 10) < 1.6


@pytest.mark.parametrize("sfreq", [200.0, 256.0, 500.0])
def test_other_rates(sfreq: float) -> None:
    made = simulate(5, 30.0, sfreq=sfreq)
    assert made.eeg.shape == (19, round(30 * sfreq))
    assert made.duration_s == 30


@pytest.mark.parametrize(("seconds", "sfreq"), [(5.0, 256.0), (60.0, 50.0)])
def test_too_little_to_hold_anything(seconds: float, sfreq: float) -> None:
    with pytest.raises(ValueError, match="expected 10 s or more at 100 Hz"):
        simulate(0, seconds, sfreq=sfreq)


def test_at_least_200_times_real_time() -> None:
    head()
    started = time.process_time()
    simulate(11, 1200.0)
    assert 1200.0 / (time.process_time() - started) > 200


@given(
    seed=st.integers(0, 1000),
    lengths=st.lists(st.floats(0.1, 20), min_size=1, max_size=20),
    spare=st.floats(0, 500),
)
def test_stretches_fit_and_keep_apart(
    seed: int, lengths: list[float], spare: float
) -> None:
    total = sum(lengths) + spare
    onsets = lay_out(np.random.default_rng(seed), lengths, total)
    spans = sorted(zip(onsets, lengths, strict=True))
    ends = [0.0, *(onset + length for onset, length in spans)]
    assert all(
        onset >= end - 1e-6 for (onset, _), end in zip(spans, ends, strict=False)
    )
    assert ends[-1] <= total + 1e-6


def test_files_hold_the_signal_and_the_truth(tmp_path: Path) -> None:
    made = simulate(6, 300.0, settings=Settings(seizures_per_hour=40))
    assert made.events
    files = write_simulated(made, tmp_path / "sim_eeg.edf")
    assert files.events == tmp_path / "sim_events.tsv"
    written = open_recording(files.recording)
    assert [name.upper() for name in written.ch_names[:19]] == list(ELECTRODES)
    stored = written.read(range(19), 0, 0, made.eeg.shape[1])
    assert np.abs(stored - made.eeg).max() < 0.1
    events = read_tsv(files.events)
    assert [event.event_type for event in events] == [
        event.event_type for event in made.events
    ]
    assert events[0].onset == pytest.approx(made.events[0].onset, abs=0.01)
    assert len(read_tsv(files.patterns)) == len(made.negatives)


def test_only_edf_and_bdf_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a path that ends in"):
        write_simulated(simulate(0, 30.0), tmp_path / "sim.vhdr")
