"""Real outlets and inlets on the loopback: the same events, also through loss."""

from __future__ import annotations

import json
import os
import signal as signals
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mne_lsl", reason="the extra `live` is not installed")

from mne_lsl.lsl import StreamInfo, StreamInlet, StreamOutlet, local_clock

from distilclip_eeg import detect
from distilclip_eeg.cli import main
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.recording import ArrayRecording
from distilclip_eeg.errors import StreamError
from distilclip_eeg.live import lsl
from distilclip_eeg.live.lsl import Inlet, StreamLostError, be_quiet, find_stream
from distilclip_eeg.live.replay import Player
from edf_writer import Signal, write_edf
from live_signals import signal
from tiny_model import write_tiny_model

COMMAND = [sys.executable, "-m", "distilclip_eeg.cli"]
KEYS = (
    *("onset", "duration", "eventType", "confidence", "channels", "raised_s"),
    *("type_confidence", "side", "side_confidence", "lobe", "lobe_confidence"),
)
NAME = f"test-{os.getpid()}"


@pytest.fixture(scope="module", autouse=True)
def network() -> None:
    """A machine whose network lets no stream be found cannot run these tests."""
    be_quiet()
    info = StreamInfo(f"{NAME}-here", "EEG", 1, 1.0, "float32", f"{NAME}-here")
    outlet = StreamOutlet(info)
    for _ in range(10):
        if find_stream(outlet.name) is not None:
            return
    pytest.skip("Lab Streaming Layer finds no stream on this machine's network")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def edf(
    path: Path, x: np.ndarray, onsets_s: list[float] | None = None, rate: int = 256
) -> Path:
    """Write microvolts in steps of 0.1 as EDF."""
    columns = [
        Signal(label, np.rint(row * 10)) for label, row in zip(LEADS, x, strict=True)
    ]
    n_records = x.shape[1] // rate
    kind = "EDF+D" if onsets_s else ""
    return write_edf(path, columns, n_records=n_records, onsets_s=onsets_s, kind=kind)


def lines(path: Path, kind: str) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    told = [json.loads(line) for line in whole.splitlines()]
    return [line for line in told if line["type"] == kind]


def events(path: Path) -> list[dict[str, Any]]:
    told = lines(path, "event")
    return [{key: line[key] for key in KEYS if key in line} for line in told]


