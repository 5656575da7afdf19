"""Courses in time of which everything that is planted is made, of about unit size.

Random processes, rhythms whose frequency slides, sharp transients, envelopes. Knows
neither electrodes nor what a course stands for.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.special import ive

Course = NDArray[np.float32]  # (n,) or (rows, n)


_COSINE = 1e-2  # as sharp as a cosine, to a thousandth


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform: amplitudes span decades."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def wander(rng: Generator, n: int, sfreq: float, corner_hz: float) -> Course:
    """(n,) a smooth random course of unit spread that forgets within 1/corner_hz s."""
    n_knots = int(n / sfreq * 2 * corner_hz) + 4
    knots = rng.normal(0, 1.2, n_knots)
    at = np.arange(n) * (2 * corner_hz / sfreq) + rng.random()
    whole = at.astype(np.intp)
    part = at - whole
    part = part * part * (3 - 2 * part)
    return np.asarray(knots[whole] * (1 - part) + knots[whole + 1] * part, np.float32)


def band_noise(
    rng: Generator,
    rows: int,
    n: int,
    sfreq: float,
    band_hz: tuple[float, float],
    slope: float = 0.0,
) -> Course:
    """(rows, n) Gaussian noise of unit spread with power as f**-slope in a band."""
    length = next_fast_len(max(n, round(2 * sfreq)), real=True)
    hz = rfftfreq(length, 1 / sfreq)
    low, high = band_hz
    inside = np.flatnonzero((hz >= low) & (hz <= min(high, 0.49 * sfreq)))
    size = hz[inside] ** (-slope / 2)
    spectrum = np.zeros((rows, len(hz)), np.complex64)
    drawn = rng.standard_normal((rows, len(inside), 2), np.float32)
    drawn *= (size * length / (2 * np.sqrt(np.sum(size**2))))[:, None]
    spectrum[:, inside] = drawn.view(np.complex64)[..., 0]
    return np.asarray(irfft(spectrum, length, axis=1)[:, :n])


def fade(n: int, rise: int, fall: int) -> Course:
    """(n,) from 0 to 1 within `rise` samples and back within `fall`, without edges."""
    shape = np.ones(n, np.float32)
    rise, fall = (max(1, min(part, n // 2)) for part in (rise, fall))
    shape[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    shape[n - fall :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fall + 1) / fall)
    return shape


def slide(n: int, knots: ArrayLike) -> Course:
    """(n,) positive values that run through `knots`, evenly spaced, without a jerk."""
    points = np.log(np.asarray(knots, float))
    at = np.linspace(0, len(points) - 1, n)
    path = np.interp(at, np.arange(len(points)), points)
    return np.asarray(np.exp(path), np.float32)


def phase_of(hz: Course, sfreq: float, start: float = 0.0) -> Course:
    """(n,) the phase in radians of an oscillation with the given frequency."""
    turns = np.cumsum(hz, dtype=np.float64) / sfreq
    return np.asarray(2 * np.pi * (turns % 1.0) + start, np.float32)


def peaks(phase: Course, sharpness: float | Course) -> Course:
    """A peak per turn, from a cosine (0) to a spike (60), mean 0 and height near 1."""
    steep = np.maximum(sharpness, _COSINE)
    mean = ive(0, steep)  # of the wave, over one turn
    wave = (np.exp(steep * (np.cos(phase) - 1)) - mean) / (1 - mean)
    return np.asarray(wave, np.float32)


def spike_wave(phase: Course, spike: float = 1.0, wave: float = 0.8) -> Course:
    """Per turn a negative spike and a slow wave after it."""
    spikes = peaks(phase, 25.0) * np.float32(spike)
    slow = peaks(phase - np.float32(2.9), 1.0) * np.float32(wave)
    return np.asarray(slow - spikes, np.float32)


def discharge(rng: Generator, sfreq: float, width_s: float, after: float) -> Course:
    """One sharp transient of `width_s` and a slow after-wave of size `after`."""
    slow_s = width_s * rng.uniform(2, 4)
    times = np.arange(-1.5 * width_s, width_s + 3 * slow_s, 1 / sfreq)
    skewed = times / np.where(times < 0, 0.45, 0.3) / width_s
    sharp = np.exp(-0.5 * skewed**2)
    dip = np.exp(-0.5 * ((times - 0.9 * width_s) / (0.4 * width_s)) ** 2)
    late = np.exp(-0.5 * ((times - width_s - slow_s) / (0.5 * slow_s)) ** 2)
    shape = -sharp + rng.uniform(0.2, 0.6) * dip - after * late * rng.choice([1, 1, -1])
    return np.asarray(shape, np.float32)


def train(
    rng: Generator, n: int, sfreq: float, shape: Course, hz: float, jitter: float
) -> Course:
    """(n,) `shape` again and again at `hz`, each a little early or late and unlike."""
    course = np.zeros(n + len(shape), np.float32)
    at = rng.random() / hz
    while at * sfreq < n:
        first = int(at * sfreq)
        course[first : first + len(shape)] += shape * np.float32(rng.uniform(0.6, 1.2))
        at += max(0.1, 1 + jitter * rng.normal()) / hz
    return course[:n]
