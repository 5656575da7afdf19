"""Log-odds per second -> events, the very ones that `detect` finds.

Smoothing and alarms are those of detection; seconds that cannot matter are passed over
in one step, so that many thresholds can be tried. Names no leads. The confidence of an
event is the mean probability of its seconds unless a model's scale is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState, Smoother
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.evaluation.listening import SAME_TIME_S
from distilclip_eeg.evaluation.predictions import Stretch
from distilclip_eeg.model_folder import ConfidenceScale


def alarms(
    stretches: Sequence[Stretch],
    settings: DetectionConfig,
    scale: ConfidenceScale | None = None,
) -> list[Event]:
    """Return the events of one recording, by onset, with the time each is raised."""
    return raised(smoothed(stretches, settings.smoothing_s), settings, scale)


def smoothed(stretches: Sequence[Stretch], smoothing_s: int) -> list[Stretch]:
    """Take the running mean of the log-odds, each stretch for itself.

    A mean is available when the last value that enters it is.
    """
    return [_smoothed(stretch, smoothing_s) for stretch in stretches]


def _smoothed(stretch: Stretch, smoothing_s: int) -> Stretch:
    if smoothing_s == 1:
        return stretch
    smoother = Smoother(smoothing_s)
    values = [y for x in stretch.log_odds.tolist() for y in smoother.push(x)]
    n_later = smoothing_s // 2
    at_end = np.full(n_later, stretch.length_s)
    return replace(
        stretch,
        log_odds=np.array([*values, *smoother.close()]),
        available_s=np.concatenate([stretch.available_s, at_end])[n_later:],
    )


def raised(
    stretches: Sequence[Stretch],
    settings: DetectionConfig,
    scale: ConfidenceScale | None = None,
) -> list[Event]:
    """Return the events of one recording whose log-odds are smoothed already."""
    state, events, time_s = AlarmState(settings, scale), list[Event](), 0.0
    for number, stretch in enumerate(stretches):
        silence_s = stretch.onset_s - time_s
        if number or silence_s > SAME_TIME_S:
            events += state.gap(time_s, max(0.0, silence_s))
        events += _push_all(state, stretch, settings)
        time_s = stretch.onset_s + stretch.length_s
    return events + state.close()


def probability_of(log_odds: float) -> float:
    """Turn log-odds into a probability as the stream detector does, to the last bit."""
    return 0.5 * (1 + math.tanh(0.5 * log_odds))


def _push_all(
    state: AlarmState, stretch: Stretch, settings: DetectionConfig
) -> list[Event]:
    n = len(stretch.log_odds)
    events, done = list[Event](), 0
    for second in [*_above(stretch, settings).tolist(), n]:
        if second - done > settings.min_gap_s + 1:  # then what comes before is over
            events += state.gap(stretch.onset_s + done, float(second - done))
            done = second
        while done < min(second + 1, n):
            events += _push(state, stretch, done)
            done += 1
    return events


def _above(stretch: Stretch, settings: DetectionConfig) -> np.ndarray:
    """Seconds that can belong to an event, perhaps a few that cannot."""
    p = settings.offset_threshold
    if not 0 < p < 1:
        return np.flatnonzero(~np.isnan(stretch.log_odds))
    limit = math.log(p / (1 - p))
    return np.flatnonzero(stretch.log_odds >= limit - 1e-6 * (1 + abs(limit)))


def _push(state: AlarmState, stretch: Stretch, second: int) -> list[Event]:
    return state.push(
        stretch.onset_s + second,
        probability_of(float(stretch.log_odds[second])),
        stretch.onset_s + float(stretch.available_s[second]),
        max(0.0, min(1.0, stretch.length_s - second)),
    )
