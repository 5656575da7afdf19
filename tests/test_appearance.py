"""What is measured of a window says what a reader would say of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import ELECTRODES, LEADS
from distilclip_eeg.evaluation.realism.appearance import (
    describe,
    joined,
    measure_windows,
)

SFREQ, SECONDS = 256, 10
TIMES = np.arange(SECONDS * SFREQ) / SFREQ
WITHOUT_O = [row for row, lead in enumerate(LEADS) if not lead.endswith(("O1", "O2"))]

Leads = NDArray[np.float32]


def noise(seed: int = 0) -> Leads:
    """18 leads whose spectrum falls as that of an EEG does."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 4, (len(LEADS), len(TIMES)))
    wander = np.cumsum(steps, axis=1)
    for row in wander:  # a leak keeps the sum from running away
        row -= np.convolve(row, np.ones(256) / 256, "same")
    return wander.astype(np.float32)


def from_electrodes(electrodes: NDArray[np.float64]) -> Leads:
    ends = [[ELECTRODES.index(name) for name in lead.split("-")] for lead in LEADS]
    return np.stack([electrodes[a] - electrodes[b] for a, b in ends]).astype(np.float32)


def features(leads: Leads, rows: list[int] | None = None) -> dict[str, float]:
    measured = measure_windows(leads[None], SFREQ)
    values, names, _ = describe(measured, rows or range(len(LEADS)))
    assert len(names) == len(set(names)) == values.shape[1]
    return dict(zip(names, values[0].tolist(), strict=True))


@settings(max_examples=8, deadline=None)
@given(st.floats(0.05, 50))
def test_only_loudness_follows_a_factor(factor: float) -> None:
    leads = noise()
    windows = np.stack([leads, leads * np.float32(factor)])
    values, _, loud = describe(measure_windows(windows, SFREQ), range(len(LEADS)))
    moved = values[1] - values[0]
    assert moved[loud] == pytest.approx(np.log10(factor), abs=1e-2)
    assert moved[~loud] == pytest.approx(0, abs=1e-2)


def test_a_window_is_measured_alone() -> None:
    one, other = noise(1), noise(2)
    together, _, _ = describe(measure_windows(np.stack([one, other]), SFREQ), WITHOUT_O)
    alone = joined([measure_windows(w[None], SFREQ) for w in (one, other)])
    assert np.array_equal(together, describe(alone, WITHOUT_O)[0])
    assert len(alone) == 2
    swapped, _, _ = describe(alone.of(np.array([1, 0])), WITHOUT_O)
    assert np.array_equal(swapped[::-1], together)


@pytest.mark.parametrize("hz", [3.0, 6.0, 10.5, 16.0])
def test_a_rhythm_is_heard_where_it_is(hz: float) -> None:
    rhythmic = noise() + 60 * np.sin(2 * np.pi * hz * TIMES).astype(np.float32)
    found, plain = features(rhythmic), features(noise())
    assert found["peak Hz"] == pytest.approx(hz, abs=0.5)
    assert found["rhythmicity"] > plain["rhythmicity"] + 0.2


@pytest.mark.parametrize(("hz", "speed"), [(5.0, "slow"), (16.0, "fast")])
def test_leads_with_one_rhythm_are_alike(hz: float, speed: str) -> None:
    rhythmic = noise() + 60 * np.sin(2 * np.pi * hz * TIMES).astype(np.float32)
    assert features(rhythmic)[f"likeness, all, {speed}"] > 0.8


def test_what_lies_above_45_hz_is_not_heard() -> None:
    leads = noise()
    hum = 30 * np.sin(2 * np.pi * 60 * TIMES).astype(np.float32)
    found, plain = features(leads + hum), features(leads)
    assert found["loudness 30-45 Hz"] == pytest.approx(
        plain["loudness 30-45 Hz"], abs=0.1
    )


def test_spikes_are_spiky() -> None:
    spikes = noise()
    spikes[:, 128::512] += 900
    found, plain = features(spikes), features(noise())
    for name in ("crest", "spikiness", "spikiness of slopes", "skewness"):
        assert found[name] > plain[name]


def test_a_burst_is_uneven() -> None:
    leads = noise()
    rng = np.random.default_rng(5)
    leads[:, 1000:1500] += rng.normal(0, 80, (len(LEADS), 500)).astype(np.float32)
    found, plain = features(leads), features(noise())
    for name in ("unevenness in time", "unevenness of 20-45 Hz"):
        assert found[name] > plain[name] + 0.05


def test_noise_of_electrodes_is_opposite_in_neighbouring_leads() -> None:
    rng = np.random.default_rng(6)
    leads = from_electrodes(rng.normal(0, 20, (len(ELECTRODES), len(TIMES))))
    found = features(leads)
    assert found["likeness, chain, fast"] == pytest.approx(-0.5, abs=0.05)
    assert found["likeness, same electrode, fast"] == pytest.approx(0.5, abs=0.05)
    assert found["likeness, across, fast"] == pytest.approx(0, abs=0.05)


def test_mirrored_halves_are_alike() -> None:
    rng = np.random.default_rng(7)
    electrodes = rng.normal(0, 20, (len(ELECTRODES), len(TIMES)))
    right = str.maketrans("1357", "2468")
    for row, name in enumerate(ELECTRODES):
        electrodes[ELECTRODES.index(name.translate(right))] = electrodes[row]
    found = features(from_electrodes(electrodes), WITHOUT_O)
    assert found["likeness, across, slow"] == pytest.approx(1, abs=1e-3)
    assert found["difference of sides, 8-13 Hz"] == pytest.approx(0, abs=1e-3)


def test_a_flat_window_gives_numbers() -> None:
    found = features(np.zeros((len(LEADS), len(TIMES)), np.float32))
    assert np.isfinite(list(found.values())).all()


def test_leads_that_are_left_out_change_nothing() -> None:
    leads = noise()
    without = leads.copy()
    without[[row for row in range(len(LEADS)) if row not in WITHOUT_O]] = 0
    assert features(leads, WITHOUT_O) == features(without, WITHOUT_O)
