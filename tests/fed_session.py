"""A session that is fed a made-up stream, in a process that can be killed.

The stream goes on while nobody listens: what follows a kill is heard `DOWN_S` later
than what was heard last. So a run with kills can be compared with one without.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from distilclip_eeg.detection.models import load_model
from distilclip_eeg.detection.stream_state import read_state
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.whole_files import claimed
from distilclip_eeg.live.alarms import AlarmDesk
from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.session import Outputs, Session
from live_signals import signal

SFREQ = 256.0
DURATION_S = 270.0
SEIZURES = ((30.0, 60.0), (110.0, 140.0), (190.0, 220.0))
DOWN_S = 1.0
T0 = 5000.0


class Layout:
    name, ch_names, sfreq, speed = "bed", LEADS, SFREQ, 1.0


def feed(folder: str, model: str) -> None:
    """Let a session hear the stream, from where the last one left it, to its end."""
    state, lines = Path(folder) / "state.npz", Path(folder) / "lines.jsonl"
    with claimed(state, lines):  # as the command does
        _feed(Path(folder), model, state, lines)


def _feed(folder: Path, model: str, state: Path, lines: Path) -> None:
    restored = read_state(state) if state.exists() else None
    if restored is None and lines.exists() and '"type":"stop"' in lines.read_text():
        return  # it was killed when all was told
    start_s = 0.0
    if restored is not None:
        start_s = restored["clock"]["time_s"] + DOWN_S
        # The time of day goes with the stream here, however busy the machine is.
        restored["clock"]["arrived"] = time.time() - DOWN_S
    now = [T0 + start_s]
    loaded = load_model(model, threads=1)
    outputs = Outputs(Lines(lines), None, folder / "seen.edf", state)
    session = Session(
        loaded,
        Layout(),
        loaded.settings(),
        outputs,
        AlarmDesk(),
        lambda: now[0],
        restored=restored,
    )
    x = signal(DURATION_S, SEIZURES)
    step = round(SFREQ / 4)
    for at in range(round(start_s * SFREQ), x.shape[1], step):
        stop = min(at + step, x.shape[1])
        stamps = T0 + np.arange(at, stop) / SFREQ
        now[0] = float(stamps[-1]) + 0.01
        session.take(x[:, at:stop], stamps, now[0])
    session.finish("over")