def stream(*args: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        main(["stream", *map(str, args)])
    return int(done.value.code or 0)


@pytest.mark.parametrize("rate", [256, 500])
def test_replay_through_lsl_is_detect(model: Path, tmp_path: Path, rate: int) -> None:
    x = signal(60, [(15, 35)], rate)
    path, out = edf(tmp_path / "rec.edf", x, rate=rate), tmp_path / "lines.jsonl"
    args = ("--model", model, "--speed", "20", "--output", out)
    assert stream("--replay", path, *args, "--record", tmp_path / "seen.bdf") == 0
    found = detect(path, model=model)
    assert len(found.events) == 1
    assert events(out) == [event.to_dict() for event in found.events]
    told = [p for line in lines(out, "second") for p in line.get("probabilities", [])]
    assert told == found.to_dict()["seizure_probability"]
    again = detect(tmp_path / "seen.bdf", model=model)
    assert [e.onset for e in again.events] == [e.onset for e in found.events]
    assert lines(out, "gap") == lines(out, "clock_jump") == []
    assert lines(out, "stop")[0]["reason"] == "over"


def test_gaps_of_a_recording_stay_gaps(model: Path, tmp_path: Path) -> None:
    x = signal(50, [(5, 20), (28, 40)])
    onsets_s = [*range(24), *(k + 12.5 for k in range(24, 50))]
    path, out = edf(tmp_path / "gap.edf", x, onsets_s), tmp_path / "lines.jsonl"
    args = ("--model", model, "--speed", "20", "--output", out)
    assert stream("--replay", path, *args) == 0
    found = detect(path, model=model)
    assert len(found.events) == 2
    assert events(out) == [event.to_dict() for event in found.events]
    (gap,) = lines(out, "gap")
    assert (gap["onset"], gap["duration"]) == (24, 12.5)


class Outlet:
    """A stream as an amplifier gives it, pushed by hand."""

    def __init__(
        self,
        name: str,
        labels: tuple[str, ...] | None = LEADS,
        unit: str | None = "microvolts",
        dtype: str = "float32",
        sfreq: float = 256.0,
        stype: str = "EEG",
        n_channels: int = 18,
    ) -> None:
        info = StreamInfo(name, stype, n_channels, sfreq, dtype, f"amp-{name}-{dtype}")
        if labels:
            info.set_channel_names(list(labels))
        if unit:
            info.set_channel_units(unit)
        self.outlet = StreamOutlet(info)

    def push(self, x: np.ndarray, stamps: np.ndarray) -> None:
        self.outlet.push_chunk(np.ascontiguousarray(x.T), stamps)


def connected(name: str, **described: Any) -> Inlet:
    deadline = time.monotonic() + 30
    while (found := find_stream(name)) is None:
        assert time.monotonic() < deadline, "the stream is not on this network"
    return Inlet(found, **described)


def pulled(inlet: Inlet, n: int) -> tuple[np.ndarray, np.ndarray]:
    parts, stamps = list[np.ndarray](), list[np.ndarray]()
    deadline = time.monotonic() + 30
    while sum(len(one) for one in stamps) < n and time.monotonic() < deadline:
        samples, when = inlet.pull(0.1)
        parts.append(samples)
        stamps.append(when)
    return np.concatenate(parts, axis=1), np.concatenate(stamps)


@pytest.mark.parametrize(
    ("dtype", "unit", "factor"),
    [("float64", "volts", 1e6), ("int16", "nV", 1e-3), ("float32", "microvolts", 1)],
)
def test_units_become_microvolts(dtype: str, unit: str, factor: float) -> None:
    name = f"{NAME}-{dtype}"
    outlet = Outlet(name, unit=unit, dtype=dtype)
    inlet = connected(name)
    kind = {"float64": np.float64, "int16": np.int16, "float32": np.float32}[dtype]
    x = (signal(3) * (40 if dtype == "int16" else 1)).astype(kind)
    sent = local_clock() + np.arange(x.shape[1]) / 256
    outlet.push(x, sent)
    got, stamps = pulled(inlet, x.shape[1])
    np.testing.assert_array_equal(got, x * np.float64(factor))
    np.testing.assert_array_equal(stamps, sent)
    assert inlet.layout.ch_names == LEADS
    assert inlet.layout.warnings == ()
    assert abs(inlet.correction_s()) < 0.1


@pytest.mark.parametrize(
    ("options", "described", "said"),
    [
        ({"labels": None}, {}, "say them in order: --channels"),
        ({"unit": "counts"}, {}, "say the unit with --unit"),
        ({"sfreq": 0.0}, {}, "give it with --sfreq"),
        ({}, {"ch_names": ["Fp1", "F7"]}, "2 names were given"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: dict[str, Any], described: dict[str, Any], said: str
) -> None:
    name = f"{NAME}-{len(said)}-odd"
    kept = Outlet(name, **options)
    with pytest.raises(StreamError, match=said):
        connected(name, **described)
    assert kept.outlet.n_channels == 18


def test_what_it_does_not_say_can_be_said() -> None:
    name = f"{NAME}-mute"
    kept = Outlet(name, labels=None, unit=None, sfreq=0.0)
    inlet = connected(name, ch_names=LEADS, unit="millivolts", sfreq=256.0)
    assert inlet.layout.sfreq == 256
    assert set(inlet.layout.scale) == {1e3}
    assert (
        connected(name, ch_names=LEADS, sfreq=256.0)
        .layout.warnings[0]
        .startswith("says no unit of 18 channels")
    )
    assert kept.outlet.has_consumers


def test_markers_are_no_eeg_and_the_newest_eeg_is_taken() -> None:
    name = f"{NAME}-many"
    others = [
        Outlet(name, dtype="string", stype="Markers", labels=None, unit=None),
        Outlet(name, stype="Accelerometer", labels=None, unit=None, n_channels=3),
        Outlet(name),
    ]
    time.sleep(0.3)
    assert connected(name).layout.ch_names == LEADS
    assert others[2].outlet.has_consumers


def test_a_stream_that_is_gone_is_told() -> None:
    outlet = Outlet(f"{NAME}-gone")
    inlet = connected(f"{NAME}-gone")
    del outlet
    deadline = time.monotonic() + 20

    def until_lost() -> None:
        while time.monotonic() < deadline:
            inlet.pull(0.1)

    with pytest.raises(StreamLostError):
        until_lost()


def test_a_silent_stream_that_answers_is_kept_and_one_that_does_not_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a pulled plug no closed connection tells: here the connection stays open."""
    monkeypatch.setattr(lsl, "ASK_AFTER_S", 0.2)
    outlet = Outlet(f"{NAME}-silent")
    inlet = connected(f"{NAME}-silent")
    for _ in range(8):
        assert inlet.pull(0.3)[0].shape == (18, 0)
    monkeypatch.setattr(lsl, "resolve_streams", lambda **asked: [])

    def until_lost() -> None:
        for _ in range(8):
            inlet.pull(0.3)

    with pytest.raises(StreamLostError, match="no longer on the network"):
        until_lost()
    assert outlet.outlet.has_consumers


def test_player_keeps_every_sample_and_nan(tmp_path: Path) -> None:
    x = signal(8)
    x[3, 100:300] = np.nan
    x = x[:, :-1]  # and a chunk of one sample at the end
    player = Player(ArrayRecording(x, 256.0, LEADS), f"{NAME}-player", 50.0)
    stop = threading.Event()
    playing = threading.Thread(target=player.play, args=(stop,), daemon=True)
    playing.start()
    got, stamps = pulled(connected(f"{NAME}-player"), x.shape[1])
    playing.join()
    np.testing.assert_array_equal(got, x)
    np.testing.assert_allclose(np.diff(stamps), 1 / 256, atol=1e-9)
    assert player.n_pushed == x.shape[1]


def test_mistakes_are_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.jsonl").write_text("")
    nobody = ("--lsl", f"{NAME}-nobody", "--model", model, "--patience", "1")
    for args, said in (
        ((), "one of them"),
        (("--lsl", "a", "--replay", "b.edf"), "one of them"),
        (("--lsl", "a", "--record", tmp_path / "x.txt"), ".edf"),
        (("--lsl", "a", "--output", tmp_path / "there.jsonl"), "--force"),
        (("--replay", tmp_path / "gone.edf", "--model", model), "gone.edf"),
        (nobody, "is it on this network"),
    ):
        assert stream(*args) == 2
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert said in line


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[Any]:
    """Start `distilclip play`; it is ended with the test."""
    begun: list[subprocess.Popen[Any]] = []

    def play(path: Path, name: str, speed: float) -> subprocess.Popen[Any]:
        args = ["play", str(path), "--name", name, "--speed", str(speed)]
        begun.append(subprocess.Popen([*COMMAND, *args], stderr=subprocess.DEVNULL))
        return begun[-1]

    yield play
    for process in begun:
        process.kill()
        process.wait()


def wait_for(what: Any, *, timeout_s: float = 400.0) -> Any:
    """Be patient: a busy machine may need a minute to start a process."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


def ended(process: subprocess.Popen[Any], number: int) -> int:
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.fixture
def long_seizure(tmp_path: Path) -> Path:
    return edf(tmp_path / "rec.edf", signal(1200, [(5, 1200)]))


def updated_since(out: Path, kind: str) -> bool:
    """Whether an alarm was updated, and the signal is watched, after such a line."""
    told = lines(out, kind)
    if not told:
        return False
    updates = [a for a in lines(out, "alarm") if a["kind"] == "update"]
    watched = [s for s in lines(out, "second") if s["status"] == "watching"]
    return all(some and some[-1]["n"] > told[-1]["n"] for some in (updates, watched))


@pytest.mark.slow
def test_killed_in_a_seizure_one_alarm_comes_out(
    model: Path, tmp_path: Path, long_seizure: Path, playing: Any
) -> None:
    """SIGKILL to the listener while the player, another process, plays on."""
    name, out = f"{NAME}-kill", tmp_path / "lines.jsonl"
    args = ["stream", "--lsl", name, "--model", str(model), "--output", str(out)]
    args += ["--state", str(tmp_path / "state.npz")]
    args += ["--record", str(tmp_path / "seen.edf")]
    playing(long_seizure, name, 2.0)
    first = subprocess.Popen([*COMMAND, *args])
    try:
        wait_for(lambda: lines(out, "alarm"))
    finally:
        ended(first, signals.SIGKILL)
    second = subprocess.Popen([*COMMAND, *args])
    try:
        wait_for(lambda: updated_since(out, "gap"))
    finally:
        assert ended(second, signals.SIGTERM) == 0
    alarms = [(line["kind"], line["id"]) for line in lines(out, "alarm")]
    assert alarms[0] == ("raise", 1)
    assert set(alarms[1:]) == {("update", 1)}
    assert [line["resumed"] for line in lines(out, "start")] == [False, True]
    assert {gap["reason"] for gap in lines(out, "gap")} == {"restart"}
    numbers = [line["n"] for line in lines(out, "second")]
    assert len(set(numbers)) == len(numbers)
    (stop,) = lines(out, "stop")
    assert open_recording(tmp_path / "seen.edf").duration_s == pytest.approx(
        stop["time_s"], abs=2
    )


@pytest.mark.slow
def test_a_stream_that_returns_is_heard_on(
    model: Path, tmp_path: Path, long_seizure: Path, playing: Any
) -> None:
    name, out = f"{NAME}-return", tmp_path / "lines.jsonl"
    args = ["stream", "--lsl", name, "--model", str(model), "--output", str(out)]
    first = playing(long_seizure, name, 2.0)
    listener = subprocess.Popen([*COMMAND, *args])
    try:
        wait_for(lambda: lines(out, "alarm"))
        markers = StreamInlet(wait_for(lambda: marker_stream(f"{name}-seizures")))
        markers.open_stream(timeout=10)
        ended(first, signals.SIGKILL)
        wait_for(lambda: [b for b in lines(out, "heartbeat") if b["status"] == "away"])
        playing(long_seizure, name, 2.0)
        wait_for(lambda: updated_since(out, "gap"))
        sent = wait_for(lambda: markers.pull_sample(timeout=1.0)[0])
    finally:
        assert ended(listener, signals.SIGTERM) == 0
    assert {line["reason"] for line in lines(out, "gap")} == {"stream away"}
    assert json.loads(sent[0])["type"] in ("alarm", "heartbeat")
    assert lines(out, "stop")[-1]["reason"] == "stopped"
    raised = [line for line in lines(out, "alarm") if line["kind"] == "raise"]
    assert len(raised) == 1


def marker_stream(name: str) -> Any:
    from mne_lsl.lsl import resolve_streams

    return next(iter(resolve_streams(timeout=1.0, name=name)), None)
