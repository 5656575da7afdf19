"""One conditioned window -> a window that another patient or hospital might have given.

Every change is drawn with the same odds for seizures and background, so that none is
a cue for the class. Planted artefacts and normal rhythms start as potentials at the 19
electrodes and reach the leads by subtraction, as in life. Amplitudes in microvolts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from distilclip_eeg.eeg.montage import ELECTRODES, LEADS

Window = NDArray[np.float32]  # (18, T)
Flags = NDArray[np.bool_]  # (18, S)

_PAIRS = [lead.split("-") for lead in LEADS]
_FROM, _TO = ([ELECTRODES.index(pair[k]) for pair in _PAIRS] for k in (0, 1))

_MIRROR_NAME = str.maketrans("12345678", "21436587")
MIRRORED: Final = [LEADS.index(lead.translate(_MIRROR_NAME)) for lead in LEADS]
"""Where each lead lies after left and right are exchanged."""

OCCIPITAL: Final = np.array(["O1" in p or "O2" in p for p in _PAIRS])

# Place of each electrode on the unit disc, nose up; only distances matter here.
_PLACE: Final = {
    "FP1": (-0.3, 0.9), "FP2": (0.3, 0.9), "F7": (-0.8, 0.6), "F3": (-0.4, 0.5),
    "FZ": (0, 0.5), "F4": (0.4, 0.5), "F8": (0.8, 0.6), "T7": (-1, 0), "C3": (-0.5, 0),
    "CZ": (0, 0), "C4": (0.5, 0), "T8": (1, 0), "P7": (-0.8, -0.6), "P3": (-0.4, -0.5),
    "PZ": (0, -0.5), "P4": (0.4, -0.5), "P8": (0.8, -0.6), "O1": (-0.3, -0.9),
    "O2": (0.3, -0.9),
}  # fmt: skip
_XY = np.array([_PLACE[e] for e in ELECTRODES], np.float32)


def augment(
    eeg: Window,
    usable: Flags,
    rng: Generator,
    sfreq: int,
    *,
    lose_leads: bool = True,
    gain_spread: float = 0.35,
) -> bool:
    """Change a window in place; return whether left and right were exchanged.

    Parameters
    ----------
    lose_leads
        Without it all is drawn alike, and the leads that are there stay.
    gain_spread
        Standard deviation of the logarithm of the gain of all leads.
    """
    mirrored = rng.random() < 0.5
    if mirrored:
        eeg[:] = eeg[MIRRORED]
        usable[:] = usable[MIRRORED]
    if rng.random() < 0.5:
        eeg *= -1
    eeg *= np.exp(rng.normal(0, gain_spread)).astype(np.float32)
    eeg *= np.exp(rng.normal(0, 0.1, (len(LEADS), 1))).astype(np.float32)
    if rng.random() < 0.3:
        _colour(eeg, rng, sfreq)
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 3)):
            plant = PLANTS[rng.integers(len(PLANTS))]
            eeg += plant(rng, eeg.shape[1], sfreq)
    _lose_leads(usable if lose_leads else usable.copy(), rng)
    return mirrored


def lose_seconds(usable: Flags, rng: Generator) -> None:
    """Hide a run of seconds in place, a fifth to half of them, often at an edge.

    What is said of the others must then hold without these.
    """
    n_seconds = usable.shape[1]
    n_lost = int(rng.integers(n_seconds // 5, n_seconds // 2 + 1))
    latest = n_seconds - n_lost
    first = int(rng.integers(0, latest + 1))
    if rng.random() < 0.5:
        first = 0 if rng.random() < 0.5 else latest
    usable[:, first : first + n_lost] = False


def roughen(eeg: Window, rng: Generator, sfreq: int) -> None:
    """Give a simulated window what its source lacks beside real ones, in place.

    Fast activity and slow drift that are not shared by neighbouring electrodes, waxing
    and waning, and another steepness of the spectrum in every lead: what tells the two
    apart best (`docs/results/realism`). As loud in seizures as in background.
    """
    if rng.random() < 0.1:
        return
    n = eeg.shape[1]
    hz = np.fft.rfftfreq(n, 1 / sfreq)
    level = np.float32(np.median(eeg.std(axis=1)))
    spectrum = np.fft.rfft(eeg, axis=1)
    spectrum *= (np.maximum(hz, 1) / 6) ** rng.normal(0, 0.2, (len(LEADS), 1))
    eeg[:] = np.fft.irfft(spectrum, n, axis=1)
    fast = (np.maximum(hz, 1) / 20) ** rng.uniform(-1, 0.5) * (hz > rng.uniform(4, 15))
    slow = (hz < rng.uniform(1.5, 4)) / np.maximum(hz, 0.5)
    for shape, low, high in ((fast, 0.06, 1.2), (slow, 0.06, 0.8)):
        white = rng.normal(0, 1, (len(ELECTRODES), n))
        noise = np.fft.irfft(np.fft.rfft(white, axis=1) * shape, n, axis=1)
        noise /= noise.std() + 1e-6
        noise *= np.exp(rng.normal(0, 0.6, (len(ELECTRODES), 1)))
        noise *= _waxing(rng, n, sfreq)
        size = np.exp(rng.uniform(np.log(low), np.log(high)))
        eeg += _leads(noise * (level * size))


def _waxing(rng: Generator, n: int, sfreq: int) -> Window:
    """(19, n) lognormal courses, a new value every 0.2 to 2 s: heavy tails."""
    every = int(rng.uniform(0.2, 2) * sfreq)
    knots = rng.normal(0, rng.uniform(0, 0.8), (len(ELECTRODES), n // every + 2))
    at = np.arange(n) / every
    first = at.astype(np.intp)
    part = at - first
    course = knots[:, first] * (1 - part) + knots[:, first + 1] * part
    return np.exp(course).astype(np.float32)


def _colour(eeg: Window, rng: Generator, sfreq: int) -> None:
    """Another amplifier's pass band: tilt the spectrum and cut its top."""
    spectrum = np.fft.rfft(eeg, axis=1)
    hz = np.fft.rfftfreq(eeg.shape[1], 1 / sfreq)
    gain = (np.maximum(hz, 1) / 8) ** rng.uniform(-0.25, 0.25)
    if rng.random() < 0.5:
        gain /= np.sqrt(1 + (hz / rng.uniform(25, 60)) ** 8)
    if rng.random() < 0.3:
        gain *= hz / np.hypot(hz, rng.uniform(0.5, 1.6))
    eeg[:] = np.fft.irfft(spectrum * gain, eeg.shape[1], axis=1)


