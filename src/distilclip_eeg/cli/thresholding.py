"""The command that finds thresholds by how often they cry wolf."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from distilclip_eeg.cli.app import Force, alone, app, extra


@app.command()
def thresholds(
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="Of whole recordings: predictions.tsv of `evaluate --output`.",
        ),
    ],
    config: Annotated[
        Path,
        typer.Option(metavar="CONFIG", help="Whose detection settings count."),
    ],
    output: Annotated[
        Path, typer.Option(metavar="JSON", help="For `export --thresholds`.")
    ],
    beside: Annotated[
        Path | None,
        typer.Option(
            metavar="PREDICTIONS",
            help="Of clips out of fold, by `crossvalidate`: what the same thresholds "
            "find and alarm there.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Find the thresholds for 1, 3 and 10 false alarms per day, and their cost."""
    with extra("evaluate"):
        from distilclip_eeg.evaluation.operating import find_thresholds
    from distilclip_eeg.config import load_config
    from distilclip_eeg.detection.outputs import check_outputs, check_suffix
    from distilclip_eeg.evaluation.operating_file import (
        confidence_said,
        thresholds_table,
        write_thresholds,
    )

    check_suffix(output, (".json",))
    check_outputs([output], force=force)
    settings = load_config(config)
    with alone([output], force=force):
        found = find_thresholds(predictions, settings, beside)
        write_thresholds(output, found)
    typer.echo(f"{thresholds_table(found)}\n{fill(confidence_said(found), 88)}")
