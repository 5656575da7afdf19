"""Real EEG as background, real seizures in other places: what else makes recordings.

A simulated seizure can be planted into a recorded background; a recorded seizure can
be moved into another stretch of the same patient's EEG with a cross-fade. Both keep
exact truth where nobody needs to mark anything again.

Does not know files: leads or electrodes come in as arrays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.simulation.discharges import (
    Planted,
    findings_of,
    plant,
)
from distilclip_eeg.corpora.simulation.scene import draw_scene
from distilclip_eeg.corpora.simulation.seizures import QUIETEST, draw_plan
from distilclip_eeg.corpora.simulation.statistics import GENERALISED_SHARE, row_of
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.findings import Findings
from distilclip_eeg.errors import DistilClipError

CROSSFADE_S: Final = 2.0


def plant_seizure(
    seed: int,
    background: NDArray[np.float32],
    sfreq: float,
    onset_s: float,
    *,
    event_type: str | None = None,
    max_duration_s: float | None = None,
    quietest: float = QUIETEST,
) -> tuple[NDArray[np.float32], Planted, Findings]:
    """Plant a simulated seizure into EEG that was recorded.

    Parameters
    ----------
    background
        (19, n) µV of the electrodes of `eeg.montage.ELECTRODES`, or (18, n) µV of the
        `LEADS`. Rows that hold nothing but zeros are missing and stay so.
    onset_s
        Seconds after the start of `background`.
    event_type
        HED-SCORE, such as `sz_foc_ia_nm`; as often as in life if None.
    max_duration_s
        By default what is left of `background`.
    quietest
        Lowest ratio of seizure to background.

    Returns
    -------
    tuple
        A new array with the seizure in it, what was planted, what is true of it.

    Raises
    ------
    DistilClipError
        If `background` has other rows, or ends less than two seconds after the onset.
    """
    left_s = background.shape[1] / sfreq - onset_s
    if onset_s < 0 or left_s < 2:
        raise DistilClipError(
            f"found an onset at {onset_s:g} s with {left_s:g} s of background after "
            "it, expected an onset from 0 s on and 2 s or more after it"
        )
    scene = draw_scene(np.random.default_rng(seed), sfreq, GENERALISED_SHARE)
    plan = draw_plan(
        scene,
        row=row_of(event_type) if event_type else None,
        max_duration_s=min(left_s, max_duration_s or left_s),
        quietest=quietest,
    )
    signal = np.array(background, np.float32)
    missing = ~np.any(signal, axis=1)
    planted = plant(scene, signal, plan, onset_s)
    signal[missing] = 0.0
    return signal, planted, findings_of(signal, planted, sfreq)


def splice_seizure(
    background: NDArray[np.float32],
    seizure: NDArray[np.float32],
    event: Event,
    sfreq: float,
    at_s: float,
    *,
    crossfade_s: float = CROSSFADE_S,
) -> tuple[NDArray[np.float32], Event]:
    """Move a recorded seizure into another stretch of the same patient's EEG.

    Parameters
    ----------
    background, seizure
        (rows, n) and (rows, m) µV in the same montage, from the same patient.
    event
        The seizure, in seconds after the start of `seizure`.
    at_s
        Where `seizure` shall begin, in seconds after the start of `background`.
    crossfade_s
        One signal fades into the other within this time at both ends, with constant
        power; at an end where `seizure` has no time around the event the fade takes
        what the event leaves, and the event itself stays whole.

    Returns
    -------
    tuple
        A new array, and the event where it now lies.

    Raises
    ------
    DistilClipError
        If rows differ or the seizure does not fit in.
    """
    at, m = round(at_s * sfreq), seizure.shape[1]
    fits = at >= 0 and at + m <= background.shape[1]
    if len(background) != len(seizure) or not fits:
        raise DistilClipError(
            f"found a seizure of shape {seizure.shape} for sample {at} of a "
            f"background of shape {background.shape}, expected the same rows and "
            "room for all of it"
        )
    before_s = event.onset
    after_s = m / sfreq - event.onset - event.duration
    share = np.ones(m, np.float32)
    rise = round(min(crossfade_s, max(before_s, 0)) * sfreq)
    fall = round(min(crossfade_s, max(after_s, 0)) * sfreq)
    if rise:
        share[:rise] = np.linspace(0, 1, rise, endpoint=False)
    if fall:
        share[m - fall :] = np.linspace(1, 0, fall)
    spliced = np.array(background, np.float32)
    under = spliced[:, at : at + m] * np.cos(0.5 * np.pi * share)
    spliced[:, at : at + m] = under + seizure * np.sin(0.5 * np.pi * share)
    return spliced, replace(event, onset=event.onset + at / sfreq)
