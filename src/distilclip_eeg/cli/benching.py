"""The command that says how fast detection is on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distilclip_eeg.cli.app import app, say
from distilclip_eeg.errors import ConfigError, ModelFolderError

if TYPE_CHECKING:
    from distilclip_eeg.evaluation.bench import Way


@app.command()
def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FOLDER]",
            help="Default: all bundled ones.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Cores to use; default: all.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.5, help="Of noise to listen to, as to a file.")
    ] = 20.0,
    live_minutes: Annotated[
        float, typer.Option(min=0.5, help="Of noise to push second by second.")
    ] = 10.0,
    against_mne: Annotated[
        Path | None,
        typer.Option(
            metavar="RECORDING",
            help="Instead: `detect` beside MNE, which reads, filters and resamples.",
        ),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option(
            metavar="1,48", help="Instead: `detect` on recordings of such lengths."
        ),
    ] = None,
    precision: Annotated[
        Literal["auto", "f32", "int8"],
        typer.Option(help="For --against-mne and --hours; else all are measured."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Measure speed, memory, latency on this machine: engine by engine, by precision.

    Windows per second are of the network alone; seconds per hour of EEG and memory, of
    detection; the last three, milliseconds to take in a second in which a window falls
    due, by percentile.
    """
    from distilclip_eeg.detection.models import bundled_models, find_model
    from distilclip_eeg.evaluation import bench as measuring
    from distilclip_eeg.model_folder import load_folder

    names = models or list(bundled_models())
    folders = [load_folder(find_model(name)) for name in names]
    found: Any
    if against_mne is not None:
        found = [
            measuring.against_mne(against_mne, name, precision, threads)
            for name in names
        ]
        table = "\n".join(map(measuring.mne_table, found))
    elif hours is not None:
        found = {
            name: measuring.growth(_numbers(hours), name, precision, threads)
            for name in names
        }
        table = "\n".join(
            f"{name}\n{measuring.growth_table(rows)}" for name, rows in found.items()
        )
    else:
        found = []
        for way in measuring.ways(folders):
            found += _measured(way, threads, minutes * 60, live_minutes * 60)
        table = measuring.ways_table(found)
    typer.echo(json.dumps(found, indent=1) if as_json else table.rstrip("\n"))


def _measured(
    way: Way, threads: int | None, length_s: float, live_s: float
) -> list[dict[str, Any]]:
    """Measure one way; one that cannot be run costs the others nothing."""
    from distilclip_eeg.evaluation import bench as measuring

    try:
        return [measuring.measure(way, threads, length_s, live_s)]
    except ModelFolderError as error:
        say(f"{way.engine}, {way.precision}: {error}")
        return []


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < 1e4 for number in numbers):
        raise ConfigError(f"found hours {text!r}, expected numbers, as in 1,48")
    return numbers
