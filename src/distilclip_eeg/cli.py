"""The command line: one thin function per command.

Results go to stdout, talk to stderr. Exit status: 0 all done, 1 some of many recordings
failed (each named), 2 the call or the only recording cannot be used, 130 interrupted.
Everything heavy is imported inside the commands, so that `--help` comes at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from distilclip_eeg.errors import DistilClipError, MissingExtraError

if TYPE_CHECKING:
    from distilclip_eeg.config import SignalConfig
    from distilclip_eeg.detection.outputs import Job
    from distilclip_eeg.detection.result import Detection

    Detect = Callable[[Path], Detection]

FAILED, MISUSED = 1, 2

app = typer.Typer(
    help="Find epileptic seizures in scalp EEG. For research; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: importing rich costs more than the help
    pretty_exceptions_enable=False,
)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; a mistake of the user is one line and exit status 2."""
    try:
        app(args)
    except DistilClipError as error:
        _say(str(error))
    except OSError as error:  # disk full, no permission, a drive that went away
        _say(f"{error.filename or 'output'}: {error.strerror or error}")
    raise SystemExit(MISUSED)


def _say(message: str) -> None:
    typer.echo(f"distilclip: {message}", err=True)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("distilclip-eeg"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show it."),
    ] = False,
) -> None:
    """Options that stand before a command."""


Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="RECORDING [OUTPUT]",
        show_default=False,
        help="One recording and the .tsv, .json or .edf to write (default: a table "
        "on stdout). With --output any number of recordings and folders of them.",
    ),
]
OutputFolder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write one .tsv for each recording here."),
]
ModelName = Annotated[
    str,
    typer.Option(metavar="NAME|FOLDER", help="A bundled model or a model folder."),
]
Threshold = Annotated[
    float | None, typer.Option(help="Probability at which an event begins, 0 to 1.")
]
FalseAlarms = Annotated[
    float | None, typer.Option(help="Choose the threshold by what it costs.")
]
Precision = Annotated[
    Literal["auto", "f32"],
    typer.Option(help="f32: the same numbers on every processor, slower."),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        metavar="PAGE", help="Draw the surest event: .png or .svg, one recording."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files.")]


@app.command()
def detect(
    sources: Sources,
    output: OutputFolder = None,
    model: ModelName = "student",
    threshold: Threshold = None,
    false_alarms_per_day: FalseAlarms = None,
    precision: Precision = "auto",
    picture: Picture = None,
    force: Force = False,
) -> None:
    """Find seizures: events with onset, duration, confidence and leads."""
    from distilclip_eeg.detection.detector import detect as detect_in
    from distilclip_eeg.detection.models import load_model
    from distilclip_eeg.detection.outputs import check_outputs, plan_jobs

    jobs = plan_jobs(sources, output)
    several = output is not None and (len(sources) > 1 or sources[0].is_dir())
    _check_picture(picture, several)
    planned = [job.output for job in jobs] + [picture]
    check_outputs([path for path in planned if path], force=force)
    loaded = load_model(model, precision)
    # Tried here, so that a wrong choice is one message and not one per recording.
    loaded.settings(threshold=threshold, false_alarms_per_day=false_alarms_per_day)
    find = partial(
        detect_in,
        model=loaded,
        threshold=threshold,
        false_alarms_per_day=false_alarms_per_day,
    )
    if several:
        raise typer.Exit(FAILED if _detect_many(find, jobs) else 0)
    detection = _detect_one(find, jobs[0])
    if picture is not None:
        _draw(detection, jobs[0].source, loaded.signal, picture)


def _check_picture(picture: Path | None, several: bool) -> None:
    from distilclip_eeg.detection.outputs import check_suffix

    if picture is None:
        return
    check_suffix(picture, (".png", ".svg"))
    if several:
        raise DistilClipError("--picture draws one recording; name that file alone")


def _detect_one(find: Detect, job: Job) -> Detection:
    from distilclip_eeg.detection.outputs import tsv_text, write_detection

    detection = _found(find, job.source)
    if job.output is None:
        typer.echo(tsv_text(detection), nl=False)
        return detection
    job.output.parent.mkdir(parents=True, exist_ok=True)
    for note in write_detection(detection, job.source, job.output):
        _say(note)
    return detection


def _detect_many(find: Detect, jobs: Sequence[Job]) -> int:
    """Do what can be done; return how many recordings failed, each named on stderr."""
    from distilclip_eeg.detection.outputs import write_detection

    n_failed = 0
    for job in _progress(jobs):
        assert job.output is not None
        try:
            detection = _found(find, job.source)
            job.output.parent.mkdir(parents=True, exist_ok=True)
            write_detection(detection, job.source, job.output)
        except (DistilClipError, OSError) as error:
            n_failed += 1
            _say(_about(job.source, error))
        except Exception as error:  # a defect met in one file must not cost the others
            n_failed += 1
            _say(f"{job.source}: {type(error).__name__}: {error} (please report this)")
    if n_failed:
        _say(f"{n_failed} of {len(jobs)} recordings failed")
    return n_failed


def _found(find: Detect, source: Path) -> Detection:
    try:
        detection = find(source)
    except DistilClipError as error:
        raise DistilClipError(_about(source, error)) from None
    for warning in detection.warnings:
        _say(f"{source}: {warning}")
    return detection


def _about(source: Path, error: Exception) -> str:
    """Say once which recording an error is about."""
    reason = str(error).removeprefix(f"{source.name}: ").removeprefix(f"{source}: ")
    return f"{source}: {reason}"


def _progress(jobs: Sequence[Job]) -> Iterable[Job]:
    if not sys.stderr.isatty():
        return jobs
    from rich.console import Console
    from rich.progress import track

    return track(jobs, "Recordings", console=Console(stderr=True))


def _draw(
    detection: Detection, source: Path, signal: SignalConfig, picture: Path
) -> None:
    from distilclip_eeg.eeg.files import open_recording
    from distilclip_eeg.explain.drawing import draw_page, save_figure
    from distilclip_eeg.explain.page import PAGE_S, page_start, read_page

    probability, events = detection.seizure_probability, detection.events
    start_s = page_start(detection.duration_s, events, probability)
    recording = open_recording(source)
    figure = draw_page(
        read_page(recording, start_s, PAGE_S, signal),
        events,
        probability,
        threshold=detection.settings.onset_threshold,
        title=recording.name,
        start_time=detection.start_time,
    )
    picture.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, picture)


ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A TOML file, see configs/.")
]
DataFolder = Annotated[
    Path,
    typer.Option(metavar="FOLDER", help="Holds manifest.tsv.", show_default=False),
]
RunFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Default: runs/ and the name.")
]


