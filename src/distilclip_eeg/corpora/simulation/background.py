"""A person and a night or a day -> what the electrodes show while nothing happens.

States follow each other as a chain; each has its own mix of 1/f activity, rhythms and
slow waves. Signals are made in the frequency domain, in blocks that overlap by half
under a window whose squares sum to 1, so that power flows from state to state.

Does not know seizures, artefacts, single graphoelements (`graphoelements`), nor what
each electrode adds (`scalp`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft, rfftfreq

from distilclip_eeg.corpora.simulation.head import Head
from distilclip_eeg.corpora.simulation.person import Person
from distilclip_eeg.corpora.simulation.waves import log_uniform
from distilclip_eeg.eeg.montage import ELECTRODES

State: TypeAlias = Literal["awake", "resting", "drowsy", "light", "deep", "rem"]

_BLOCK_S = 8.0
_BATCH = 24  # blocks at a time: memory stays flat
_N_SOURCES = 26
_SURFACE: Final = tuple(ELECTRODES)

# What follows what, and how long it lasts (seconds); sleep here is quicker than in
# life, so that an hour holds all of it.
_NEXT: Final[dict[State, tuple[State, ...]]] = {
    "awake": ("resting", "resting", "drowsy"),
    "resting": ("awake", "drowsy", "drowsy"),
    "drowsy": ("light", "awake", "resting", "light"),
    "light": ("deep", "awake", "rem", "deep", "drowsy"),
    "deep": ("light", "light", "awake"),
    "rem": ("light", "awake"),
}
_LASTS_S: Final[dict[State, tuple[float, float]]] = {
    "awake": (20, 900),
    "resting": (10, 300),
    "drowsy": (15, 240),
    "light": (60, 900),
    "deep": (60, 900),
    "rem": (60, 600),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of one state, seconds from the start."""

    onset_s: float
    end_s: float
    state: State


@dataclass(frozen=True, slots=True)
class _Part:
    """One ingredient: where, in which band, how large in each state (factors)."""

    mixing: NDArray[np.float32]  # (19, k)
    centre_hz: float
    width_hz: float
    uv: float
    states: dict[State, float]
    slope: float | None = None  # a power law from 0.3 Hz on, instead of a hump


def draw_stages(rng: Generator, duration_s: float) -> tuple[Stage, ...]:
    """Draw the states of a recording; it may begin in any of them."""
    states = list(_NEXT)
    state = states[int(rng.integers(len(states)))]
    stages, at = [], 0.0
    while at < duration_s:
        end = min(duration_s, at + log_uniform(rng, *_LASTS_S[state]))
        stages.append(Stage(at, end, state))
        state, at = _NEXT[state][int(rng.integers(len(_NEXT[state])))], end
    return tuple(stages)


ASLEEP: Final[tuple[State, ...]] = ("light", "deep", "rem")


def state_at(stages: Sequence[Stage], at_s: float) -> State:
    """Give the state at a time; the last one after the end."""
    return next((s.state for s in stages if at_s < s.end_s), stages[-1].state)


