"""A kind of seizure -> its plan, with everything that will happen, drawn from a seed.

Onset patterns after Perucca 2014 and Lagarde 2019; frequencies, strength and place
evolve as the ACNS terminology defines evolution (Hirsch 2021). What is drawn here is
exact truth; `discharges` turns it into microvolts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.head import Depth, Head
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.statistics import (
    Row,
    draw_duration_s,
    draw_place,
    draw_row,
)
from distilclip_eeg.corpora.simulation.waves import log_uniform
from distilclip_eeg.eeg.findings import Lobe, Side, kind_of

Onset: TypeAlias = Literal[
    "fast", "alpha", "theta", "delta", "spike_wave", "spikes", "decrement", "clonic"
]
Ending: TypeAlias = Literal["abrupt", "fading", "breaking_up"]
Motor: TypeAlias = Literal[
    "none", "tonic", "clonic", "tonic_clonic", "hyperkinetic", "automatisms", "jerks"
]
_ENDINGS: Final[tuple[Ending, ...]] = ("abrupt", "fading", "breaking_up")

QUIETEST, LOUDEST = 0.7, 14.0  # seizure to background


@dataclass(frozen=True, slots=True)
class _Evolution:
    """First frequency from and to, then each later quarter relative to the one before.

    Ranges of ratios below 1 slow down; sizes are of the same five moments.
    """

    first_hz: tuple[float, float]
    ratios: tuple[tuple[float, float], ...]
    sizes: tuple[float, ...]
    sharpness: tuple[float, float]


_EVOLUTIONS: Final[Mapping[Onset, _Evolution]] = {
    "fast": _Evolution(
        (14, 28), ((0.6, 0.9), (0.4, 0.7), (0.5, 0.8), (0.5, 0.9)),
        (0.2, 0.4, 0.8, 1.0, 0.8), (0, 4),
    ),
    "alpha": _Evolution(
        (8, 13), ((0.75, 1), (0.55, 0.85), (0.6, 0.9), (0.6, 0.9)),
        (0.3, 0.6, 0.9, 1.0, 0.8), (0, 5),
    ),
    "theta": _Evolution(
        (4.2, 8), ((0.9, 1.15), (0.7, 0.95), (0.65, 0.9), (0.6, 0.9)),
        (0.3, 0.6, 1.0, 1.0, 0.7), (0, 6),
    ),
    "delta": _Evolution(
        (1.5, 4), ((1.1, 1.7), (0.9, 1.3), (0.65, 0.9), (0.6, 0.9)),
        (0.4, 0.7, 1.0, 1.0, 0.7), (0, 4),
    ),
    "spike_wave": _Evolution(
        (2.8, 4.4), ((0.9, 1), (0.88, 0.98), (0.85, 0.97), (0.85, 0.97)),
        (0.8, 1.0, 1.0, 1.0, 0.9), (0, 0),
    ),
    "spikes": _Evolution(
        (0.8, 2.5), ((1.3, 2.2), (1.1, 1.8), (0.6, 1), (0.45, 0.8)),
        (0.5, 0.7, 1.0, 1.0, 0.9), (8, 30),
    ),
    "decrement": _Evolution(
        (16, 30), ((0.8, 1), (0.25, 0.5), (0.6, 0.9), (0.6, 0.9)),
        (0.08, 0.15, 0.7, 1.0, 0.7), (0, 3),
    ),
    "clonic": _Evolution(
        (3, 7), ((0.8, 1), (0.6, 0.9), (0.6, 0.9), (0.5, 0.85)),
        (0.6, 0.9, 1.0, 1.0, 0.9), (10, 35),
    ),
}  # fmt: skip

_FOCAL_ONSETS: Final[Mapping[Lobe, Mapping[Onset, float]]] = {
    "temporal": {"theta": 5, "alpha": 2, "delta": 2, "spikes": 1.5, "fast": 1.5},
    "frontal": {"fast": 4, "decrement": 2, "delta": 1.5, "theta": 1.5, "spikes": 1},
    "central": {"fast": 3, "spikes": 2, "theta": 2, "clonic": 1, "decrement": 1},
    "parietal": {"fast": 2, "theta": 2, "alpha": 2, "delta": 1},
    "occipital": {"alpha": 2, "fast": 2, "spikes": 1.5, "theta": 2},
    "insular": {"fast": 2, "theta": 2, "delta": 2, "decrement": 1},
}
_GENERALISED_ONSETS: Final[Mapping[str, Mapping[Onset, float]]] = {
    "sz_gen_nm": {"spike_wave": 1},
    "sz_gen_m_tonicClonic": {"fast": 2, "spikes": 1, "decrement": 1},
    "sz_gen_m_tonic": {"fast": 2, "decrement": 2},
    "sz_gen_m_clonic": {"clonic": 2, "spike_wave": 1},
    "sz_gen_m_myoclonic": {"spike_wave": 1, "clonic": 1},
    "sz_gen_m_atonic": {"spike_wave": 1, "decrement": 1},
}
_MOTOR: Final[tuple[tuple[str, Motor], ...]] = (
    ("f2b", "tonic_clonic"),
    ("tonicClonic", "tonic_clonic"),
    ("hyperkinetic", "hyperkinetic"),
    ("automatisms", "automatisms"),
    ("tonic", "tonic"),
    ("clonic", "clonic"),
    ("myoclonic", "jerks"),
)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the brain that joins in.

    Attributes
    ----------
    place, width, depth
        Of its patch of cortex, see `head.Head.field`.
    joins
        When, as a share of the seizure; 0 for the focus.
    size
        How large it becomes, 1 for the focus.
    lag_s
        How much later each wave is there.
    """

    place: NDArray[np.float64]
    width: float
    depth: Depth
    joins: float
    size: float
    lag_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One seizure before it is heard; all of it is truth.

    Attributes
    ----------
    asleep
        Whether it comes out of sleep, where the recording holds any.
    hz, sizes
        Frequency and relative strength at evenly spaced moments from onset to end.
    sharpness
        Of the waves at the onset and at the end, see `waves.peaks`.
    regions
        The focus first.
    ratio
        Loudness against the background where it is strongest.
    after_s, after_ratio
        Post-ictal slowing: how long, how loud; 0 for none.
    quenched
        How much of the background goes while the seizure begins and after its end.
    motor_uv
        Muscle and movement on top, root mean square.
    """

    event_type: str
    side: Side
    lobe: Lobe
    asleep: bool
    duration_s: float
    onset: Onset
    hz: tuple[float, ...]
    sizes: tuple[float, ...]
    sharpness: tuple[float, float]
    regions: tuple[Region, ...]
    ending: Ending
    ratio: float
    motor: Motor
    motor_uv: float
    after_s: float
    after_ratio: float
    quenched: float


def draw_plan(
    scene: Scene,
    *,
    row: Row | None = None,
    max_duration_s: float = float("inf"),
    quietest: float = QUIETEST,
) -> Plan:
    """Draw one seizure of the person in the scene.

    Parameters
    ----------
    row
        The type; one that fits the person's epilepsy if None.
    max_duration_s
        Longer ones are drawn again, and cut if that does not help.
    quietest
        Lowest ratio of seizure to background.
    """
    rng, head, person = scene.rng, scene.head, scene.person
    row = row or draw_row(rng, person.epilepsy.kind)
    kind = kind_of(row.event_type)
    habitual = person.epilepsy.kind == kind and rng.random() < 0.85
    side, lobe = person.epilepsy.side, person.epilepsy.lobe
    if kind == "generalised":
        side, lobe = "bilateral", "unknown"
    elif not habitual:
        side, lobe = draw_place(rng)
    duration_s = _draw_duration_s(rng, row, max_duration_s)
    onset = _draw_onset(rng, row.event_type, lobe)
    evolution = _EVOLUTIONS[onset]
    motor = _motor_of(row.event_type)
    place = person.focus if habitual else head.draw_place(rng, side, lobe)
    big = motor == "tonic_clonic"
    return Plan(
        event_type=row.event_type,
        side=side,
        lobe=lobe,
        asleep=bool(rng.random() < row.asleep),
        duration_s=duration_s,
        onset=onset,
        hz=_draw_hz(rng, evolution),
        sizes=tuple(s * rng.uniform(0.7, 1.3) for s in evolution.sizes),
        sharpness=(0.0, float(rng.uniform(*evolution.sharpness))),
        regions=_draw_regions(rng, head, row.event_type, side, lobe, place),
        ending=_ENDINGS[int(rng.choice(3, p=(0.35, 0.3, 0.35)))],
        ratio=draw_ratio(rng, quietest) * (1.5 if big else 1.0),
        motor=motor,
        motor_uv=_draw_motor_uv(rng, motor),
        after_s=_draw_after_s(rng, duration_s, big),
        after_ratio=log_uniform(rng, 0.4, 3.0),
        quenched=float(rng.uniform(0, 0.8)) if rng.random() < 0.6 else 0.0,
    )


def _draw_duration_s(rng: Generator, row: Row, max_duration_s: float) -> float:
    for _ in range(20):
        duration_s = draw_duration_s(rng, row)
        if duration_s <= max_duration_s:
            return duration_s
    return max_duration_s


def _draw_onset(rng: Generator, event_type: str, lobe: Lobe) -> Onset:
    odds = _GENERALISED_ONSETS.get(event_type)
    odds = odds or _FOCAL_ONSETS.get(lobe, _FOCAL_ONSETS["temporal"])
    names = list(odds)
    share = np.array(list(odds.values()))
    return names[int(rng.choice(len(names), p=share / share.sum()))]


def _draw_hz(rng: Generator, evolution: _Evolution) -> tuple[float, ...]:
    hz = [log_uniform(rng, *evolution.first_hz)]
    for low, high in evolution.ratios:
        hz.append(max(0.7, hz[-1] * rng.uniform(low, high)))
    return tuple(hz)


def draw_ratio(rng: Generator, quietest: float = QUIETEST) -> float:
    """Draw a loudness; half of all are below 3.9 times the background."""
    return float(quietest * (LOUDEST / quietest) ** rng.beta(1.5, 1.2))


def _motor_of(event_type: str) -> Motor:
    parts = event_type.split("_")
    return next((motor for word, motor in _MOTOR if word in parts), "none")


def _draw_motor_uv(rng: Generator, motor: Motor) -> float:
    if motor == "none":
        return log_uniform(rng, 3, 35) if rng.random() < 0.6 else 0.0
    return log_uniform(rng, 5, 120 if motor == "tonic_clonic" else 60)


def _draw_after_s(rng: Generator, duration_s: float, big: bool) -> float:
    if duration_s < 15 or (not big and rng.random() < 0.3):
        return 0.0
    return log_uniform(rng, 8, 300 if big else 120)


def _draw_regions(
    rng: Generator,
    head: Head,
    event_type: str,
    side: Side,
    lobe: Lobe,
    place: NDArray[np.float64],
) -> tuple[Region, ...]:
    mirror = np.array([-1.0, 1.0, 1.0])
    if kind_of(event_type) == "generalised":
        middle = head.towards("FZ") + rng.normal((0, 0.2, 0), 0.15)
        left = middle + np.array([-0.5, 0, 0])
        halves = (left, left * mirror)
        return (
            Region(middle, rng.uniform(0.5, 0.8), "crown", 0, 1, 0),
            *(Region(h, 0.6, "crown", 0, 0.5, rng.uniform(0, 0.02)) for h in halves),
        )
    focus = Region(place, rng.uniform(0.25, 0.5), head.draw_depth(rng, lobe), 0, 1, 0)
    regions = [focus]
    if side == "bilateral":
        across = place * mirror + rng.normal(0, 0.1, 3)
        regions.append(Region(across, focus.width, focus.depth, 0.0, 0.9, 0.01))
    wide, impaired = "f2b" in event_type, "_ia" in event_type
    if wide or rng.random() < (0.9 if impaired else 0.75):
        for _ in range(rng.integers(2, 5)):
            there = _near(rng, place, 0.5)
            regions.append(_joining(rng, there, (0.02, 0.4), (0.4, 1.0), 0.45))
    if wide or rng.random() < (0.75 if impaired else 0.5):
        for _ in range(rng.integers(1, 4)):
            there = _near(rng, place * mirror, 0.4)
            regions.append(_joining(rng, there, (0.05, 0.5), (0.25, 0.7), 0.45))
    if wide:
        there = head.towards("FZ")
        regions.append(_joining(rng, there, (0.2, 0.5), (0.4, 1.0), 0.8))
    return tuple(regions)


def _near(
    rng: Generator, place: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Draw a place nearby, in the same hemisphere."""
    there = place + rng.normal(0, spread, 3)
    there[0] = np.copysign(max(abs(there[0]), 0.25), place[0])
    return np.asarray(there)


def _joining(
    rng: Generator,
    place: NDArray[np.float64],
    when: tuple[float, float],
    size: tuple[float, float],
    width: float,
) -> Region:
    return Region(
        place,
        width * rng.uniform(0.7, 1.2),
        "crown",
        float(rng.uniform(*when)),
        float(rng.uniform(*size)),
        float(rng.uniform(0.005, 0.06)),
    )
