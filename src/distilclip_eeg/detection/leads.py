"""A window of conditioned EEG -> which leads speak of a seizure, second by second.

Forward only: a lead is taken away, and what falls of the log-odds of each second
is what it carried (occlusion: Zeiler & Fergus 2014). Where a window from before the
seizure is given, it is the other way round: all is as it was then, and one lead becomes
what it is now. That tells a seizure from what is louder, but was there all along. Knows
no events and no recordings.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.runtime import Samples, Scores
from distilclip_eeg.detection.windows import WINDOW_SHARE, log_odds
from distilclip_eeg.eeg.montage import LEADS

MAX_NAMED: Final = 6  # a third of the montage; more would not locate anything
SHARE_OF_STRONGEST: Final = 0.5
FLOOR_UV2: Final = 0.25  # an amplifier's noise: a flat lead grows from no less


class Listener(Protocol):
    """Whatever scores windows, as `runtime.Runtime` does."""

    def run(
        self, eeg: Samples, usable: NDArray[np.float32] | NDArray[np.bool_]
    ) -> Scores: ...


class Heard(NamedTuple):
    """One window: (18, T) microvolts and (18, S) whether they can be trusted."""

    eeg: NDArray[np.float32]
    usable: NDArray[np.bool_]


def lead_map(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Listener,
    background: int,
    *,
    before: Heard | None = None,
) -> NDArray[np.float32]:
    """Say by how much each lead's second carries the seizure score.

    Parameters
    ----------
    eeg, usable
        (18, T) conditioned microvolts and (18, S) flags of one window.
    background
        Position of the class that is no seizure.
    before
        A window of the same person before the seizure, no overlap; it makes the map
        much truer. Without one, leads are marked unusable in turn.

    Returns
    -------
    (18, S) log-odds, above 0 where the lead speaks for a seizure; NaN where it is
    unusable. All 0 if fewer than two leads are usable: nothing can be compared.
    """
    if before is None:
        values = _falls_without(eeg, usable, runtime, background)
    else:
        values = _rises_with(Heard(eeg, usable), before, runtime, background)
    return np.where(usable, values, np.nan).astype(np.float32)


def name_leads(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Listener,
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
    return strongest_leads(lead_drops(eeg, usable, runtime, background))


def carrying_leads(
    now: Heard, before: Heard, runtime: Listener, background: int
) -> tuple[str, ...]:
    """Name the leads that carry a seizure, told from how they were before it.

    Returns
    -------
    tuple of str
        At most six, the strongest first; empty if no lead speaks for a seizure.
    """
    values = lead_map(now.eeg, now.usable, runtime, background, before=before)
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=1)
    by_lead = np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)
    growth = log_growth(_power(now), _power(before))
    return strongest_leads(evidence(by_lead, growth))


def evidence(
    by_lead: NDArray[np.floating], growth: NDArray[np.floating] | float
) -> NDArray[np.float32]:
    """Give each lead from 0 to 1 for the one with most; NaN if never usable, (18,).

    What a lead carries, times how much it grew: a lead that the network weighs heavily
    and that hardly changed is no place where a seizure begins.

    Parameters
    ----------
    by_lead
        (18,) log-odds that a lead carries.
    growth
        From `log_growth`; 1 where there is no past.
    """
    product = np.maximum(by_lead, 0) * np.maximum(growth, 0)
    most = np.nanmax(product, initial=0.0)
    return np.asarray(product / most if most > 0 else product, np.float32)


def log_growth(
    after_uv2: NDArray[np.floating], before_uv2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Logarithm of how many times louder leads became; 0 where either is not known.

    Parameters
    ----------
    after_uv2, before_uv2
        (18,) mean power; NaN where a lead was never usable.
    """
    grown = 0.5 * np.log((after_uv2 + FLOOR_UV2) / (before_uv2 + FLOOR_UV2))
    return np.nan_to_num(np.asarray(grown, np.float64), nan=0.0)


def _power(heard: Heard) -> NDArray[np.float64]:
    """(18,) µV² over the usable seconds; NaN if there are none."""
    seconds = np.square(heard.eeg, dtype=np.float64)
    power = seconds.reshape(*heard.usable.shape, -1).mean(axis=2)
    n = heard.usable.sum(axis=1)
    total = np.where(heard.usable, power, 0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def strongest_leads(values: NDArray[np.floating]) -> tuple[str, ...]:
    """Name the leads that carry at least half of what the strongest carries.

    Parameters
    ----------
    values
        (18,) one number per lead; NaN for a lead of which nothing is known.

    Returns
    -------
    tuple of str
        At most six, the strongest first; empty if none is above 0.
    """
    known = np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    strongest = known.max(initial=0.0)
    if strongest <= 0:
        return ()
    order = np.argsort(-known, kind="stable")[:MAX_NAMED]
    least = SHARE_OF_STRONGEST * strongest
    return tuple(LEADS[lead] for lead in order if known[lead] >= least)


def lead_drops(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Listener,
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
    masks = _each_taken_away(usable, candidates)
    scores = runtime.run(np.repeat(eeg[None], len(masks), axis=0), masks)
    odds = log_odds(scores.window_logits.astype(np.float64), background)
    drops[candidates] = odds[0] - odds[1:]
    return drops


def second_odds(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Listener,
    background: int,
) -> NDArray[np.float64]:
    """Seizure log-odds of B windows by second, as alarms hear them, (B, S)."""
    scores = runtime.run(eeg, usable)
    of_window = scores.window_logits.astype(np.float64)[:, None, :]
    of_second = scores.second_logits.astype(np.float64)
    mixed = WINDOW_SHARE * of_window + (1 - WINDOW_SHARE) * of_second
    return log_odds(mixed, background)


def _falls_without(
    eeg: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runtime: Listener,
    background: int,
) -> NDArray[np.float64]:
    falls = np.zeros(usable.shape)
    candidates = np.flatnonzero(usable.any(axis=1))
    if len(candidates) < 2:
        return falls
    masks = _each_taken_away(usable, candidates)
    odds = second_odds(
        np.repeat(eeg[None], len(masks), axis=0), masks, runtime, background
    )
    falls[candidates] = odds[0] - odds[1:]
    return falls


def _rises_with(
    now: Heard, before: Heard, runtime: Listener, background: int
) -> NDArray[np.float64]:
    """Everything as it was before, and one lead after the other as it is now."""
    rises = np.zeros(now.usable.shape)
    candidates = np.flatnonzero(now.usable.any(axis=1))
    if len(candidates) < 2:
        return rises
    eeg = np.repeat(before.eeg[None], 1 + len(candidates), axis=0)
    usable = np.repeat(before.usable[None], 1 + len(candidates), axis=0)
    rows = np.arange(1, len(eeg))
    eeg[rows, candidates] = now.eeg[candidates]
    usable[rows, candidates] = now.usable[candidates]
    odds = second_odds(eeg, usable, runtime, background)
    rises[candidates] = odds[1:] - odds[0]
    return rises


def _each_taken_away(
    usable: NDArray[np.bool_], candidates: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """(1 + n, 18, S): as it is, then without each of the n candidates."""
    masks = np.repeat(usable[None], 1 + len(candidates), axis=0)
    masks[np.arange(1, len(masks)), candidates] = False
    return masks
