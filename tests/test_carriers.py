"""The leads of an event are told from how they were before it, where that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from distilclip_eeg.detection.carriers import GUARD_S, Carriers
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.result import Update
from distilclip_eeg.detection.stream import StreamDetector
from distilclip_eeg.detection.windows import ScoredWindow
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS
from tiny_model import write_tiny_model

SFREQ = 256
ICTAL = ("F7-T7", "T7-P7")
ALWAYS_LOUD = "P4-O2"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Hears loudness and nothing else."""
    return load_model(write_tiny_model(tmp_path_factory.mktemp("tiny") / "model"))


def leads_uv(seconds: int, seizure: tuple[int, int]) -> NDArray[np.float64]:
    """Quiet leads, one that is loud all the time, and two that are in a seizure."""
    rng = np.random.default_rng(0)
    size = np.full((len(LEADS), seconds), 8.0)
    size[LEADS.index(ALWAYS_LOUD)] = 320
    for lead in ICTAL:
        size[LEADS.index(lead), slice(*seizure)] = 380
    noise = rng.standard_normal((len(LEADS), seconds * SFREQ))
    return np.asarray(noise * np.repeat(size, SFREQ, axis=1))


def found(stream: StreamDetector, *parts: NDArray[np.float64]) -> list[Event]:
    news = [item for part in parts for item in stream.push(part)]
    return [e for e in [*news, *stream.close()] if not isinstance(e, Update)]


def test_a_lead_that_was_loud_before_is_not_named(model: Model) -> None:
    (event,) = found(StreamDetector(model), leads_uv(100, (50, 80)))
    assert set(event.channels) == set(ICTAL)


def test_without_a_past_leads_are_masked(model: Model) -> None:
    (event,) = found(StreamDetector(model), leads_uv(60, (0, 30)))
    assert set(event.channels) == {*ICTAL, ALWAYS_LOUD}


def test_a_gap_ends_the_past(model: Model) -> None:
    stream = StreamDetector(model)
    stream.push(leads_uv(40, (40, 40)))
    stream.gap(600.0)
    (event,) = found(stream, leads_uv(60, (0, 30)))
    assert ALWAYS_LOUD in event.channels


def test_the_past_survives_a_restart(model: Model, tmp_path: Path) -> None:
    signal = leads_uv(100, (50, 80))
    (whole,) = found(StreamDetector(model), signal)
    stream = StreamDetector(model)
    at = 52 * SFREQ
    assert not [n for n in stream.push(signal[:, :at]) if isinstance(n, Event)]
    stream.save(tmp_path / "state.npz")
    again = StreamDetector.load(tmp_path / "state.npz", model)
    assert found(again, signal[:, at:]) == [whole]


def test_only_what_ended_well_before_the_onset_is_the_past(model: Model) -> None:
    def window(log_odds: float, uv: float) -> ScoredWindow:
        eeg = np.zeros((len(LEADS), 10 * SFREQ), np.float32)
        eeg[0, ::2], eeg[0, 1::2] = uv, -uv
        eeg[1, ::2], eeg[1, 1::2] = 90, -90
        usable = np.ones((len(LEADS), 10), bool)
        return ScoredWindow(10, eeg, usable, log_odds, np.zeros(0))

    carriers = Carriers(model)
    assert carriers.leads_of(100.0) == ()
    carriers.hear_event(window(1.0, 300))
    carriers.hear_quiet(window(-1.0, 10), 20.0)
    assert carriers.leads_of(20.0 + GUARD_S - 0.1)[0] == LEADS[0]
    assert set(carriers.leads_of(20.0 + GUARD_S)) == {LEADS[0]}
    carriers.hear_quiet(window(float("nan"), 0), 30.0)  # nothing seen: no past
    assert set(carriers.leads_of(99.0)) == {LEADS[0]}
    carriers.forget_event()
    assert carriers.leads_of(99.0) == ()
