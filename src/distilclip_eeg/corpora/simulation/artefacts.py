"""What is not brain: eyes, muscles, movement, sweat, heart and loose electrodes.

Each maker draws one artefact as (19, n) potentials in microvolts. How often each comes
follows the state; none knows whether a seizure is going on, so that most come without
one and some hide one.

The recording chain itself (mains, clipping, dead electrodes) is in `amplifier`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from distilclip_eeg.corpora.simulation.background import Stage, State
from distilclip_eeg.corpora.simulation.head import Field
from distilclip_eeg.corpora.simulation.planting import add
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.waves import (
    band_noise,
    fade,
    log_uniform,
    peaks,
    phase_of,
    wander,
)
from distilclip_eeg.eeg.montage import ELECTRODES

Piece = NDArray[np.float32]  # (19, n) µV
Maker = Callable[[Scene, int], Piece]

_N = len(ELECTRODES)
_MUSCLES: Final = ("T7", "F7", "T8", "F8", "FP1", "FP2", "O1", "O2")
_EMG_HZ = (18.0, 120.0)
_SATURATED_UV: Final = 2500.0  # a contact that fails altogether


def _over(**values: float) -> Field:
    field = np.zeros(_N, np.float32)
    for name, value in values.items():
        field[ELECTRODES.index(name)] = value
    return field


_BLINK = _over(
    FP1=1, FP2=1, F7=0.42, F8=0.42, F3=0.38, F4=0.38, FZ=0.4, C3=0.1, C4=0.1, CZ=0.1,
    T7=0.1, T8=0.1,
)  # fmt: skip
_SACCADE = _over(
    F7=1, F8=-1, FP1=0.35, FP2=-0.35, F3=0.3, F4=-0.3, T7=0.3, T8=-0.3, C3=0.05,
    C4=-0.05,
)  # fmt: skip


def add_artefacts(
    scene: Scene, stages: Sequence[Stage], eeg: NDArray[np.float32]
) -> None:
    """Add artefacts to (19, n) µV in place, as often as the states bring them."""
    rng, sfreq = scene.rng, scene.sfreq
    for stage in stages:
        minutes = (stage.end_s - stage.onset_s) / 60
        for make, seconds, rates in _RATES:
            rate = rates.get(stage.state, 0.0) * scene.person.restless
            for at_s in rng.uniform(
                stage.onset_s, stage.end_s, rng.poisson(rate * minutes)
            ):
                n = round(log_uniform(rng, *seconds) * sfreq)
                add(eeg, round(at_s * sfreq), make(scene, n))
    if rng.random() < 0.35:
        _add_heart(rng, eeg, sfreq)


def muscle(scene: Scene, n: int) -> Piece:
    """Tension of face, jaw or neck: broad fast activity at the rim of the scalp."""
    rng, sfreq = scene.rng, scene.sfreq
    shape = fade(n, round(rng.uniform(0.05, 2) * sfreq), round(0.5 * sfreq))
    size = np.exp(0.6 * wander(rng, n, sfreq, rng.uniform(0.3, 4)))
    return strained(scene, shape * size) * np.float32(log_uniform(rng, 5, 80))


def strained(scene: Scene, course: NDArray[np.float32]) -> Piece:
    """Give (19, n) muscle activity of unit size whose strength follows `course`."""
    rng, sfreq = scene.rng, scene.sfreq
    count = int(rng.integers(2, 6))
    names = rng.choice(_MUSCLES, count, replace=False)
    places = [scene.head.towards(name) + rng.normal(0, 0.15, 3) for name in names]
    fields = np.stack(
        [scene.head.field(p, rng.uniform(0.12, 0.3)) for p in places], axis=1
    )
    fields *= rng.uniform(0.2, 1, count).astype(np.float32)
    noise = band_noise(rng, count, len(course), sfreq, _EMG_HZ, rng.uniform(0, 1.5))
    return np.asarray(fields @ (noise * course), np.float32)


def chewing(scene: Scene, n: int) -> Piece:
    """Bursts of both temporal muscles once or twice a second, and the tongue's wave."""
    rng, sfreq = scene.rng, scene.sfreq
    hz = rng.uniform(0.8, 2.3) * np.exp(0.08 * wander(rng, n, sfreq, 0.5))
    beat = phase_of(hz.astype(np.float32), sfreq)
    bursts = np.clip(peaks(beat, rng.uniform(1, 6)), 0, None)
    piece = strained(scene, bursts) * np.float32(log_uniform(rng, 15, 120))
    tongue = scene.head.field(scene.head.towards("FZ") + np.array([0, 0, -1.2]), 0.7)
    piece += tongue[:, None] * np.cos(beat) * np.float32(log_uniform(rng, 3, 40))
    return piece * fade(n, round(sfreq), round(sfreq))


