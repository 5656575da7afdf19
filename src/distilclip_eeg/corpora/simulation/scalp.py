"""A person and an hour -> what each electrode picks up for itself.

The muscle under it, the noise and the drift of its contact: each has a course of its
own, so that neighbouring leads, which share an electrode, are opposed where this is
loud. And what is common to all: activity waxes and wanes from second to second, here
more than there, and no two contacts conduct alike.

Does not know single artefacts (`artefacts`), nor the amplifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.background import Stage, State
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.waves import band_noise, log_uniform, wander
from distilclip_eeg.eeg.montage import ELECTRODES

# Muscle lies under the rim of the scalp, not under the crown.
_RIM: Final = {
    "T7": 1.0, "T8": 1.0, "F7": 0.9, "F8": 0.9, "FP1": 0.8, "FP2": 0.8, "O1": 0.6,
    "O2": 0.6, "P7": 0.6, "P8": 0.6,
}  # fmt: skip
_CROWN: Final = 0.25
# Tension falls with sleep.
_TENSE: Final[dict[State, float]] = {
    "awake": 1.0, "resting": 0.7, "drowsy": 0.6, "light": 0.45, "deep": 0.35,
    "rem": 0.25,
}  # fmt: skip
_SPOTS: Final = 5  # of the scalp that wax and wane together


def wax_and_wane(scene: Scene, eeg: NDArray[np.float32]) -> None:
    """Modulate (19, n) µV of brain activity, smoothly over the scalp, in place."""
    rng, sfreq = scene.rng, scene.sfreq
    n = eeg.shape[1]
    depth = rng.uniform(0.1, 0.45)
    common = wander(rng, n, sfreq, rng.uniform(0.1, 0.6))
    places = scene.head.electrodes
    middles = places[rng.choice(len(places), _SPOTS, replace=False)]
    near = np.exp(4 * (places @ middles.T - 1))  # (19, spots)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    spots = np.stack(
        [wander(rng, n, sfreq, rng.uniform(0.2, 1.2)) for _ in range(_SPOTS)]
    )
    for row, weights in zip(eeg, near.astype(np.float32), strict=True):
        row *= np.exp(np.float32(depth) * (common + weights @ spots))


def add_scalp(scene: Scene, stages: Sequence[Stage], eeg: NDArray[np.float32]) -> None:
    """Add what each electrode has of its own to (19, n) µV in place."""
    rng, sfreq, person = scene.rng, scene.sfreq, scene.person
    n = eeg.shape[1]
    rim = np.array([_RIM.get(name, _CROWN) for name in ELECTRODES])
    muscle_uv = person.muscle_uv * rim * _unlike(rng, 0.7)
    contact_uv = person.contact_uv * _unlike(rng, 0.5)
    drift_uv = person.drift_uv * _unlike(rng, 0.7)
    muscle_slope, contact_slope = rng.uniform(0.0, 1.2), rng.uniform(0.2, 1.6)
    burst, pace_hz = rng.uniform(0.3, 0.8), log_uniform(rng, 0.2, 3)
    tension = _tension(stages, n, sfreq)
    gain = _unlike(rng, 0.12).astype(np.float32)
    for k, row in enumerate(eeg):
        row *= gain[k]
        course = np.exp(np.float32(burst) * wander(rng, n, sfreq, pace_hz)) * tension
        fast = band_noise(rng, 1, n, sfreq, (14.0, 110.0), muscle_slope)[0]
        row += course * fast * np.float32(muscle_uv[k])
        broad = band_noise(rng, 1, n, sfreq, (3.0, 110.0), contact_slope)[0]
        row += broad * np.float32(contact_uv[k])
        slow = band_noise(rng, 1, n, sfreq, (0.2, 4.0), 2.0)[0]
        row += slow * np.float32(drift_uv[k])


def _unlike(rng: Generator, spread: float) -> NDArray[np.float64]:
    """(19,) factors about 1."""
    return np.exp(rng.normal(0, spread, len(ELECTRODES)))


def _tension(stages: Sequence[Stage], n: int, sfreq: float) -> NDArray[np.float32]:
    """(n,) how tense the scalp is, without steps between the states."""
    knots_s = [(stage.onset_s + stage.end_s) / 2 for stage in stages]
    levels = [_TENSE[stage.state] for stage in stages]
    return np.interp(np.arange(n) / sfreq, knots_s, levels).astype(np.float32)
