"""The commands that hold a detector against experts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import FAILED, Force, app, extra, fold_numbers, say

if TYPE_CHECKING:
    from distilclip_eeg.evaluation.evaluate import Evaluated
    from distilclip_eeg.evaluation.material import Task

DRAWS = 1000

Precision = Annotated[
    Literal["auto", "f32", "int8"],
    typer.Option(help="f32: exact, slower; int8: the folder's 8-bit network."),
]
Threads = Annotated[int | None, typer.Option(min=1, help="Cores to use; default: all.")]
Draws = Annotated[
    int, typer.Option(min=0, help="Draws of patients behind an interval.")
]


@app.command()
def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with manifest.tsv, a store, DATASET:FOLDER, "
            "simulated:FIRST-LAST, or spliced:FOLDER: each seizure after background.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER",
            help="A bundled model or a model folder; {fold} in it stands for the "
            "fold of the recording.",
        ),
    ] = "student",
    folds: Annotated[
        str | None, typer.Option(metavar="0,2-3", help="Take these folds alone.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write predictions.tsv, scores.json, scores.md, and pictures: "
            "sensitivity by false alarms per day, latency, confidence.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it; default: the model's name.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Probability at which an event begins.")
    ] = None,
    false_alarms_per_day: Annotated[
        float | None, typer.Option(help="Choose the threshold by what it costs.")
    ] = None,
    precision: Precision = "auto",
    threads: Threads = None,
    hours: Annotated[
        float, typer.Option(min=0.01, help="Of each simulated recording.")
    ] = 1.0,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the simulated recordings here."),
    ] = None,
    draws: Draws = DRAWS,
    force: Force = False,
) -> None:
    """Score a model: predictions, scores with intervals, a Markdown table."""
    with extra("evaluate"):
        from distilclip_eeg.evaluation import evaluate as run
        from distilclip_eeg.evaluation.cost import cost_of
        from distilclip_eeg.evaluation.tables import scores_table
    if output is not None:
        _check_free(output, force=force)
    models = run.Models(
        model,
        precision,
        threads,
        threshold=threshold,
        false_alarms_per_day=false_alarms_per_day,
    )
    done = run.evaluate(
        models,
        data,
        None if folds is None else fold_numbers(folds),
        duration_s=hours * 3600,
        keep=keep,
        in_turn=in_turn,
    )
    first = next(iter(models.loaded.values()))
    cost = cost_of(first.folder.path, precision, threads)
    scores = run.scores_of(done, name, cost=cost, draws=draws)
    if output is not None:
        run.write_scores(output, scores, done.predictions)
        _draw(output, scores["name"], done)
    typer.echo(scores_table(scores), nl=False)
    _tell_failures(done)


def _check_free(output: Path, *, force: bool) -> None:
    """Refuse before hours of work what could not be written after them."""
    from distilclip_eeg.detection.outputs import check_outputs
    from distilclip_eeg.evaluation import evaluate as run
    from distilclip_eeg.explain.event_pictures import PICTURES
    from distilclip_eeg.explain.reliability import CONFIDENCE

    written = (run.PREDICTIONS, run.SCORES, run.TABLE, *PICTURES, CONFIDENCE)
    check_outputs([output / file for file in written], force=force)


def _tell_failures(done: Evaluated) -> None:
    for recording, reason in done.skipped.items():
        say(f"{recording}: {reason}")
    if done.n_failed:
        say(f"{done.n_failed} of {len(done.data.tasks)} recordings failed")
        raise typer.Exit(FAILED)


@app.command()
def score(
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="Tables of the experts.")
    ],
    hypothesis: Annotated[
        Path, typer.Argument(metavar="HYPOTHESIS", help="Tables of a detector.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Write all figures here.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Regular expression: its first group is the patient in a path.",
        ),
    ] = None,
    draws: Draws = DRAWS,
    force: Force = False,
) -> None:
    """Score event tables (.tsv, .csv_bi) of any detector."""
    with extra("evaluate"):
        from distilclip_eeg.evaluation.report import tree_scores
        from distilclip_eeg.evaluation.tables import trees_table
    from distilclip_eeg.detection.outputs import check_outputs, check_suffix
    from distilclip_eeg.eeg.annotations import written_whole
    from distilclip_eeg.evaluation.trees import match_trees

    if output is not None:
        check_suffix(output, (".json",))
        check_outputs([output], force=force)
    matched = match_trees(reference, hypothesis, patient)
    names = reference.resolve().name, hypothesis.resolve().name
    scores = tree_scores(matched, names, draws, seed=0)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(output) as partial:
            partial.write_text(json.dumps(scores, indent=1, allow_nan=False) + "\n")
    typer.echo(trees_table(scores), nl=False)
    for file in matched.missing:
        say(f"{hypothesis}: no table for {file}")
    for file in matched.extra:
        say(f"{reference}: no table for {file}; it is not scored")


def _draw(folder: Path, name: str, done: Evaluated) -> None:
    """Draw what there is to draw: seizures to find, events that are true or not."""
    from distilclip_eeg.evaluation.confidence import rows_of
    from distilclip_eeg.evaluation.event_curves import event_curves
    from distilclip_eeg.explain.event_pictures import write_event_pictures
    from distilclip_eeg.explain.reliability import write_reliability

    alarms, latencies = event_curves(name, done.predictions, done.models.settings())
    heading = f"{alarms.n_seizures} seizures in {24 * alarms.days:.1f} h"
    title = f"{name} on {done.data.given}"
    write_event_pictures(
        folder, {heading: [alarms]}, {heading: [latencies]}, title=title
    )
    write_reliability(folder, {heading: rows_of(done.judged())}, title=title)


def in_turn(tasks: Sequence[Task]) -> Iterable[Task]:
    """Go over recordings, and show on a terminal how far it is."""
    if not sys.stderr.isatty():
        return tasks
    from rich.console import Console
    from rich.progress import track

    return track(tasks, "Recordings", console=Console(stderr=True))
