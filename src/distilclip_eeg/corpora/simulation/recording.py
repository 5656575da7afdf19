"""A seed -> a whole recording with planted seizures and its exact truth.

Order: background, graphoelements, what each electrode adds, seizures and hard negatives
(as loud against all that as was drawn), artefacts over everything, the amplifier.
Nothing depends on anything but the seed and the settings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.amplifier import (
    Amplifier,
    amplify,
    draw_amplifier,
)
from distilclip_eeg.corpora.simulation.artefacts import add_artefacts
from distilclip_eeg.corpora.simulation.background import (
    ASLEEP,
    Stage,
    background,
    draw_stages,
    state_at,
)
from distilclip_eeg.corpora.simulation.discharges import Planted, findings_of, plant
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.patterns import Pattern, draw_pattern
from distilclip_eeg.corpora.simulation.person import Person
from distilclip_eeg.corpora.simulation.planting import add, scale_for
from distilclip_eeg.corpora.simulation.scalp import add_scalp, wax_and_wane
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import (
    QUIETEST,
    Plan,
    draw_plan,
    draw_ratio,
)
from distilclip_eeg.corpora.simulation.statistics import GENERALISED_SHARE
from distilclip_eeg.corpora.simulation.waves import log_uniform
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import Findings
from distilclip_eeg.eeg.montage import ELECTRODES

GENERATION: Final = 2
"""Of the simulator. Raised whenever a seed gives other samples: what an earlier one
drew is then known by its name, and drawn again."""
MIN_NEGATIVES_PER_HOUR: Final = 6.0
_BEFORE_S, _AFTER_S = 10.0, 5.0  # kept free of other patterns around a seizure
_FULL = 0.75  # of the time at most is taken by seizures and patterns
_ICTAL = 0.5  # of the time at most is taken by seizures
_LAYOUTS = 16  # the one that suits most seizures is taken
_LONGEST = 0.4  # of the time at most is taken by one seizure
_LARGEST_PATTERN_UV = 700.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a recording is drawn from.

    Attributes
    ----------
    seizures_per_hour
        On average; the number of one recording is drawn from a Poisson distribution.
    negatives_per_hour
        Hard negatives on average, never fewer than six.
    generalised_share
        Of people whose seizures are generalised.
    quietest
        Lowest ratio of seizure, and of hard negative, to background.
    """

    seizures_per_hour: float = 10.0
    negatives_per_hour: float = 18.0
    generalised_share: float = GENERALISED_SHARE
    quietest: float = QUIETEST


@dataclass(frozen=True, slots=True)
class Simulated:
    """A recording and all that is true of it.

    Attributes
    ----------
    eeg
        (19, n) float32 µV against the common average.
    ch_names
        Electrodes, in the order of `eeg.montage`.
    seizures, events, findings
        Of each seizure its plan, its event with leads, and what can be said of it.
    negatives
        Hard negatives; the type says which.
    """

    eeg: NDArray[np.float32]
    sfreq: float
    ch_names: tuple[str, ...]
    seizures: tuple[Planted, ...]
    events: tuple[Event, ...]
    findings: tuple[Findings, ...]
    negatives: tuple[Event, ...]
    stages: tuple[Stage, ...]
    person: Person
    amplifier: Amplifier

    @property
    def duration_s(self) -> float:
        return float(self.eeg.shape[1] / self.sfreq)


def simulate(
    seed: int,
    duration_s: float = 3600.0,
    *,
    sfreq: float = 256.0,
    settings: Settings | None = None,
) -> Simulated:
    """Draw a person and record them.

    Parameters
    ----------
    seed
        The same seed and settings give the same samples.
    duration_s
        From ten seconds on; it takes about 170 MB of memory per hour at 256 Hz.
    sfreq
        Hz, 100 or more.

    Returns
    -------
    Simulated
        Seizures and hard negatives never overlap each other.

    Raises
    ------
    ValueError
        If the recording is too short or the rate too low to hold anything.
    """
    if duration_s < 10 or sfreq < 100:
        raise ValueError(
            f"found {duration_s:g} s at {sfreq:g} Hz, expected 10 s or more at 100 Hz "
            "or more"
        )
    settings = settings or Settings()
    rng = np.random.default_rng(seed)
    scene = draw_scene(rng, sfreq, settings.generalised_share)
    stages = draw_stages(rng, duration_s)
    eeg = background(
        rng, scene.head, scene.person, stages, round(duration_s * sfreq), sfreq
    )
    wax_and_wane(scene, eeg)
    add_graphoelements(scene, stages, eeg)
    add_scalp(scene, stages, eeg)
    seizures, negatives = _plant_all(scene, stages, eeg, settings)
    add_artefacts(scene, stages, eeg)
    amplifier = draw_amplifier(rng)
    amplify(rng, amplifier, eeg, sfreq)
    return Simulated(
        eeg=eeg,
        sfreq=sfreq,
        ch_names=ELECTRODES,
        seizures=seizures,
        events=tuple(planted.event for planted in seizures),
        findings=tuple(findings_of(eeg, planted, sfreq) for planted in seizures),
        negatives=negatives,
        stages=stages,
        person=scene.person,
        amplifier=amplifier,
    )


