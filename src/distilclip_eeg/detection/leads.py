"""One window with a seizure -> the leads that the decision rests on.

Forward-only occlusion (Zeiler & Fergus 2014): each lead is marked unusable in turn, and
counts by how much the seizure log-odds of the window fall. Knows no events.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.runtime import Runtime
from distilclip_eeg.detection.windows import log_odds
from distilclip_eeg.eeg.montage import LEADS

MAX_NAMED: Final = 6  # a third of the montage; more would not locate anything
SHARE_OF_STRONGEST: Final = 0.5


def name_leads(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Runtime,
    background: int,
) -> tuple[str, ...]:
    """Name the leads without which the window would look least like a seizure.

    Parameters
    ----------
    eeg, usable
        (18, T) microvolts and (18, S) flags.
    background
        Position of the class that is no seizure.

    Returns
    -------
    tuple of str
        At most six, the strongest first; empty if no lead counts for a seizure.
    """
    drops = lead_drops(eeg, usable, runtime, background)
    strongest = drops.max(initial=0.0)
    if strongest <= 0:
        return ()
    order = np.argsort(-drops, kind="stable")[:MAX_NAMED]
    least = SHARE_OF_STRONGEST * strongest
    return tuple(LEADS[lead] for lead in order if drops[lead] >= least)


def lead_drops(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Runtime,
    background: int,
) -> NDArray[np.float64]:
    """By how much the window's seizure log-odds fall without each lead, (18,).

    A lead that is unusable throughout has 0, as has the only usable one: without it
    nothing could be said.
    """
    drops = np.zeros(len(LEADS))
    candidates = np.flatnonzero(usable.any(axis=1))
    if len(candidates) < 2:
        return drops
    masks = np.repeat(usable[None], 1 + len(candidates), axis=0)
    masks[np.arange(1, len(masks)), candidates] = False
    scores = runtime.run(np.repeat(eeg[None], len(masks), axis=0), masks)
    odds = log_odds(scores.window_logits.astype(np.float64), background)
    drops[candidates] = odds[0] - odds[1:]
    return drops
