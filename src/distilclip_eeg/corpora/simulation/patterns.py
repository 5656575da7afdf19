"""What is rhythmic, periodic or sudden and yet no seizure: the hard negatives.

Periodic discharges and rhythmic delta (ACNS, Hirsch 2021), normal variants, responses
to flashes and to overbreathing, arousals, bursts of spikes. As loud as seizures, as
long, in the same bands and at the same places; what they lack is evolution: frequency,
shape and place stay as they began.

Each maker gives (19, n) of any size; the planter makes it as loud as it shall be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.artefacts import muscle
from distilclip_eeg.corpora.simulation.background import State
from distilclip_eeg.corpora.simulation.head import Field
from distilclip_eeg.corpora.simulation.person import Person
from distilclip_eeg.corpora.simulation.planting import add
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.statistics import draw_place
from distilclip_eeg.corpora.simulation.waves import (
    band_noise,
    discharge,
    fade,
    log_uniform,
    peaks,
    phase_of,
    spike_wave,
    train,
    wander,
)

Piece = NDArray[np.float32]  # (19, n)
Maker = Callable[[Scene, int], Piece]

_AWAKE: Final[tuple[State, ...]] = ("awake", "resting")
_SLEEPY: Final[tuple[State, ...]] = ("drowsy", "light")
_ANY: Final[tuple[State, ...]] = (*_AWAKE, *_SLEEPY, "deep", "rem")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of hard negative: its maker, seconds from and to, and who has it when."""

    name: str
    make: Maker
    seconds: tuple[float, float]
    states: tuple[State, ...] = _ANY
    years: tuple[float, float] = (0.0, 120.0)
    odds: float = 1.0


def draw_pattern(rng: Generator, person: Person, state: State) -> Pattern:
    """Draw one that this person may show in this state."""
    fitting = [
        pattern
        for pattern in PATTERNS
        if state in pattern.states
        and pattern.years[0] <= person.age_years <= pattern.years[1]
    ]
    odds = np.array([pattern.odds for pattern in fitting])
    return fitting[int(rng.choice(len(fitting), p=odds / odds.sum()))]


def _steady(rng: Generator, n: int, sfreq: float, hz: float) -> NDArray[np.float32]:
    """(n,) phase of a rhythm that fluctuates about one frequency and slides nowhere."""
    loose = rng.uniform(0.01, 0.12)
    course = hz * np.exp(loose * wander(rng, n, sfreq, rng.uniform(0.3, 1.0)))
    return phase_of(course.astype(np.float32), sfreq, rng.uniform(0, 6.28))


def _size(rng: Generator, n: int, sfreq: float) -> NDArray[np.float32]:
    """(n,) strength: it comes, swells and shrinks, and goes, as in a seizure."""
    edges = [round(log_uniform(rng, 0.2, 8) * sfreq) for _ in range(2)]
    swell = np.exp(rng.uniform(0.1, 0.6) * wander(rng, n, sfreq, rng.uniform(0.05, 1)))
    return np.asarray(fade(n, *edges) * swell, np.float32)


def _focus(scene: Scene) -> NDArray[np.float64]:
    """Where it comes from: mostly the focus of the seizures, so place is no cue."""
    rng = scene.rng
    if rng.random() < 0.6:
        return np.asarray(scene.person.focus + rng.normal(0, 0.1, 3))
    return scene.head.draw_place(rng, *draw_place(rng))


def _fields(
    scene: Scene, middle: NDArray[np.float64], width: float
) -> tuple[Field, Field]:
    """Where it is largest, and where it is seen a little later."""
    rng = scene.rng
    near = scene.head.field(middle, width, "crown", rng.normal(0, 0.4, 3))
    beside = middle + rng.normal(0, 0.5, 3)
    return near, scene.head.field(beside, width * 1.4, "crown", rng.normal(0, 0.4, 3))


def _waves(
    rng: Generator,
    fields: Sequence[Field],
    phase: NDArray[np.float32],
    size: NDArray[np.float32],
    sharpness: float,
) -> Piece:
    piece = fields[0][:, None] * (peaks(phase, sharpness) * size)
    for field in fields[1:]:
        late = peaks(phase - np.float32(rng.uniform(0, 1)), sharpness) * size
        piece = piece + field[:, None] * (late * np.float32(rng.uniform(0.1, 0.7)))
    return np.asarray(piece, np.float32)