def _lose_leads(usable: Flags, rng: Generator) -> None:
    kind = rng.random()
    if kind < 0.25:
        usable[OCCIPITAL] = False
    elif kind < 0.45:
        usable[rng.random(len(LEADS)) < rng.uniform(0.05, 0.4)] = False
    elif kind < 0.55:
        kept = rng.permutation(len(LEADS))[: rng.integers(5, 12)]
        usable[np.setdiff1d(np.arange(len(LEADS)), kept)] = False
    if rng.random() < 0.1:  # a contact is lost, or found, within the window
        lead, second = rng.integers(len(LEADS)), rng.integers(usable.shape[1])
        span = slice(second, None) if rng.random() < 0.5 else slice(None, second)
        usable[lead, span] = False


def _leads(potentials: NDArray[np.floating]) -> Window:
    """(19, T) at the electrodes -> (18, T); indexing beats a product this sparse."""
    return (potentials[_FROM] - potentials[_TO]).astype(np.float32)


def _field(rng: Generator, centre: NDArray[np.floating], width: float) -> Window:
    """(19, 1) a smooth bump over the scalp."""
    far = np.sum((_XY - centre - rng.normal(0, 0.1, 2)) ** 2, axis=1)
    return np.asarray(np.exp(-far / (2 * width**2)), np.float32)[:, None]