def _plant_all(
    scene: Scene,
    stages: Sequence[Stage],
    eeg: NDArray[np.float32],
    settings: Settings,
) -> tuple[tuple[Planted, ...], tuple[Event, ...]]:
    duration_s = eeg.shape[1] / scene.sfreq
    n_negatives = _draw_n_negatives(scene.rng, duration_s / 3600, settings)
    plans = _draw_plans(scene, duration_s, settings)
    needed_s = [plan.duration_s + _BEFORE_S + _AFTER_S for plan in plans]
    room_s = (_FULL * duration_s - sum(needed_s)) / n_negatives
    needed_s += [_draw_room_s(scene.rng, room_s) for _ in range(n_negatives)]
    layouts = [lay_out(scene.rng, needed_s, duration_s) for _ in range(_LAYOUTS)]
    onsets_s = max(layouts, key=lambda layout: _n_fitting(plans, layout, stages))
    seizures, negatives = [], []
    for i in np.argsort(onsets_s):
        at_s = round(onsets_s[i], 2)
        if i < len(plans):
            seizures.append(plant(scene, eeg, plans[i], at_s + _BEFORE_S))
        else:
            pattern = draw_pattern(scene.rng, scene.person, state_at(stages, at_s))
            negatives.append(
                _plant_pattern(scene, eeg, pattern, at_s, needed_s[i], settings)
            )
    return tuple(seizures), tuple(negatives)


def _n_fitting(
    plans: Sequence[Plan], onsets_s: Sequence[float], stages: Sequence[Stage]
) -> int:
    """Count the seizures that come in the state, awake or asleep, they should."""
    states = [state_at(stages, at_s + _BEFORE_S) for at_s in onsets_s[: len(plans)]]
    return sum(
        (state in ASLEEP) == plan.asleep
        for state, plan in zip(states, plans, strict=True)
    )


def _draw_n_negatives(rng: Generator, hours: float, settings: Settings) -> int:
    at_least = math.ceil(MIN_NEGATIVES_PER_HOUR * hours)
    return max(at_least, int(rng.poisson(settings.negatives_per_hour * hours)))


def _draw_plans(scene: Scene, duration_s: float, settings: Settings) -> list[Plan]:
    """Draw the seizures, as many as leave time for what is none."""
    longest_s = _LONGEST * duration_s
    plans: list[Plan] = []
    left_s = _ICTAL * duration_s
    for _ in range(scene.rng.poisson(settings.seizures_per_hour * duration_s / 3600)):
        plan = draw_plan(scene, max_duration_s=longest_s, quietest=settings.quietest)
        left_s -= plan.duration_s + _BEFORE_S + _AFTER_S
        if left_s < 0:
            break
        plans.append(plan)
    return plans


def lay_out(
    rng: Generator, lengths_s: Sequence[float], duration_s: float
) -> list[float]:
    """Give each stretch an onset so that none overlaps, in random order.

    Parameters
    ----------
    lengths_s
        Their sum is at most `duration_s`; what is left is shared out as pauses.
    """
    order = rng.permutation(len(lengths_s))
    pauses = rng.dirichlet(np.ones(len(order) + 1)) * (duration_s - sum(lengths_s))
    onsets, at = [0.0] * len(order), 0.0
    for pause, i in zip(pauses, order, strict=False):
        at += float(pause)
        onsets[i] = at
        at += lengths_s[i]
    return onsets


def _draw_room_s(rng: Generator, room_s: float) -> float:
    """How long a pattern may be: as seizures are, as far as there is room."""
    return min(log_uniform(rng, 3, 200), room_s)


def _plant_pattern(
    scene: Scene,
    eeg: NDArray[np.float32],
    pattern: Pattern,
    at_s: float,
    room_s: float,
    settings: Settings,
) -> Event:
    low_s, high_s = pattern.seconds
    duration_s = min(max(room_s, low_s), high_s, room_s)
    at, n = round(at_s * scene.sfreq), max(round(duration_s * scene.sfreq), 2)
    piece = pattern.make(scene, n)
    ratio = draw_ratio(scene.rng, settings.quietest)
    scale = scale_for(eeg, at, piece, ratio, scene.sfreq)
    scale = min(scale, _LARGEST_PATTERN_UV / max(float(np.abs(piece).max()), 1e-6))
    add(eeg, at, piece * np.float32(scale))
    return Event(at_s, round(n / scene.sfreq, 2), pattern.name)
