"""Focal seizures whose loudest lead is often not the true one, for `test_ecam`.

Half a minute of a simulated person, then the first five seconds of a focal seizure, at
which the recording ends. In three of four, something else goes on in another part of
the head from well before the onset, one to three times as loud as the seizure: slowing,
a rhythm, muscle, a bad electrode, or an electrode that rocks. Everything else is drawn
as in any simulated recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.amplifier import amplify, draw_amplifier
from distilclip_eeg.corpora.simulation.artefacts import add_artefacts
from distilclip_eeg.corpora.simulation.background import background, draw_stages
from distilclip_eeg.corpora.simulation.discharges import motor, quench, rhythm
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.head import to_leads
from distilclip_eeg.corpora.simulation.planting import add, heard
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import Plan, draw_plan
from distilclip_eeg.corpora.simulation.statistics import draw_place
from distilclip_eeg.corpora.simulation.waves import (
    band_noise,
    fade,
    log_uniform,
    peaks,
    phase_of,
    wander,
)
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import Lobe, Side
from distilclip_eeg.eeg.montage import ELECTRODES, LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.explain.places import lobes_of, side_of_lead

SFREQ: Final = 256
ONSET_S, SEIZURE_S = 30, 5
KINDS: Final = ("slowing", "rhythm", "muscle", "electrode", "rocking")
CONFOUNDED: Final = 0.75
LOBES: Final = ("frontal", "temporal", "central", "parietal", "occipital")
_N: Final = (ONSET_S + SEIZURE_S) * SFREQ
_APART: Final = 1.0  # radians between the focus and what goes on elsewhere

Signal = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FocalSeizure:
    """A recording that ends five seconds into a seizure, and where that comes from.

    Attributes
    ----------
    own_uv, loudness_uv
        (18,) root mean square of the seizure alone, and of all there is, over these
        five seconds.
    elsewhere
        What else goes on; empty for nothing.
    """

    recording: ArrayRecording
    event: Event
    side: Side
    lobe: Lobe
    own_uv: NDArray[np.float64]
    loudness_uv: NDArray[np.float64]
    elsewhere: str

    def is_true(self, lead: str) -> bool:
        """Whether a lead lies on the side and over the lobe of the focus."""
        return side_of_lead(lead) == self.side and self.lobe in lobes_of(lead)

    @property
    def is_seen(self) -> bool:
        """Whether the seizure alone would be strongest over its lobe.

        From the wall of a sulcus or from the depth the scalp may show it elsewhere.
        """
        return self.is_true(LEADS[int(self.own_uv.argmax())])


def focal_seizure(seed: int) -> FocalSeizure:
    """Draw one; the same seed gives the same samples."""
    scene, plan = _person(np.random.default_rng(seed))
    rng = scene.rng
    stages = draw_stages(rng, _N / SFREQ)
    eeg = background(rng, scene.head, scene.person, stages, _N, SFREQ)
    add_graphoelements(scene, stages, eeg)
    at = ONSET_S * SFREQ
    seizure = _seizure(scene, plan, eeg)
    own_uv = _rms(to_leads(seizure)[:, at:])
    quench(scene, eeg, plan, at)
    eeg += seizure
    if plan.motor_uv:
        add(eeg, at, motor(scene, plan))
    elsewhere = str(rng.choice(KINDS)) if rng.random() < CONFOUNDED else ""
    if elsewhere:
        other = _elsewhere(scene, elsewhere, plan)
        loudest = _rms(to_leads(other)[:, at:]).max()
        eeg += other * np.float32(log_uniform(rng, 1, 3) * own_uv.max() / loudest)
    add_artefacts(scene, stages, eeg)
    amplify(rng, draw_amplifier(rng), eeg, SFREQ)
    return FocalSeizure(
        ArrayRecording(eeg, SFREQ, ELECTRODES, name=f"focal-{seed}"),
        Event(float(ONSET_S), float(SEIZURE_S), plan.event_type),
        plan.side,
        plan.lobe,
        own_uv,
        _rms(heard(to_leads(eeg), SFREQ)[:, at:]),
        elsewhere,
    )


def _person(rng: np.random.Generator) -> tuple[Scene, Plan]:
    while True:
        scene = draw_scene(rng, SFREQ, 0.0)
        plan = draw_plan(scene)
        if plan.side in ("left", "right") and plan.lobe in LOBES:
            return scene, plan


def _seizure(scene: Scene, plan: Plan, eeg: Signal) -> Signal:
    """The discharge alone, where it is loudest 1 to 4 times as loud as the rest."""
    at = ONSET_S * SFREQ
    piece = np.zeros((len(ELECTRODES), _N), np.float32)
    add(piece, at, rhythm(scene, plan))
    own, under = heard(to_leads(piece), SFREQ), heard(to_leads(eeg), SFREQ)
    rows = np.argsort(_rms(own[:, at:]))[::-1][:4]
    quiet = _rms(under[rows, 10 * SFREQ : at]).mean()
    ratio = log_uniform(scene.rng, 1, 4)
    loud = piece * (ratio * quiet / _rms(own[rows, at:]).mean())
    return np.asarray(np.clip(loud, -900, 900), np.float32)


def _elsewhere(scene: Scene, kind: str, plan: Plan) -> Signal:
    """Something from 6 to 25 s before the onset until the end, (19, n)."""
    rng = scene.rng
    start = round((ONSET_S - rng.uniform(6, 25)) * SFREQ)
    n = _N - start
    place = _other_place(scene, plan)
    field = scene.head.field(place, rng.uniform(0.2, 0.4))
    if kind in ("electrode", "rocking"):
        nearest = int(np.argmax(scene.head.electrodes @ place))
        field = np.eye(len(ELECTRODES), dtype=np.float32)[nearest]
    out = np.zeros((len(ELECTRODES), _N), np.float32)
    out[:, start:] = field[:, None] * (_course(scene, kind, n) * fade(n, SFREQ, 1))
    return out


def _course(scene: Scene, kind: str, n: int) -> Signal:
    rng = scene.rng
    fits = np.exp(0.5 * wander(rng, n, SFREQ, 1.0))
    if kind == "slowing":
        high_hz = rng.uniform(2.5, 6)
        return np.asarray(band_noise(rng, 1, n, SFREQ, (0.7, high_hz), 1.0)[0])
    if kind == "rhythm":
        hz = rng.uniform(7, 12)
        return np.asarray(band_noise(rng, 1, n, SFREQ, (hz - 0.7, hz + 0.7))[0])
    if kind == "muscle":
        slope = rng.uniform(0, 1.5)
        return np.asarray(band_noise(rng, 1, n, SFREQ, (18, 100), slope)[0] * fits)
    if kind == "electrode":
        slope = rng.uniform(0.5, 2)
        return np.asarray(band_noise(rng, 1, n, SFREQ, (0.3, 60), slope)[0] * fits)
    beat = log_uniform(rng, 0.7, 5) * np.exp(0.05 * wander(rng, n, SFREQ, 0.4))
    wave = peaks(phase_of(beat.astype(np.float32), SFREQ), rng.choice([0.0, 2.0, 8.0]))
    return np.asarray(wave * fits, np.float32)


def _other_place(scene: Scene, plan: Plan) -> NDArray[np.float64]:
    focus = plan.regions[0].place
    focus = focus / np.linalg.norm(focus)
    while True:
        place = scene.head.draw_place(scene.rng, *draw_place(scene.rng))
        if np.arccos(np.clip(place @ focus, -1, 1)) > _APART:
            return place


def _rms(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=1)))
