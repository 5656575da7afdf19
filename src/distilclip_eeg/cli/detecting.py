"""The command that finds seizures."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import FAILED, Force, alone, app, say
from distilclip_eeg.errors import DistilClipError

if TYPE_CHECKING:
    from distilclip_eeg.config import SignalConfig
    from distilclip_eeg.detection.outputs import Job
    from distilclip_eeg.detection.result import Detection

    Detect = Callable[[Path], Detection]

# What the next output would meet as well.
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)

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
    Literal["auto", "f32", "int8"],
    typer.Option(
        help="f32: the same numbers on every processor, slower; int8: the 8-bit "
        "network of a folder that holds one (edge does)."
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(
        metavar="PAGE", help="Draw the surest event: .png or .svg, one recording."
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="PAGE",
        help="Write everything about one recording as a page: .html, to read or print.",
    ),
]
Identify = Annotated[
    bool,
    typer.Option("--identify", help="Name the patient in the report."),
]


@app.command()
def detect(
    sources: Sources,
    output: OutputFolder = None,
    model: ModelName = "student",
    threshold: Threshold = None,
    false_alarms_per_day: FalseAlarms = None,
    precision: Precision = "auto",
    picture: Picture = None,
    report: Report = None,
    identify: Identify = False,
    force: Force = False,
) -> None:
    """Find seizures: events with onset, duration, confidence and leads."""
    from distilclip_eeg.detection.detector import detect as detect_in
    from distilclip_eeg.detection.models import load_model
    from distilclip_eeg.detection.outputs import check_outputs, plan_jobs
    from distilclip_eeg.eeg.whole_files import claimed_folder

    jobs = plan_jobs(sources, output)
    several = output is not None and (len(sources) > 1 or sources[0].is_dir())
    _check_one("--picture", picture, (".png", ".svg"), several)
    _check_one("--report", report, (".html",), several)
    if identify and report is None:
        raise DistilClipError("--identify names the patient in a report: add --report")
    planned = [p for p in (*(job.output for job in jobs), picture, report) if p]
    check_outputs(planned, force=force)
    loaded = load_model(model, precision)
    # Tried here, so that a wrong choice is one message and not one per recording.
    loaded.settings(threshold=threshold, false_alarms_per_day=false_alarms_per_day)
    find = partial(
        detect_in,
        model=loaded,
        threshold=threshold,
        false_alarms_per_day=false_alarms_per_day,
    )
    if output is not None and several:
        with claimed_folder(output):
            check_outputs(planned, force=force)
            n_failed = _detect_many(find, jobs)
        raise typer.Exit(FAILED if n_failed else 0)
    with alone(planned, force=force):
        detection = _detect_one(find, jobs[0])
        if picture is not None:
            _draw(detection, jobs[0].source, loaded.signal, picture)
        if report is not None:
            from distilclip_eeg.review.report.write import write_report

            write_report(detection, jobs[0].source, loaded, report, identify=identify)


def _check_one(
    option: str, path: Path | None, suffixes: Sequence[str], several: bool
) -> None:
    """Refuse an output of one recording where there are several, or of no format."""
    from distilclip_eeg.detection.outputs import check_suffix

    if path is None:
        return
    check_suffix(path, suffixes)
    if several:
        raise DistilClipError(f"{option} draws one recording; name that file alone")


def _detect_one(find: Detect, job: Job) -> Detection:
    from distilclip_eeg.detection.outputs import tsv_text, write_detection

    detection = _found(find, job.source)
    if job.output is None:
        typer.echo(tsv_text(detection), nl=False)
        return detection
    for note in write_detection(detection, job.source, job.output):
        say(note)
    return detection


def _detect_many(find: Detect, jobs: Sequence[Job]) -> int:
    """Do what can be done; return how many recordings failed, each named on stderr."""
    n_failed = 0
    for n_before, job in enumerate(_progress(jobs)):
        try:
            _write(_found(find, job.source), job)
        except _NowhereToWriteError as error:
            raise DistilClipError(
                f"{error}; stopped after {n_before} of {len(jobs)} recordings: put "
                "that right, and do all again with --force"
            ) from None
        except (DistilClipError, OSError) as error:
            n_failed += 1
            say(_about(job.source, error))
        except Exception as error:  # a defect met in one file must not cost the others
            n_failed += 1
            say(f"{job.source}: {type(error).__name__}: {error} (please report this)")
    if n_failed:
        say(f"{n_failed} of {len(jobs)} recordings failed")
    return n_failed


class _NowhereToWriteError(Exception):
    """No output can be written any more."""


def _write(detection: Detection, job: Job) -> None:
    from distilclip_eeg.detection.outputs import write_detection
    from distilclip_eeg.eeg.whole_files import claimed

    assert job.output is not None
    try:
        with claimed(job.output):
            write_detection(detection, job.source, job.output)
    except OSError as error:
        if error.errno in HOPELESS:
            raise _NowhereToWriteError(f"{job.output}: {error.strerror}") from None
        raise


def _found(find: Detect, source: Path) -> Detection:
    try:
        detection = find(source)
    except DistilClipError as error:
        raise DistilClipError(_about(source, error)) from None
    for warning in detection.warnings:
        say(f"{source}: {warning}")
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
    save_figure(figure, picture)
