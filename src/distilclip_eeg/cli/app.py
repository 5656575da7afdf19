"""The command line as a whole: how it starts, fails and tells what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from distilclip_eeg.errors import (
    ConfigError,
    DistilClipError,
    MissingExtraError,
    one_line,
)

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
        say(str(error))
    except OSError as error:  # disk full, no permission, a drive that went away
        say(f"{error.filename or 'output'}: {error.strerror or error}")
        _leave_stdout()
    raise SystemExit(MISUSED)


def _leave_stdout() -> None:
    """Give up what cannot be written there: on leaving it would be tried again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """Talk to the person at the terminal, on stderr."""
    typer.echo(f"distilclip: {one_line(message)}", err=True)


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


@contextmanager
def alone(outputs: Sequence[Path], *, force: bool) -> Iterator[None]:
    """Keep other processes from writing these files, which are not there yet.

    Raises
    ------
    InUseError
        If one does.
    OutputExistsError
        If one did since the command began, and `force` was not asked for.
    """
    from distilclip_eeg.detection.outputs import check_outputs
    from distilclip_eeg.eeg.whole_files import claimed

    with claimed(*outputs):
        check_outputs(outputs, force=force)
        yield


Force = Annotated[bool, typer.Option("--force", help="Write over files.")]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a missing package into the line that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; this command needs more than the base: "
            f'pip install "distilclip-eeg[{name}]"'
        ) from None


def fold_numbers(text: str) -> list[int]:
    """Read `0,2-3` as 0, 2, 3.

    Raises
    ------
    ConfigError
        If it is no such list.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            numbers += range(int(first), int(last if dash else first) + 1)
        except ValueError:
            numbers = []
            break
    if not numbers:
        raise ConfigError(f"found folds {text!r}, expected numbers, as in 4 or 0,2-3")
    return numbers
