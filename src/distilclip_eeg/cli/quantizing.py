"""The command that makes the 8-bit network of a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilclip_eeg.cli.app import Force, app, extra, fold_numbers, say
from distilclip_eeg.errors import OutputExistsError

if TYPE_CHECKING:
    from distilclip_eeg.model_folder import ModelFolder


@app.command()
def quantize(
    model: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="A model folder, or a bundled model, to be added to."
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="To set ranges by, as for `evaluate`; may stand several times. "
            "Default: simulated recordings.",
        ),
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(metavar="0,2-3", help="Of recordings that have one, these alone."),
    ] = None,
    windows: Annotated[
        int, typer.Option(min=2, help="Half set the ranges, half judge the result.")
    ] = 512,
    max_change: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Of a second's probability, 99th percentile, at most."
        ),
    ] = 0.01,
    seed: Annotated[int, typer.Option(help="Of the choice of windows.")] = 0,
    force: Force = False,
) -> None:
    """Make the 8-bit network of a model folder: `--precision int8` runs it."""
    from distilclip_eeg.detection.models import find_model
    from distilclip_eeg.eeg.whole_files import claimed
    from distilclip_eeg.model_folder import INT8, load_folder

    folder = load_folder(find_model(model))
    if folder.config.int8 is not None and not force:
        raise OutputExistsError(
            f"{folder.path / INT8} is there already; --force replaces it"
        )
    with extra("train,onnx"), claimed(folder.path):
        made = _quantized(folder, data, folds, windows, max_change, seed)
    typer.echo(_told(made.int8, made.config.int8))


def _quantized(
    folder: ModelFolder,
    data: list[str] | None,
    folds: str | None,
    windows: int,
    max_change: float,
    seed: int,
) -> ModelFolder:
    from distilclip_eeg.training import quantization
    from distilclip_eeg.training.calibration import NOT_TRAINED_ON, draw_windows

    drawn = draw_windows(
        data or [NOT_TRAINED_ON],
        folder.signal,
        windows,
        folds=None if folds is None else fold_numbers(folds),
        seed=seed,
    )
    for name, reason in drawn.skipped.items():
        say(f"{name}: {reason}")
    return quantization.quantize(folder, drawn, max_change=max_change, on_step=say)


def _told(path: Path, how: object) -> str:
    from distilclip_eeg.model_folder import Quantized

    assert isinstance(how, Quantized)
    change = ", ".join(f"{key} {x:g}" for key, x in how.probability_change.items())
    return (
        f"{path}\n"
        f"bytes                     {path.stat().st_size:,}\n"
        f"calibrated on             {how.n_windows} windows of {how.calibrated_on}\n"
        f"left in f32               {', '.join(how.left_float) or 'no product'}\n"
        f"change of a probability   {change}"
    )