def background(
    rng: Generator,
    head: Head,
    person: Person,
    stages: Sequence[Stage],
    n: int,
    sfreq: float,
) -> NDArray[np.float32]:
    """Make (19, n) µV of the states in `stages`."""
    half = round(_BLOCK_S * sfreq / 2)
    n_blocks = -(-n // half) + 1
    parts = _parts(rng, head, person)
    middles = [b * half / sfreq for b in range(n_blocks)]
    states = [state_at(stages, middle) for middle in middles]
    gains = _gains(rng, parts, states) * np.float32(person.gain)
    window = np.sin(np.pi * (np.arange(2 * half) + 0.5) / (2 * half)).astype(np.float32)
    whole = np.zeros((len(ELECTRODES), n_blocks + 1, half), np.float32)
    for first in range(0, n_blocks, _BATCH):
        last = min(first + _BATCH, n_blocks)
        blocks = _blocks(rng, parts, gains[first:last], 2 * half, sfreq)
        blocks *= window
        halves = blocks.reshape(last - first, len(ELECTRODES), 2, half)
        halves = halves.transpose(2, 1, 0, 3)
        whole[:, first:last] += halves[0]
        whole[:, first + 1 : last + 1] += halves[1]
    flat = whole.reshape(len(ELECTRODES), -1)[:, half : half + n]
    flat += rng.standard_normal(flat.shape, np.float32) * np.float32(person.noise_uv)
    return np.ascontiguousarray(flat)


def _gains(
    rng: Generator, parts: Sequence[_Part], states: Sequence[State]
) -> NDArray[np.float32]:
    """(blocks, parts) µV: the state's factor, wandering slowly as rhythms do."""
    levels = np.array([[part.uv * part.states[s] for part in parts] for s in states])
    drift = np.zeros(len(parts))
    for row in levels:
        drift = 0.8 * drift + rng.normal(0, 0.2, len(parts))
        row *= np.exp(drift)
    return levels.astype(np.float32)


def _blocks(
    rng: Generator,
    parts: Sequence[_Part],
    gains: NDArray[np.float32],
    length: int,
    sfreq: float,
) -> NDArray[np.float32]:
    """(blocks, 19, length) µV."""
    hz = rfftfreq(length, 1 / sfreq)
    spectrum = np.zeros((len(gains), len(ELECTRODES), len(hz)), np.complex64)
    for part, gain in zip(parts, gains.T, strict=True):
        shape, bins = _shape(part, hz, rng)
        size = gain[:, None] * (length / 2 / np.sqrt(np.sum(shape**2)) * shape)
        drawn = rng.standard_normal(
            (len(gains), part.mixing.shape[1], len(shape), 2), np.float32
        ).view(np.complex64)[..., 0]
        drawn *= size[:, None, :].astype(np.float32)
        spectrum[:, :, bins] += part.mixing @ drawn
    return np.asarray(irfft(spectrum, length, axis=2), np.float32)


def _shape(
    part: _Part, hz: NDArray[np.float64], rng: Generator
) -> tuple[NDArray[np.float64], slice]:
    """The amplitude spectrum of a part and the bins where it is not negligible."""
    if part.slope is not None:
        first = int(np.searchsorted(hz, 0.3))
        above = hz[first:]
        return (above**2 + 1) ** (-part.slope / 4), slice(first, len(hz))
    centre = part.centre_hz + rng.normal(0, 0.03 * part.centre_hz)
    low, high = np.searchsorted(
        hz, (max(0.2, centre - 3 * part.width_hz), centre + 3 * part.width_hz)
    )
    inside = hz[low:high]
    return np.exp(-0.5 * ((inside - centre) / part.width_hz) ** 2), slice(low, high)


def _parts(rng: Generator, head: Head, person: Person) -> list[_Part]:
    def patches(
        names: Sequence[str], k: int, width: float = 0.35
    ) -> NDArray[np.float32]:
        chosen = [names[i % len(names)] for i in range(k)]
        fields = [
            head.field(
                head.towards(name) + rng.normal(0, 0.15, 3),
                width * rng.uniform(0.7, 1.4),
                "crown",
                rng.normal(0, 0.4, 3),
            )
            for name in chosen
        ]
        mixing = np.stack(fields, axis=1)
        top = np.sqrt(np.sum(mixing**2, axis=1).max())
        return np.asarray(mixing / top, np.float32)

    back, front = ("O1", "O2", "P7", "P8", "P3", "P4"), ("F3", "F4", "FZ", "FP1", "FP2")
    everywhere = patches(_SURFACE, _N_SOURCES, 0.3)
    wide = patches(("FZ", "CZ", "C3", "C4", "PZ", "T7", "T8"), 8, 0.8)
    focus = head.field(person.focus, 0.4)[:, None]
    two = 2 * rng.uniform(0.5, 2.5)
    shared_beta_uv = person.beta_uv * rng.uniform(0, 1.5)

    def level(*factors: float) -> dict[State, float]:
        return dict(zip(_NEXT, factors, strict=True))

    # Factors: awake, resting, drowsy, light, deep, rem.
    return [
        _Part(everywhere, 0, 0, person.broad_uv, level(1, 1.1, 1.2, 1.4, 1.3, 1),
              person.slope),
        _Part(everywhere, 1.6, 0.8, person.delta_uv, level(0.6, 0.7, 1, 2, 4, 0.8)),
        _Part(wide, 1.3, 0.5, 14.0, level(0.1, 0.1, 0.2, 0.8, 3.2, 0.3)),
        _Part(everywhere, 5.5, 1.1, person.theta_uv, level(0.7, 0.7, 1.7, 1.6, 1.2, 1)),
        _Part(wide, 5.0, 0.8, two, level(0.2, 0.3, 2, 1.5, 1, 1)),
        _Part(patches(back, 6), person.alpha_hz, 0.55, person.alpha_uv,
              level(rng.uniform(0.2, 1), 1, 0.35, 0.08, 0.05, 0.1)),
        _Part(patches(("C3", "C4"), 2), person.alpha_hz + 0.5, 0.6, person.mu_uv,
              level(1, 0.7, 0.4, 0.1, 0, 0.1)),
        _Part(patches(front, 6, 0.5), 20, 4.5, person.beta_uv,
              level(1, 0.9, 1.2, 0.9, 0.5, 0.8)),
        _Part(patches(("FZ", "CZ"), 2, 0.9), 22, 7, shared_beta_uv,
              level(1, 0.9, 1.2, 0.9, 0.5, 0.8)),
        _Part(patches(("FZ", "CZ", "C3", "C4"), 4, 0.5), 13.2, 0.8, 4.0,
              level(0, 0, 0.2, 1, 0.6, 0)),
        _Part(focus, rng.uniform(1, 3), 0.8, person.focal_uv,
              level(0.7, 1, 1.1, 1, 1, 0.7)),
    ]  # fmt: skip