def rocking(scene: Scene, n: int) -> Piece:
    """Rhythmic movement: a patted infant, brushed teeth, a tremor, a ventilator."""
    rng, sfreq = scene.rng, scene.sfreq
    hz = log_uniform(rng, 0.3, 7) * np.exp(0.05 * wander(rng, n, sfreq, 0.4))
    beat = phase_of(hz.astype(np.float32), sfreq)
    wave = peaks(beat, rng.choice([0.0, 0.0, 2.0, 8.0]))
    size = np.exp(rng.uniform(0.1, 0.5) * wander(rng, n, sfreq, 0.5))
    spread = rng.normal(0, 1, _N) * (rng.random(_N) < rng.uniform(0.1, 0.6))
    spread[rng.integers(_N)] = 1.5  # one electrode at least is hung on its cable
    piece = spread[:, None] * (wave * size * log_uniform(rng, 10, 120))
    return np.asarray(piece * fade(n, round(sfreq), round(sfreq)), np.float32)


def movement(scene: Scene, n: int) -> Piece:
    """A turn of the body: slow swings of many electrodes, and muscle."""
    rng, sfreq = scene.rng, scene.sfreq
    high_hz = rng.uniform(1.5, 8)
    slow = band_noise(rng, _N, n, sfreq, (0.3, high_hz), rng.uniform(1, 2.5))
    shared = band_noise(rng, 3, n, sfreq, (0.3, high_hz), 1.5)
    who = rng.random((_N, 1)) < rng.uniform(0.2, 1)
    swing = slow + rng.normal(0, 1, (_N, 3)).astype(np.float32) @ shared
    swing *= who * np.float32(log_uniform(rng, 15, 200))
    piece = swing + muscle(scene, n)
    return np.asarray(piece * fade(n, round(0.3 * sfreq), round(sfreq)), np.float32)


