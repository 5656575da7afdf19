"""Chunks of any size, as they arrive -> news of seizures, as they begin, last and end.

Brings conditioning, windows, scores and alarms together and keeps the clock. The same
numbers come out for any chunking and across a restart, and memory grows by one float
per second. Knows no recordings.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import DetectionConfig
from distilclip_eeg.detection.alarms import AlarmState, Smoother
from distilclip_eeg.detection.carriers import Carriers
from distilclip_eeg.detection.models import Model
from distilclip_eeg.detection.result import (
    Detection,
    News,
    QualityTally,
    Update,
    on_grid,
)
from distilclip_eeg.detection.stream_state import (
    State,
    check_state,
    read_state,
    write_state,
)
from distilclip_eeg.detection.windows import ScoredWindow, SecondScorer
from distilclip_eeg.eeg.annotations import Event
from distilclip_eeg.eeg.montage import LEADS, plan_montage
from distilclip_eeg.eeg.signal import Conditioned, Conditioner
from distilclip_eeg.errors import StateError

BLOCK_S: Final = 120.0  # taken in at a time: 24 windows, some 15 MB
STATE_VERSION: Final = 1


class StreamDetector:
    """Finds seizures in a signal as it arrives.

    What it returns is news: an `Update` when an event is raised and with each window
    in which it goes on, the `Event` itself once it is over.

    Parameters
    ----------
    ch_names
        Labels of the channels that will be pushed, EEG or not; the 18 leads if not
        given.
    sfreq
        Hz; 256 if not given.
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
    >>> from distilclip_eeg import StreamDetector, Update, load_model
    >>> names = ["Fp1", "F7", "T3", "T5", "O1", "Fp2", "F8", "T4", "T6", "O2"]
    >>> stream = StreamDetector(load_model("student"), names, sfreq=256)
    >>> noise = np.random.default_rng(0).normal(0, 5, (10, 256))
    >>> for _ in range(30):  # half a minute, a second at a time
    ...     for news in stream.push(noise):
    ...         print("goes on" if isinstance(news, Update) else "over", news)
    >>> stream.close()
    []
    """

    def __init__(
        self,
        model: Model,
        ch_names: Sequence[str] = LEADS,
        sfreq: float | None = None,
        settings: DetectionConfig | None = None,
        *,
        start_time: datetime | None = None,
    ) -> None:
        self.montage = plan_montage(ch_names)
        self.settings = settings or model.folder.detection
        self._model, self._ch_names = model, tuple(ch_names)
        self._sfreq: float = model.signal.sfreq if sfreq is None else sfreq
        self.reset(start_time=start_time)

    def reset(self, *, start_time: datetime | None = None) -> None:
        """Forget all that came; the next sample is the first of a new recording."""
        self._start_time = start_time
        self._alarms = AlarmState(self.settings, self._model.confidence)
        self._carriers = Carriers(self._model)
        self._tally = QualityTally(self.montage.missing_leads)
        self._events: list[Event] = []
        self._probability = array("f")
        self._usable_leads = 0
        self._is_closed = False
        self._open_segment(0.0)

    @property
    def current(self) -> Event | None:
        """The event that has been raised and is not over, as far as it goes."""
        return self._alarms.current

    @property
    def start_time(self) -> datetime | None:
        """Local time of the first sample, if it was given."""
        return self._start_time

    @property
    def time_s(self) -> float:
        """Time in the recording up to which samples and gaps have arrived."""
        return float(self._onset_s + self._n_times / self._sfreq)

    @property
    def usable_leads(self) -> int:
        """How many of the 18 leads could be used in the last whole second."""
        return self._usable_leads

    def probability_since(self, second: int) -> NDArray[np.float32]:
        """Seizure probabilities known so far, from that second of the recording on."""
        return np.array(self._probability[second:], np.float32)

    def push(self, chunk_uv: NDArray[np.floating]) -> list[News]:
        """Take in any number of samples of all channels, (n_chans, n) microvolts.

        Returns
        -------
        list of Event and Update
            What they tell, in the order of time.
        """
        n_chans = len(self._ch_names)
        if np.ndim(chunk_uv) != 2 or len(chunk_uv) != n_chans:
            raise ValueError(
                f"chunk has the shape {np.shape(chunk_uv)}; expected ({n_chans}, n)"
            )
        step = max(1, round(BLOCK_S * self._sfreq))
        n_times = chunk_uv.shape[1]
        news: list[News] = []
        for start in range(0, n_times, step):
            block = chunk_uv[:, start : start + step]
            news += self.push_picked(block[list(self.montage.picks)])
        return news

    def push_picked(self, chunk_uv: NDArray[np.floating]) -> list[News]:
        """Take in samples of the channels in `montage.picks` alone."""
        self._check_open()
        return self._score(self._condition(chunk_uv))

    def feed(self, chunks_uv: Iterable[NDArray[np.floating]]) -> list[News]:
        """Take in many chunks of the channels in `montage.picks`.

        The same as `push_picked` one by one, but the next chunk is read and conditioned
        while the network looks at the last one.
        """
        self._check_open()
        coming = iter(chunks_uv)

        def next_seconds() -> tuple[int, Conditioned] | None:
            chunk = next(coming, None)
            return None if chunk is None else self._condition(chunk)

        news: list[News] = []
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(next_seconds)
            while (taken := ahead.result()) is not None:
                ahead = pool.submit(next_seconds)
                news += self._score(taken)
        return news

    def _condition(self, chunk_uv: NDArray[np.floating]) -> tuple[int, Conditioned]:
        return chunk_uv.shape[1], self._conditioner.push(chunk_uv)

    def _score(self, taken: tuple[int, Conditioned]) -> list[News]:
        n_times, seconds = taken
        self._n_times += n_times
        if not seconds.n_seconds:
            return []
        self._tally.add(seconds)
        self._usable_leads = int(seconds.usable[:, -1].sum())
        return self._settle(self._scorer.push(seconds), math.inf)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("this stream is closed; a new one needs a new detector")

    def gap(self, duration_s: float) -> list[News]:
        """Pass over time that was not recorded; the signal starts anew after it."""
        news = self._close_segment()
        news += self._locate(self._alarms.gap(self.time_s, duration_s))
        self._open_segment(self.time_s + duration_s)
        return news

    def close(self) -> list[News]:
        """End the recording; returns what its last seconds tell."""
        if self._is_closed:
            return []
        self._is_closed = True
        return [*self._close_segment(), *self._locate(self._alarms.close())]

    def save(self, path: Path) -> None:
        """Write all that the future rests on, so that `load` goes on, bit for bit.

        The file appears whole or never; an older one is replaced.
        """
        write_state(path, self.state())

    @classmethod
    def load(
        cls,
        path: Path,
        model: Model,
        ch_names: Sequence[str] | None = None,
        sfreq: float | None = None,
    ) -> Self:
        """Go on from a saved state.

        Parameters
        ----------
        model
            The one that the state was saved with.
        ch_names, sfreq
            If given: what the state must have been saved for.

        Raises
        ------
        StateError
            If the file is damaged, or belongs to another model, montage or version.
        """
        try:
            return cls.from_state(read_state(path), model, ch_names, sfreq)
        except StateError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise StateError(f"{path}: {reason}") from None

    def state(self, *, history: bool = True) -> State:
        """Give all that the future rests on, as JSON values and arrays.

        The arrays are those in use: they hold until the next `push`.

        Parameters
        ----------
        history
            Whether `result` shall tell of what was before too. Without it the state
            stays as small as it is, however long the stream.
        """
        start = self._start_time
        return {
            "version": STATE_VERSION,
            "model": {"name": self._model.name, "sha256": self._model.identity.sha256},
            "ch_names": self._ch_names,
            "sfreq": self._sfreq,
            "settings": self.settings.model_dump(mode="json"),
            "start_time": start and start.isoformat(),
            "onset_s": self._onset_s,
            "n_times": self._n_times,
            "n_decided": self._n_decided,
            "is_closed": self._is_closed,
            "usable_leads": self._usable_leads,
            "conditioner": self._conditioner.state(),
            "scorer": self._scorer.state(),
            "smoother": self._smoother.state(),
            "alarms": self._alarms.state(),
            "carriers": self._carriers.state(),
            "tally": self._tally.state(),
            "events": [e.to_dict() for e in self._events] if history else [],
            "probability": np.array(self._probability if history else [], np.float32),
        }

    @classmethod
    def from_state(
        cls,
        state: State,
        model: Model,
        ch_names: Sequence[str] | None = None,
        sfreq: float | None = None,
    ) -> Self:
        """Go on from what `state` gave; see `load`."""
        try:
            check_state(state, STATE_VERSION, model.identity, ch_names, sfreq)
            return cls._from_checked(state, model)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise StateError(
                "found no whole state of a stream, expected what `save` wrote; remove "
                "it to begin anew"
            ) from None

    @classmethod
    def _from_checked(cls, state: State, model: Model) -> Self:
        start, settings = state["start_time"], DetectionConfig(**state["settings"])
        stream = cls(
            model,
            state["ch_names"],
            state["sfreq"],
            settings,
            start_time=start and datetime.fromisoformat(start),
        )
        stream._restore(state)
        return stream

    def _restore(self, state: State) -> None:
        self._onset_s, self._n_times = state["onset_s"], state["n_times"]
        self._n_decided, self._is_closed = state["n_decided"], state["is_closed"]
        self._usable_leads = state["usable_leads"]
        self._conditioner.restore(state["conditioner"])
        self._scorer.restore(state["scorer"])
        self._smoother.restore(state["smoother"])
        self._alarms.restore(state["alarms"])
        self._tally.restore(state["tally"])
        self._carriers.restore(state["carriers"])
        self._events = [Event.from_dict(values) for values in state["events"]]
        self._probability = array("f", state["probability"].tobytes())

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
            confidence_scale=self._model.confidence,
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
        self._carriers.forget_before()

    def _close_segment(self) -> list[News]:
        length_s = self._n_times / self._sfreq
        seconds = self._conditioner.close()
        self._tally.add(seconds)
        news = self._settle(self._scorer.push(seconds), length_s)
        news += self._settle(self._scorer.close(), length_s)
        news += self._announce(self._smoother.close(), length_s, length_s)
        return news

    def _settle(self, windows: Iterable[ScoredWindow], length_s: float) -> list[News]:
        """Pass on what windows settle; `length_s` is inf until the segment ends."""
        news: list[News] = []
        for window in windows:
            settled = window.settled.tolist()
            values = [y for x in settled for y in self._smoother.push(x)]
            available_s = min(float(window.end), length_s)
            news += self._announce(values, available_s, length_s)
            if self._alarms.is_idle:
                self._carriers.hear_quiet(window, self._onset_s + window.end)
        return news

    def _announce(
        self, values: Iterable[float], available_s: float, length_s: float
    ) -> list[News]:
        """Decide about the next seconds; they all became known with the same sample."""
        news: list[News] = []
        time_s = round(self._onset_s + available_s, 6)
        before = told = self.current
        for value in values:
            news += self._decide(value, available_s, length_s)
            now = self.current
            if now and (told is None or told.onset != now.onset):
                news.append(Update("raise", now, time_s))
            told = now
        if told and before and told.onset == before.onset and self._alarms.is_open:
            news.append(Update("update", told, time_s))
        return news

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
        if self._alarms.is_open and (latest := self._scorer.latest):
            self._carriers.hear_event(latest)
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
        """Name the leads of events that are over, their place and their kind."""
        located = [self._told(event) for event in events]
        if self._alarms.is_idle:  # also where an event was too short to come out
            self._carriers.forget_event()
        self._events += located
        return located

    def _told(self, event: Event) -> Event:
        event = replace(event, channels=self._carriers.leads_of(event.onset))
        if (found := self._carriers.place_of(event.onset)) is None:
            return event
        sure = found.kind_confidence if found.kind != "unknown" else None
        return replace(
            event,
            event_type=found.event_type,
            type_confidence=sure,
            place=found.place,
        )
