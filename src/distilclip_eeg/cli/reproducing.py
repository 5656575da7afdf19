"""The command that repeats the paper's experiment, and an honest one beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilclip_eeg.cli.app import app, extra, fold_numbers, say
from distilclip_eeg.cli.preparing import DatasetName, Root
from distilclip_eeg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from distilclip_eeg.config import Config
    from distilclip_eeg.corpora.catalog import CorpusRecording
    from distilclip_eeg.corpora.store import StoredRecording
    from distilclip_eeg.training.run_folder import Weights

    Name = TypeVar("Name", bound=str)


@app.command()
def reproduce(
    dataset: DatasetName,
    root: Root,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Predictions, runs and the table.")
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Of each model.")] = 3,
    protocols: Annotated[
        str, typer.Option(help="Of: paper paper_disjoint patient cross")
    ] = "paper,paper_disjoint,patient",
    models: Annotated[
        str,
        typer.Option(help="Of: teacher student student_alone forest clock shuffled"),
    ] = "teacher,student,student_alone,forest,clock,shuffled",
    config_dir: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Has teacher.toml and student.toml.")
    ] = Path("configs"),
    steps: Annotated[
        int | None, typer.Option(min=1, help="In place of those in the configs.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="By patient: official, folds, leave-one-out or a number of folds. "
            "Default: what the data set gives, else leave-one-out."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Of a manifest, only these, such as chbmit.")
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="Only these, such as 0,1,2,3.")
    ] = None,
    pretraining: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Begin with simulated EEG, kept here (runs)."
        ),
    ] = None,
) -> None:
    """Repeat the paper's experiment; started again it goes on."""
    with extra("train"), extra("evaluate"):
        from distilclip_eeg.evaluation import protocol_table
        from distilclip_eeg.evaluation import protocols as known
        from distilclip_eeg.training import reproduction
    from distilclip_eeg.config import PretrainingConfig
    from distilclip_eeg.eeg.annotations import written_whole
    from distilclip_eeg.explain.receivers import draw_receivers

    wanted = _chosen(protocols, known.PROTOCOLS, "protocol")
    configs = _configs(config_dir, steps)
    initial: Callable[[Config], Weights | None] = lambda _: None  # noqa: E731
    if pretraining is not None:
        initial = _pretrained_in(pretraining)
    else:
        none = {"pretraining": PretrainingConfig()}
        configs = {k: c.model_copy(update=none) for k, c in configs.items()}
    recordings = _store(dataset, root, source, folds, output, configs["student"])
    experiment = reproduction.Experiment(
        recordings,
        wanted,
        _chosen(models, reproduction.MODELS, "model"),
        seeds,
        configs,
        known.split_by(split, recordings) if "patient" in wanted else None,
        initial,
    )
    reproduction.run_jobs(experiment, output, say)
    about = reproduction.about(experiment)
    table = protocol_table.table_of(output, about)
    title = f"The paper's experiment on {about['datasets']}"
    text = protocol_table.markdown(table, title)
    for path in protocol_table.write_table(output, table, text):
        say(str(path))
    drawn = draw_receivers(
        protocol_table.curves(output), title=title, warning=table["warning"]
    )
    with written_whole(output / "roc.png") as partial:
        drawn.savefig(partial, format="png", dpi=120)
    say(str(output / "roc.png"))
    typer.echo(text, nl=False)


def _chosen(text: str, known: Sequence[Name], what: str) -> list[Name]:
    """Read names; they come in the order in which they are known."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"found {what} {name!r}, expected some of {', '.join(known)}"
            )
    return [name for name in known if name in names]


def _configs(folder: Path, steps: int | None) -> dict[str, Config]:
    from distilclip_eeg.config import load_config

    configs = {}
    for name in ("teacher", "student"):
        config = load_config(folder / f"{name}.toml")
        if steps is not None:
            training = config.training.model_copy(update={"steps": steps})
            config = config.model_copy(update={"training": training})
        configs[name] = config
    return configs


def _pretrained_in(folder: Path) -> Callable[[Config], Weights | None]:
    """Weights after pretraining, made when they are first needed and kept there."""
    from distilclip_eeg.training import commands

    def initial(config: Config) -> Weights | None:
        simulated = commands.simulated_recordings(config, folder)
        return commands.pretrained(config, simulated, folder)

    return initial


def _store(
    dataset: str,
    root: Path,
    source: str | None,
    folds: str | None,
    output: Path,
    config: Config,
) -> list[StoredRecording]:
    """Condition the recordings asked for, or find that it was done before."""
    from distilclip_eeg.corpora.datasets import open_catalog
    from distilclip_eeg.corpora.store import prepare
    from distilclip_eeg.training.reproduction import WORK

    catalog = open_catalog(dataset, root)
    for problem in catalog.problems:
        say(str(problem))
    made = prepare(
        _only(catalog.required(), source, folds),
        output / WORK / "store",
        config.signal,
        workers=os.cpu_count() or 1,
    )
    for name, reason in made.skipped.items():
        say(f"{name}: {reason}")
    return made.recordings


def _only(
    recordings: list[CorpusRecording], source: str | None, folds: str | None
) -> list[CorpusRecording]:
    from distilclip_eeg.corpora.catalog import in_folds

    if source is not None:
        names = source.split(",")
        recordings = [r for r in recordings if r.dataset in names]
    if folds is not None:
        recordings = in_folds(recordings, fold_numbers(folds))
    if not recordings:
        raise ConfigError(
            f"found no recording of source {source or 'any'} in folds "
            f"{folds or 'any'}, expected some"
        )
    return recordings
