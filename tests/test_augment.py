"""A changed window stays a window, and what is planted could be potentials."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.training import augment as module
from distilclip_eeg.training.augment import (
    MIRRORED,
    OCCIPITAL,
    PLANTS,
    augment,
    roughen,
)

SFREQ = 256
Window = NDArray[np.float32]
Flags = NDArray[np.bool_]
Plant = Callable[[Generator, int, int], Window]

# Both ways from the front to the back of a side cross the same potential.
LEFT = [LEADS.index(x) for x in ("FP1-F7", "F7-T7", "T7-P7", "P7-O1")]
LEFT_INNER = [LEADS.index(x) for x in ("FP1-F3", "F3-C3", "C3-P3", "P3-O1")]


def window(seed: int = 0, seconds: int = 10) -> tuple[Window, Flags]:
    rng = np.random.default_rng(seed)
    eeg = rng.normal(0, 30, (18, seconds * SFREQ)).astype(np.float32)
    return eeg, rng.random((18, seconds)) < 0.9


def changed(
    seed: int, eeg: Window | None = None, usable: Flags | None = None
) -> tuple[Window, Flags, bool]:
    drawn_eeg, drawn_usable = window(seed)
    eeg = drawn_eeg if eeg is None else eeg.copy()
    usable = drawn_usable if usable is None else usable.copy()
    mirrored = augment(eeg, usable, np.random.default_rng(seed), SFREQ)
    return eeg, usable, mirrored


def test_mirroring_twice_is_nothing() -> None:
    assert [MIRRORED[i] for i in MIRRORED] == [*range(18)]


@pytest.mark.parametrize(
    ("lead", "mirror"),
    [("FP1-F7", "FP2-F8"), ("T7-P7", "T8-P8"), ("P4-O2", "P3-O1"), ("FZ-CZ", "FZ-CZ")],
)
def test_left_becomes_right(lead: str, mirror: str) -> None:
    assert LEADS[MIRRORED[LEADS.index(lead)]] == mirror


def test_occipital_leads() -> None:
    assert {LEADS[i] for i in OCCIPITAL.nonzero()[0]} == {
        *("P7-O1", "P3-O1", "P4-O2", "P8-O2")
    }


def test_the_same_seed_gives_the_same_window() -> None:
    (eeg, usable, mirrored), (again, flags, other) = changed(7), changed(7)
    np.testing.assert_array_equal(eeg, again)
    np.testing.assert_array_equal(usable, flags)
    assert mirrored == other
    assert not np.array_equal(eeg, changed(8)[0])


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_window_stays_a_window(first: int) -> None:
    for seed in range(first, first + 50):
        eeg, usable, _ = changed(seed)
        assert eeg.dtype == np.float32, seed
        assert usable.dtype == np.bool_, seed
        assert np.isfinite(eeg).all(), seed
        assert usable.any(), seed
        assert 1 < eeg.std() < 2000, seed


def test_a_lost_lead_is_never_found_again() -> None:
    for seed in range(200):
        before = window(seed)[1]
        _, after, mirrored = changed(seed)
        assert not (after & ~(before[MIRRORED] if mirrored else before)).any(), seed


def test_leads_are_lost_in_every_manner() -> None:
    all_usable = np.ones((18, 10), bool)
    lost = [~changed(seed, usable=all_usable)[1] for seed in range(300)]
    kept_all = np.mean([not flags.any() for flags in lost])
    occipital = np.mean([np.array_equal(f.any(axis=1), OCCIPITAL) for f in lost])
    partial = np.mean([(f.any(axis=1) & ~f.all(axis=1)).any() for f in lost])
    many = np.mean([f.all(axis=1).sum() >= 7 for f in lost])
    assert 0.3 < kept_all < 0.55
    assert 0.15 < occipital < 0.35
    assert 0.02 < partial < 0.2
    assert 0.05 < many < 0.25


def test_one_in_two_is_mirrored() -> None:
    assert 0.4 < np.mean([changed(seed)[2] for seed in range(300)]) < 0.6


def test_mirroring_moves_the_signal_with_its_flags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One loud lead on the left, the only one usable, is found on the right."""
    monkeypatch.setattr(module, "PLANTS", [lambda rng, n, sfreq: np.float32(0)])
    eeg, usable = window()[0], np.zeros((18, 10), bool)
    eeg[2] *= 30
    usable[2] = True
    seeds = [seed for seed in range(60) if changed(seed)[2]]
    for seed in seeds:
        moved, flags, _ = changed(seed, eeg, usable)
        assert np.abs(moved).mean(axis=1).argmax() == MIRRORED[2]
        assert not np.delete(flags, MIRRORED[2], axis=0).any()
    assert len(seeds) > 20


