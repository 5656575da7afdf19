"""The command that asks for EEG in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import app, extra, say


@app.command()
def search(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Recordings, or one of them.")
    ],
    query: Annotated[
        str,
        typer.Argument(
            metavar="WORDS", help='Such as "rhythmic theta, left temporal".'
        ),
    ],
    model: Annotated[
        str,
        typer.Option(metavar="NAME|FOLDER", help="A bundled model or a model folder."),
    ] = "student",
    top: Annotated[int, typer.Option(min=1, help="Moments to list.")] = 20,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="For the embeddings. Default: beside the recordings."
        ),
    ] = None,
) -> None:
    """List the moments that are most like a description in words."""
    with extra("train"):
        from distilclip_eeg.training.asking import ask, load_text_tower
    from distilclip_eeg.detection.models import load_model
    from distilclip_eeg.review.searching import embeddings_below, nearest, table

    loaded = load_model(model)
    wanted = ask(load_text_tower(loaded.folder), query)
    with extra("train"):
        every = embeddings_below(folder, loaded, index, say)
    moments = nearest(every, wanted, float(loaded.signal.window_s), top)
    typer.echo(table(moments), nl=False)