@app.command()
def train(config: ConfigFile, data: DataFolder, run: RunFolder = None) -> None:
    """Train a model; started again after a kill it goes on."""
    with _extra("train"):
        from distilclip_eeg.training import commands
    typer.echo(commands.train(config, data, run))


@app.command()
def crossvalidate(config: ConfigFile, data: DataFolder, run: RunFolder = None) -> None:
    """Score each recording by a model that never saw its patient."""
    with _extra("train"):
        from distilclip_eeg.training import commands
    typer.echo(commands.crossvalidate(config, data, run))


@app.command()
def export(
    config: ConfigFile,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="To be written.")],
    run: RunFolder = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="By crossvalidate: thresholds by cost."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Scores on test data."),
    ] = None,
    force: Force = False,
) -> None:
    """Turn a run into a model folder for `detect --model`."""
    with _extra("train"):
        from distilclip_eeg.training import commands
    written = commands.export_run(
        config, folder, run, report=report, test=test, force=force
    )
    typer.echo(f"{written.path} {written.sha256}")


@app.command()
def simulate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The .edf or .bdf to write.")
    ],
    seed: Annotated[int, typer.Option(help="Decides everything drawn.")] = 0,
    hours: Annotated[float, typer.Option(min=0.01, max=24, help="How long.")] = 1.0,
    force: Force = False,
) -> None:
    """Write a recording with planted seizures, and the truth beside it."""
    from distilclip_eeg.corpora.simulate import simulate as draw
    from distilclip_eeg.corpora.simulate import write_simulated
    from distilclip_eeg.detection.outputs import check_outputs, check_suffix

    check_suffix(out, (".edf", ".bdf"))
    check_outputs([out], force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    files = write_simulated(draw(seed, round(hours * 3600)), out)
    for path in (files.recording, files.events, files.patterns):
        typer.echo(path)


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Turn a missing package into the line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; this command needs more than the base: "
            f'pip install "distilclip-eeg[{name}]"'
        ) from None


if __name__ == "__main__":
    main()