def name_of(plant: Plant) -> str:
    return getattr(plant, "__name__", "plant").strip("_")


@pytest.mark.parametrize("plant", dict.fromkeys(PLANTS), ids=name_of)
@pytest.mark.parametrize("seconds", [10, 4])
def test_what_is_planted(plant: Plant, seconds: int) -> None:
    sizes = []
    for seed in range(30):
        planted = plant(np.random.default_rng(seed), seconds * SFREQ, SFREQ)
        assert planted.shape == (18, seconds * SFREQ)
        assert planted.dtype == np.float32
        assert np.isfinite(planted).all()
        sizes.append(np.abs(planted).max())
        if name_of(plant) != "noise":  # of an amplifier's channel, not of the head
            outer, inner = planted[LEFT].sum(0), planted[LEFT_INNER].sum(0)
            np.testing.assert_allclose(outer, inner, atol=1e-5 * max(sizes[-1], 1))
    assert 1 < np.median(sizes) < 1500
    assert max(sizes) < 10_000


def test_plants_come_to_windows_at_random_alone() -> None:
    """Odds are drawn before the window is looked at: silence shows what was added."""
    silence = np.zeros((18, 2560), np.float32)
    planted = np.mean([changed(seed, silence)[0].any() for seed in range(300)])
    assert 0.4 < planted < 0.6


def roughened(seed: int, eeg: Window) -> Window:
    eeg = eeg.copy()
    roughen(eeg, np.random.default_rng(seed), SFREQ)
    return eeg


def test_a_rough_window_stays_a_window() -> None:
    before = window()[0]
    sizes = []
    for seed in range(60):
        eeg = roughened(seed, before)
        assert eeg.dtype == np.float32
        assert np.isfinite(eeg).all()
        np.testing.assert_array_equal(eeg, roughened(seed, before))
        sizes.append(eeg.std() / before.std())
    assert 0.8 < np.median(sizes) < 2
    assert max(sizes) < 6
    assert sum(size == 1 for size in sizes) <= 12  # some are left as they are


def test_roughness_scales_with_the_window() -> None:
    """As loud beside a quiet window as beside a loud one; none in silence."""
    eeg = window()[0]
    np.testing.assert_allclose(
        roughened(3, eeg * 10), roughened(3, eeg) * 10, rtol=1e-3, atol=0.05
    )
    assert not roughened(3, np.zeros_like(eeg)).any()


def test_leads_that_were_alike_differ_in_what_is_fast() -> None:
    times = np.arange(10 * SFREQ) / SFREQ
    same = np.tile(50 * np.sin(2 * np.pi * 3 * times), (18, 1)).astype(np.float32)
    alike, wide = [], []
    for seed in range(40):
        fast = np.diff(roughened(seed, same), axis=1)
        alike.append(np.corrcoef(fast).mean())
        wide.append(np.ptp(np.log(fast.std(axis=1))))
    assert np.corrcoef(np.diff(same, axis=1)).mean() > 0.999
    assert np.median(alike) < 0.5
    assert np.median(wide) > 0.5