def _periodic(
    rng: Generator, fields: Sequence[Field], sfreq: float, n: int, jitter: float
) -> Piece:
    shape = discharge(rng, sfreq, log_uniform(rng, 0.04, 0.18), rng.uniform(0.1, 1.2))
    course = train(rng, n, sfreq, shape, log_uniform(rng, 0.4, 2.5), jitter)
    course = course * _size(rng, n, sfreq)
    piece = fields[0][:, None] * course
    if len(fields) > 1:
        lag = round(rng.uniform(0, 0.05) * sfreq)
        piece = piece + fields[1][:, None] * np.roll(course, lag) * rng.uniform(
            0.1, 0.8
        )
    return np.asarray(piece, np.float32)


def _lpd(scene: Scene, n: int) -> Piece:
    """Lateralised periodic discharges."""
    rng, sfreq = scene.rng, scene.sfreq
    middle = _focus(scene)
    fields = _fields(scene, middle, rng.uniform(0.3, 0.7))
    piece = _periodic(rng, fields, sfreq, n, rng.uniform(0.02, 0.2))
    if rng.random() < 0.4:  # plus fast or rhythmic activity
        phase = _steady(rng, n, sfreq, log_uniform(rng, 1, 16))
        piece += _waves(
            rng, fields[:1], phase, _size(rng, n, sfreq) * np.float32(0.2), 0
        )
    return piece


def _gpd(scene: Scene, n: int) -> Piece:
    """Generalised periodic discharges, triphasic waves among them."""
    rng, sfreq = scene.rng, scene.sfreq
    fields = (scene.head.field(scene.head.towards("FZ") + rng.normal(0, 0.2, 3), 0.9),)
    return _periodic(rng, fields, sfreq, n, rng.uniform(0.02, 0.25))


def _lrda(scene: Scene, n: int) -> Piece:
    """Lateralised rhythmic delta."""
    rng, sfreq = scene.rng, scene.sfreq
    fields = _fields(scene, _focus(scene), rng.uniform(0.3, 0.8))
    phase = _steady(rng, n, sfreq, log_uniform(rng, 0.8, 4))
    return _waves(
        rng, fields, phase, _size(rng, n, sfreq), rng.choice([0, 0, 1.5, 5.0])
    )


def _grda(scene: Scene, n: int) -> Piece:
    """Generalised rhythmic delta: frontal in adults, occipital in children."""
    rng, sfreq = scene.rng, scene.sfreq
    name = "PZ" if scene.person.is_child and rng.random() < 0.6 else "FZ"
    fields = _fields(scene, scene.head.towards(name), rng.uniform(0.6, 1.0))
    phase = _steady(rng, n, sfreq, log_uniform(rng, 0.8, 4))
    return _waves(rng, fields, phase, _size(rng, n, sfreq), rng.choice([0, 0, 1.5]))


def _hypnagogic(scene: Scene, n: int) -> Piece:
    """Hypnagogic hypersynchrony: a drowsy child's bursts of 3 to 5 Hz."""
    rng, sfreq = scene.rng, scene.sfreq
    fields = _fields(scene, scene.head.towards("CZ"), 0.9)
    phase = _steady(rng, n, sfreq, rng.uniform(2.8, 5.2))
    return _waves(rng, fields, phase, _size(rng, n, sfreq), rng.choice([0.0, 1.0, 4.0]))


