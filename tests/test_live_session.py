"""A session tells what `detect` finds, and of one seizure one alarm after any death."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from distilclip_eeg import detect
from distilclip_eeg.detection.models import Model, load_model
from distilclip_eeg.detection.stream_state import read_state
from distilclip_eeg.eeg.files import open_recording
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.errors import StateError, StreamError
from distilclip_eeg.live.alarms import AlarmDesk
from distilclip_eeg.live.lines import Lines
from distilclip_eeg.live.session import Outputs, Session
from live_signals import signal
from tiny_model import write_tiny_folder

T0 = 5000.0
SEIZURE = [(40.0, 100.0)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_tiny_folder(path).path, threads=1)


@dataclass
class Layout:
    name: str = "bed"
    ch_names: tuple[str, ...] = LEADS
    sfreq: float = 256.0
    speed: float = 1.0


@dataclass
class Bed:
    """A stream and the folder of its listener; the time is that of the stream."""

    model: Model
    folder: Path
    x: NDArray[np.float32]
    sfreq: float = 256.0
    now: float = T0
    sent: list[dict[str, Any]] = field(default_factory=list)

    def push(self, values: dict[str, Any], stamp: float) -> None:
        self.sent.append(values)

    def session(self, *, kept: bool = True, recorded: bool = False) -> Session:
        state = self.folder / "state.npz"
        outputs = Outputs(
            Lines(self.folder / "lines.jsonl"),
            self,
            self.folder / "seen.edf" if recorded else None,
            state if kept else None,
        )
        restored = read_state(state) if kept and state.exists() else None
        return Session(
            self.model,
            Layout(sfreq=self.sfreq),
            self.model.settings(),
            outputs,
            AlarmDesk(),
            lambda: self.now,
            restored=restored,
        )

    def feed(self, session: Session, start_s: float, stop_s: float) -> None:
        """Let the session hear a piece of the stream, 50 ms at a time."""
        first, last = round(start_s * self.sfreq), round(stop_s * self.sfreq)
        step = round(self.sfreq / 20)
        for at in range(first, last, step):
            stop = min(at + step, last)
            stamps = T0 + np.arange(at, stop) / self.sfreq
            self.now = float(stamps[-1]) + 0.01
            session.take(self.x[:, at:stop], stamps, self.now)

    def lines(self, kind: str) -> list[dict[str, Any]]:
        text = (self.folder / "lines.jsonl").read_text()
        told = [json.loads(line) for line in text.splitlines()]
        return [line for line in told if line["type"] == kind]

    def alarms(self) -> list[str]:
        return [f"{line['kind']} {line['id']}" for line in self.lines("alarm")]


def bed(model: Model, folder: Path, x: NDArray[np.float32], **options: Any) -> Bed:
    folder.mkdir(parents=True, exist_ok=True)
    return Bed(model, folder, x, **options)


@pytest.mark.parametrize("sfreq", [256.0, 200.0, 173.61])
def test_events_and_probabilities_are_those_of_detect(
    model: Model, tmp_path: Path, sfreq: float
) -> None:
    x = signal(97.3, [(12, 40), (70, 97)], sfreq)
    want = detect(x, sfreq=sfreq, ch_names=LEADS, model=model).to_dict()
    it = bed(model, tmp_path, x, sfreq=sfreq)
    session = it.session(recorded=True)
    it.feed(session, 0, 97.3)
    session.finish("over")
    keys = ("onset", "duration", "confidence", "channels", "raised_s")
    got = [{k: line[k] for k in keys} for line in it.lines("event")]
    assert got == [{k: event[k] for k in keys} for event in want["events"]]
    assert len(got) == 2
    seconds = it.lines("second")
    told = [p for line in seconds for p in line.get("probabilities", [])]
    assert told == want["seizure_probability"]
    assert [line["time_s"] for line in seconds[:-1]] == pytest.approx(
        np.arange(1, 98), abs=0.006
    )
    assert {line["status"] for line in seconds[12:-1]} == {"watching"}
    (start,) = it.lines("start")
    assert (start["n"], start["resumed"]) == (1, False)
    assert it.alarms()[0] == "raise 1"
    assert it.alarms()[-1] == "clear 2"
    assert not (tmp_path / "state.npz").exists()
    raised = it.lines("alarm")[0]
    assert 0 <= raised["latency_s"] < 0.3
    assert [line["id"] for line in it.sent if line["kind"] == "raise"] == [1, 2]
    back = open_recording(tmp_path / "seen.edf")
    assert back.duration_s == pytest.approx(98, abs=1.1)


@given(
    died_s=st.floats(21.0, 60.0),
    down_s=st.floats(0.3, 25.0),
)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_killed_in_a_seizure_one_alarm_comes_out(
    model: Model,
    tmp_path_factory: pytest.TempPathFactory,
    died_s: float,
    down_s: float,
) -> None:
    it = bed(model, tmp_path_factory.mktemp("bed"), signal(125, [(15, 110)]))
    it.feed(it.session(), 0, died_s)  # and then no word of it is heard any more
    again = it.session()
    it.feed(again, died_s + down_s, 125)
    again.finish("over")
    assert it.alarms()[0] == "raise 1"
    assert it.alarms()[-1] == "clear 1"
    assert sum(told.startswith("raise") for told in it.alarms()) == 1
    (gap,) = it.lines("gap")
    assert gap["reason"] == "restart"
    assert down_s - 0.1 <= gap["duration"] <= down_s + 1.1
    numbers = [line["n"] for line in it.lines("alarm")]
    assert len(set(numbers)) == len(numbers)


class DiedError(Exception):
    pass


@pytest.mark.parametrize("written", [False, True])
def test_killed_while_the_alarm_is_written_it_comes_out_once(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    it = bed(model, tmp_path, signal(120, SEIZURE))
    session = it.session()
    write: Callable[..., Any] = Lines.write

    def dying(lines: Lines, numbered: list[dict[str, Any]]) -> Any:
        is_raise = any(line.get("kind") == "raise" for line in numbered)
        if written or not is_raise:
            write(lines, numbered)
        if is_raise:
            raise DiedError
        return numbered

    monkeypatch.setattr(Lines, "write", dying)
    with pytest.raises(DiedError):
        it.feed(session, 0, 120)
    monkeypatch.undo()
    assert it.alarms() == (["raise 1"] if written else [])
    again = it.session()
    assert it.alarms() == ["raise 1"]  # at once, not when the signal comes back
    it.feed(again, it.now - T0 + 4, 120)
    again.finish("over")
    assert [told for told in it.alarms() if "raise" in told] == ["raise 1"]
    assert it.alarms()[-1] == "clear 1"


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    first = Lines(path)
    first.write(first.numbered([{"type": "second"}] * 3))
    with path.open("ab") as file:
        file.write(b'{"n":4,"type":"alarm","ki')
    again = Lines(path)
    again.write([{"n": 3, "type": "old"}, {"n": 4, "type": "new"}])
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["n"], line["type"]) for line in told[2:]] == [
        (3, "second"),
        (4, "new"),
    ]


def test_lost_samples_are_a_gap(model: Model, tmp_path: Path) -> None:
    it = bed(model, tmp_path, signal(120, SEIZURE))
    session = it.session(recorded=True, kept=False)
    it.feed(session, 0, 60)
    it.feed(session, 63, 120)
    session.finish("over")
    (gap,) = it.lines("gap")
    assert (gap["onset"], gap["duration"]) == (60, 3)
    assert gap["reason"] == "lost samples"
    starting = [s["time_s"] for s in it.lines("second") if s["status"] == "starting"]
    assert starting == [*range(1, 10), *range(64, 73)]  # the filters began anew
    (event,) = it.lines("event")
    assert event["onset"] == pytest.approx(40, abs=5)
    assert event["onset"] + event["duration"] == pytest.approx(100, abs=5)
    assert [a for a in it.alarms() if "update" not in a] == ["raise 1", "clear 1"]
    found = detect(tmp_path / "seen.edf", model=model)  # also from what was recorded
    assert [e.onset for e in found.events] == [event["onset"]]


def test_loss_in_a_seizure_is_decided_at_once(model: Model, tmp_path: Path) -> None:
    it = bed(model, tmp_path, signal(120, [(40, 110)]))
    session = it.session()
    it.feed(session, 0, 47.5)
    assert it.alarms() == []
    session.away(it.now, is_gone=True)
    assert it.alarms() == ["raise 1"]  # by what was there
    assert session.status == "away"
    for _ in range(39):
        it.now += 1
        session.still_away(it.now)
    assert len(it.lines("event")) == 1  # it is over for what counts events ...
    assert session.alarm == 1  # ... and not for people
    it.feed(session, 86.5, 120)
    session.finish("over")
    assert sum(gap["duration"] for gap in it.lines("gap")) == pytest.approx(39)
    assert {gap["reason"] for gap in it.lines("gap")} == {"stream away"}
    assert [a for a in it.alarms() if "update" not in a] == ["raise 1", "clear 1"]
    assert session.detector.time_s == pytest.approx(120)


def test_a_stream_that_stays_away_clears_the_alarm(
    model: Model, tmp_path: Path
) -> None:
    it = bed(model, tmp_path, signal(60, [(20, 60)]))
    session = it.session()
    it.feed(session, 0, 60)
    session.away(it.now, is_gone=True)
    for _ in range(302):
        it.now += 1
        session.still_away(it.now)
    assert session.alarm is None
    assert it.lines("alarm")[-1]["reason"] == "signal lost"


def test_a_clock_jump_is_told_and_changes_nothing(model: Model, tmp_path: Path) -> None:
    x = signal(80, [(30, 60)])
    it = bed(model, tmp_path, x)
    session = it.session()
    it.feed(session, 0, 40)
    for at in range(40 * 256, 80 * 256, 16):
        it.now = T0 + (at + 16) / 256
        stamps = T0 - 3600 + np.arange(at, at + 16) / 256  # summer time, perhaps
        session.take(x[:, at : at + 16], stamps, it.now)
    session.finish("over")
    (jump,) = it.lines("clock_jump")
    assert jump["by_s"] == pytest.approx(-3600)
    want = detect(x, sfreq=256, ch_names=LEADS, model=model).events
    assert [e["onset"] for e in it.lines("event")] == [e.onset for e in want]
    assert all(
        0 <= a["latency_s"] < 0.3 for a in it.lines("alarm") if a["kind"] != "clear"
    )


def test_what_the_recording_cannot_hold_is_said_once(
    model: Model, tmp_path: Path
) -> None:
    it = bed(model, tmp_path, signal(5) + np.float32(5000))
    session = it.session(recorded=True, kept=False)
    it.feed(session, 0, 5)
    session.finish("over")
    assert [line["time_s"] for line in it.lines("clipped")] == [1]


def test_blind_is_not_silent(model: Model, tmp_path: Path) -> None:
    x = signal(30)
    x[:, 15 * 256 :] = 0  # the cable is off
    it = bed(model, tmp_path, x)
    session = it.session()
    it.feed(session, 0, 30)
    assert it.lines("second")[-1]["status"] == "blind"
    assert it.lines("second")[-1]["usable_leads"] == 0


def test_polite_end_and_return_is_one_alarm(model: Model, tmp_path: Path) -> None:
    it = bed(model, tmp_path, signal(120, SEIZURE))
    session = it.session(recorded=True)
    it.feed(session, 0, 70.5)
    session.suspend("stopped")
    again = it.session(recorded=True)
    it.feed(again, 75.5, 120)
    again.finish("over")
    assert [a for a in it.alarms() if "update" not in a] == ["raise 1", "clear 1"]
    back = open_recording(tmp_path / "seen.edf")
    assert [round(s.onset_s, 6) for s in back.segments] == [0, 75.5]
    resumed = [line["resumed"] for line in it.lines("start")]
    assert resumed == [False, True]


def test_what_came_back_must_be_the_same(model: Model, tmp_path: Path) -> None:
    session = bed(model, tmp_path, signal(1)).session(kept=False)
    session.connected(Layout())
    with pytest.raises(StreamError, match="17 channels at 256 Hz, expected the"):
        session.connected(Layout(ch_names=LEADS[:-1]))


def test_other_thresholds_are_refused(model: Model, tmp_path: Path) -> None:
    it = bed(model, tmp_path, signal(12))
    it.feed(it.session(), 0, 12)
    with pytest.raises(StateError, match="saved with"):
        Session(
            model,
            Layout(),
            model.settings(threshold=0.9),
            Outputs(Lines(tmp_path / "lines.jsonl")),
            AlarmDesk(),
            lambda: 0.0,
            restored=read_state(tmp_path / "state.npz"),
        )


def test_numbers_of_lines_only_grow(model: Model, tmp_path: Path) -> None:
    it = bed(model, tmp_path, signal(30))
    it.feed(it.session(), 0, 11)
    it.feed(it.session(), 12, 30)
    told = [json.loads(x) for x in (tmp_path / "lines.jsonl").read_text().splitlines()]
    numbers = [line["n"] for line in told]
    assert numbers == [number for number, _ in zip(count(1), told, strict=False)]
