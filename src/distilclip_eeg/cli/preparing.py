"""The commands that list what a copy of a data set holds, and make it a store."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distilclip_eeg.cli.app import FAILED, app, say

if TYPE_CHECKING:
    from distilclip_eeg.corpora.catalog import Catalog, CorpusRecording

DatasetName = Annotated[
    Literal["chbmit", "tusz", "aubmc", "siena", "bids", "manifest"],
    typer.Argument(metavar="DATASET", help="chbmit tusz aubmc siena bids manifest"),
]
Root = Annotated[
    Path, typer.Argument(metavar="ROOT", help="Where it lies.", show_default=False)
]


@app.command()
def catalog(
    dataset: DatasetName,
    root: Root,
    as_json: Annotated[bool, typer.Option("--json", help="Everything found.")] = False,
) -> None:
    """List recordings, patients, seizures and problems of a data set."""
    from distilclip_eeg.corpora.datasets import open_catalog

    found = open_catalog(dataset, root)
    typer.echo(json.dumps(_content(found), indent=1) if as_json else _text(found))
    found.required()  # a data set of which nothing can be used is an error


@app.command()
def prepare(
    dataset: DatasetName,
    root: Root,
    store: Annotated[
        Path, typer.Argument(metavar="STORE", help="Folder for the conditioned signal.")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: all cores.")
    ] = None,
) -> None:
    """Condition a data set once, to train on; started again it goes on."""
    from distilclip_eeg.config import SignalConfig
    from distilclip_eeg.corpora.datasets import open_catalog
    from distilclip_eeg.corpora.store import prepare as condition

    found = open_catalog(dataset, root)
    for problem in found.problems:
        say(str(problem))
    began = time.monotonic()
    with _shown(len(found.required())) as on_done:
        made = condition(
            found.recordings,
            store,
            SignalConfig(),
            workers=workers or os.cpu_count() or 1,
            on_done=on_done,
        )
    for name, reason in made.skipped.items():
        say(f"{name}: {reason}")
    hours = sum(recording.n_seconds for recording in made.recordings) / 3600
    minutes = (time.monotonic() - began) / 60
    n_bytes = sum(path.stat().st_size for path in store.iterdir())
    typer.echo(
        f"{store}\t{len(made.recordings)} recordings\t{hours:.2f} h\t"
        f"{n_bytes / 1e6:.0f} MB\t{minutes:.1f} min\t"
        f"{len(found.problems)} problems\t{len(made.skipped)} skipped"
    )
    raise typer.Exit(FAILED if made.skipped else 0)


@contextmanager
def _shown(n: int) -> Iterator[Callable[[str], None]]:
    """Give what to call after each recording; a bar on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Recordings", total=n)
        yield lambda _: bar.advance(task)


def _text(found: Catalog) -> str:
    from distilclip_eeg.corpora.catalog import PROBLEMS

    totals = _totals(found.recordings)
    lines = [f"{found.dataset} {found.version}".rstrip()]
    lines += [f"{name}\t{value}" for name, value in totals.items()]
    lines += ["", "\t".join(("patient", *(k for k in totals if k != "patients")))]
    for patient, recordings in _by_patient(found).items():
        values = [v for k, v in _totals(recordings).items() if k != "patients"]
        lines.append("\t".join(map(str, (patient, *values))))
    lines += ["", *found.notes] if found.notes else []
    lines += ["", f"problems\t{len(found.problems)}"]
    for kind, count in found.count().items():
        lines.append(f"{kind}\t{count}\t{PROBLEMS[kind]}")
        lines += [f"  {problem}" for problem in found.problems if problem.kind == kind]
    return "\n".join(lines)


def _by_patient(found: Catalog) -> dict[str, list[CorpusRecording]]:
    recordings: dict[str, list[CorpusRecording]] = defaultdict(list)
    for recording in found.recordings:
        recordings[recording.patient].append(recording)
    return dict(sorted(recordings.items()))


def _totals(recordings: list[CorpusRecording]) -> dict[str, float]:
    seizures = [event for r in recordings for event in r.events]
    return {
        "recordings": len(recordings),
        "patients": len({r.patient for r in recordings}),
        "seizures": len(seizures),
        "seconds": round(sum(r.duration_s or 0 for r in recordings), 1),
        "seizure_seconds": round(sum(event.duration for event in seizures), 1),
    }


def _content(found: Catalog) -> dict[str, Any]:
    return {
        "dataset": found.dataset,
        "version": found.version,
        **_totals(found.recordings),
        "notes": list(found.notes),
        "problem_counts": found.count(),
        "problems": [
            {"kind": p.kind, "where": p.where, "text": p.text} for p in found.problems
        ],
        "files": [_file(recording) for recording in found.recordings],
    }


def _file(recording: CorpusRecording) -> dict[str, Any]:
    return {
        "name": recording.name,
        "dataset": recording.dataset,
        "patient": recording.patient,
        "session": recording.session,
        "kind": recording.kind,
        "split": recording.split,
        "fold": recording.fold,
        "seconds": recording.duration_s,
        "seizures": [
            {
                "onset": event.onset,
                "duration": event.duration,
                "eventType": event.event_type,
                "channels": list(event.channels),
            }
            for event in recording.events
        ],
    }
