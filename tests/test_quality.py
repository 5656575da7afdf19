"""Each fault is found in its second and channel, and a second is judged alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg.eeg.quality import (
    CLIP_RUN,
    FAULTS,
    FLAT_UV,
    HUGE_UV,
    HUM_UV,
    channel_faults,
    lead_faults,
)

SFREQ = 256
Samples = NDArray[np.float32]


def noise(n_chans: int = 3, n_s: int = 4, uv: float = 30, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return rng.normal(0, uv, (n_chans, n_s * SFREQ)).astype(np.float32)


def starts(n_s: int) -> NDArray[np.intp]:
    return np.arange(n_s, dtype=np.intp) * SFREQ


def found(block: Samples) -> dict[str, list[tuple[int, int]]]:
    """Fault -> (channel, second) pairs, faults without any left out."""
    faults = channel_faults(block, starts(block.shape[1] // SFREQ))
    return {k: [*zip(*map(list, v.nonzero()), strict=True)] for k, v in faults.items()}


def test_noise_has_no_fault() -> None:
    assert found(noise()) == {"not_a_number": [], "flat": [], "clipped": []}


def test_one_sample_that_is_no_number() -> None:
    block = noise()
    block[1, 2 * SFREQ] = np.nan
    block[2, SFREQ - 1] = -np.inf
    assert found(block)["not_a_number"] == [(1, 2), (2, 0)]


def test_a_flat_second_whatever_its_level() -> None:
    block = noise()
    block[0, SFREQ : 2 * SFREQ] = -8123.5
    assert found(block)["flat"] == [(0, 1)]


def test_a_suppressed_eeg_passes() -> None:
    """Burst suppression leaves a few microvolts: pathology, not a fault."""
    assert found(noise(uv=1.0))["flat"] == []
    assert found(noise(uv=FLAT_UV / 10))["flat"] != []


def test_a_clipped_sine() -> None:
    block = noise()
    wave = 900 * np.sin(2 * np.pi * 3 * np.arange(SFREQ) / SFREQ)
    block[2, SFREQ : 2 * SFREQ] = np.clip(wave, -400, 400)
    assert found(block)["clipped"] == [(2, 1)]


def test_a_sine_that_reaches_its_top_is_not_clipped() -> None:
    block = noise()
    block[2, :] = 400 * np.sin(2 * np.pi * 3 * np.arange(block.shape[1]) / SFREQ)
    assert found(block)["clipped"] == []


def test_coarse_steps_are_not_clipping() -> None:
    """An old amplifier with 10 microvolts a step stands still more often than not."""
    assert found(10 * np.rint(noise(uv=12) / 10))["clipped"] == []


def test_no_number_is_not_called_clipped_too() -> None:
    block = noise() + np.float32(4000)
    block[0, : SFREQ // 2] = np.nan
    assert found(block) == {"not_a_number": [(0, 0)], "flat": [], "clipped": []}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 2 * CLIP_RUN), st.integers(0, 20))
def test_a_second_is_judged_by_its_own_samples(
    seed: int, before: int, after: int
) -> None:
    """Around a border between seconds both sides stand at the rail for some samples."""
    rng = np.random.default_rng(seed)
    block = np.clip(noise(2, 4, seed=seed), -90, 90)
    for second in (1, 2, 3):
        at = second * SFREQ
        block[:, at - before : at + after] = 90
    block[rng.integers(2), rng.integers(block.shape[1])] = np.nan
    together = channel_faults(block, starts(4))
    for second in range(4):
        alone = channel_faults(
            block[:, second * SFREQ : (second + 1) * SFREQ], starts(1)
        )
        for fault, flags in together.items():
            np.testing.assert_array_equal(flags[:, second], alone[fault][:, 0], fault)


def test_seconds_of_unequal_length() -> None:
    """At 173.61 Hz some seconds hold 173 samples and others 174."""
    block = noise(2, 3)[:, :521]
    block[1, 174:348] = 7
    flat = channel_faults(block, np.array([0, 174, 348], np.intp))["flat"]
    np.testing.assert_array_equal(flat, [[False] * 3, [False, True, False]])


def of_leads(with_hum: Samples, clean: Samples) -> dict[str, list[tuple[int, int]]]:
    faults = lead_faults(with_hum, clean, SFREQ)
    assert set(faults) <= set(FAULTS)
    return {k: [*zip(*map(list, v.nonzero()), strict=True)] for k, v in faults.items()}


def hum(uv_rms: float) -> Samples:
    wave = np.sin(2 * np.pi * 50 * np.arange(SFREQ) / SFREQ) * np.sqrt(2) * uv_rms
    return np.asarray(wave, np.float32)


def test_hum_that_drowns_the_eeg() -> None:
    clean = noise(uv=20)
    with_hum = clean.copy()
    with_hum[1, SFREQ : 2 * SFREQ] += hum(1.3 * HUM_UV)
    assert of_leads(with_hum, clean)["disconnected"] == [(1, 1)]


@pytest.mark.parametrize(("uv", "hum_uv"), [(20.0, 0.7 * HUM_UV), (60.0, 2 * HUM_UV)])
def test_hum_that_a_notch_can_take_away(uv: float, hum_uv: float) -> None:
    clean = noise(uv=uv)
    assert of_leads(clean + np.tile(hum(hum_uv), 4), clean)["disconnected"] == []


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_jump_no_brain_makes(sign: int) -> None:
    clean = noise()
    clean[2, 3 * SFREQ + 5] = sign * 1.1 * HUGE_UV
    assert of_leads(clean, clean)["disconnected"] == [(2, 3)]


def test_bridged_electrodes_make_a_flat_lead() -> None:
    clean = noise()
    clean[0, :SFREQ] = 1e-3
    assert of_leads(clean, clean)["flat"] == [(0, 0)]
