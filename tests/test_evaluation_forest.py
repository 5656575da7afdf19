"""The baseline measures what it says, learns the obvious, is scored like a model."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import Store, StoredRecording
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.forest import (
    BANDS_HZ,
    forest_scores,
    predicted,
    recording_features,
    train,
    window_features,
)
from distilclip_eeg.evaluation.windows import auroc, window_scores
from small_corpus import small_store

SIGNAL = SignalConfig()
N_BANDS = len(BANDS_HZ) - 1


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("data") / "store")


@pytest.fixture(scope="module")
def noise() -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return rng.normal(0, 10, (3, 18, 2560)).astype(np.float32)


def of(recordings: list[StoredRecording], *patients: str) -> list[StoredRecording]:
    return [r for r in recordings if r.patient in patients]


def test_features_are_what_they_say(noise: NDArray[np.float32]) -> None:
    """Window by window, lead by lead, band by band, with numpy's transform."""
    usable = np.ones((3, 18, 10), bool)
    usable[1, :12, 3:] = False
    found = window_features(noise, usable, 256)
    for i, window in enumerate(noise):
        rows = []
        for lead in window[usable[i].mean(axis=1) >= 0.5]:
            power = np.abs(np.fft.rfft(lead * np.hanning(2560))) ** 2
            hz = np.arange(len(power)) / 10
            bands = [
                power[(hz > low - 0.01) & (hz < high - 0.01)].sum()
                for low, high in pairwise(BANDS_HZ)
            ]
            rows.append(np.log10([*bands, np.abs(np.diff(lead)).mean()]))
        each = np.array(rows)
        assert len(each) == (6 if i == 1 else 18)
        want = np.concatenate([each.mean(0), each.max(0), each.std(0)])
        np.testing.assert_allclose(found[i], want, rtol=1e-3, atol=1e-3)


def test_a_lead_that_cannot_be_used_changes_nothing(noise: NDArray[np.float32]) -> None:
    usable = np.ones((3, 18, 10), bool)
    usable[:, 4] = False
    loud = noise.copy()
    loud[:, 4] *= 1000
    np.testing.assert_array_equal(
        window_features(noise, usable, 256), window_features(loud, usable, 256)
    )


def test_a_window_in_which_nothing_can_be_used_is_nan(
    noise: NDArray[np.float32],
) -> None:
    usable = np.ones((3, 18, 10), bool)
    usable[2] = False
    found = window_features(noise, usable, 256)
    assert np.isnan(found[2]).all()
    assert np.isfinite(found[:2]).all()


def test_a_rhythm_is_in_its_band() -> None:
    t = np.arange(2560) / 256
    wave = np.tile(10 * np.sin(2 * np.pi * 3 * t), (1, 18, 1)).astype(np.float32)
    found = window_features(wave, np.ones((1, 18, 10), bool), 256)[0]
    assert BANDS_HZ[int(found[:N_BANDS].argmax())] == 2
    assert found[N_BANDS] == pytest.approx(
        np.log10(np.abs(np.diff(wave[0, 0])).mean()), abs=1e-3
    )
    assert np.abs(found[2 * (N_BANDS + 1) :]).max() < 1e-3  # all leads alike


def test_windows_of_a_recording(store: Store) -> None:
    """40 s with a seizure from 15.25 to 30.75 s; then 30 s, of which 12 to 22 count."""
    first, last = store.recordings[0], store.recordings[-1]
    found = recording_features(first, SIGNAL)
    assert found.starts.tolist() == [0, 5, 10, 15, 20, 25, 30]
    assert found.ictal_share.tolist() == pytest.approx(
        [0, 0, 0.475, 0.975, 1, 0.575, 0.075]
    )
    crop = first.crop(15, 10)
    alone = window_features(crop.eeg[None], crop.usable[None], 256)[0]
    np.testing.assert_array_equal(found.values[3], alone)
    share = recording_features(last, SIGNAL).ictal_share
    assert np.isnan(share).tolist() == [True] * 5
    assert last.labelled_s == (12, 22)


def test_it_learns_the_obvious_and_is_scored_like_a_model(store: Store) -> None:
    training = of(store.recordings, "n1", "s1")
    test = of(store.recordings, "n2", "c1")
    predictions = forest_scores(training, test)
    assert [p.name for p in predictions] == [r.name for r in test]
    for prediction, recording in zip(predictions, test, strict=True):
        assert len(prediction.log_odds) == recording.n_seconds
        assert prediction.parts[0].available_s[0] == 10
    assert auroc(window_scores(predictions)) > 0.8
    again = forest_scores(training, test)
    for one, other in zip(predictions, again, strict=True):
        np.testing.assert_array_equal(one.log_odds, other.log_odds)


def test_nobody_is_in_training_and_test(store: Store) -> None:
    with pytest.raises(CorpusError, match="found patient n1 in training and in test"):
        forest_scores(store.recordings, of(store.recordings, "n1"))


def test_one_class_cannot_be_learned(store: Store) -> None:
    with pytest.raises(CorpusError, match="found 0 ictal windows"):
        forest_scores(of(store.recordings, "c1"), of(store.recordings, "n1"))


def test_where_nothing_was_seen_nothing_is_said(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest = train([recording_features(r, SIGNAL) for r in store.recordings[:2]])
    recording = store.recordings[0]
    monkeypatch.setattr(recording, "_usable", np.zeros_like(recording._usable))
    blind = predicted(forest, recording, recording_features(recording, SIGNAL))
    assert np.isnan(blind.log_odds).all()
