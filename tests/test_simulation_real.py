"""Simulated seizures in real EEG, and real seizures in other places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.simulation.real import plant_seizure, splice_seizure
from distilclip_eeg.corpora.store import condition
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.errors import DistilClipError

SFREQ = 256.0


def noise(rows: int, seconds: float, seed: int = 0) -> np.ndarray[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 10, (rows, round(seconds * SFREQ))).astype(np.float32)


@pytest.mark.parametrize("rows", [18, 19])
def test_planting_leaves_the_rest_alone(rows: int) -> None:
    before = noise(rows, 60)
    after, planted, findings = plant_seizure(1, before, SFREQ, 20.0)
    first = 20 * 256
    np.testing.assert_array_equal(after[:, :first], before[:, :first])
    assert not np.array_equal(after[:, first:], before[:, first:])
    assert planted.event.onset == 20
    assert planted.event.onset + planted.event.duration <= 60
    assert findings.state == "seizure"


def test_planting_is_repeatable_and_can_be_steered() -> None:
    before = noise(18, 60)
    one, first, _ = plant_seizure(
        2, before, SFREQ, 10, event_type="sz_gen_nm", max_duration_s=8
    )
    two, second, _ = plant_seizure(
        2, before, SFREQ, 10, event_type="sz_gen_nm", max_duration_s=8
    )
    np.testing.assert_array_equal(one, two)
    assert first.event == second.event
    assert first.event.event_type == "sz_gen_nm"
    assert first.event.duration <= 8


def test_missing_leads_stay_missing() -> None:
    before = noise(18, 40)
    before[3] = 0
    after, _, _ = plant_seizure(3, before, SFREQ, 10)
    assert not after[3].any()


@pytest.mark.parametrize("onset_s", [-1.0, 39.0])
def test_an_onset_without_room_is_refused(onset_s: float) -> None:
    with pytest.raises(DistilClipError, match="expected an onset"):
        plant_seizure(0, noise(18, 40), SFREQ, onset_s)


def test_into_a_real_recording(data_dir: Path) -> None:
    path = data_dir / "eegmat" / "Subject00_1.edf"
    leads = condition(open_recording(path), SignalConfig()).leads
    after, planted, _ = plant_seizure(5, leads, SFREQ, 60, max_duration_s=30)
    added = (after - leads)[:, 60 * 256 : int((60 + planted.event.duration) * 256)]
    assert added.std() > 0.3 * planted.plan.ratio
    assert np.abs(after).max() < 3000


def test_a_spliced_seizure_lies_where_the_event_says() -> None:
    background, seizure = noise(18, 100), 5 * noise(18, 30, seed=1)
    event = Event(5.0, 20.0, "sz_foc_ia", channels=("F7-T7",))
    spliced, moved = splice_seizure(background, seizure, event, SFREQ, 40.0)
    assert (moved.onset, moved.duration) == (45.0, 20.0)
    assert moved.channels == ("F7-T7",)
    ictal = slice(45 * 256, 65 * 256)
    np.testing.assert_allclose(
        spliced[:, ictal], seizure[:, 5 * 256 : 25 * 256], rtol=1e-4, atol=1e-3
    )
    np.testing.assert_array_equal(spliced[:, : 40 * 256], background[:, : 40 * 256])
    np.testing.assert_array_equal(spliced[:, 70 * 256 :], background[:, 70 * 256 :])


def test_a_splice_keeps_its_power_in_the_fade() -> None:
    background, seizure = noise(18, 60), noise(18, 30, seed=1)
    spliced, _ = splice_seizure(
        background, seizure, Event(10, 10), SFREQ, 15, crossfade_s=8
    )
    fading = spliced[:, 17 * 256 : 21 * 256]
    assert fading.std() == pytest.approx(10, rel=0.05)


def test_a_seizure_that_fills_its_clip_is_kept_whole() -> None:
    background, seizure = noise(18, 60), noise(18, 20, seed=1)
    spliced, moved = splice_seizure(background, seizure, Event(0, 20), SFREQ, 10)
    np.testing.assert_allclose(
        spliced[:, 10 * 256 : 30 * 256], seizure, rtol=1e-5, atol=1e-4
    )
    assert (moved.onset, moved.duration) == (10, 20)


@pytest.mark.parametrize(("rows", "at_s"), [(19, 10.0), (18, 50.0), (18, -1.0)])
def test_what_does_not_fit_is_refused(rows: int, at_s: float) -> None:
    with pytest.raises(DistilClipError, match="expected the same rows"):
        splice_seizure(noise(18, 60), noise(rows, 20), Event(5, 10), SFREQ, at_s)
