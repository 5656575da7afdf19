"""Chunks of any size, as they arrive -> events, as they end.

Brings conditioning, windows, scores and alarms together and keeps the clock. The same
numbers come out for any chunking, and memory grows by one float per second. Knows no
files.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState, Smoother
from distilclip_eeg.detection.leads import name_leads
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import Detection, QualityTally, on_grid
from distilclip_eeg.detection.windows import ScoredWindow, SecondScorer
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import plan_montage
from distilclip_eeg.eeg.signal import Conditioned, Conditioner

BLOCK_S: Final = 120.0  # taken in at a time: 24 windows, some 15 MB


class StreamDetector:
    """Finds seizures in a signal as it arrives.

    Parameters
    ----------
    ch_names
        Labels of the channels that will be pushed, EEG or not.
    sfreq
        Hz.
    settings
        From `Model.settings`; those of the model if not given.
    start_time
        Local time of the first sample, for the record.

    Raises
    ------
    TooFewLeadsError
        If fewer than four of the 18 leads can be computed.
    UnreadableRecordingError
        If the rate is too low.

    Examples
    --------
    >>> import numpy as np
    >>> from distilclip_eeg import StreamDetector, load_model
    >>> names = ["Fp1", "F7", "T3", "T5", "O1", "Fp2", "F8", "T4", "T6", "O2"]
    >>> stream = StreamDetector(load_model("student"), names, sfreq=256)
    >>> noise = np.random.default_rng(0).normal(0, 5, (10, 256))
    >>> for _ in range(30):  # half a minute, a second at a time
    ...     ended = stream.push(noise)
    >>> ended + stream.close()
    []
    """

    def __init__(
        self,
        model: Model,
        ch_names: Sequence[str],
        sfreq: float,
        settings: DetectionConfig | None = None,
        *,
        start_time: datetime | None = None,
    ) -> None:
        self.montage = plan_montage(ch_names)
        self.settings = settings or model.folder.detection
        self._model, self._sfreq, self._start_time = model, sfreq, start_time
        self._n_chans = len(ch_names)
        self._alarms = AlarmState(self.settings)
        self._strongest: ScoredWindow | None = None  # of the event that is not over
        self._tally = QualityTally(self.montage.missing_leads)
        self._events: list[Event] = []
        self._probability = array("f")
        self._is_closed = False
        self._open_segment(0.0)

    @property
    def current(self) -> Event | None:
        """The event that has been raised and is not over, as far as it goes."""
        return self._alarms.current

    @property
    def time_s(self) -> float:
        """Time in the recording up to which samples and gaps have arrived."""
        return self._onset_s + self._n_times / self._sfreq

    def push(self, chunk_uv: NDArray[np.floating]) -> list[Event]:
        """Take in any number of samples of all channels, (n_chans, n) microvolts.

        Returns
        -------
        list of Event
            Those that are now over.
        """
        if np.ndim(chunk_uv) != 2 or len(chunk_uv) != self._n_chans:
            raise ValueError(
                f"chunk has the shape {np.shape(chunk_uv)}; "
                f"expected ({self._n_chans}, n)"
            )
        step = max(1, round(BLOCK_S * self._sfreq))
        n_times = chunk_uv.shape[1]
        events = []
        for start in range(0, n_times, step):
            block = chunk_uv[:, start : start + step]
            events += self.push_picked(block[list(self.montage.picks)])
        return events

    def push_picked(self, chunk_uv: NDArray[np.floating]) -> list[Event]:
        """Take in samples of the channels in `montage.picks` alone."""
        self._check_open()
        return self._score(self._condition(chunk_uv))

    def feed(self, chunks_uv: Iterable[NDArray[np.floating]]) -> list[Event]:
        """Take in many chunks of the channels in `montage.picks`.

        The same as `push_picked` one by one, but the next chunk is read and conditioned
        while the network looks at the last one.
        """
        self._check_open()
        coming = iter(chunks_uv)

        def next_seconds() -> tuple[int, Conditioned] | None:
            chunk = next(coming, None)
            return None if chunk is None else self._condition(chunk)

        events: list[Event] = []
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(next_seconds)
            while (taken := ahead.result()) is not None:
                ahead = pool.submit(next_seconds)
                events += self._score(taken)
        return events

    def _condition(self, chunk_uv: NDArray[np.floating]) -> tuple[int, Conditioned]:
        return chunk_uv.shape[1], self._conditioner.push(chunk_uv)

    def _score(self, taken: tuple[int, Conditioned]) -> list[Event]:
        n_times, seconds = taken
        self._n_times += n_times
        if not seconds.n_seconds:
            return []
        self._tally.add(seconds)
        return self._settle(self._scorer.push(seconds), math.inf)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("this stream is closed; a new one needs a new detector")

    def gap(self, duration_s: float) -> list[Event]:
        """Pass over time that was not recorded; the signal starts anew after it."""
        events = self._close_segment()
        events += self._locate(self._alarms.gap(self.time_s, duration_s))
        self._open_segment(self.time_s + duration_s)
        return events

    def close(self) -> list[Event]:
        """End the recording; returns the events that were not over before."""
        if self._is_closed:
            return []
        self._is_closed = True
        return self._close_segment() + self._locate(self._alarms.close())

    def result(self) -> Detection:
        """Give everything known so far; complete after `close`."""
        duration_s = round(self.time_s, 6)
        return Detection(
            duration_s=duration_s,
            start_time=self._start_time,
            missing_leads=self.montage.missing_leads,
            warnings=self._warnings(duration_s),
            quality=self._tally.by_lead(),
            seizure_probability=on_grid(
                np.array(self._probability, np.float32), duration_s
            ),
            events=tuple(self._events),
            model=self._model.identity,
            settings=self.settings,
        )

    def _warnings(self, duration_s: float) -> tuple[str, ...]:
        lines = self.montage.warnings() + self._tally.warnings()
        if 0 < duration_s < (window_s := self._model.signal.window_s):
            short = f"lasts {duration_s:g} s, less than the {window_s} s of one look"
            lines += (f"{short}: the probabilities are less sure",)
        return lines

    def _open_segment(self, onset_s: float) -> None:
        self._onset_s, self._n_times, self._n_decided = onset_s, 0, 0
        signal, folder = self._model.signal, self._model.folder
        self._conditioner = Conditioner(self.montage, self._sfreq, signal)
        self._scorer = SecondScorer(self._model.runtime, signal, folder.background)
        self._smoother = Smoother(self.settings.smoothing_s)

    def _close_segment(self) -> list[Event]:
        length_s = self._n_times / self._sfreq
        seconds = self._conditioner.close()
        self._tally.add(seconds)
        events = self._settle(self._scorer.push(seconds), length_s)
        events += self._settle(self._scorer.close(), length_s)
        for value in self._smoother.close():
            events += self._decide(value, length_s, length_s)
        return events

    def _settle(self, windows: Iterable[ScoredWindow], length_s: float) -> list[Event]:
        """Pass on what windows settle; `length_s` is inf until the segment ends."""
        events = []
        for window in windows:
            self._latest = window
            available_s = min(float(window.end), length_s)
            for settled in window.settled.tolist():
                for value in self._smoother.push(settled):
                    events += self._decide(value, available_s, length_s)
        return events

    def _decide(self, value: float, available_s: float, length_s: float) -> list[Event]:
        """Take the log-odds of the next second of the segment to the alarms."""
        second, onset_s = self._n_decided, self._onset_s
        self._n_decided += 1
        probability = 0.5 * (1 + math.tanh(0.5 * value))
        self._remember(math.floor(onset_s + 0.5) + second, probability)
        events = self._alarms.push(
            onset_s + second,
            probability,
            onset_s + available_s,
            max(0.0, min(1.0, length_s - second)),
        )
        located = self._locate(events)
        if self._alarms.is_open:
            self._strongest = _stronger(self._strongest, self._latest)
        return located

    def _remember(self, second: int, probability: float) -> None:
        kept = self._probability
        if second < len(kept):  # two segments within one second: the higher one stays
            kept[second] = (
                probability
                if math.isnan(kept[second])
                else max(kept[second], probability)
            )
        else:
            kept.extend([math.nan] * (second - len(kept)))
            kept.append(probability)

    def _locate(self, events: Iterable[Event]) -> list[Event]:
        """Name the leads of events that are over."""
        located = []
        for event in events:
            if (window := self._strongest) is not None:
                model = self._model
                background = model.folder.background
                leads = name_leads(window.eeg, window.usable, model.runtime, background)
                event = replace(event, channels=leads)
            located.append(event)
        if self._alarms.is_idle:  # also where an event was too short to come out
            self._strongest = None
        self._events += located
        return located


def _stronger(a: ScoredWindow | None, b: ScoredWindow) -> ScoredWindow:
    """The window that looks more like a seizure; one in which nothing is seen never."""
    if a is None or math.isnan(a.log_odds):
        return b
    return b if b.log_odds > a.log_odds else a
