"""Real and simulated recordings -> 10 s windows of the same kinds, cut alike.

Real seizure clips begin at the onset and hold what comes after it; simulated ones are
cut so, too, and conditioned from there: else the filters' first seconds, or a quiet
start, would tell them apart. Knows nothing of what is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.simulate import Simulated, simulate
from distilclip_eeg.corpora.simulation.background import state_at
from distilclip_eeg.corpora.store import condition
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.errors import DistilClipError

SIMULATED: Final = "simulated"
Kind: TypeAlias = Literal["background", "seizure", "pattern"]
Part: TypeAlias = Literal["", "after", "onset", "middle", "end"]
"""Of a background whether a seizure came before; of a seizure where in it."""

AWAKE: Final = ("awake", "resting")
ALWAYS_AWAKE: Final = ("eegmat",)  # data sets whose people rested or calculated
ICU_PATTERNS: Final = ("lpd", "gpd", "lrda", "grda")
AFTER_S: Final = 60.0  # of a clip that begins with a seizure, as in the real ones
CLIP_S: Final = 60  # of a clip without one
_APART_S: Final = 180.0  # from the last seizure, for a clip without one
_CLIPS: Final = 6  # of ordinary EEG from a simulated recording


@dataclass(frozen=True, slots=True)
class Epoch:
    """One window.

    Attributes
    ----------
    dataset, group
        Where it comes from; the patient, or `seed` and its number.
    kind, part
        What it shows.
    state
        Of a simulated background: awake, asleep, ...; unknown ("") of a real one.
    leads
        (18, T) float32 µV.
    usable
        (18,) whether the lead can be trusted all the time.
    where
        Recording and second, for the reader of a page.
    """

    dataset: str
    group: str
    kind: Kind
    part: Part
    state: str
    leads: NDArray[np.float32]
    usable: NDArray[np.bool_]
    where: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch that was conditioned from its first sample on."""

    dataset: str
    group: str
    name: str
    signal: Conditioned
    seizures: tuple[tuple[float, float], ...]  # seconds from the start of the clip
    begins_s: float = 0.0
    kind: Kind = "background"  # of what is no seizure
    after: bool = False  # whether a seizure ended shortly before the clip
    states: Callable[[float], str] = lambda at_s: ""


def real_epochs(
    recordings: Iterable[CorpusRecording],
    signal: SignalConfig,
    skipped: dict[str, str],
) -> list[Epoch]:
    """Cut recorded clips; those that cannot be read are added to `skipped`."""
    epochs = []
    for recording in recordings:
        try:
            conditioned = condition(open_recording(recording.path), signal)
        except DistilClipError as error:
            skipped[recording.name] = str(error)
            continue
        clip = Clip(
            dataset=recording.dataset,
            group=recording.patient,
            name=recording.name,
            signal=conditioned,
            seizures=tuple((e.onset, e.onset + e.duration) for e in recording.events),
            kind="pattern" if recording.kind == "hard_negative" else "background",
            after="_after" in recording.name,
        )
        epochs += cut(clip, signal)
    return epochs


def simulated_epochs(
    seeds: Iterable[int],
    duration_s: float,
    signal: SignalConfig,
    *,
    most: int,
    chance: int,
) -> tuple[list[Epoch], str]:
    """Simulate and cut, `thinned` seed by seed: all windows would fill the memory.

    Also return a hash of all samples: it names the simulator.
    """
    epochs, digest = [], hashlib.sha256()
    for seed in seeds:
        simulated = simulate(seed, duration_s, sfreq=signal.sfreq)
        digest.update(simulated.eeg.tobytes())
        clips = simulated_clips(simulated, seed, signal)
        own = [epoch for clip in clips for epoch in cut(clip, signal)]
        epochs += thinned(own, most, chance)
    return epochs, digest.hexdigest()


