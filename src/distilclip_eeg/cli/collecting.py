"""The command that makes one table of several experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import app, extra, say


@app.command()
def collect(
    experiments: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...", help="That reproduce wrote.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="NAME",
            help="NAME gets the predictions; NAME.json and NAME.md the table.",
            show_default=False,
        ),
    ],
) -> None:
    """Make one table of experiments that were run with settings of their own."""
    with extra("evaluate"):
        from distilclip_eeg.evaluation.experiment import protocol_table
        from distilclip_eeg.evaluation.experiment.collected import collect as collected
        from distilclip_eeg.evaluation.experiment.protocol_report import markdown

    table = collected(experiments, output)
    text = markdown(table, "The paper's experiment")
    for path in protocol_table.write_table(output.parent, table, text, output.name):
        say(str(path))
    typer.echo(text, nl=False)
