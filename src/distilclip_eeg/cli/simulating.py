"""The command that makes recordings with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import Force, alone, app


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
    with alone([out], force=force):
        files = write_simulated(draw(seed, round(hours * 3600)), out)
    for path in (files.recording, files.events, files.patterns):
        typer.echo(path)
