"""The plan of a seizure -> microvolts, planted into a background, with its truth.

The rhythm runs through the plan's frequencies; each region follows with a lag and a
drift of its own once it has joined. On top come muscle and movement, under it the
background fades, after it slow waves remain. The background may be simulated or
recorded, electrodes or leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.artefacts import chewing, movement, strained
from distilclip_eeg.corpora.simulation.head import Head, to_leads
from distilclip_eeg.corpora.simulation.planting import (
    add,
    in_rows_of,
    leads_of,
    scale_for,
)
from distilclip_eeg.corpora.simulation.scene import Scene
from distilclip_eeg.corpora.simulation.seizures import Plan
from distilclip_eeg.corpora.simulation.waves import (
    Course,
    band_noise,
    fade,
    log_uniform,
    peaks,
    phase_of,
    slide,
    spike_wave,
    wander,
)
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import Findings, kind_of, measure
from distilclip_eeg.eeg.montage import LEADS

Piece = NDArray[np.float32]  # (19, n)

_LARGEST_UV: Final = 900.0  # what a seizure reaches at an electrode
_SHARPEST: Final = 10.0  # no peak is narrower than a spike, 40 ms at half its height
_STRONG: Final = 0.5  # a lead is named if it has half of the strongest one


@dataclass(frozen=True, slots=True)
class Planted:
    """A seizure that is now in a signal: its plan, its event, and how it was made.

    Attributes
    ----------
    scale_uv
        Microvolts per unit of `rhythm`.
    """

    plan: Plan
    event: Event
    scale_uv: float


def plant(
    scene: Scene, signal: NDArray[np.float32], plan: Plan, onset_s: float
) -> Planted:
    """Plant a seizure into a background, in place.

    Parameters
    ----------
    signal
        (19, n) µV of the electrodes of `eeg.montage.ELECTRODES` against any common
        reference, or (18, n) µV of the `LEADS`, simulated or real.
    onset_s
        Seconds after the start of `signal`; what sticks out at its end is lost.

    Raises
    ------
    DistilClipError
        If `signal` has other rows.
    """
    sfreq = scene.sfreq
    sfreq = scene.sfreq
    at = round(onset_s * sfreq)
    discharge = rhythm(scene, plan)
    scale = scale_for(signal, at, discharge, plan.ratio, sfreq)
    scale = min(scale, _LARGEST_UV / float(np.abs(discharge).max()))
    slow = aftermath(scene, plan)
    if slow.shape[1]:
        slow *= scale_for(signal, at, slow, plan.after_ratio, sfreq)
    quench(scene, signal, plan, at)
    add(signal, at, in_rows_of(signal, discharge * np.float32(scale)))
    add(signal, at + discharge.shape[1], in_rows_of(signal, slow))
    if plan.motor_uv:
        add(signal, at, in_rows_of(signal, motor(scene, plan)))
    duration_s = min(plan.duration_s, signal.shape[1] / sfreq - onset_s)
    leads = strong_leads(discharge)
    event = Event(onset_s, duration_s, plan.event_type, channels=leads)
    return Planted(plan, event, scale)


def findings_of(
    signal: NDArray[np.float32], planted: Planted, sfreq: float
) -> Findings:
    """Say what is true of a planted seizure, and measure it where it now lies."""
    event = planted.event
    first = round(event.onset * sfreq)
    leads = leads_of(signal[:, first : first + round(event.duration * sfreq)])
    seconds = max(1, int(np.ceil(leads.shape[1] / sfreq)))
    return Findings(
        state="seizure",
        kind=kind_of(event.event_type),
        side=planted.plan.side,
        lobe=planted.plan.lobe,
        measured=measure(leads, np.ones((len(LEADS), seconds), bool), sfreq),
    )


def strong_leads(piece: Piece) -> tuple[str, ...]:
    """Name the leads in which (19, n) is strong."""
    rms = np.sqrt(np.mean(to_leads(piece) ** 2, axis=1))
    return tuple(
        lead
        for lead, size in zip(LEADS, rms, strict=True)
        if size >= _STRONG * rms.max()
    )


def rhythm(scene: Scene, plan: Plan) -> Piece:
    """Make the ictal rhythm, (19, n) of about unit size at the focus."""
    rng, sfreq = scene.rng, scene.sfreq
    n = max(2, round(plan.duration_s * sfreq))
    hz = slide(n, plan.hz) * np.exp(0.05 * wander(rng, n, sfreq, 0.5))
    size = slide(n, plan.sizes) * np.exp(0.3 * wander(rng, n, sfreq, 1.5))
    size *= _edges(rng, plan, n, sfreq)
    phase = phase_of(hz.astype(np.float32), sfreq, rng.uniform(0, 6.28))
    phase += np.float32(rng.uniform(0.1, 0.9)) * wander(rng, n, sfreq, 2.0)
    phase += np.float32(rng.uniform(-0.8, 0.8)) * np.sin(phase)  # waves lean over
    rough = rng.uniform(0.2, 0.7)  # of the activity that keeps to no rhythm
    late = np.linspace(0, 1, n, dtype=np.float32)
    piece = np.zeros((len(scene.head.electrodes), n), np.float32)
    for region in plan.regions:
        tilt = rng.normal(0, 0.25, 3)
        field = scene.head.field(region.place, region.width, region.depth, tilt)
        lag = 2 * np.pi * region.lag_s * hz
        drift = rng.uniform(0.3, 1.5) * wander(rng, n, sfreq, 0.3) * (region.lag_s > 0)
        wave = _wave(plan, (phase - lag - drift).astype(np.float32), late, hz)
        wave += np.float32(rough) * band_noise(rng, 1, n, sfreq, (1, 25), 1.0)[0]
        joined = np.clip((late - region.joins) / 0.12, 0, 1) if region.joins else 1
        piece += field[:, None] * (wave * size * (joined * np.float32(region.size)))
    return piece


def _wave(plan: Plan, phase: Course, late: Course, hz: Course) -> Course:
    if plan.onset == "spike_wave":
        return spike_wave(phase, 1.0, 0.7 + 0.3 * float(plan.sizes[0]))
    first, last = plan.sharpness
    steep = first + (last - first) * np.clip(1.6 * late, 0, 1)
    return peaks(phase, np.minimum(steep, (_SHARPEST / hz) ** 2).astype(np.float32))


def _edges(rng: Generator, plan: Plan, n: int, sfreq: float) -> Course:
    rise = round(min(0.25 * n, rng.uniform(0.2, 2.5) * sfreq))
    if plan.ending == "fading":
        return fade(n, rise, round(rng.uniform(0.1, 0.3) * n))
    shape = fade(n, rise, round(rng.uniform(0.1, 0.5) * sfreq))
    if plan.ending == "breaking_up" and n > 12 * sfreq:
        last = round(rng.uniform(0.15, 0.35) * n)
        beat = phase_of(slide(last, (1.3, 0.35)), sfreq)
        bar = np.linspace(-1.2, 0.5, last)  # the pauses grow
        shape[n - last :] *= 0.08 + 0.92 / (1 + np.exp(8 * (bar - np.cos(beat))))
    return shape


def motor(scene: Scene, plan: Plan) -> Piece:
    """Make muscle and movement on top, (19, n) µV."""
    rng, sfreq = scene.rng, scene.sfreq
    n = max(2, round(plan.duration_s * sfreq))
    kind = plan.motor
    if kind == "automatisms":
        piece = chewing(scene, n)
    elif kind == "hyperkinetic":
        piece = movement(scene, n) * _spells(rng, n, sfreq)
    else:
        piece = strained(scene, _tension(rng, plan, n, sfreq))
    begins = round(rng.uniform(0, 0.4) * n) if kind not in ("jerks", "tonic") else 0
    piece[:, :begins] = 0
    fading_in = min(n - begins, round(0.5 * sfreq))
    piece[:, begins : begins + fading_in] *= np.linspace(0, 1, fading_in)
    loud = np.sqrt(np.mean(piece**2, axis=1).max())
    return np.asarray(piece * (plan.motor_uv / max(float(loud), 1e-6)), np.float32)


def _tension(rng: Generator, plan: Plan, n: int, sfreq: float) -> Course:
    hz = slide(n, np.clip(plan.hz, 0.8, 5.0))
    jerks = np.clip(peaks(phase_of(hz, sfreq), 8.0), 0, None)
    tonic = fade(n, n // 6, n // 8) * np.exp(0.3 * wander(rng, n, sfreq, 1.0))
    if plan.motor == "tonic_clonic":
        late = np.linspace(0, 1, n) > rng.uniform(0.35, 0.65)
        return np.where(late, 1.3 * jerks, tonic).astype(np.float32)
    if plan.motor in ("clonic", "jerks"):
        return jerks
    return np.asarray(tonic, np.float32)


def _spells(rng: Generator, n: int, sfreq: float) -> Course:
    spells = wander(rng, n, sfreq, rng.uniform(0.1, 0.5)) + 0.5
    return np.asarray(np.clip(spells, 0, 2), np.float32)


def aftermath(scene: Scene, plan: Plan) -> Piece:
    """Make post-ictal slowing, (19, n) of any size; empty if there is none."""
    rng, sfreq = scene.rng, scene.sfreq
    n = round(plan.after_s * sfreq)
    if n < sfreq:
        return np.zeros((len(scene.head.electrodes), 0), np.float32)
    low = log_uniform(rng, 0.6, 1.5)
    slow = band_noise(rng, 3, n, sfreq, (low, low * rng.uniform(2, 4)), 1.0)
    focus = plan.regions[0]
    fields = [
        scene.head.field(focus.place + rng.normal(0, 0.3, 3), rng.uniform(0.4, 0.9))
        for _ in range(3)
    ]
    decay = np.exp(-3 * np.linspace(0, 1, n)) * fade(n, round(0.5 * sfreq), n // 10)
    return np.asarray(np.stack(fields, axis=1) @ (slow * decay), np.float32)


def quench(scene: Scene, signal: NDArray[np.float32], plan: Plan, at: int) -> None:
    """Flatten the background while a seizure begins and after it ends, in place."""
    if not plan.quenched:
        return
    sfreq = scene.sfreq
    n = round(plan.duration_s * sfreq)
    first = min(n, round((2 + 0.25 * plan.duration_s) * sfreq))
    course = np.zeros(n + round(plan.after_s * sfreq), np.float32)
    course[:first] = fade(first, round(0.5 * sfreq), first // 2)
    after = course[n:]
    after[:] = np.exp(-3 * np.linspace(0, 1, len(after)))
    if len(after):  # the silence sets in while the seizure ends
        before = min(n, round(2 * sfreq))
        course[n - before : n] = np.linspace(course[n - before], 1, before)
    last = min(signal.shape[1], at + len(course))
    kept = 1 - np.float32(plan.quenched) * course[: last - at]
    signal[_quenched_rows(scene.head, plan, len(signal)), at:last] *= kept


def _quenched_rows(head: Head, plan: Plan, n_rows: int) -> NDArray[np.bool_]:
    """Where: all over, or only about the focus."""
    wide = plan.motor == "tonic_clonic" or plan.side == "bilateral"
    if wide or plan.onset == "decrement":
        return np.ones(n_rows, bool)
    focus = plan.regions[0]
    near = head.field(focus.place, 0.6) > 0.35
    if n_rows == len(LEADS):
        return np.asarray(np.abs(to_leads(near.astype(np.float32))) > 0)
    return near
