"""The commands that listen to a live stream, and play a recording as one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distilclip_eeg.cli.app import Force, app, extra, say
from distilclip_eeg.cli.detecting import (
    FalseAlarms,
    ModelName,
    Precision,
    Threshold,
)
from distilclip_eeg.errors import DistilClipError

if TYPE_CHECKING:
    from distilclip_eeg.config import DetectionConfig
    from distilclip_eeg.detection.models import Model
    from distilclip_eeg.live.lsl import Inlet, Layout
    from distilclip_eeg.live.replay import Player
    from distilclip_eeg.live.session import Session
    from distilclip_eeg.live.watch import Watch

INTERRUPTED = 130
END_S = 10.0  # for the last samples of a replay to arrive

StreamName = Annotated[
    str | None, typer.Option(metavar="NAME", help="The stream to listen to.")
]
Replay = Annotated[
    Path | None,
    typer.Option(metavar="RECORDING", help="Play this recording as if it were live."),
]
Speed = Annotated[
    float, typer.Option(min=0.01, help="Of a replay; 1 is as it was recorded.")
]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the lines here, not to stdout."),
]
Record = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what was seen, .edf or .bdf."),
]
StateFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep the state here; go on from it if there."),
]
WithMarkers = Annotated[
    bool, typer.Option("--markers/--no-markers", help="Send alarms to LSL too.")
]
Channels = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Labels, if it says none.")
]
Unit = Annotated[str | None, typer.Option(help="Of all channels, if it says another.")]
Rate = Annotated[float | None, typer.Option(help="Hz, if it says another.")]
Patience = Annotated[
    float | None,
    typer.Option(help="Seconds that the stream may stay away (default: for ever)."),
]
UpdateEvery = Annotated[
    float, typer.Option(min=0, help="Seconds between updates of an alarm.")
]
PerHour = Annotated[
    int, typer.Option(min=1, help="Alarms beyond so many an hour are muted.")
]


@dataclass
class _Wishes:
    """What was asked for, checked."""

    name: str
    speed: float
    output: Path | None
    record: Path | None
    state: Path | None
    markers: bool
    update_every_s: float
    per_hour: int
    described: dict[str, Any]
    patience_s: float | None
    stop: threading.Event = field(default_factory=threading.Event)


@app.command()
def stream(
    lsl: StreamName = None,
    replay: Replay = None,
    speed: Speed = 1.0,
    output: Output = None,
    record: Record = None,
    state: StateFile = None,
    markers: WithMarkers = True,
    model: ModelName = "student",
    threshold: Threshold = None,
    false_alarms_per_day: FalseAlarms = None,
    precision: Precision = "auto",
    channels: Channels = None,
    unit: Unit = None,
    sfreq: Rate = None,
    patience: Patience = None,
    update_every: UpdateEvery = 10.0,
    alarms_per_hour: PerHour = 20,
    force: Force = False,
) -> None:
    """Find seizures in a live stream: a line of JSON per second and per alarm."""
    with extra("live"):
        from distilclip_eeg.live.lsl import be_quiet
    from distilclip_eeg.detection.models import load_model
    from distilclip_eeg.detection.outputs import check_outputs, check_suffix
    from distilclip_eeg.eeg.whole_files import claimed

    if (lsl is None) == (replay is None):
        raise DistilClipError("give --lsl NAME or --replay RECORDING, one of them")
    if record is not None:
        check_suffix(record, (".edf", ".bdf"))
    if state is None or not state.exists():
        check_outputs([path for path in (output, record) if path], force=force)
    wishes = _Wishes(
        name=lsl or f"replay-{os.getpid()}",
        speed=speed,
        output=output,
        record=record,
        state=state,
        markers=markers,
        update_every_s=update_every,
        per_hour=alarms_per_hour,
        described={
            "ch_names": channels.split(",") if channels else None,
            "unit": unit,
            "sfreq": sfreq,
        },
        patience_s=patience,
    )
    loaded = load_model(model, precision)
    settings = loaded.settings(
        threshold=threshold, false_alarms_per_day=false_alarms_per_day
    )
    be_quiet()
    with claimed(*(path for path in (output, record, state) if path)):
        if state is None or not state.exists():
            _begin_anew([path for path in (output, record) if path], force=force)
        with _signals(wishes.stop) as received:
            _listen(wishes, loaded, settings, replay)
    if signal.SIGINT in received:
        raise typer.Exit(INTERRUPTED)


@app.command()
def play(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING")],
    name: Annotated[str, typer.Option(help="Of the stream.")],
    speed: Speed = 1.0,
) -> None:
    """Play a recording as a live stream, once somebody listens."""
    with extra("live"):
        from distilclip_eeg.live.lsl import be_quiet
        from distilclip_eeg.live.replay import Player
    from distilclip_eeg.eeg.files import open_recording

    be_quiet()
    stop = threading.Event()
    player = Player(open_recording(recording), name, speed)
    say(f"{name}: ready")
    with _signals(stop) as received:
        player.play(stop)
        player.linger(stop)
    player.close()
    if signal.SIGINT in received:
        raise typer.Exit(INTERRUPTED)


def _begin_anew(outputs: Sequence[Path], *, force: bool) -> None:
    from distilclip_eeg.detection.outputs import check_outputs

    check_outputs(outputs, force=force)
    for old in outputs:
        old.unlink(missing_ok=True)


def _listen(
    wishes: _Wishes, model: Model, settings: DetectionConfig, replay: Path | None
) -> None:
    from distilclip_eeg.eeg.files import open_recording
    from distilclip_eeg.live.replay import Player

    watch = _watch(wishes, model, settings)
    if replay is None:
        _run(watch, wishes)
        return
    recording = open_recording(replay)
    for warning in recording.warnings:
        say(f"{replay}: {warning}")
    player = Player(recording, wishes.name, wishes.speed, lambda: watch.n_taken)
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(player.play, wishes.stop)
        watch.is_over = _end_of(player, playing)
        try:
            _run(watch, wishes)
        finally:
            wishes.stop.set()
    player.close()
    playing.result()


def _end_of(player: Player, playing: Future[None]) -> Callable[[int], bool]:
    import time

    ended: list[float] = []

    def is_over(n_taken: int) -> bool:
        if not playing.done():
            return False
        playing.result()  # what went wrong while playing is told here
        ended.append(time.monotonic())
        return n_taken >= player.n_pushed or ended[-1] - ended[0] > END_S

    return is_over


def _watch(wishes: _Wishes, model: Model, settings: DetectionConfig) -> Watch:
    from distilclip_eeg.detection.stream_state import read_state
    from distilclip_eeg.live.alarms import AlarmDesk
    from distilclip_eeg.live.lines import Lines
    from distilclip_eeg.live.lsl import Inlet, find_stream, local_clock
    from distilclip_eeg.live.markers import Markers
    from distilclip_eeg.live.session import Outputs, Session
    from distilclip_eeg.live.watch import Watch

    journal = wishes.state and wishes.state.with_name(f"{wishes.state.name}.lines")
    restored = None
    if wishes.state and wishes.state.exists():
        restored = read_state(wishes.state)
    elif journal:
        journal.unlink(missing_ok=True)
    lines = Lines(wishes.output, journal if wishes.output is None else None)
    markers = Markers(wishes.name) if wishes.markers else None

    def connect() -> Inlet | None:
        found = find_stream(wishes.name)
        return None if found is None else Inlet(found, **wishes.described)

    def begin(layout: Layout) -> Session:
        for warning in layout.warnings:
            say(f"{layout.name}: {warning}")
        outputs = Outputs(lines, markers, wishes.record, wishes.state)
        desk = AlarmDesk(wishes.update_every_s, wishes.per_hour)
        return Session(
            model,
            layout,
            settings,
            outputs,
            desk,
            local_clock,
            restored=restored,
        )

    return Watch(connect, begin, lines, markers, wishes.stop, wishes.patience_s)


def _run(watch: Watch, wishes: _Wishes) -> None:
    try:
        reason = watch.run()
    except OSError:  # a full disk
        if watch.session is not None:
            watch.session.abandon()
        raise
    session = watch.session
    if session is None:
        if reason == "lost":
            raise DistilClipError(
                f"no stream of numbers called {wishes.name} was found in "
                f"{wishes.patience_s:g} s; is it on this network?"
            )
    elif reason == "stopped" and wishes.state is not None:
        session.suspend(reason)
    else:
        session.finish(reason)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[set[int]]:
    """Turn interrupts into a wish to stop; gives those that came."""
    received: set[int] = set()

    def note(number: int, _: Any) -> None:
        received.add(number)
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
