"""What evaluation hears, and the events that follow, are those of `detect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg import Detection, detect
from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.store import StoredRecording, prepare
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.evaluation.alarming import alarms
from distilclip_eeg.evaluation.listening import listen, per_second
from distilclip_eeg.evaluation.predictions import Stretch
from small_corpus import write_corpus
from tiny_model import write_tiny_folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


def without_leads(events: Sequence[Event]) -> list[Event]:
    """Neither leads nor what is told of the place and the kind."""
    return [
        Event(e.onset, e.duration, "sz", e.confidence, raised_s=e.raised_s)
        for e in events
    ]


def assert_same(found: Detection, stretches: tuple[Stretch, ...], n: int) -> None:
    assert alarms(stretches, found.settings) == without_leads(found.events)
    odds = per_second(stretches, n)
    probability = 0.5 * (1 + np.tanh(0.5 * odds))
    if found.settings.smoothing_s == 1:
        np.testing.assert_allclose(probability, found.seizure_probability, atol=1e-6)


def noise(
    duration_s: float, loud: Sequence[tuple[float, float]]
) -> NDArray[np.float32]:
    n = round(duration_s * 256)
    x = np.random.default_rng(0).normal(0, 8, (18, n))
    t = np.arange(n) / 256
    for onset, end in loud:
        x[:4] += 500 * np.sin(2 * np.pi * 4 * t) * ((t >= onset) & (t < end))
    return x.astype(np.float32)


@pytest.mark.parametrize(
    ("duration_s", "loud"),
    [(90, [(20, 41.5), (60, 90)]), (47.3, [(30, 47.3)]), (4, []), (2, [(0, 2)])],
)
@pytest.mark.parametrize("threshold", [None, 0.9])
def test_events_of_an_array(
    model: Model,
    duration_s: float,
    loud: list[tuple[float, float]],
    threshold: float | None,
) -> None:
    x = noise(duration_s, loud)
    found = detect(x, sfreq=256, ch_names=LEADS, model=model, threshold=threshold)
    stretches = listen(ArrayRecording(x, 256, LEADS), model)
    assert_same(found, stretches, len(found.seizure_probability))
    assert bool(found.events) == (duration_s > 10)


def test_events_of_a_file_with_a_gap(model: Model, gap_edf: Path) -> None:
    found = detect(gap_edf, model=model, threshold=0.4)
    stretches = listen(open_recording(gap_edf), model)
    assert [s.onset_s for s in stretches] == [0, 112]
    assert_same(found, stretches, 120)
    assert np.isnan(per_second(stretches, 120)[12:112]).all()


def test_events_of_a_store(model: Model, tmp_path: Path) -> None:
    """The same but for the rounding of what is stored, a tenth of a microvolt."""
    root = write_corpus(tmp_path / "corpus")
    recordings = read_manifest(root)
    store = prepare(recordings, tmp_path / "store", SignalConfig())
    n_events = 0
    for recording, stored in zip(recordings, store.recordings, strict=True):
        found = detect(recording.path, model=model)
        heard = alarms(listen(stored, model), found.settings)
        assert len(heard) == len(found.events)
        for mine, theirs in zip(heard, without_leads(found.events), strict=True):
            assert mine.confidence == pytest.approx(theirs.confidence, abs=2e-3)
            assert replace(mine, confidence=None) == replace(theirs, confidence=None)
        n_events += len(heard)
    assert n_events > 1


def test_a_long_stored_recording_is_heard_in_blocks(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_corpus(tmp_path / "corpus")
    store = prepare(read_manifest(root), tmp_path / "store", SignalConfig())
    first: StoredRecording = store.recordings[0]
    (whole,) = listen(first, model)
    monkeypatch.setattr("distilclip_eeg.evaluation.listening.BLOCK_S", 7.0)
    (cut,) = listen(first, model)
    np.testing.assert_array_equal(whole.log_odds, cut.log_odds)
    np.testing.assert_array_equal(whole.available_s, cut.available_s)


def test_of_two_stretches_in_a_second_the_higher_stays() -> None:
    def stretch(onset_s: float, values: list[float]) -> Stretch:
        whole = Stretch.whole(np.array(values))
        return replace(whole, onset_s=onset_s)

    parts = (stretch(0, [1, 2, 3]), stretch(2.4, [9, -1]), stretch(5.6, [4, 4]))
    out = per_second(parts, 7)
    np.testing.assert_array_equal(out, [1, 2, 9, -1, np.nan, np.nan, 4])
