"""The command that fetches the open data sets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import FAILED, app, say
from distilclip_eeg.errors import DownloadError

if TYPE_CHECKING:
    from distilclip_eeg.corpora.download import Outcome, Plan

    Told = tuple[Callable[[str], None], Callable[[int], None]]  # a file begins, bytes


@app.command()
def download(
    dataset: Annotated[
        Literal["chbmit", "siena"], typer.Argument(help="From PhysioNet.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to.")],
    patients: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Of these alone, as in chb01,chb02."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="A mirror with the same files."),
    ] = None,
) -> None:
    """Fetch an open data set; started again it goes on, and every file is verified."""
    from distilclip_eeg.corpora.download import download as fetch
    from distilclip_eeg.corpora.download import plan_download

    with _status("Looking at what is there and what is to come"):
        plan = plan_download(dataset, folder, url=url, patients=_names(patients))
    _show(plan, dataset)
    if plan.files and not yes:
        _ask()
    with _told(plan) as (on_file, on_bytes):
        outcome = fetch(plan, on_file=on_file, on_bytes=on_bytes)
    if not _report(plan, outcome):
        raise typer.Exit(FAILED)


def _names(patients: str | None) -> list[str]:
    if patients is None:
        return []
    names = [name.strip() for name in patients.split(",")]
    if not all(names):
        raise DownloadError(f"--patients {patients!r}: expected a list as chb01,chb02")
    return names


def _show(plan: Plan, dataset: Literal["chbmit", "siena"]) -> None:
    from distilclip_eeg.corpora.download import SOURCES, free_bytes

    source = SOURCES[dataset]
    say(f"{source.title}, licence {source.licence}, from {plan.url}")
    if plan.n_right:
        say(f"{_files(plan.n_right)} of it in {plan.folder} already, verified")
    for name in plan.differing:
        say(f"{plan.folder / name} is not the published file and will be replaced")
    if plan.files:
        free = f"{_size(free_bytes(plan.folder))} free"
        say(f"to come: {_amount(plan)}, into {plan.folder} ({free})")


def _amount(plan: Plan) -> str:
    n_known = len(plan.files) - plan.n_unknown
    amount = f"{_files(len(plan.files))}, {_size(plan.n_bytes)}"
    if not n_known:
        return f"{_files(plan.n_unknown)} of unknown size"
    if plan.n_unknown:
        amount += f" and {_files(plan.n_unknown)} among them of unknown size"
    return amount


def _files(n: int) -> str:
    return f"{n} file" if n == 1 else f"{n} files"


def _size(n_bytes: int) -> str:
    from rich.filesize import decimal

    return decimal(n_bytes)


def _ask() -> None:
    try:
        wanted = typer.confirm("Start?", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise  # somebody said no with Ctrl-C
        raise DownloadError("nobody answered; --yes starts without asking") from None
    if not wanted:
        say("nothing was fetched")
        raise typer.Exit(FAILED)


def _report(plan: Plan, outcome: Outcome) -> bool:
    """Name what failed; say whether nothing did."""
    for name, reason in outcome.failed:
        say(f"{name}: {reason}")
    if outcome.stopped:
        n = _files(outcome.n_untried)
        say(f"{outcome.stopped}; {n} still to come: the same command goes on there")
    n_there = plan.n_right + outcome.n_fetched
    if outcome.failed:
        n_all = n_there + len(outcome.failed) + outcome.n_untried
        say(f"{len(outcome.failed)} of {_files(n_all)} failed")
    if outcome.failed or outcome.stopped:
        return False
    say(f"all {_files(n_there)} are in {plan.folder}, verified")
    return True


@contextmanager
def _status(text: str) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def _told(plan: Plan) -> Iterator[Told]:
    """Yield what to tell of files and bytes: a bar, where somebody watches."""
    if not sys.stderr.isatty():
        yield (lambda name: None), (lambda n: None)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    n_there = sum(file.n_there for file in plan.files)
    total = None if plan.n_unknown else n_there + plan.n_bytes
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, completed=n_there)
        yield (
            lambda name: bar.update(task, description=name),
            lambda n: bar.update(task, advance=n),
        )
