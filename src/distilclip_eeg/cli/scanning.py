"""The command that goes through a whole archive."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilclip_eeg.cli.app import FAILED, Force, app, say
from distilclip_eeg.cli.detecting import FalseAlarms, ModelName, Precision, Threshold

if TYPE_CHECKING:
    from distilclip_eeg.archive.index import Row
    from distilclip_eeg.archive.scan import Progress

    Tell = Callable[[Progress, Row | None], None]

SAY_EVERY_S = 300.0  # where there is no terminal to draw a bar on

Root = Annotated[
    str,
    typer.Argument(
        metavar="ROOT",
        show_default=False,
        help="A folder, a text file with one recording on each line, or a URL of "
        "fsspec (s3://, sftp://, ...).",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        show_default=False,
        help="For one .tsv per recording, and index.parquet.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        show_default=False,
        help="Recordings at once, a core for each; default: all cores. 1 needs no Ray.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of a Ray cluster, for many machines."),
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Read all again, if time stamps say nothing."),
]


@app.command()
def scan(
    root: Root,
    output: Output,
    model: ModelName = "student",
    threshold: Threshold = None,
    false_alarms_per_day: FalseAlarms = None,
    precision: Precision = "auto",
    workers: Workers = None,
    address: Address = None,
    verify: Verify = False,
    force: Force = False,
) -> None:
    """Find seizures in a whole archive; started again, it does what is missing."""
    from distilclip_eeg.archive.scan import scan as scan_archive

    # Ray tells on stdout which of its processes died; that is no result.
    with _watching() as tell, redirect_stdout(sys.stderr):
        end = scan_archive(
            root,
            output,
            model=model,
            threshold=threshold,
            false_alarms_per_day=false_alarms_per_day,
            precision=precision,
            workers=workers,
            address=address,
            verify=verify,
            force=force,
            watch=tell,
        )
    if not end.has_index:
        say(
            "pyarrow is not installed, so there is no index.parquet: "
            'pip install "distilclip-eeg[archive]", then scan again'
        )
    typer.echo(_summary(output, end))
    raise typer.Exit(FAILED if end.n_failed or end.problems else 0)


def _summary(output: Path, end: Progress) -> str:
    return (
        f"{output}\t{end.n_recordings} recordings\t{end.n_done - end.n_failed} scanned"
        f"\t{end.n_kept} unchanged\t{end.n_failed} failed\t{end.n_gone} gone\t"
        f"{end.eeg_s / 3600:.2f} h of EEG\t{end.elapsed_s / 60:.1f} min"
    )


@contextmanager
def _watching() -> Iterator[Tell]:
    """Give what to call after each recording; a bar on a terminal, else lines."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.completed:.0f} of {task.total:.0f} recordings"),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[state]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, state="")

        def tell(now: Progress, row: Row | None) -> None:
            _report(now, row)
            bar.update(task, total=now.n_to_do, completed=now.n_done, state=_state(now))

        yield tell


class _Lines:
    """Says from time to time how far it is."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, now: Progress, row: Row | None) -> None:
        _report(now, row)
        if time.monotonic() - self._said_at > SAY_EVERY_S:
            self._said_at = time.monotonic()
            say(f"{now.n_done} of {now.n_to_do} recordings, {_state(now)}")


def _report(now: Progress, row: Row | None) -> None:
    """Say what is worth a line: what is passed over, and each failure."""
    from distilclip_eeg.archive.listing import shown

    if row is not None:
        if row["failure"] is not None:
            say(f"{shown(row['recording'])}: {shown(row['failure'])}")
        return
    for place, reason in now.problems.items():
        say(f"{shown(place)}: cannot be looked into ({reason})")
    for note in now.notes:
        say(note)
    if now.n_gone:
        say(f"{now.n_gone} recordings are no longer there; their results are kept")


def _state(now: Progress) -> str:
    parts = [f"{now.n_failed} failed"] if now.n_failed else []
    parts.append(f"{now.eeg_s / 3600:.1f} h of EEG")
    if now.left_s is not None:
        parts.append(f"about {_spoken(now.left_s)} left")
    return ", ".join(parts)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{hours / 24:.1f} days"
