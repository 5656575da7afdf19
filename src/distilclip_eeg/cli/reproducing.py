"""The command that repeats the paper's experiment, and an honest one beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import app, extra, fold_numbers, say
from distilclip_eeg.cli.preparing import DatasetName, Root
from distilclip_eeg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from distilclip_eeg.config import Config
    from distilclip_eeg.corpora.catalog import CorpusRecording
    from distilclip_eeg.corpora.store import StoredRecording
    from distilclip_eeg.training.reproduction import Experiment
    from distilclip_eeg.training.run_folder import Weights

    Name = TypeVar("Name", bound=str)


Output = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Predictions, runs and the table.")
]
Seeds = Annotated[int, typer.Option(min=1, help="Of each model.")]
Protocols = Annotated[str, typer.Option(help="Of: paper paper_disjoint patient cross")]
Classes = Annotated[
    Literal["detection", "types", "shipped"],
    typer.Option(
        help="Background and seizure; background and each type of seizure; or, of "
        "aubmc, the shipped segments of four classes (forest only)."
    ),
]
Models = Annotated[
    str,
    typer.Option(
        help="Of: teacher student student_alone student_fixed_prompts "
        "student_no_prompts forest clock shuffled"
    ),
]
ConfigDir = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Has teacher.toml and student.toml.")
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="In place of those in the configs.")
]
Split = Annotated[
    str | None,
    typer.Option(
        help="By patient: official, folds, leave-one-out or a number of folds. "
        "Default: what the data set gives, else leave-one-out."
    ),
]
Source = Annotated[
    str | None, typer.Option(help="Of a manifest, only these, such as chbmit.")
]
Folds = Annotated[str | None, typer.Option(help="Only these, such as 0,1,2,3.")]
Pretraining = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Begin with simulated EEG, kept here (runs)."),
]
Finished = Annotated[
    str,
    typer.Option(
        metavar="RUN",
        help="By patient: judge these, such as 'runs/{model}-folds/fold{fold}' "
        "that `crossvalidate` made, and train nothing.",
    ),
]


@app.command()
def reproduce(
    dataset: DatasetName,
    root: Root,
    output: Output,
    seeds: Seeds = 3,
    protocols: Protocols = "paper,paper_disjoint,patient",
    classes: Classes = "detection",
    models: Models = "teacher,student,student_alone,forest,clock,shuffled",
    config_dir: ConfigDir = Path("configs"),
    steps: Steps = None,
    split: Split = None,
    source: Source = None,
    folds: Folds = None,
    pretraining: Pretraining = None,
    finished: Finished = "",
) -> None:
    """Repeat the paper's experiment; started again it goes on."""
    with extra("train"), extra("evaluate"):
        from distilclip_eeg.evaluation.experiment import protocols as known
        from distilclip_eeg.training import reproduction

    if classes == "shipped":
        _finish(output, _shipped(dataset, root, output, seeds))
        return
    wanted = _chosen(protocols, known.PROTOCOLS, "protocol")
    configs, initial = _configs(config_dir, steps, pretraining)
    recordings = _store(dataset, root, source, folds, output, configs["student"])
    by_patient = "patient" in wanted or classes == "types"
    experiment = reproduction.Experiment(
        recordings,
        wanted,
        _chosen(models, reproduction.MODELS, "model"),
        seeds,
        configs,
        known.split_by(split, recordings) if by_patient else None,
        initial,
        finished=finished,
    )
    if classes == "types":
        experiment = _of_types(experiment)
    reproduction.run_jobs(experiment, output, say)
    _write_events(experiment, output)
    _finish(output, reproduction.about(experiment))


def _of_types(experiment: Experiment) -> Experiment:
    """Make each type of seizure a class, and name those that cannot be one."""
    from dataclasses import replace

    from distilclip_eeg.evaluation.experiment.chosen_types import choose_types

    assert experiment.split is not None
    classes, left_out = choose_types(experiment.recordings, experiment.split)
    say(f"classes: {', '.join(classes)}")
    for each in left_out:
        say(str(each))
    return replace(experiment, classes=classes, left_out=tuple(left_out))


def _shipped(dataset: str, root: Path, output: Path, seeds: int) -> dict[str, Any]:
    from distilclip_eeg.evaluation.experiment.shipped_segments import score_shipped

    if dataset != "aubmc":
        raise ConfigError(f"found classes 'shipped' of {dataset}, expected aubmc")
    return score_shipped(root, output, seeds, say)


def _write_events(experiment: Experiment, output: Path) -> None:
    """Let networks hear whole recordings of people they never saw, and count events."""
    from distilclip_eeg.evaluation.experiment.event_table import events_of, write_events
    from distilclip_eeg.explain.event_pictures import write_event_pictures
    from distilclip_eeg.training.reproduction import about
    from distilclip_eeg.training.whole_recordings import listen_to_tested

    heard = listen_to_tested(experiment, output, say)
    if not heard:
        return
    title = _title(about(experiment))
    events = events_of(heard)
    written = write_events(output, events, title)
    written += write_event_pictures(
        output, events.alarms, events.latencies, title=title
    )
    for path in written:
        say(str(path))


def _finish(output: Path, about: dict[str, Any]) -> None:
    """Write table and pictures of all that is done in a folder."""
    from distilclip_eeg.evaluation.experiment import protocol_table
    from distilclip_eeg.evaluation.experiment.confusions import confusions
    from distilclip_eeg.evaluation.experiment.protocol_report import markdown
    from distilclip_eeg.explain.confusion import draw_confusions
    from distilclip_eeg.explain.drawing import save_figure
    from distilclip_eeg.explain.receivers import draw_receivers

    table = protocol_table.table_of(output, about)
    title, warning = _title(about), table["warning"]
    text = markdown(table, title)
    for path in protocol_table.write_table(output, table, text):
        say(str(path))
    curves = protocol_table.curves(output)
    drawn = {
        "roc.png": draw_receivers(curves, title=title, warning=warning),
        "confusion.png": draw_confusions(
            confusions(output), title=title, warning=warning
        ),
    }
    for name, figure in drawn.items():
        save_figure(figure, output / name)
        say(str(output / name))
    typer.echo(text, nl=False)


def _title(about: dict[str, Any]) -> str:
    return f"The paper's experiment on {about['datasets']}"


def _chosen(text: str, known: Sequence[Name], what: str) -> list[Name]:
    """Read names; they come in the order in which they are known."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"found {what} {name!r}, expected some of {', '.join(known)}"
            )
    return [name for name in known if name in names]


def _configs(
    folder: Path, steps: int | None, pretraining: Path | None
) -> tuple[dict[str, Config], Callable[[Config], Weights | None]]:
    """Read the settings of both networks, and say where their weights begin."""
    from distilclip_eeg.config import PretrainingConfig, load_config

    configs = {}
    for name in ("teacher", "student"):
        config = load_config(folder / f"{name}.toml")
        if steps is not None:
            training = config.training.model_copy(update={"steps": steps})
            config = config.model_copy(update={"training": training})
        if pretraining is None:
            config = config.model_copy(update={"pretraining": PretrainingConfig()})
        configs[name] = config
    return configs, _pretrained_in(pretraining) if pretraining else lambda _: None


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
