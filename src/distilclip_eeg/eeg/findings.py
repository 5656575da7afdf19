"""A segment of EEG -> what can be said about it: what experts marked, what is measured.

Marked is what a data set tells of a seizure: type, side, lobe, part of its course.
Measured are dominant rhythm, amplitude, and where it is strongest, as a reader of the
longitudinal bipolar montage would name them. Bands are those of the IFCN glossary
(Kane 2017); amplitude is peak to trough, and its words and those of asymmetry are the
ACNS terminology's (Hirsch 2021). No edge between words was set on a data set.

Does not know patient, recording, data set, length of the recording or which leads are
missing, and has no word for them: a caption made of findings cannot give them away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import spectrogram

from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS, lead_name

State: TypeAlias = Literal["background", "seizure"]
Kind: TypeAlias = Literal["focal", "generalised", "unknown"]
Side: TypeAlias = Literal["left", "right", "bilateral", "unknown"]
Lobe: TypeAlias = Literal[
    "frontal", "temporal", "central", "parietal", "occipital", "insular", "unknown"
]
Course: TypeAlias = Literal["onset", "middle", "end", "unknown"]
Semiology: TypeAlias = Literal[
    "non-motor", "motor", "tonic", "clonic", "tonic-clonic", "myoclonic", "atonic",
    "hyperkinetic", "automatisms", "behaviour arrest", "to bilateral tonic-clonic",
    "unknown",
]  # fmt: skip
Rhythm: TypeAlias = Literal["delta", "theta", "alpha", "beta", "irregular", "unknown"]
Amplitude: TypeAlias = Literal["very low", "low", "medium", "high", "unknown"]
StrongSide: TypeAlias = Literal["left", "right", "midline", "diffuse", "unknown"]
StrongRegion: TypeAlias = Literal[
    "frontal", "temporal", "central", "parietal", "occipital", "diffuse", "unknown"
]

BANDS_HZ: Final[tuple[tuple[Rhythm, float], ...]] = (
    ("delta", 4.0),
    ("theta", 8.0),
    ("alpha", 13.0),
    ("beta", 30.0),
)  # name, upper edge
AMPLITUDES_UV: Final[tuple[tuple[Amplitude, float], ...]] = (
    ("very low", 20.0),
    ("low", 50.0),
    ("medium", 150.0),
    ("high", float("inf")),
)  # name, upper edge
REGIONS: Final[dict[str, StrongRegion]] = {
    "FP1-F7": "frontal",
    "F7-T7": "temporal",
    "T7-P7": "temporal",
    "P7-O1": "occipital",
    "FP1-F3": "frontal",
    "F3-C3": "central",
    "C3-P3": "parietal",
    "P3-O1": "occipital",
    "FZ-CZ": "central",
    "CZ-PZ": "parietal",
    "FP2-F4": "frontal",
    "F4-C4": "central",
    "C4-P4": "parietal",
    "P4-O2": "occipital",
    "FP2-F8": "frontal",
    "F8-T8": "temporal",
    "T8-P8": "temporal",
    "P8-O2": "occipital",
}

_LOWEST_HZ = 1.0
_PEAK_HALF_WIDTH_HZ = 1.0  # the main lobe of a Hann window of two seconds
# Just above what noise of 1/f^0 to 1/f^2 in 18 correlated leads gives: up to 0.29, and
# at the lowest frequency, where a steep slope looks like a peak, 0.48.
_MIN_PEAK_SHARE = 0.3
_MIN_EDGE_SHARE = 0.5
_SIDE_RATIO = 1.5  # a marked asymmetry
_REGION_RATIO = 1.5
_MIN_PAIRS = 3  # of leads left and right of the midline, to compare sides
_MIN_REGIONS = 3  # to call one of them the strongest
_FLAT_UV = 1.0


_MIRROR = str.maketrans("12345678", "21436587")
_LEFT = np.array([i for i, lead in enumerate(LEADS) if lead[-1] in "1357"])
_RIGHT = np.array([LEADS.index(LEADS[i].translate(_MIRROR)) for i in _LEFT])
_MIDLINE = np.array([i for i, lead in enumerate(LEADS) if lead[-1] == "Z"])
_REGION_OF = np.array([REGIONS[lead] for lead in LEADS])
_REGION_NAMES: tuple[StrongRegion, ...] = tuple(dict.fromkeys(REGIONS.values()))


@dataclass(frozen=True, slots=True)
class Measured:
    """What the signal of one segment shows.

    Attributes
    ----------
    rhythm, frequency_hz
        Band and frequency of the dominant rhythm; `irregular` and None without a
        clear peak in the spectrum.
    rhythmicity
        Share of the flattened spectrum that lies within 1 Hz of its peak, 0 to 1.
    amplitude, amplitude_uv
        Peak to trough from 1 to 30 Hz in the stronger leads (90th percentile).
    side, region
        Where it is strongest, `diffuse` if nowhere. Missing leads are not guessed:
        sides are compared over leads that both sides have.
    """

    rhythm: Rhythm = "unknown"
    frequency_hz: float | None = None
    rhythmicity: float = 0.0
    amplitude: Amplitude = "unknown"
    amplitude_uv: float | None = None
    side: StrongSide = "unknown"
    region: StrongRegion = "unknown"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that may be said about one segment."""

    state: State
    kind: Kind = "unknown"
    side: Side = "unknown"
    lobe: Lobe = "unknown"
    course: Course = "unknown"
    semiology: Semiology = "unknown"
    measured: Measured = Measured()


