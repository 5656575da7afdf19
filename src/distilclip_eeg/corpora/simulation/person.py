"""A seed -> somebody who is recorded: age, rhythms, illness, and the amplifier.

Everything that stays the same for a whole recording. Ranges are wide on purpose: no
amplitude and no band may tell a seizure from the background of somebody else.
Ages of the posterior rhythm after Kane 2017 and Chiang 2011.

Does not know when anything happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.head import Field, Head
from distilclip_eeg.corpora.simulation.statistics import Epilepsy, draw_epilepsy
from distilclip_eeg.corpora.simulation.waves import log_uniform

_AGES: Final = ((0.5, 3.0, 0.12), (3.0, 13.0, 0.3), (13.0, 60.0, 0.4), (60, 92, 0.18))
_ALPHA_AGE = (0.25, 1.0, 3.0, 8.0, 12.0, 60.0, 90.0)  # years
_ALPHA_HZ = (4.0, 6.0, 8.0, 9.0, 10.0, 9.8, 8.5)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is recorded.

    Attributes
    ----------
    age_years
        From half a year on.
    gain
        All cerebral activity is this much larger than usual.
    alpha_hz, alpha_uv, mu_uv, beta_uv
        Normal rhythms, root mean square at the electrode where they are largest.
    broad_uv, slope
        The 1/f background and its exponent.
    delta_uv, theta_uv
        Slow activity awake: of a child, or of an ill brain.
    focal_uv
        Slowing that stays about the focus, 0 for most.
    muscle_uv, contact_uv, drift_uv
        What each electrode has of its own: tension of the muscle under it, broad noise
        and slow drift of its contact.
    noise_uv
        Noise of the amplifier.
    focus
        (3,) where the habitual focus lies.
    spikes_per_min
        Interictal discharges, 0 for many.
    restless
        How often artefacts come, 1 for the average.
    """

    age_years: float
    gain: float
    alpha_hz: float
    alpha_uv: float
    mu_uv: float
    beta_uv: float
    broad_uv: float
    slope: float
    delta_uv: float
    theta_uv: float
    focal_uv: float
    muscle_uv: float
    contact_uv: float
    drift_uv: float
    noise_uv: float
    epilepsy: Epilepsy
    focus: NDArray[np.float64]
    spike_field: Field
    spikes_per_min: float
    restless: float

    @property
    def is_child(self) -> bool:
        return self.age_years < 13


def draw_person(rng: Generator, head: Head, generalised_share: float) -> Person:
    """Draw a person; half of the things that can be unusual are so in somebody."""
    age = _draw_age(rng)
    young = float(np.exp(-age / 7))
    ill = rng.random() < 0.2  # slow all over: drugs, sleep loss, encephalopathy
    epilepsy = draw_epilepsy(rng, generalised_share)
    focus = head.draw_place(rng, epilepsy.side, epilepsy.lobe)
    depth = head.draw_depth(rng, epilepsy.lobe)
    wide = 0.9 if epilepsy.kind == "generalised" else rng.uniform(0.25, 0.5)
    flat = 0.35 if rng.random() < 0.08 else 1.0  # low-voltage EEG
    hz = float(np.interp(age, _ALPHA_AGE, _ALPHA_HZ)) + rng.normal(0, 0.7)
    return Person(
        age_years=age,
        gain=float(np.exp(np.clip(rng.normal(0, 0.35), -0.9, 0.9))) * flat,
        alpha_hz=hz - (rng.uniform(0.5, 3) if ill else 0),
        alpha_uv=log_uniform(rng, 3, 28) * (1 + young) * (0.5 if ill else 1),
        mu_uv=log_uniform(rng, 1, 9),
        beta_uv=log_uniform(rng, 1, 7) * (3 if rng.random() < 0.15 else 1),
        broad_uv=log_uniform(rng, 2.5, 13) * (1 + young),
        slope=rng.uniform(0.7, 2.1),
        delta_uv=log_uniform(rng, 1, 9) * (1 + 4 * young) * (2.5 if ill else 1),
        theta_uv=log_uniform(rng, 1, 6) * (1 + 3 * young) * (2 if ill else 1),
        focal_uv=log_uniform(rng, 5, 30) if rng.random() < 0.35 else 0.0,
        muscle_uv=log_uniform(rng, 0.8, 20),
        contact_uv=log_uniform(rng, 0.4, 9),
        drift_uv=log_uniform(rng, 0.6, 12),
        noise_uv=log_uniform(rng, 0.3, 1.8),
        epilepsy=epilepsy,
        focus=focus,
        spike_field=head.field(focus, wide, depth, 0.7 * rng.normal(0, 1, 3)),
        spikes_per_min=log_uniform(rng, 0.1, 12) if rng.random() < 0.6 else 0.0,
        restless=log_uniform(rng, 0.4, 2.5),
    )


def _draw_age(rng: Generator) -> float:
    roll = rng.random()
    for low, high, share in _AGES:
        if roll < share:
            return float(rng.uniform(low, high))
        roll -= share
    return float(rng.uniform(18, 60))