def _envelope(
    rng: Generator, n: int, sfreq: int, low_s: float, high_s: float
) -> Window:
    """(n,) one raised-cosine burst somewhere in the window."""
    length = min(n, int(rng.uniform(low_s, high_s) * sfreq))
    shape = np.zeros(n, np.float32)
    at = int(rng.integers(0, n - length + 1))
    ramp = min(length // 2, sfreq)
    burst = np.ones(length)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / ramp)
    burst[:ramp], burst[length - ramp :] = rise, rise[::-1]
    shape[at : at + length] = burst
    return shape


def _rhythm(rng: Generator, n: int, sfreq: int, hz: float, wander: float) -> Window:
    """(n,) an oscillation whose phase and size drift, as brain rhythms do."""
    steps = rng.normal(0, wander, n)
    phase = 2 * np.pi * np.cumsum(hz + lfilter([0.02], [1, -0.98], steps)) / sfreq
    size = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * np.arange(n) / sfreq)
    return (size * np.sin(phase + rng.uniform(0, 6.28))).astype(np.float32)


def _muscle(rng: Generator, n: int, sfreq: int) -> Window:
    """Tension or chewing at the temples: broad fast activity, often in bursts."""
    noise = rng.normal(0, 1, (len(ELECTRODES), n)).astype(np.float32)
    fast = (
        noise[:, :] - 0.5 * np.roll(noise, 1, axis=1) - 0.5 * np.roll(noise, 2, axis=1)
    )
    side = np.array([rng.choice([-0.9, 0.9]), rng.uniform(-0.2, 0.7)], np.float32)
    where = _field(rng, side, rng.uniform(0.3, 1.0))
    if rng.random() < 0.4:
        where = where + _field(rng, side * np.array([-1.0, 1.0]), 0.5)
    shape = _envelope(rng, n, sfreq, 0.5, 12)
    if rng.random() < 0.4:  # chewing
        beat = np.sin(2 * np.pi * rng.uniform(0.8, 2.2) * np.arange(n) / sfreq)
        shape = shape * np.clip(beat, 0, 1).astype(np.float32)
    size = np.exp(rng.uniform(np.log(5), np.log(60)))
    return _leads(where * fast * shape * np.float32(size))


def _blinks(rng: Generator, n: int, sfreq: int) -> Window:
    """Blinks, alone or in a flutter: the frontal poles swing by 50-250 microvolts."""
    course = np.zeros(n, np.float32)
    every = rng.uniform(0.25, 4) * sfreq
    width = rng.uniform(0.06, 0.16) * sfreq
    times = np.arange(n)
    for at in np.arange(rng.uniform(0, every), n, every):
        at += rng.normal(0, 0.1 * every)
        course += np.exp(-0.5 * ((times - at) / width) ** 2) * rng.uniform(0.6, 1.2)
    where = _field(rng, np.array([0, 1.1], np.float32), 0.4)
    return _leads(where * course * np.float32(rng.uniform(50, 250)))


def _glances(rng: Generator, n: int, _sfreq: int) -> Window:
    """Eye movements to the side: opposite steps at F7 and F8."""
    jumps = np.zeros(n)
    for _ in range(rng.integers(1, 8)):
        jumps[rng.integers(n)] += rng.normal(0, 1)
    course = lfilter([1.0], [1, -0.995], jumps)
    left = _field(rng, np.array([-0.8, 0.7], np.float32), 0.3)
    right = _field(rng, np.array([0.8, 0.7], np.float32), 0.3)
    potential = (left - right) * course.astype(np.float32)
    return _leads(potential * np.float32(rng.uniform(20, 80)))


def _pops(rng: Generator, n: int, sfreq: int) -> Window:
    """One electrode jumps and drifts back."""
    jumps = np.zeros(n)
    for _ in range(rng.integers(1, 4)):
        jumps[rng.integers(n)] += rng.choice([-1, 1]) * np.exp(rng.uniform(3, 6))
    course = lfilter([1.0], [1, -np.exp(-1 / (rng.uniform(0.03, 0.4) * sfreq))], jumps)
    one = np.zeros((len(ELECTRODES), 1), np.float32)
    one[rng.integers(len(ELECTRODES))] = 1
    return _leads(one * course.astype(np.float32))


