"""The command that looks for short cuts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import FAILED, Force, app, extra, fold_numbers, say
from distilclip_eeg.cli.evaluating import Precision, Threads, in_turn


@app.command()
def controls(
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FOLDER|RUN",
            help="A bundled model, a model folder or a training run; {fold} in it "
            "stands for the fold of the recording.",
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder with manifest.tsv, a store, DATASET:FOLDER."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Write controls.json and controls.md."),
    ],
    folds: Annotated[
        str | None, typer.Option(metavar="0,2-3", help="Take these folds alone.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it; default: the model's name.")
    ] = None,
    precision: Precision = "auto",
    threads: Threads = None,
    force: Force = False,
) -> None:
    """Ask whether a model goes by data set, patient, clock or loudness."""
    from distilclip_eeg.detection.outputs import check_outputs

    with extra("evaluate"):
        from distilclip_eeg.evaluation.controls import hearing, report
        from distilclip_eeg.evaluation.evaluate import Models
    check_outputs([output / file for file in report.FILES], force=force)
    numbers = None if folds is None else fold_numbers(folds)
    with _folders(model, numbers) as given:
        models = Models(given, precision, threads)
        heard = hearing.hear(models, data, numbers, in_turn)
        ages = report.read_ages(Path(data))
        found = report.controls_of(heard, models, name, ages)
    for path in report.write_controls(output, found):
        say(str(path))
    typer.echo(report.markdown(found), nl=False)
    for recording, reason in heard.skipped.items():
        say(f"{recording}: {reason}")
    if heard.skipped:
        raise typer.Exit(FAILED)


def _folders(given: str, folds: Sequence[int] | None) -> AbstractContextManager[str]:
    """Give model folders: those named, or exports of the runs named, for a while."""
    from distilclip_eeg.detection.models import bundled_models

    if given in bundled_models() or not find_spec("torch"):
        return nullcontext(given)  # without torch nobody has a run
    from distilclip_eeg.training.borrowed import is_run, model_folders

    return (
        model_folders(given, folds, say) if is_run(given, folds) else nullcontext(given)
    )
