"""The command that says how real simulated recordings look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import Force, app, extra, fold_numbers, say


@app.command()
def realism(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Holds manifest.tsv.", show_default=False),
    ],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="To write.", show_default=False)
    ],
    folds: Annotated[
        str, typer.Option(help="That may be looked at, such as 0,1,2,3.")
    ] = "0,1,2,3",
    recordings: Annotated[int, typer.Option(min=8, help="To simulate.")] = 24,
    minutes: Annotated[float, typer.Option(min=5, help="Of each of them.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of all that is drawn by chance.")] = 0,
    force: Force = False,
) -> None:
    """Tell simulated from real by a classifier, and draw both side by side."""
    from distilclip_eeg.corpora.catalog import in_folds
    from distilclip_eeg.corpora.manifest import read_manifest
    from distilclip_eeg.detection.outputs import check_outputs

    with extra("evaluate"):
        from distilclip_eeg.evaluation.realism import report
    from distilclip_eeg.explain import side_by_side

    check_outputs(
        [output / name for name in (*report.FILES, *side_by_side.PAGES.values())],
        force=force,
    )
    chosen = fold_numbers(folds)
    found = report.measure_realism(
        in_folds(read_manifest(data), chosen),
        chosen,
        range(report.FIRST_SEED, report.FIRST_SEED + recordings),
        duration_s=60 * minutes,
        chance=seed,
        on_step=say,
    )
    for path in report.write_scores(found, output):
        typer.echo(path)
    for path in side_by_side.write_pages(found.epochs, output, seed):
        typer.echo(path)
