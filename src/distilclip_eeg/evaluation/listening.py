"""A model folder and a recording -> what the model says of each second.

Takes the way of `detect`: the same conditioning, windows and scores, so that the same
events follow. Knows no events; needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.stream import BLOCK_S
from distilclip_eeg.detection.windows import ScoredWindow, SecondScorer
from distilclip_eeg.eeg.montage import Montage, plan_montage
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.signal import Conditioned, Conditioner
from distilclip_eeg.evaluation.predictions import Stretch

SAME_TIME_S: Final = 1e-6  # onsets of segments are sums of floats


def listen(source: Recording | StoredRecording, model: Model) -> tuple[Stretch, ...]:
    """Score a recording, each contiguous stretch of it for itself.

    The gaps of a stored recording are seconds in which nothing could be seen.

    Raises
    ------
    TooFewLeadsError
        If fewer than four of the 18 leads can be computed.
    UnreadableRecordingError
        If the rate is too low, or the file cannot be read on.
    """
    if isinstance(source, StoredRecording):
        seconds = _stored(source)
        return (scored(seconds, model, 0.0, float(source.n_seconds)),)
    montage = plan_montage(source.ch_names)
    return tuple(
        scored(
            _conditioned(source, number, montage, model),
            model,
            segment.onset_s,
            segment.n_times / source.sfreq,
        )
        for number, segment in enumerate(source.segments)
    )


def per_second(stretches: Iterable[Stretch], n_seconds: int) -> NDArray[np.floating]:
    """Lay log-odds on the seconds of a recording, (n_seconds,); NaN in gaps.

    Where two stretches meet within a second, the higher value stays.
    """
    out = np.full(n_seconds, np.nan)
    for stretch in stretches:
        at = math.floor(stretch.onset_s + 0.5)
        values = stretch.log_odds[: max(0, n_seconds - at)]
        out[at : at + len(values)] = np.fmax(out[at : at + len(values)], values)
    return out


def _stored(recording: StoredRecording) -> Iterator[Conditioned]:
    step = round(BLOCK_S)
    for start in range(0, recording.n_seconds, step):
        crop = recording.crop(start, min(step, recording.n_seconds - start))
        yield Conditioned(crop.eeg, crop.usable, {})


def _conditioned(
    recording: Recording, segment: int, montage: Montage, model: Model
) -> Iterator[Conditioned]:
    conditioner = Conditioner(montage, recording.sfreq, model.signal)
    for block in recording.blocks(montage.picks, segment, BLOCK_S):
        yield conditioner.push(block)
    yield conditioner.close()


def scored(
    seconds: Iterable[Conditioned], model: Model, onset_s: float, length_s: float
) -> Stretch:
    """Score the seconds of one contiguous stretch."""
    scorer = SecondScorer(model.runtime, model.signal, model.folder.background)
    log_odds, available_s = [np.zeros(0)], [np.zeros(0)]

    def take(windows: Iterable[ScoredWindow]) -> None:
        for window in windows:
            end_s = min(float(window.end), length_s)
            log_odds.append(window.settled)
            available_s.append(np.full(len(window.settled), end_s))

    for part in seconds:
        take(scorer.push(part))
    take(scorer.close())
    return Stretch(
        onset_s, length_s, np.concatenate(log_odds), np.concatenate(available_s)
    )