def measure(
    leads: NDArray[np.float32], usable: NDArray[np.bool_], sfreq: float = 256.0
) -> Measured:
    """Measure one segment.

    Parameters
    ----------
    leads
        Conditioned signal, (18, n_times) µV.
    usable
        (18, n_s), one per started second; what is False is left out of everything.
    sfreq
        Hz.

    Returns
    -------
    Measured
        All `unknown` if no lead is usable for two seconds running (or for the one
        second of a segment that has no more).
    """
    if leads.shape[1] < sfreq:
        return Measured()
    power, frequencies, valid = _spectra(leads, usable, sfreq)
    known: NDArray[np.bool_] = np.any(valid, axis=1)
    if not known.any():
        return Measured()
    step_hz = frequencies[1] - frequencies[0]
    uv = 2 * np.sqrt(2 * step_hz * _masked_median(power.sum(axis=1), valid))
    amplitude_uv = float(np.quantile(uv[known], 0.9))
    if amplitude_uv < _FLAT_UV:
        return Measured("irregular", None, 0.0, "low", amplitude_uv)
    # Where it is weak other activity would hide the rhythm.
    strong = valid & (uv >= np.median(uv[known]))[:, None]
    rhythm, frequency_hz, rhythmicity = _rhythm(
        np.einsum("cfk,ck->f", power, strong.astype(power.dtype)), frequencies
    )
    side = _strongest_side(uv, known)
    return Measured(
        rhythm=rhythm,
        frequency_hz=frequency_hz,
        rhythmicity=rhythmicity,
        amplitude=next(name for name, edge in AMPLITUDES_UV if amplitude_uv < edge),
        amplitude_uv=amplitude_uv,
        side=side,
        region=_strongest_region(uv, known, side),
    )