def simulated_clips(
    simulated: Simulated, seed: int, signal: SignalConfig
) -> list[Clip]:
    """Cut a recording into clips as the real ones are: seizures, patterns, neither."""
    rng = np.random.default_rng(seed)
    duration_s = simulated.duration_s
    onsets = [*(event.onset for event in simulated.events), duration_s]
    clips = []
    for k, event in enumerate(simulated.events):
        end_s = event.onset + event.duration
        stop_s = min(end_s + AFTER_S, onsets[k + 1], duration_s)
        span = (0.0, event.duration)
        clips.append(_clip(simulated, seed, signal, (event.onset, stop_s), [span]))
    for event in simulated.negatives:
        if event.event_type in ICU_PATTERNS:
            span = (event.onset, event.onset + event.duration)
            clips.append(_clip(simulated, seed, signal, span, [], "pattern"))
    starts = _ordinary_starts(simulated)
    for start_s in rng.choice(starts, min(_CLIPS, len(starts)), replace=False):
        span = (float(start_s), float(start_s + CLIP_S))
        clips.append(_clip(simulated, seed, signal, span, []))
    return clips


def cut(clip: Clip, signal: SignalConfig) -> list[Epoch]:
    """Cut every window that lies wholly in a seizure, or wholly outside.

    The last second of a clip is left out: where it was not whole it was filled up.
    """
    sfreq = round(signal.sfreq)
    epochs = []
    last = clip.signal.n_seconds - 1 - signal.window_s
    for start in range(0, last + 1, signal.hop_s):
        stop = start + signal.window_s
        seizure = next((s for s in clip.seizures if s[0] < stop and s[1] > start), None)
        if seizure and not seizure[0] <= start < stop <= seizure[1]:
            continue
        before = any(end <= start for _, end in clip.seizures)
        part: Part = "after" if before or clip.after else ""
        epochs.append(
            Epoch(
                dataset=clip.dataset,
                group=clip.group,
                kind="seizure" if seizure else clip.kind,
                part=_third(seizure, start, stop) if seizure else part,
                state="" if seizure else clip.states(clip.begins_s + start),
                leads=clip.signal.leads[:, start * sfreq : stop * sfreq].copy(),
                usable=np.all(clip.signal.usable[:, start:stop], axis=1),
                where=f"{clip.name}, {clip.begins_s + start:.0f} s",
            )
        )
    return epochs


def thinned(epochs: Sequence[Epoch], most: int, seed: int) -> list[Epoch]:
    """Keep at most `most` windows of each group and kind, drawn by chance."""
    rng = np.random.default_rng(seed)
    shuffled = [epochs[i] for i in rng.permutation(len(epochs))]
    kept: dict[tuple[str, Kind, bool], list[Epoch]] = {}
    for epoch in shuffled:
        key = (epoch.group, epoch.kind, epoch.part == "after")
        kept.setdefault(key, []).append(epoch)
    return [epoch for group in kept.values() for epoch in group[:most]]


def _third(seizure: tuple[float, float], start_s: float, stop_s: float) -> Part:
    middle = (0.5 * (start_s + stop_s) - seizure[0]) / (seizure[1] - seizure[0])
    return "onset" if middle < 1 / 3 else "middle" if middle < 2 / 3 else "end"


def _clip(
    simulated: Simulated,
    seed: int,
    signal: SignalConfig,
    span_s: tuple[float, float],
    seizures: Sequence[tuple[float, float]],
    kind: Kind = "background",
) -> Clip:
    first, last = (round(at_s * simulated.sfreq) for at_s in span_s)
    piece = simulated.eeg[:, first:last]
    recording = ArrayRecording(piece, simulated.sfreq, simulated.ch_names)
    return Clip(
        dataset=SIMULATED,
        group=f"seed {seed}",
        name=f"seed {seed}",
        signal=condition(recording, signal),
        seizures=tuple(seizures),
        begins_s=span_s[0],
        kind=kind,
        states=lambda at_s: state_at(simulated.stages, at_s),
    )


def _ordinary_starts(simulated: Simulated) -> list[int]:
    """Where a minute begins that no seizure, its aftermath or pattern touches."""
    busy = [(e.onset, e.onset + e.duration + _APART_S) for e in simulated.events]
    busy += [_span(event) for event in simulated.negatives]
    last = int(simulated.duration_s) - CLIP_S
    return [
        start
        for start in range(0, last + 1, CLIP_S // 2)
        if not any(a < start + CLIP_S and b > start for a, b in busy)
    ]


def _span(event: Event) -> tuple[float, float]:
    return event.onset, event.onset + event.duration