def _overbreathing(scene: Scene, n: int) -> Piece:
    """The slowing that hyperventilation builds up: it grows, but it does not evolve."""
    rng, sfreq = scene.rng, scene.sfreq
    build_up = np.linspace(0.1, 1, n, dtype=np.float32) * fade(n, 1, n // 10)
    bursts = np.exp(0.5 * wander(rng, n, sfreq, 0.3))
    fields = _fields(scene, scene.head.towards("FZ"), 1.0)
    phase = _steady(rng, n, sfreq, rng.uniform(2.0, 4.5))
    return _waves(rng, fields, phase, build_up * bursts, 0)


def _photic(scene: Scene, n: int) -> Piece:
    """Responses to trains of flashes, one frequency after the other."""
    rng, sfreq = scene.rng, scene.sfreq
    place = scene.head.towards("O1") + scene.head.towards("O2") + rng.normal(0, 0.15, 3)
    field = scene.head.field(place, rng.uniform(0.4, 0.7))[:, None]
    piece = np.zeros((len(field), n), np.float32)
    flashes_hz = np.array([1, 3, 6, 9, 12, 15, 18, 20, 24, 30])
    at, step = 0, int(rng.integers(1, 4))
    on_s, off_s = rng.uniform(4, 10), rng.uniform(1, 8)
    for hz in flashes_hz[int(rng.integers(3)) :: step]:
        m = round(on_s * sfreq)
        phase = phase_of(np.full(m, hz, np.float32), sfreq)
        shape = peaks(phase, 2.0) + rng.uniform(0, 1) * peaks(2 * phase, 0)
        add(piece, at, field * (shape * fade(m, 40, 40) * rng.uniform(0.2, 1)))
        at += round((on_s + off_s) * sfreq)
    return piece


def _arousal(scene: Scene, n: int) -> Piece:
    """A sleeper wakes: slow waves, then faster ones, and some muscle."""
    rng, sfreq = scene.rng, scene.sfreq
    wide = scene.head.field(scene.head.towards("FZ"), 1.0)[:, None]
    first = _steady(rng, n, sfreq, rng.uniform(1, 5))
    then = _steady(rng, n, sfreq, rng.uniform(7, 11))
    late = np.linspace(0, 1, n, dtype=np.float32)
    course = np.cos(first) * (1 - late) + 0.5 * np.cos(then) * late
    piece = wide * (course * _size(rng, n, sfreq))
    tension = muscle(scene, n)
    return np.asarray(piece + tension * (0.5 / (tension.std() * 19)), np.float32)


def _variant(scene: Scene, n: int) -> Piece:
    """Runs of temporal theta, mu, alpha or beta that mean nothing, at one place."""
    rng, sfreq = scene.rng, scene.sfreq
    hz = log_uniform(rng, 4, 26)
    fields = _fields(scene, _focus(scene), rng.uniform(0.3, 0.7))
    sharpness = rng.choice([0.0, 0.0, 2.0, 6.0]) if hz < 8 else 0.0
    return _waves(
        rng, fields, _steady(rng, n, sfreq, hz), _size(rng, n, sfreq), sharpness
    )


def _irregular(scene: Scene, n: int) -> Piece:
    """A spell of polymorphic slowing, or of fast activity without rhythm."""
    rng, sfreq = scene.rng, scene.sfreq
    low = log_uniform(rng, 0.6, 9)
    band = (low, low * rng.uniform(1.8, 4))
    fields = np.stack(_fields(scene, _focus(scene), 0.5), axis=1)
    noise = band_noise(rng, 2, n, sfreq, band, rng.uniform(0, 2))
    return np.asarray(fields @ (noise * _size(rng, n, sfreq)), np.float32)


def _spikes(scene: Scene, n: int) -> Piece:
    """A run of interictal spikes, irregular."""
    rng, sfreq = scene.rng, scene.sfreq
    shape = discharge(rng, sfreq, log_uniform(rng, 0.03, 0.12), rng.uniform(0.2, 0.9))
    course = train(
        rng, n, sfreq, shape, log_uniform(rng, 0.7, 4), rng.uniform(0.3, 0.6)
    )
    return np.asarray(scene.person.spike_field[:, None] * course, np.float32)


def _spike_waves(scene: Scene, n: int) -> Piece:
    """Bursts of generalised spike and wave, each too short to be a seizure."""
    rng, sfreq = scene.rng, scene.sfreq
    wide = scene.head.field(scene.head.towards("FZ") + rng.normal(0, 0.2, 3), 0.9)[
        :, None
    ]
    piece = np.zeros((len(wide), n), np.float32)
    at = 0
    while at < n:
        m = round(rng.uniform(0.4, 2.2) * sfreq)
        phase = _steady(rng, m, sfreq, rng.uniform(2.2, 4.5))
        add(
            piece, at, wide * (spike_wave(phase, rng.uniform(0.3, 1.2)) * fade(m, 9, 9))
        )
        at += m + round(log_uniform(rng, 1, 8) * sfreq)
    return piece


PATTERNS: Final = (
    Pattern("lpd", _lpd, (8, 180), odds=1.6),
    Pattern("gpd", _gpd, (8, 150), years=(13, 120), odds=0.8),
    Pattern("lrda", _lrda, (5, 150), odds=2.2),
    Pattern("grda", _grda, (3, 90), odds=1.4),
    Pattern("hypnagogic_hypersynchrony", _hypnagogic, (2, 15), _SLEEPY, (0.3, 14), 2.0),
    Pattern("hyperventilation", _overbreathing, (60, 200), _AWAKE, (4, 60), 0.5),
    Pattern("photic_driving", _photic, (30, 120), _AWAKE, (2, 120), 0.5),
    Pattern("arousal", _arousal, (3, 20), (*_SLEEPY, "deep", "rem"), odds=1.5),
    Pattern("rhythmic_variant", _variant, (3, 60), odds=3.0),
    Pattern("irregular_burst", _irregular, (3, 90), odds=2.0),
    Pattern("spike_run", _spikes, (2, 40), odds=1.0),
    Pattern("spike_wave_bursts", _spike_waves, (1, 30), years=(2, 40), odds=0.8),
)
