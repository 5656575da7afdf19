"""The commands that train, cross-validate and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import Force, app, extra

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
    with extra("train"):
        from distilclip_eeg.training import commands
    typer.echo(commands.train(config, data, run))


@app.command()
def crossvalidate(config: ConfigFile, data: DataFolder, run: RunFolder = None) -> None:
    """Score each recording by a model that never saw its patient."""
    with extra("train"):
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
    with extra("train"):
        from distilclip_eeg.training import commands
    written = commands.export_run(
        config, folder, run, report=report, test=test, force=force
    )
    typer.echo(f"{written.path} {written.sha256}")
