"""A recording -> a stream on Lab Streaming Layer, as if it were live.

Stamps are those of the recording, so that gaps stay gaps; at a speed of 20 they advance
20 s in a second, and the stream says so. Values are float32 microvolts, as readers give
them: nothing is rounded on the way. Knows nothing of detection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from mne_lsl.lsl import StreamOutlet, local_clock
from numpy.typing import NDArray

from distilclip_eeg.eeg.recording import Recording
from distilclip_eeg.live.lsl import BUFFER_S, describe

CHUNK_S: Final = 0.05  # of this machine's time
MAX_AHEAD_S: Final = 60.0  # of the stream: then the player waits for its listener
SETTLE_S: Final = 0.5  # between a listener's arrival and the first sample
LINGER_S: Final = 1.0  # after the last sample, so that it arrives
READ_S: Final = 60.0


class Player:
    """Plays a recording once.

    Parameters
    ----------
    speed
        1 is as fast as it was recorded.
    taken
        Gives how many samples the listener has taken, if it is known: then the player
        is never far ahead of it, however fast it is asked to be.
    """

    def __init__(
        self,
        recording: Recording,
        name: str,
        speed: float = 1.0,
        taken: Callable[[], int] | None = None,
    ) -> None:
        self._recording, self._speed, self._taken = recording, speed, taken
        self._picks = [
            i
            for i, label in enumerate(recording.ch_names)
            if not label.endswith("Annotations")
        ]
        labels = [recording.ch_names[i] for i in self._picks]
        source = f"distilclip-replay-{name}"
        info = describe(name, labels, recording.sfreq, speed, source)
        self._outlet = StreamOutlet(info, max_buffered=BUFFER_S)
        self.n_samples = sum(segment.n_times for segment in recording.segments)
        self.n_pushed = 0
        self.has_begun = False

    def play(self, stop: threading.Event) -> None:
        """Wait for a listener, then push sample after sample in time."""
        while not self._outlet.has_consumers:
            if stop.wait(0.02):
                return
        stop.wait(SETTLE_S)
        self.has_begun = True
        began = local_clock()
        for onset_s, chunk in self._chunks():
            n, sfreq = chunk.shape[1], self._recording.sfreq
            until_s = (onset_s + n / sfreq) / self._speed
            stop.wait(max(0.0, began + until_s - local_clock()))
            while self._taken and self.n_pushed - self._taken() > MAX_AHEAD_S * sfreq:
                stop.wait(0.005)
                if stop.is_set():
                    return
            if stop.is_set():
                return
            stamps = began + (onset_s + np.arange(n) / sfreq)
            if n > 1:
                self._outlet.push_chunk(np.ascontiguousarray(chunk.T), stamps)
            else:
                self._outlet.push_sample(chunk[:, 0].copy(), float(stamps[0]))
            self.n_pushed += n

    def linger(self, stop: threading.Event) -> None:
        """Stay on the network for a moment, so that the last samples arrive."""
        deadline = time.monotonic() + LINGER_S
        while self._outlet.has_consumers and time.monotonic() < deadline:
            if stop.wait(0.05):
                return

    def close(self) -> None:
        """Leave the network."""
        del self._outlet

    def _chunks(self) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Onset in the recording, and samples (n_chans, n)."""
        sfreq = self._recording.sfreq
        step = max(2, round(CHUNK_S * self._speed * sfreq))
        for number, segment in enumerate(self._recording.segments):
            at = 0
            for block in self._recording.blocks(self._picks, number, READ_S):
                for start in range(0, block.shape[1], step):
                    chunk = block[:, start : start + step]
                    yield segment.onset_s + at / sfreq, chunk
                    at += chunk.shape[1]
