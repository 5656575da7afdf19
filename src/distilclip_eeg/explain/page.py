"""A recording and where to look -> one page of EEG, as the model hears it.

Seconds that lie in a gap, after the end, or in a missing lead hold NaN. Knows neither
the model nor how a page is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.eeg.signal import Conditioner

PAGE_S: Final = 20
BEFORE_ONSET_S: Final = 6  # a change is seen against what stood before it
WARM_UP_S: Final = 20  # by then the 0.5 Hz high pass has forgotten where it began


@dataclass(frozen=True, slots=True)
class Page:
    """Whole seconds of conditioned EEG, ready to be drawn.

    Attributes
    ----------
    start_s
        First second of the page, counted from the start of the recording.
    leads_uv
        (18, S * sfreq) microvolts; NaN where there is nothing to draw.
    usable
        (18, S) whether the second of the lead can be trusted.
    present
        (18,) whether the recording holds the lead.
    signal
        How the leads were conditioned; says the rate.
    """

    start_s: int
    leads_uv: NDArray[np.float32]
    usable: NDArray[np.bool_]
    present: NDArray[np.bool_]
    signal: SignalConfig

    @property
    def n_seconds(self) -> int:
        return int(self.usable.shape[1])

    @property
    def stop_s(self) -> int:
        return self.start_s + self.n_seconds

    @property
    def sfreq(self) -> int:
        return round(self.signal.sfreq)

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """Per sample whether it can be trusted, (18, S * sfreq)."""
        return np.repeat(self.usable, self.sfreq, axis=1)


def read_page(
    recording: Recording, start_s: int, n_seconds: int, signal: SignalConfig
) -> Page:
    """Condition `n_seconds` of a recording; the filters settle on what stands before.

    Raises
    ------
    TooFewLeadsError
        If the recording holds fewer than four of the 18 leads.
    """
    montage = plan_montage(recording.ch_names)
    sfreq = round(signal.sfreq)
    leads = np.full((len(LEADS), n_seconds * sfreq), np.nan, np.float32)
    usable = np.zeros((len(LEADS), n_seconds), np.bool_)
    for k, segment in enumerate(recording.segments):
        first_s = max(0, math.floor(start_s - segment.onset_s) - WARM_UP_S)
        wanted_s = start_s + n_seconds - segment.onset_s
        first = round(first_s * recording.sfreq)
        stop = min(segment.n_times, math.ceil(wanted_s * recording.sfreq))
        if stop <= first or segment.onset_s + stop / recording.sfreq <= start_s:
            continue
        conditioner = Conditioner(montage, recording.sfreq, signal)
        parts = (
            conditioner.push(recording.read(montage.picks, k, first, stop)),
            conditioner.close(),
        )
        at_s = segment.onset_s + first_s - start_s
        n_real = round((stop - first) / recording.sfreq * sfreq)
        heard = np.concatenate([part.leads for part in parts], axis=1)[:, :n_real]
        _place(leads, heard, round(at_s * sfreq))
        _place(usable, np.concatenate([p.usable for p in parts], axis=1), round(at_s))
    leads[~montage.present] = np.nan
    return Page(start_s, leads, usable, montage.present, signal)


def page_start(
    duration_s: float, events: Sequence[Event], probability: NDArray[np.float32]
) -> int:
    """Choose the second at which the most telling page begins.

    A little before the surest event; without events, around the highest probability.
    """
    if events:
        surest = max(events, key=lambda event: event.confidence or 0.0)
        begin_s = math.floor(surest.onset) - BEFORE_ONSET_S
    elif np.isfinite(probability).any():
        begin_s = int(np.nanargmax(probability)) - PAGE_S // 2
    else:
        begin_s = 0
    return max(0, min(begin_s, math.ceil(duration_s) - PAGE_S))


def _place(
    page: NDArray[np.generic], piece: NDArray[np.generic], position: int
) -> None:
    """Write `piece` into `page` from column `position` on, cut at both edges."""
    start, stop = max(0, position), min(page.shape[1], position + piece.shape[1])
    if start < stop:
        page[:, start:stop] = piece[:, start - position : stop - position]
