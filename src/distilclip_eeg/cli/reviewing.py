"""The command that opens a folder for review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import app, extra, say

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", show_default=False, help="Recordings.")
]
Host = Annotated[
    str,
    typer.Option(help="Address to answer on; one that is not loopback asks a token."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
StateFolder = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FOLDER",
        help="Where decisions are kept (default: DIR/distilclip-review).",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(metavar="NAME|FOLDER", help="A bundled model or a model folder."),
]
Detects = Annotated[
    bool,
    typer.Option(
        "--detect/--no-detect", help="Detect where no detector's output lies beside."
    ),
]


@app.command()
def review(
    folder: Folder,
    host: Host = "127.0.0.1",
    port: Port = 8420,
    state: StateFolder = None,
    model: ModelName = "student",
    detect: Detects = True,
) -> None:
    """Open a page on which a person decides what was a seizure."""
    with extra("review"):
        from distilclip_eeg.review.app import serve
    from distilclip_eeg.detection.models import find_model
    from distilclip_eeg.review.desk import open_desk

    find_model(model)  # a wrong name is told now, not when a recording is opened
    desk = open_desk(folder, state=state, model=model, detects=detect)
    for name in desk.library.left_out:
        say(f"{name}: lies outside {folder}, left out")
    serve(desk, host, port, typer.echo)
