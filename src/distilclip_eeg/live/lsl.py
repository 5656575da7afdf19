"""A stream on Lab Streaming Layer -> microvolts and time stamps.

Finds the stream by name, reads labels, units and rate from what it says of itself, and
tells when it is gone. Knows neither clocks nor detection.
"""

from __future__ import annotations

import os
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from mne_lsl.lsl import (
    StreamInfo,
    StreamInlet,
    local_clock,
    resolve_streams,
    set_config_content,
)
from mne_lsl.lsl._utils import LostError  # the library has no other name for it
from numpy.typing import NDArray

from distilclip_eeg.eeg.montage import electrode
from distilclip_eeg.errors import StreamError

__all__ = ["Inlet", "Layout", "StreamLostError", "find_stream", "local_clock"]

SPEED_NODE: Final = "distilclip_replay"  # says how fast a recording is played
BUFFER_S: Final = 360  # of the stream that may wait for its listener
ANSWER_S: Final = 10.0  # that a stream may take to describe itself
OTHERS_S: Final = 0.5  # that other streams of the name may take to answer
CHUNKS_PER_S: Final = 20  # looked for in each second of this machine
LARGEST_PULL: Final = 8192
CORRECT_EVERY_S: Final = 10.0
ASK_AFTER_S: Final = 3.0  # without samples, whether the stream is still there
N_UNANSWERED: Final = 2  # questions, before it counts as gone

_MICROVOLTS: Final = {
    **dict.fromkeys(("microvolts", "microvolt", "uv", "µv", "\u03bcv", "-6"), 1.0),
    **dict.fromkeys(("millivolts", "millivolt", "mv", "-3"), 1e3),
    **dict.fromkeys(("volts", "volt", "v", "0"), 1e6),
    **dict.fromkeys(("nanovolts", "nanovolt", "nv", "-9"), 1e-3),
}
_UNSAID = ("", "none", "na", "n/a", "unknown")
_CONFIG_FILES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")


class StreamLostError(Exception):
    """The stream that was listened to is gone."""


@dataclass(frozen=True)
class Layout:
    """What a stream says of itself.

    Attributes
    ----------
    scale
        (n_chans,) what turns its values into microvolts.
    speed
        How much faster than its time stamps it is played; 1 if it is live.
    warnings
        One line each, for a person.
    """

    name: str
    source_id: str
    ch_names: tuple[str, ...]
    sfreq: float
    scale: NDArray[np.float64] = field(repr=False, compare=False)
    speed: float = 1.0
    warnings: tuple[str, ...] = field(default=(), compare=False)


def be_quiet() -> None:
    """Keep the library's talk off stderr, unless the user has configured it."""
    files = [Path(name).expanduser() for name in _CONFIG_FILES]
    if "LSLAPICFG" in os.environ or any(path.is_file() for path in files):
        return
    set_config_content("[log]\nlevel = -3\n")


def find_stream(name: str, wait_s: float = 1.0) -> Any | None:
    """Look for a stream of numbers of this name; None if there is none.

    Of several, one of type EEG is taken, and the newest.
    """
    if not resolve_streams(timeout=wait_s, name=name):
        return None
    # That ended with the first answer; others may be of the same name.
    found = [
        info
        for info in resolve_streams(timeout=OTHERS_S, name=name, minimum=64)
        if info.dtype != "string" and info.stype != "Markers"
    ]
    return max(
        found, key=lambda info: (info.stype == "EEG", info.created_at), default=None
    )


def read_layout(
    info: Any,
    ch_names: Sequence[str] | None = None,
    unit: str | None = None,
    sfreq: float | None = None,
) -> Layout:
    """Read what a stream says of itself.

    Parameters
    ----------
    ch_names, unit, sfreq
        Replace what it says, or what it does not say.

    Raises
    ------
    StreamError
        If labels, rate or unit are unknown or impossible.
    """
    root = ET.fromstring(info.as_xml)
    channels = root.findall("./desc/channels/channel")
    said = [(channel.findtext("label") or "").strip() for channel in channels]
    names = tuple(ch_names or said)
    if len(names) != info.n_channels or not all(names):
        what = "names were given" if ch_names else "labels are said"
        raise StreamError(
            f"stream {info.name}: {info.n_channels} channels and "
            f"{len([n for n in names if n])} {what}; say them in order: --channels "
            "Fp1,F7,..."
        )
    rate = sfreq or info.sfreq
    if not rate:
        raise StreamError(
            f"stream {info.name}: says no sampling rate; give it with --sfreq HZ"
        )
    units = [(channel.findtext("unit") or "").strip() for channel in channels]
    scale, warnings = _scale(info.name, names, units, unit)
    speed = root.findtext(f"./desc/{SPEED_NODE}/speed")
    return Layout(
        name=info.name,
        source_id=info.source_id,
        ch_names=names,
        sfreq=float(rate),
        scale=scale,
        speed=float(speed) if speed else 1.0,
        warnings=warnings,
    )


