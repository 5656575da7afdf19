"""A person and the states of a recording -> the single waves of sleep and of epilepsy.

Spindles, K-complexes, vertex waves, occipital transients, and the interictal spikes of
somebody with epilepsy: all normal here, in that none is a seizure. Rates are per
minute and follow the state.

Does not know background rhythms, nor patterns that last (`patterns`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.background import Stage, State
from distilclip_eeg.corpora.simulation.planting import add
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.waves import (
    discharge,
    fade,
    log_uniform,
    phase_of,
    slide,
)

Piece = NDArray[np.float32]  # (19, m) µV
Maker = Callable[[Scene], Piece]


def add_graphoelements(
    scene: Scene, stages: Sequence[Stage], eeg: NDArray[np.float32]
) -> None:
    """Add them to (19, n) µV in place."""
    rng, sfreq = scene.rng, scene.sfreq
    for stage in stages:
        minutes = (stage.end_s - stage.onset_s) / 60
        for make, rates in _RATES:
            rate = rates.get(stage.state, 0.0) * log_uniform(rng, 0.3, 2)
            for at_s in rng.uniform(
                stage.onset_s, stage.end_s, rng.poisson(rate * minutes)
            ):
                add(eeg, round(at_s * sfreq), make(scene))
        more = 2.5 if stage.state in ("light", "deep") else 1.0  # sleep lets spikes out
        n_spikes = rng.poisson(min(40.0, more * scene.person.spikes_per_min) * minutes)
        for at_s in rng.uniform(stage.onset_s, stage.end_s, n_spikes):
            add(eeg, round(at_s * sfreq), _spike(scene))


def _spindle(scene: Scene) -> Piece:
    rng, sfreq = scene.rng, scene.sfreq
    n = round(rng.uniform(0.5, 2.0 if not scene.person.is_child else 3.0) * sfreq)
    hz = rng.uniform(11.0, 14.8)
    wave = np.cos(phase_of(slide(n, (hz * 1.03, hz * 0.96)), sfreq, rng.uniform(0, 6)))
    course = wave * fade(n, n // 2, n // 2) * log_uniform(rng, 12, 50)
    place = scene.head.towards("FZ" if hz < 12.7 else "CZ") + rng.normal(0, 0.2, 3)
    return _at(
        scene.head.field(place, rng.uniform(0.4, 0.9)), course * scene.person.gain
    )


def _k_complex(scene: Scene) -> Piece:
    rng, sfreq = scene.rng, scene.sfreq
    shape = discharge(rng, sfreq, rng.uniform(0.2, 0.45), rng.uniform(0.5, 1.1))
    place = (
        scene.head.towards("FZ")
        + 0.5 * scene.head.towards("CZ")
        + rng.normal(0, 0.15, 3)
    )
    uv = log_uniform(rng, 70, 200) * scene.person.gain
    piece = _at(scene.head.field(place, rng.uniform(0.6, 1.0)), uv * shape)
    if rng.random() < 0.5:
        tail = _spindle(scene)
        piece = np.concatenate([piece, np.zeros_like(tail)], axis=1)
        add(piece, len(shape) // 2, tail)
    return piece


def _vertex_wave(scene: Scene) -> Piece:
    rng, sfreq = scene.rng, scene.sfreq
    shape = discharge(rng, sfreq, rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.5))
    uv = (
        log_uniform(rng, 40, 160)
        * (1.4 if scene.person.is_child else 1)
        * scene.person.gain
    )
    place = scene.head.towards("CZ") + rng.normal(0, 0.1, 3)
    return _at(scene.head.field(place, rng.uniform(0.3, 0.55)), uv * shape)


def _occipital_wave(scene: Scene) -> Piece:
    """A positive sharp transient of sleep, or lambda of an eye that scans."""
    rng, sfreq = scene.rng, scene.sfreq
    shape = -discharge(rng, sfreq, rng.uniform(0.09, 0.2), 0.2)
    place = scene.head.towards("O1") + scene.head.towards("O2") + rng.normal(0, 0.2, 3)
    uv = log_uniform(rng, 20, 60) * scene.person.gain
    return _at(scene.head.field(place, rng.uniform(0.3, 0.5)), uv * shape)


def _spike(scene: Scene) -> Piece:
    """One interictal spike or sharp wave of this person."""
    rng, sfreq = scene.rng, scene.sfreq
    shape = discharge(rng, sfreq, log_uniform(rng, 0.03, 0.15), rng.uniform(0.1, 0.9))
    return _at(
        scene.person.spike_field, log_uniform(rng, 25, 160) * scene.person.gain * shape
    )


def _at(field: NDArray[np.float32], course: NDArray[np.floating]) -> Piece:
    return np.asarray(field[:, None] * course, np.float32)


_RATES: Final[tuple[tuple[Maker, dict[State, float]], ...]] = (
    (_spindle, {"drowsy": 0.3, "light": 4.0, "deep": 1.5}),
    (_k_complex, {"light": 1.2, "deep": 0.5}),
    (_vertex_wave, {"drowsy": 2.0, "light": 1.5}),
    (_occipital_wave, {"awake": 1.0, "drowsy": 2.0, "light": 3.0}),
)