def _spectra(
    leads: NDArray[np.float32], usable: NDArray[np.bool_], sfreq: float
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    # Welch's method with its pieces kept apart, so that bad seconds can be left out.
    n_times = leads.shape[1]
    length = min(round(2 * sfreq), n_times)
    hop = round(sfreq)
    frequencies, _, power = spectrogram(
        np.nan_to_num(leads, posinf=0.0, neginf=0.0),
        sfreq,
        window="hann",
        nperseg=length,
        noverlap=max(0, length - hop),
        detrend="constant",  # linear takes three times as long and changes nothing
    )
    n_pieces = power.shape[2]
    firsts = np.arange(n_pieces)
    lasts = np.minimum(
        np.ceil((firsts * hop + length) / sfreq) - 1, usable.shape[1] - 1
    )
    valid = usable[:, firsts] & usable[:, lasts.astype(int)]
    low, high = np.searchsorted(frequencies, (_LOWEST_HZ, BANDS_HZ[-1][1] + 0.1))
    return power[:, low:high], frequencies[low:high], valid


def _masked_median(
    values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    # A row without a valid value gives 0. (numpy.nanmedian takes ten times as long.)
    ordered = np.sort(np.where(valid, values, np.inf), axis=1)
    middle = np.maximum(valid.sum(axis=1) - 1, 0) // 2
    median = ordered[np.arange(len(values)), middle]
    return np.where(valid.any(axis=1), median, 0.0).astype(np.float32)


def _rhythm(
    spectrum: NDArray[np.float32], frequencies: NDArray[np.float64]
) -> tuple[Rhythm, float | None, float]:
    # Times frequency: the 1/f slope of any EEG would else make every peak delta.
    flattened = spectrum * frequencies
    total = float(flattened.sum())
    if total <= 0:
        return "irregular", None, 0.0
    top = frequencies[int(flattened.argmax())]
    near = np.abs(frequencies - top) <= _PEAK_HALF_WIDTH_HZ
    share = float(flattened[near].sum()) / total
    at_edge = top < _LOWEST_HZ + _PEAK_HALF_WIDTH_HZ
    if share < (_MIN_EDGE_SHARE if at_edge else _MIN_PEAK_SHARE):
        return "irregular", None, share
    peak_hz = float(flattened[near].sum() / spectrum[near].sum())
    rhythm = next((name for name, edge in BANDS_HZ if peak_hz < edge), BANDS_HZ[-1][0])
    return rhythm, peak_hz, share


def _strongest_side(uv: NDArray[np.float32], known: NDArray[np.bool_]) -> StrongSide:
    pairs = known[_LEFT] & known[_RIGHT]
    if pairs.sum() < _MIN_PAIRS:
        return "unknown"
    left, right = uv[_LEFT[pairs]].mean(), uv[_RIGHT[pairs]].mean()
    midline = uv[_MIDLINE].mean() if known[_MIDLINE].all() else 0.0
    if midline > _SIDE_RATIO * max(left, right):
        return "midline"
    if left > _SIDE_RATIO * right:
        return "left"
    return "right" if right > _SIDE_RATIO * left else "diffuse"


def _strongest_region(
    uv: NDArray[np.float32], known: NDArray[np.bool_], side: StrongSide
) -> StrongRegion:
    counted = known.copy()
    if side in ("left", "right"):
        counted[_RIGHT if side == "left" else _LEFT] = False
    means = {
        name: float(uv[counted & (name == _REGION_OF)].mean())
        for name in _REGION_NAMES
        if (counted & (name == _REGION_OF)).any()
    }
    if len(means) < _MIN_REGIONS:
        return "unknown"
    strongest = max(means, key=lambda name: means[name])
    others = [value for name, value in means.items() if name != strongest]
    return (
        strongest if means[strongest] > _REGION_RATIO * np.mean(others) else "diffuse"
    )


def kind_of(event_type: str) -> Kind:
    """Tell focal from generalised by a HED-SCORE type, such as `sz_foc_ia_m_tonic`."""
    parts = event_type.replace("-", "_").split("_")
    if parts[0] != "sz" or len(parts) < 2:
        return "unknown"
    kinds: dict[str, Kind] = {"foc": "focal", "gen": "generalised"}
    return kinds.get(parts[1], "unknown")


def semiology_of(event_type: str) -> Semiology:
    """Read what a HED-SCORE type says of signs, the most special word that it has."""
    parts = set(event_type.replace("-", "_").split("_"))
    return next((name for word, name in _SEMIOLOGIES if word in parts), "unknown")


_SEMIOLOGIES: Final[tuple[tuple[str, Semiology], ...]] = (
    ("f2b", "to bilateral tonic-clonic"),
    ("tonicClonic", "tonic-clonic"),
    ("tonic", "tonic"),
    ("clonic", "clonic"),
    ("myoclonic", "myoclonic"),
    ("atonic", "atonic"),
    ("hyperkinetic", "hyperkinetic"),
    ("automatisms", "automatisms"),
    ("behavior", "behaviour arrest"),
    ("nm", "non-motor"),
    ("m", "motor"),
)


def side_of(word: str) -> Side:
    """Read a side as data sets write it: `left`, `L`, `right`, `bi`, `un`, ..."""
    sides: dict[str, Side] = {"l": "left", "r": "right", "b": "bilateral"}
    return sides.get(word.strip().lower()[:1], "unknown")


def lobe_of(word: str) -> Lobe:
    """Read a lobe as data sets write it; of a compound (`front_temp`) the first."""
    lobes: tuple[Lobe, ...] = (
        "frontal", "temporal", "central", "parietal", "occipital", "insular",
    )  # fmt: skip
    first = word.strip().lower().split("_")[0]
    return next((lobe for lobe in lobes if first[:3] == lobe[:3]), "unknown")


def place_of_leads(channels: Iterable[str]) -> tuple[Side, Lobe]:
    """Tell side and lobe from the leads on which experts marked a seizure.

    One side needs four fifths of the lateral leads, a lobe three fifths of all.
    """
    names = {name for name in map(lead_name, channels) if name}
    left, right = (
        sum(name[-1] in digits for name in names) for digits in ("1357", "2468")
    )
    side: Side = "bilateral" if left and right else "unknown"
    if left + right:
        if left >= 0.8 * (left + right):
            side = "left"
        elif right >= 0.8 * (left + right):
            side = "right"
    regions: list[str] = [REGIONS[name] for name in names]
    lobes: tuple[Lobe, ...] = (
        "frontal", "temporal", "central", "parietal", "occipital",
    )  # fmt: skip
    lobe = next((x for x in lobes if regions.count(x) >= 0.6 * len(regions) > 0), None)
    return side, lobe or "unknown"


def course_of(event: Event, start_s: float, stop_s: float) -> Course:
    """Say which part of an event lies in a segment.

    `onset` wins where a short event lies wholly inside; `unknown` if none of it does.
    """
    end_s = event.onset + event.duration
    if event.onset >= stop_s or end_s <= start_s:
        return "unknown"
    if event.onset >= start_s:
        return "onset"
    return "end" if end_s <= stop_s else "middle"
