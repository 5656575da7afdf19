"""The commands that train, cross-validate and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distilclip_eeg.cli.app import Force, app, extra, fold_numbers, say
from distilclip_eeg.errors import ConfigError

ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A TOML file, see configs/.")
]
DataFolder = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Holds manifest.tsv, or is a store that `prepare` made.",
        show_default=False,
    ),
]
RunFolder = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Default: runs/ and the name.")
]
Folds = Annotated[
    str | None,
    typer.Option(help="In place of those in CONFIG, such as 0,1,2,3."),
]


@app.command()
def train(
    config: ConfigFile,
    data: DataFolder,
    run: RunFolder = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A finished run to distil from."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="In place of the one in CONFIG.")
    ] = None,
    folds: Folds = None,
) -> None:
    """Train a model; started again after a kill it goes on."""
    with extra("train"):
        from distilclip_eeg.training import commands
    chosen = tuple(fold_numbers(folds)) if folds else None
    written = commands.train(
        config, data, run, teacher=teacher, seed=seed, folds=chosen
    )
    typer.echo(written)


@app.command()
def crossvalidate(
    config: ConfigFile,
    data: DataFolder,
    run: RunFolder = None,
    teacher: Annotated[
        str,
        typer.Option(
            metavar="RUN", help="To distil from, such as runs/teacher-folds/fold{fold}."
        ),
    ] = "",
    folds: Folds = None,
) -> None:
    """Score each recording by a model that never saw its patient."""
    with extra("train"):
        from distilclip_eeg.training import commands
    chosen = tuple(fold_numbers(folds)) if folds else None
    typer.echo(commands.crossvalidate(config, data, run, teacher=teacher, folds=chosen))


@app.command()
def average(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Of one network, first weights and folds."
        ),
    ],
    run: Annotated[
        Path, typer.Option(metavar="FOLDER", help="To be written: a run as they are.")
    ],
    force: Force = False,
) -> None:
    """Take the mean of the weights of finished runs, which may be better than each."""
    with extra("train"):
        from distilclip_eeg.training.averaging import average_runs
    typer.echo(average_runs(runs, run, force=force))


@app.command()
def export(
    config: ConfigFile,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="To be written.")],
    run: RunFolder = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="By crossvalidate: thresholds by cost."),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="JSON", help="By thresholds: rates of false alarms, confidence."
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(metavar="JSON", help="By evaluate: what the card quotes."),
    ] = None,
    weights_only: Annotated[
        bool,
        typer.Option(
            "--weights-only", help="To teach or go on from: a quarter of the bytes."
        ),
    ] = False,
    force: Force = False,
) -> None:
    """Turn a run into a model folder for `detect --model`."""
    with extra("train"):
        from distilclip_eeg.training import shipping
    measured = shipping.Measured(report, thresholds, tuple(scores or ()))
    if weights_only:
        typer.echo(shipping.export_weights(config, folder, run, measured, force=force))
        return
    written = shipping.export_run(config, folder, run, measured, force=force)
    typer.echo(f"{written.path} {written.sha256}")


@app.command()
def compare(
    rows: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=RUN,RUN...", help="A recipe and its runs, one per seed."
        ),
    ],
    data: DataFolder,
    folds: Annotated[str, typer.Option(help="Unseen by all runs, such as 4.")],
    simulated: Annotated[
        Path, typer.Option(metavar="STORE", help="Of unseen seeds, see `simulate`.")
    ],
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="To be filled.")],
) -> None:
    """Judge finished runs side by side: what they cost, what they score."""
    with extra("train"), extra("evaluate"):
        from distilclip_eeg.training import commands
    named: dict[str, list[Path]] = {}
    for row in rows:
        name, equals, runs = row.partition("=")
        if not equals or not runs:
            raise ConfigError(f"{row}: expected a name and runs, such as edge=runs/a,b")
        named[name] = [Path(run) for run in runs.split(",")]
    numbers = fold_numbers(folds)
    typer.echo(commands.compare_runs(named, data, numbers, simulated, output, say))