def _scale(
    name: str, ch_names: Sequence[str], units: Sequence[str], unit: str | None
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Give the factors to microvolts, of channels on the head those that are known."""
    wanted = [unit] * len(ch_names) if unit else [*units] + [""] * len(ch_names)
    scale, unsaid = np.ones(len(ch_names)), []
    for i, (label, found) in enumerate(zip(ch_names, wanted, strict=False)):
        if found.lower() in _MICROVOLTS:
            scale[i] = _MICROVOLTS[found.lower()]
        elif electrode(label) is None:
            continue
        elif found.lower() in _UNSAID:
            unsaid.append(label)
        else:
            raise StreamError(
                f"stream {name}: channel {label} is in {found}, expected microvolts, "
                "millivolts, volts or nanovolts; say the unit with --unit"
            )
    if not unsaid:
        return scale, ()
    return scale, (f"says no unit of {len(unsaid)} channels: taken as microvolts",)


class Inlet:
    """Listens to one stream until it is gone.

    Raises
    ------
    StreamLostError
        If it is gone before it has said what it is.
    StreamError
        See `read_layout`.
    """

    def __init__(
        self,
        info: Any,
        ch_names: Sequence[str] | None = None,
        unit: str | None = None,
        sfreq: float | None = None,
    ) -> None:
        self._inlet = StreamInlet(info, max_buffered=BUFFER_S, recover=False)
        try:
            self._inlet.open_stream(timeout=ANSWER_S)
            whole = self._inlet.get_sinfo(timeout=ANSWER_S)
        except (LostError, TimeoutError) as error:
            raise StreamLostError(str(error)) from None
        self.layout = read_layout(whole, ch_names, unit, sfreq)
        self._name, self._uid = whole.name, whole.uid
        self._heard, self._n_unanswered = time.monotonic(), 0
        self._is_scaled = not np.all(self.layout.scale == 1)
        per_s = self.layout.sfreq * self.layout.speed
        self._first_pull = min(LARGEST_PULL, max(1, round(per_s / CHUNKS_PER_S)))
        self._corrected, self._correction_s = -np.inf, 0.0

    def pull(self, wait_s: float) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
        """Fetch what has come, after at most `wait_s` seconds.

        Returns
        -------
        samples
            (n_chans, n) microvolts; n may be 0.
        stamps
            (n,) seconds of the clock of the stream.

        Raises
        ------
        StreamLostError
            If the stream is gone.
        """
        try:
            values, stamps = self._pulled(wait_s, self._first_pull)
            if len(stamps) == self._first_pull:  # there may be much more
                more = self._pulled(0.0, LARGEST_PULL)
                values = np.concatenate([values, more[0]])
                stamps = np.concatenate([stamps, more[1]])
        except LostError as error:
            raise StreamLostError(str(error)) from None
        if len(stamps):
            self._heard, self._n_unanswered = time.monotonic(), 0
        elif time.monotonic() - self._heard > ASK_AFTER_S:
            self._ask()
        if self._is_scaled:
            return (values * self.layout.scale).T, stamps
        return values.T, stamps

    def _ask(self) -> None:
        """Ask the network whether a silent stream is still there.

        The library tells of a closed connection only; of an amplifier whose plug is
        pulled, or an outlet that ends while it is being connected to, nothing comes.
        """
        self._heard = time.monotonic()
        answers = resolve_streams(timeout=OTHERS_S, name=self._name, minimum=64)
        if self._uid in {info.uid for info in answers}:
            self._n_unanswered = 0
            return
        self._n_unanswered += 1
        if self._n_unanswered == N_UNANSWERED:
            raise StreamLostError(f"stream {self._name}: no longer on the network")

    def correction_s(self) -> float:
        """What is to be added to stamps, to have them on this machine's LSL clock."""
        now = time.monotonic()
        if now - self._corrected > CORRECT_EVERY_S:
            self._corrected = now
            # Else the last one serves: it changes by microseconds.
            with suppress(LostError, TimeoutError):
                self._correction_s = self._inlet.time_correction(timeout=0.5)
        return self._correction_s

    def _pulled(
        self, wait_s: float, most: int
    ) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
        values, stamps = self._inlet.pull_chunk(timeout=wait_s, max_samples=most)
        # Both are views of buffers that the next pull fills.
        return np.array(values).reshape(-1, len(self.layout.ch_names)), stamps.copy()


def describe(
    name: str, ch_names: Sequence[str], sfreq: float, speed: float, source_id: str
) -> Any:
    """Describe a stream of microvolts that plays a recording."""
    info = StreamInfo(name, "EEG", len(ch_names), sfreq, "float32", source_id)
    info.set_channel_names(list(ch_names))
    info.set_channel_types("eeg")
    info.set_channel_units("microvolts")
    info.desc.append_child(SPEED_NODE).append_child_value("speed", repr(speed))
    return info
