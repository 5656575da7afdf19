"""A seizure clip of a data set -> a recording in which real background comes before it.

The background is of the same person where the data set has enough without a seizure,
else of others of the same data set and fold, so that a model that never saw the fold
knows neither. Everything is drawn from the name of the clip: the same data give the
same recording. Knows no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final, Literal

import numpy as np
from numpy.random import Generator

from distilclip_eeg.corpora.catalog import CorpusRecording
from distilclip_eeg.corpora.splicing import SHORTEST_S, Signal, splice
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.recording import ArrayRecording, Recording
from distilclip_eeg.errors import CorpusError

BACKGROUND_S: Final = 120.0
PHASE_S: Final = 10.0  # drawn and added: else every onset met windows at one phase
ENOUGH_S: Final = 30.0  # of one person; less would be heard again and again
MOST_S: Final = 60.0  # of one recording

Whose = Literal["own", "others"]


@dataclass(frozen=True, slots=True, eq=False)
class SplicedClip:
    """A recording of the channels of a clip, and what is true of it.

    Attributes
    ----------
    events
        The first begins where the background ends.
    labelled_s
        From the beginning to where experts stopped looking.
    joins_s
        Where pieces of background meet; nothing begins there.
    background
        Whether it is of the same person.
    """

    recording: ArrayRecording
    events: tuple[Event, ...]
    labelled_s: tuple[float, float]
    joins_s: tuple[float, ...]
    background: Whose


def spliced_clip(
    clip: CorpusRecording, recordings: Sequence[CorpusRecording]
) -> SplicedClip:
    """Put background before the first seizure of a clip; what it held before is lost.

    Parameters
    ----------
    recordings
        Of the same data set and others, among which to look for background.

    Raises
    ------
    CorpusError
        If there is too little background with the same leads and rate.
    DistilClipError
        If a file cannot be read.
    """
    rng = np.random.default_rng(_seed(clip.name))
    source = open_recording(clip.path)
    first = min(clip.events, key=lambda event: event.onset)
    background_s = BACKGROUND_S + rng.uniform(0, PHASE_S)
    whose, rows, backgrounds = _heard_before(clip, recordings, source, rng)
    onset, seizure = _stretch(source, rows, first.onset, source.duration_s)
    made = splice(seizure, backgrounds, source.sfreq, rng, background_s)
    moved_s = made.onset / source.sfreq - onset
    end_s = onset + seizure.shape[1] / source.sfreq
    looked_s = min(clip.labelled_s[1], end_s) if clip.labelled_s else end_s
    return SplicedClip(
        ArrayRecording(made.signal, source.sfreq, rows.names, name=clip.name),
        tuple(
            replace(event, onset=event.onset + moved_s)
            for event in sorted(clip.events, key=lambda event: event.onset)
            if event.onset < end_s
        ),
        (0.0, looked_s + moved_s),
        tuple(join / source.sfreq for join in made.joins),
        whose,
    )


def backgrounds_of(
    clip: CorpusRecording, recordings: Iterable[CorpusRecording]
) -> dict[Whose, list[CorpusRecording]]:
    """Say which recordings may come before a clip, of the same person and of others.

    They are of the same data set and fold and hold no seizure. What was cut from the
    time after this very seizure, a file named `CLIP_...`, may not: it is its own end.
    """
    stem = _stem(clip)
    quiet = [
        r
        for r in sorted(recordings, key=lambda r: r.name)
        if r.kind == "background"
        and not r.events
        and (r.dataset, r.fold) == (clip.dataset, clip.fold)
        and not _stem(r).startswith(f"{stem}_")
    ]
    return {
        "own": [r for r in quiet if r.patient == clip.patient],
        "others": [r for r in quiet if r.patient != clip.patient],
    }


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is spliced: channels by their labels, or leads of any channels."""

    names: tuple[str, ...]
    are_leads: bool

    def fit(self, source: Recording) -> bool:
        """Whether a recording has all of them."""
        names = source.ch_names
        if self.are_leads:
            missing = plan_montage(names).missing_leads
            return not set(self.names) & set(missing)
        return set(self.names) <= set(names)

    def read(self, source: Recording, segment: int, start: int, stop: int) -> Signal:
        """Return samples of a segment, (n_rows, stop - start) µV."""
        if self.are_leads:
            montage = plan_montage(source.ch_names)
            leads = montage.leads(source.read(montage.picks, segment, start, stop))
            return leads[[LEADS.index(name) for name in self.names]]
        picks = [source.ch_names.index(name) for name in self.names]
        return source.read(picks, segment, start, stop)


def _rows_of(source: Recording) -> tuple[_Rows, _Rows]:
    """Channels that leads need, since a detector judges each; leads where none fit."""
    montage = plan_montage(source.ch_names)
    channels = tuple(source.ch_names[pick] for pick in montage.picks)
    leads = tuple(name for name in LEADS if name not in montage.missing_leads)
    return _Rows(channels, are_leads=False), _Rows(leads, are_leads=True)


def _heard_before(
    clip: CorpusRecording,
    recordings: Sequence[CorpusRecording],
    source: Recording,
    rng: Generator,
) -> tuple[Whose, _Rows, list[Signal]]:
    """Find whose background comes before, of which rows, and read it."""
    ways = _rows_of(source)
    for whose, found in backgrounds_of(clip, recordings).items():
        order = [found[k] for k in rng.permutation(len(found)).tolist()]
        for rows in ways:
            read = _read(order, rows, source.sfreq, rng)
            if sum(part.shape[1] for part in read) >= ENOUGH_S * source.sfreq:
                return whose, rows, read
    raise CorpusError(
        f"{clip.name}: found under {ENOUGH_S:g} s of background of its data set and "
        "fold with the same leads and rate, expected recordings of kind background"
    )


def _read(
    recordings: Sequence[CorpusRecording], rows: _Rows, sfreq: float, rng: Generator
) -> list[Signal]:
    """Read until there is as much as is needed, at most a minute of each that fits."""
    read: list[Signal] = []
    left_s = BACKGROUND_S + PHASE_S
    for recording in recordings:
        if left_s <= 0:
            break
        source = open_recording(recording.path)
        start_s, end_s = recording.labelled_s or (0.0, source.duration_s)
        length_s = min(MOST_S, end_s - start_s)
        if source.sfreq != sfreq or length_s < SHORTEST_S or not rows.fit(source):
            continue
        start_s = rng.uniform(start_s, end_s - length_s)
        _, signal = _stretch(source, rows, start_s, start_s + length_s)
        read.append(signal)
        left_s -= signal.shape[1] / sfreq
    return read


def _stretch(
    source: Recording, rows: _Rows, start_s: float, end_s: float
) -> tuple[float, Signal]:
    """Read from a time on, to another or to the next gap.

    Returns
    -------
    tuple
        The time of the first sample, and (n_rows, n) µV.
    """
    for number, segment in enumerate(source.segments):
        first = max(0, round((start_s - segment.onset_s) * source.sfreq))
        if first < segment.n_times:
            stop = round((end_s - segment.onset_s) * source.sfreq)
            span = first, max(first, min(stop, segment.n_times))
            return (
                segment.onset_s + first / source.sfreq,
                rows.read(source, number, *span),
            )
    raise CorpusError(
        f"{source.name}: found {source.duration_s:g} s, expected a sample from "
        f"{start_s:g} s on: an event lies past the end"
    )


def _stem(recording: CorpusRecording) -> str:
    path = PurePosixPath(recording.name)
    return str(path.with_name(path.stem.removesuffix("_eeg")))


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
