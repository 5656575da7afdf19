"""The signals of replicas: simulated people, seconds long, with seizures where asked.

Background and seizure come from the project's simulator; every patient is somebody
else, whose seizures look alike and begin over the left temple, loud enough that a model
can learn from replicas within minutes. Any labels can be asked for.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.background import Stage, background
from distilclip_eeg.corpora.simulation.discharges import rhythm
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.head import to_leads
from distilclip_eeg.corpora.simulation.planting import add
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import Plan, Region, draw_plan
from distilclip_eeg.corpora.simulation.statistics import FOCAL
from distilclip_eeg.eeg.montage import ELECTRODES
from edf_writer import Signal, write_edf

SECONDS = 30
OLD_NAMES = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
FOCUS, ECHO = "F7", "F8"  # the right side hears it, too
SLOWING_HZ: Final = (7.0, 6.5, 6.0, 5.0, 4.0)
RATIO: Final = 15.0  # of a seizure, where it is loudest, to the background
OWN_SHARE: Final = 0.4  # of a recording's own background, beside the patient's
Potentials = Mapping[str, NDArray[np.float64]]


class Seizure(NamedTuple):
    """Seconds from the start of a replica."""

    start_s: float
    end_s: float


@lru_cache(maxsize=64)
def potentials(
    seizures: tuple[Seizure, ...] = (),
    sfreq: int = 256,
    seconds: int = SECONDS,
    *,
    patient: str = "",
    file: str = "",
) -> Potentials:
    """Simulate a patient awake, whose recordings resemble each other."""
    stages = (Stage(0, seconds, "awake"),)
    scene = _scene(patient, sfreq)
    eeg, own = (
        background(rng, scene.head, scene.person, stages, seconds * sfreq, sfreq)
        for rng in (scene.rng, _chance(file))
    )
    eeg += np.float32(OWN_SHARE) * own
    add_graphoelements(scene, stages, eeg)
    loud_uv = RATIO * float(to_leads(eeg).std(axis=1).mean())
    for seizure in seizures:
        stereotyped = _scene(patient, sfreq)
        discharge = rhythm(stereotyped, _plan(stereotyped, seizure))
        discharge *= loud_uv / to_leads(discharge).std(axis=1).max()
        add(eeg, round(seizure.start_s * sfreq), discharge)
    return dict(zip(ELECTRODES, eeg.astype(np.float64), strict=True))


def _scene(patient: str, sfreq: int) -> Scene:
    return draw_scene(_chance(patient), sfreq, 0.0)


def _chance(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _plan(scene: Scene, seizure: Seizure) -> Plan:
    """Plan a focal seizure of this length, as loud at its ends as between."""
    focus, echo = (scene.head.towards(name) for name in (FOCUS, ECHO))
    plan = draw_plan(scene, row=FOCAL[0])
    return replace(
        plan,
        duration_s=seizure.end_s - seizure.start_s,
        onset="theta",
        hz=SLOWING_HZ,
        sizes=(1.0,) * len(SLOWING_HZ),
        sharpness=(0.0, 2.0),
        regions=(
            Region(focus, 0.5, "crown", 0.0, 1.0, 0.0),
            Region(echo, 0.5, "crown", 0.0, 0.4, 0.0),
        ),
        ending="abrupt",
    )


def signal(label: str, uv: NDArray[np.float64]) -> Signal:
    """One signal in microvolts, stored in steps of 0.1."""
    return Signal(label, np.rint(np.clip(uv, -3000, 3000) * 10))


def bipolar(names: Sequence[str]) -> Callable[[Potentials], list[Signal]]:
    """Channels such as FP1-F7; what is no lead becomes noise, `-` a dummy."""

    def signals(uv: Potentials) -> list[Signal]:
        return [signal(name, _difference(uv, name)) for name in names]

    return signals


def _difference(uv: Potentials, name: str) -> NDArray[np.float64]:
    plus, _, minus = name.partition("-")
    zero = np.zeros_like(uv["FP1"])
    if plus in uv and minus in uv:
        return uv[plus] - uv[minus]
    seed = sum(map(ord, name))
    noise = np.random.default_rng(seed).normal(0, 15, len(zero))
    return zero if name in ("-", ".") else noise


def referential(
    template: str,
    spelled: Callable[[str], str] = str,
    without: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> Callable[[Potentials], list[Signal]]:
    """Channels such as `EEG FP1-REF`: template with `{}` for the electrode.

    All share a reference that wanders by 200 µV; `extra` are other signals.
    """

    def signals(uv: Potentials) -> list[Signal]:
        n_times = len(uv["FP1"])
        reference = 200 * np.sin(np.arange(n_times) / 40)
        out = [
            signal(template.format(spelled(name)), uv[name] - reference)
            for name in ELECTRODES
            if name not in without
        ]
        rng = np.random.default_rng(9)
        return out + [signal(name, rng.normal(0, 50, n_times)) for name in extra]

    return signals


def title(electrode: str) -> str:
    """Spell Fp1, Fz and T3 as European amplifiers do."""
    old = OLD_NAMES.get(electrode, electrode)
    return old[0] + old[1:].lower()


def old(electrode: str) -> str:
    """Spell FP1, FZ and T3 as the old 10-20 system does."""
    return OLD_NAMES.get(electrode, electrode)


def recording(
    path: Path,
    channels: Callable[[Potentials], list[Signal]],
    seizures: Sequence[Seizure] = (),
    *,
    sfreq: int = 256,
    seconds: int = SECONDS,
    **main: str,
) -> Path:
    """Write one EDF; `main` replaces fields of the main header (`time`, `date`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    patient = re.match(r"(sub-)?[A-Za-z0-9]+", path.name)
    assert patient is not None
    uv = potentials(tuple(seizures), sfreq, seconds, patient=patient[0], file=path.name)
    signals = channels(uv)
    return write_edf(path, signals, n_records=seconds, main=main)