def _sway(rng: Generator, n: int, sfreq: int) -> Window:
    """Movement and sweat: slow random waves of a few electrodes."""
    white = rng.normal(0, 1, (len(ELECTRODES), n))
    pole = np.exp(-2 * np.pi * rng.uniform(0.3, 2.0) / sfreq)
    slow = lfilter([(1 - pole) ** 1.5], [1, -2 * pole, pole**2], white, axis=1)
    slow /= slow.std() + 1e-6
    who = rng.random((len(ELECTRODES), 1)) < rng.uniform(0.1, 0.9)
    size = np.exp(rng.uniform(np.log(15), np.log(150)))
    course = _envelope(rng, n, sfreq, 2, 20)
    return _leads(slow * who * course * size).astype(np.float32)


def _posterior_alpha(rng: Generator, n: int, sfreq: int) -> Window:
    """The rhythm of closed eyes, 7-12 Hz, over both occipital lobes."""
    wave = _rhythm(rng, n, sfreq, rng.uniform(7, 12), 40)
    wave *= _envelope(rng, n, sfreq, 1, 15) * np.float32(rng.uniform(10, 60))
    return _leads(_field(rng, np.array([0, -1.0], "f4"), 0.5) * wave)


def _sleep(rng: Generator, n: int, sfreq: int) -> Window:
    """Spindles, vertex waves or slow waves of sleep; broad and symmetric."""
    kind = rng.integers(3)
    if kind == 0:
        wave = _rhythm(rng, n, sfreq, rng.uniform(11, 15), 20)
        wave *= _envelope(rng, n, sfreq, 0.5, 2) * np.float32(rng.uniform(15, 60))
        where = _field(rng, np.array([0, 0.2], "f4"), 0.5)
    elif kind == 1:
        times, width = np.arange(n), rng.uniform(0.05, 0.15) * sfreq
        wave = np.zeros(n, np.float32)
        for at in rng.uniform(0, n, rng.integers(1, 6)):
            x = (times - at) / width
            wave += (
                np.exp(-0.5 * x**2) - 0.5 * np.exp(-0.5 * ((x - 2.5) / 1.5) ** 2)
            ) * (rng.uniform(40, 150))
        where = _field(rng, np.array([0, 0.0], "f4"), 0.35)
    else:
        wave = _rhythm(rng, n, sfreq, rng.uniform(0.6, 3), 15)
        wave *= np.float32(rng.uniform(30, 150))
        where = _field(rng, np.array([0, 0.5], "f4"), 1.0)
    return _leads(where * wave)


def _pulse(rng: Generator, n: int, sfreq: int) -> Window:
    """Heart beats in a few electrodes: a spike each, 45-180 a minute."""
    course = np.zeros(n, np.float32)
    every = 60 / rng.uniform(45, 180) * sfreq
    times = np.arange(n)
    for at in np.arange(rng.uniform(0, every), n, every):
        x = (times - at) / (0.012 * sfreq)
        course += np.exp(-0.5 * x**2) - 0.4 * np.exp(-0.5 * ((x - 2) / 1.5) ** 2)
    where = rng.normal(0, 1, (len(ELECTRODES), 1)).astype(np.float32)
    return _leads(where * course * np.float32(rng.uniform(5, 30)))


def _noise(rng: Generator, n: int, _sfreq: int) -> Window:
    """An amplifier's own noise, white."""
    size = np.exp(rng.uniform(np.log(0.5), np.log(8)))
    return rng.normal(0, size, (len(LEADS), n)).astype(np.float32)


PLANTS: Final = (
    _muscle, _muscle, _blinks, _glances, _pops, _sway, _posterior_alpha, _sleep, _pulse,
    _noise,
)  # fmt: skip
