"""The signals of replicas: seconds of noise with a seizure that a child could see.

During a seizure a rhythm of 3 Hz stands over the left, so that a model can learn from
replicas within minutes. Any labels can be asked for, bipolar or referential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import ELECTRODES
from edf_writer import Signal, write_edf

SECONDS = 30
OLD_NAMES = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
Potentials = Mapping[str, NDArray[np.float64]]


class Seizure(NamedTuple):
    """Seconds from the start of a replica."""

    start_s: float
    end_s: float


def potentials(
    seizures: Sequence[Seizure], sfreq: int = 256, seconds: int = SECONDS, seed: int = 0
) -> Potentials:
    """Noise of 15 µV at each electrode; during a seizure 3 Hz over the left."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(seconds * sfreq) / sfreq
    ictal = sum(((times_s >= a) & (times_s < b) for a, b in seizures), 0 * times_s)
    wave = 90 * np.sin(2 * np.pi * 3 * times_s) * ictal
    out = {}
    for number, name in enumerate(ELECTRODES):
        share = (-1) ** number * (1.0 if name[-1] in "1357" else 0.2)
        out[name] = rng.normal(0, 15, len(times_s)) + share * wave
    return out


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
    seed = sum(map(ord, path.name))
    signals = channels(potentials(seizures, sfreq, seconds, seed))
    return write_edf(path, signals, n_records=seconds, main=main)
