"""Simulated recordings are stored with their whole truth, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.index import INDEX
from distilclip_eeg.corpora.simulate import as_recording, prepare_simulated, simulate
from distilclip_eeg.corpora.simulation.recording import GENERATION
from distilclip_eeg.corpora.store import Store, StoredRecording, condition

SIGNAL = SignalConfig()
SEEDS, DURATION_S = (3, 4), 120
LOUDNESS_UV = 35.3  # root mean square of the first minute that seed 3 gives


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    prepare_simulated(SEEDS, folder, SIGNAL, duration_s=DURATION_S)
    return folder


@pytest.fixture(scope="module")
def recordings(folder: Path) -> list[StoredRecording]:
    return Store(folder, SIGNAL).recordings


def test_the_signal_is_the_conditioned_one(recordings: list[StoredRecording]) -> None:
    want = condition(as_recording(simulate(3, DURATION_S)), SIGNAL)
    crop = recordings[0].crop(0, DURATION_S)
    inside = np.abs(want.leads) < 3200  # what an int16 holds
    np.testing.assert_allclose(crop.eeg[inside], want.leads[inside], atol=0.051)
    np.testing.assert_array_equal(crop.usable, want.usable)


def test_the_truth_is_complete(recordings: list[StoredRecording]) -> None:
    for seed, stored in zip(SEEDS, recordings, strict=True):
        drawn = simulate(seed, DURATION_S)
        assert [s.event_type for s in stored.seizures] == [
            e.event_type for e in drawn.events
        ]
        assert [(s.side, s.lobe) for s in stored.seizures] == [
            (p.plan.side, p.plan.lobe) for p in drawn.seizures
        ]
        assert [name for *_, name in stored.patterns] == [
            e.event_type for e in drawn.negatives
        ]
        assert stored.labelled_s == (0, DURATION_S)
    assert len({stored.patient for stored in recordings}) == len(SEEDS)


def test_a_store_of_these_seeds_is_opened_as_it_is(folder: Path) -> None:
    files = sorted(folder.iterdir())
    before = [path.stat().st_mtime_ns for path in files]
    prepare_simulated(SEEDS, folder, SIGNAL, duration_s=DURATION_S)
    assert [path.stat().st_mtime_ns for path in files] == before


def test_after_a_kill_only_the_rest_is_drawn(folder: Path) -> None:
    (folder / INDEX).unlink()
    (folder / f"000004.120.g{GENERATION}.json").unlink()
    kept = folder / "000003.signal.npy"
    before = kept.stat().st_mtime_ns
    store = prepare_simulated(SEEDS, folder, SIGNAL, duration_s=DURATION_S)
    assert len(store.recordings) == len(SEEDS)
    assert kept.stat().st_mtime_ns == before


def test_what_an_older_version_noted_is_drawn_again(folder: Path) -> None:
    (folder / INDEX).unlink()
    entry = folder / f"000003.120.g{GENERATION}.json"
    entry.write_text('{"name": "simulated-000003"}')
    store = prepare_simulated(SEEDS, folder, SIGNAL, duration_s=DURATION_S)
    assert store.recordings[0].n_seconds == DURATION_S


def test_what_another_simulator_drew_is_drawn_again(folder: Path) -> None:
    for entry in folder.glob("*.json"):
        old = entry.with_name(entry.name.replace(f".g{GENERATION}.", ".g1."))
        entry.replace(old)
    (folder / INDEX).unlink()
    prepare_simulated(SEEDS, folder, SIGNAL, duration_s=DURATION_S)
    assert (folder / f"000003.120.g{GENERATION}.json").is_file()


def test_other_samples_are_another_generation() -> None:
    # Who changes what a seed gives raises GENERATION and notes the new loudness here.
    eeg = simulate(3, 60.0).eeg
    assert (GENERATION, round(float(np.sqrt(np.mean(eeg**2))), 1)) == (2, LOUDNESS_UV)