def sweat(scene: Scene, n: int) -> Piece:
    """Very slow sway of a few electrodes."""
    rng, sfreq = scene.rng, scene.sfreq
    who = rng.random((_N, 1)) < rng.uniform(0.2, 0.8)
    slow = band_noise(rng, _N, n, sfreq, (0.1, 0.8), 1.0) * who
    return slow * fade(n, n // 4, n // 4) * np.float32(log_uniform(rng, 20, 200))


def blinks(scene: Scene, n: int) -> Piece:
    """Blinks one by one, or a flutter of the lids."""
    rng, sfreq = scene.rng, scene.sfreq
    every_s = log_uniform(rng, 0.25, 6)
    uv = log_uniform(rng, 40, 250)
    width_s = rng.uniform(0.045, 0.1)
    course = np.zeros(n + round(sfreq), np.float32)
    at = rng.uniform(0, every_s)
    while at * sfreq < n:
        times = np.arange(round(sfreq)) / sfreq - 3 * width_s
        rise = np.where(times < 0, 0.8 * width_s, 1.3 * width_s)
        lid = np.exp(-0.5 * (times / rise) ** 2)
        lid -= 0.15 * np.exp(-0.5 * ((times - 4 * width_s) / (2 * width_s)) ** 2)
        first = int(at * sfreq)
        course[first : first + len(lid)] += lid * rng.uniform(0.7, 1.2)
        at += every_s * rng.uniform(0.5, 1.6)
    return np.asarray(_BLINK[:, None] * course[:n] * uv, np.float32)


def glances(scene: Scene, n: int) -> Piece:
    """Eye movements to the side: steps that the amplifier lets decay."""
    rng, sfreq = scene.rng, scene.sfreq
    jumps = np.zeros(n)
    count = 1 + rng.poisson(n / sfreq * log_uniform(rng, 0.3, 2.5))
    jumps[rng.integers(0, n, count)] = rng.normal(0, 1, count)
    jumps = lfilter([0.06], [1, -0.94], jumps)
    course = lfilter([1.0], [1, -np.exp(-1 / (0.8 * sfreq))], jumps)
    course *= fade(n, 1, round(0.5 * sfreq))
    return np.asarray(_SACCADE[:, None] * course * rng.uniform(20, 90), np.float32)


def roving(scene: Scene, n: int) -> Piece:
    """Slow eye movements of drowsiness."""
    rng, sfreq = scene.rng, scene.sfreq
    course = wander(rng, n, sfreq, rng.uniform(0.15, 0.4)) * fade(n, n // 3, n // 3)
    return np.asarray(_SACCADE[:, None] * course * log_uniform(rng, 15, 70), np.float32)


def pop(scene: Scene, n: int) -> Piece:
    """One electrode jumps and drifts back, now and then several times."""
    rng, sfreq = scene.rng, scene.sfreq
    jumps = np.zeros(n)
    for _ in range(rng.integers(1, 5)):
        jumps[rng.integers(n)] = rng.choice([-1, 1]) * log_uniform(rng, 20, 400)
    decay = np.exp(-1 / (rng.uniform(0.03, 0.5) * sfreq))
    course = lfilter([1.0], [1, -decay], jumps)
    return _one_electrode(rng, course * fade(n, 1, n // 4))


def loose(scene: Scene, n: int) -> Piece:
    """A bad contact: one electrode full of slow and fast noise, in fits."""
    rng, sfreq = scene.rng, scene.sfreq
    noise = band_noise(rng, 1, n, sfreq, (0.3, 100), rng.uniform(0.5, 2))[0]
    fits = np.exp(rng.uniform(0.3, 1.2) * wander(rng, n, sfreq, 0.5))
    course = noise * fits * log_uniform(rng, 15, 250)
    return _one_electrode(rng, np.clip(course, -_SATURATED_UV, _SATURATED_UV))


def pulse(scene: Scene, n: int) -> Piece:
    """An electrode on an artery: a soft wave with every heart beat."""
    rng, sfreq = scene.rng, scene.sfreq
    hz = rng.uniform(0.8, 2.2) * np.exp(0.04 * wander(rng, n, sfreq, 0.3))
    wave = peaks(phase_of(hz.astype(np.float32), sfreq), rng.uniform(0.5, 3))
    return _one_electrode(rng, wave * fade(n, n // 8, n // 8) * log_uniform(rng, 8, 60))


def _one_electrode(rng: Generator, course: NDArray[np.floating]) -> Piece:
    piece = np.zeros((_N, len(course)), np.float32)
    piece[rng.integers(_N)] = course
    return piece


def _add_heart(rng: Generator, eeg: NDArray[np.float32], sfreq: float) -> None:
    """The heart's field over the whole recording: a small spike in many electrodes."""
    n = eeg.shape[1]
    hz = log_uniform(rng, 0.8, 2.5) * np.exp(0.06 * wander(rng, n, sfreq, 0.1))
    beat = phase_of(hz.astype(np.float32), sfreq)
    sharp = float(np.clip((13 / hz.mean()) ** 2, 20, 400))  # a width of 12 ms
    course = peaks(beat, sharp) - 0.2 * peaks(beat - np.float32(2.0), 6.0)
    spread = rng.normal(0, 0.4, _N) + rng.choice([-1, 1]) * np.linspace(-1, 1, _N)
    uv = log_uniform(rng, 2, 18)
    for row, part in zip(eeg, spread, strict=True):
        row += course * np.float32(uv * part)


# Maker, seconds from and to, times a minute in each state.
_RATES: Final[
    tuple[tuple[Maker, tuple[float, float], dict[State, float]], ...]
] = (
    (blinks, (3, 60), {"awake": 4.0, "resting": 0.3, "drowsy": 0.3}),
    (glances, (2, 20), {"awake": 2.0, "rem": 2.5, "resting": 0.1}),
    (roving, (5, 30), {"drowsy": 0.8, "resting": 0.2, "light": 0.1}),
    (muscle, (0.4, 20), {
        "awake": 0.8, "resting": 0.25, "drowsy": 0.15, "light": 0.05, "deep": 0.02,
        "rem": 0.3,
    }),
    (chewing, (4, 60), {"awake": 0.12, "light": 0.01}),
    (movement, (1, 20), {
        "awake": 0.3, "resting": 0.06, "drowsy": 0.08, "light": 0.08, "deep": 0.03,
        "rem": 0.08,
    }),
    (rocking, (3, 90), {"awake": 0.06, "resting": 0.03, "drowsy": 0.03, "light": 0.02}),
    (sweat, (30, 240), {"drowsy": 0.03, "light": 0.03, "deep": 0.03, "rem": 0.03}),
    (pop, (1, 8), {"awake": 0.15, "resting": 0.1, "drowsy": 0.1, "light": 0.1}),
    (loose, (2, 120), {"awake": 0.03, "resting": 0.02, "drowsy": 0.02, "light": 0.02}),
    (pulse, (20, 300), {"awake": 0.02, "resting": 0.02, "light": 0.02, "deep": 0.02}),
)  # fmt: skip
