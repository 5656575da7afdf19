"""The command that says what each part of a recipe is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilclip_eeg.cli.app import app, extra, say
from distilclip_eeg.cli.learning import DataFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distilclip_eeg.config import Config


Beside = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="TOML",
        help="A further recipe, without and with the teacher; may stand several times.",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        min=2, help="How many of the data's folds, from 0 on; default: the recipe's."
    ),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Keeps simulated EEG and pretrainings for other runs too, such as runs. "
        "Default: in OUT.",
    ),
]


@app.command()
def ablate(
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Predictions, runs and the table."),
    ],
    data: DataFolder,
    config: Annotated[
        Path,
        typer.Option(metavar="TOML", help="Whose parts are taken away."),
    ] = Path("configs/edge.toml"),
    beside: Beside = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="RUN{fold}",
            help="Finished runs, each of which never saw its fold.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Of each variant.")] = 3,
    steps: Annotated[
        int | None, typer.Option(min=1, help="In place of those in the recipe.")
    ] = None,
    folds: Folds = None,
    only: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="These variants alone.")
    ] = None,
    pretraining: Kept = None,
    table_only: Annotated[
        bool, typer.Option("--table-only", help="Train nothing; what is done.")
    ] = False,
) -> None:
    """Train variants of a recipe fold by fold; started again it goes on."""
    with extra("train"), extra("evaluate"):
        from distilclip_eeg.evaluation import ablation_table
        from distilclip_eeg.training import ablation as queue
        from distilclip_eeg.training.reproduction import WORK
        from distilclip_eeg.training.variants import chosen
    configs = _configs([config, *(beside or [])], steps)
    wanted, lacking = chosen(
        None if only is None else only.split(","),
        [each.name for each in configs[1:]],
        teacher is not None,
    )
    work = output / WORK
    kept = pretraining or work
    asked = queue.Ablation(
        queue.read_folds(configs[0], data, work, folds),
        wanted,
        seeds,
        configs,
        teacher,
        simulated=queue.simulated_in(kept),
        initial=queue.pretrained_in(kept),
    )
    for variant in lacking:
        say(f"{variant.name}: left out, needs --teacher")
    if not table_only:
        queue.run_jobs(asked, output, say)
    about = queue.about(asked)
    table = ablation_table.table_of(output, configs[0].detection, about)
    for path in ablation_table.write_table(output, table):
        say(str(path))
    typer.echo(ablation_table.markdown(table), nl=False)


def _configs(paths: Sequence[Path], steps: int | None) -> list[Config]:
    from distilclip_eeg.config import load_config

    configs = []
    for path in paths:
        config = load_config(path)
        if steps is not None:
            training = config.training.model_copy(update={"steps": steps})
            config = config.model_copy(update={"training": training})
        configs.append(config)
    return configs
