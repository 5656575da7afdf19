"""The command that shows which leads a decision rests on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import Force, alone, app, extra, say
from distilclip_eeg.errors import ConfigError

if TYPE_CHECKING:
    from distilclip_eeg.detection.models import Model
    from distilclip_eeg.detection.result import Detection
    from distilclip_eeg.eeg.annotations import Event
    from distilclip_eeg.eeg.recording import Recording
    from distilclip_eeg.explain.ecam import LeadMap, Method
    from distilclip_eeg.explain.ecam_classes import ByClass, MeanMap
    from distilclip_eeg.explain.ecam_picture import Example

PICTURES = (".png", ".svg")


@app.command()
def explain(
    recordings: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDING...",
            show_default=False,
            help="One recording; with --figure one or several.",
        ),
    ],
    at: Annotated[
        float | None,
        typer.Option(help="Second to explain; the surest event if not given."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=".png or .svg: a picture; .json or .tsv: numbers (default: a table "
            "on stdout).",
        ),
    ] = None,
    figure: Annotated[
        bool,
        typer.Option("--figure", help="Normal against seizure, as in papers."),
    ] = False,
    model: Annotated[
        str,
        typer.Option(metavar="NAME|FOLDER", help="A bundled model or a model folder."),
    ] = "student",
    method: Annotated[
        Literal["occlusion", "gradient"],
        typer.Option(help="occlusion needs the base install, gradient torch."),
    ] = "occlusion",
    force: Force = False,
) -> None:
    """Show which leads speak for a seizure, and when (ECAM): pictures and numbers."""
    from distilclip_eeg.detection.models import load_model
    from distilclip_eeg.detection.outputs import check_outputs, check_suffix

    if output is not None:
        check_suffix(output, (*PICTURES, ".json", ".tsv"))
        check_outputs([output], force=force)
    _check_call(recordings, at, figure)
    loaded = load_model(model)
    ask = _asked_by(method, loaded)
    with alone([output] if output else [], force=force):
        if figure:
            _explain_classes(recordings, loaded, ask, output)
        else:
            _explain_one(recordings[0], at, loaded, ask, output)


def _check_call(recordings: Sequence[Path], at: float | None, figure: bool) -> None:
    if figure and at is not None:
        raise ConfigError("--figure compares whole classes; leave --at out")
    if len(recordings) > 1 and not figure:
        raise ConfigError(
            f"found {len(recordings)} recordings, expected one; --figure takes several"
        )
    if at is not None and at < 0:
        raise ConfigError(f"--at is {at:g}, expected seconds from 0 on")


def _asked_by(method: str, model: Model) -> Method | None:
    """The way to ask; None stands for the forward one."""
    if method == "occlusion":
        return None
    with extra("train"):
        from distilclip_eeg.explain.gradient import gradient_map, load_differentiable

        differentiable = load_differentiable(model.folder)
    return lambda now, before: gradient_map(differentiable, now, before)


def _explain_one(
    source: Path,
    at: float | None,
    model: Model,
    ask: Method | None,
    output: Path | None,
) -> None:
    from distilclip_eeg.explain.ecam_files import table_text, write_numbers

    recording, detection = _detected(source, model)
    found, event = _found(recording, detection, at, model, ask)
    place = found.place or "no one place"
    say(f"{source}: {', '.join(found.strongest) or 'no lead'} ({place})")
    if found.against == "masked":
        say(
            f"{source}: nothing is recorded before the event to tell it from; leads "
            "were left out in turn, which locates less well"
        )
    if output is None:
        typer.echo(table_text(found), nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() in PICTURES:
        _draw_one(recording, found, event, model, output)
    else:
        values = found.to_dict() | {"event": event and event.to_dict()}
        values |= {"model": model.name, "recording": recording.name}
        write_numbers(output, values, table_text(found))


def _detected(source: Path, model: Model) -> tuple[Recording, Detection]:
    from distilclip_eeg.detection.detector import detect
    from distilclip_eeg.eeg.files import open_recording

    recording = open_recording(source)
    detection = detect(recording, model=model)
    for warning in detection.warnings:
        say(f"{source}: {warning}")
    return recording, detection


def _found(
    recording: Recording,
    detection: Detection,
    at: float | None,
    model: Model,
    ask: Method | None,
) -> tuple[LeadMap, Event | None]:
    """The map that is asked for, and the event that it is of, if any."""
    from distilclip_eeg.explain.ecam import ecam_at, ecam_of_event

    events = detection.events
    if at is not None:
        if at >= detection.duration_s:
            raise ConfigError(
                f"--at is {at:g}, the recording lasts {detection.duration_s:g} s"
            )
        around = [e for e in events if e.onset <= at < e.onset + e.duration]
        found = ecam_at(recording, at, model, events, method=ask)
        return found, around[0] if around else None
    if not events:
        raise ConfigError("found no seizure to explain; say where to look with --at")
    surest = max(events, key=lambda event: event.confidence or 0.0)
    return ecam_of_event(recording, surest, model, method=ask), surest


def _draw_one(
    recording: Recording,
    found: LeadMap,
    event: Event | None,
    model: Model,
    output: Path,
) -> None:
    from distilclip_eeg.explain.drawing import save_figure
    from distilclip_eeg.explain.ecam_picture import draw_ecam
    from distilclip_eeg.explain.page import read_page

    page = read_page(recording, found.onset_s, found.values.shape[1], model.signal)
    onset_s = event.onset if event else None
    drawn = draw_ecam(page, found, title=recording.name, onset_s=onset_s)
    save_figure(drawn, output)


def _explain_classes(
    sources: Sequence[Path], model: Model, ask: Method | None, output: Path | None
) -> None:
    from distilclip_eeg.explain.ecam_classes import (
        CLASSES,
        alike,
        maps_by_class,
        mean_map,
    )
    from distilclip_eeg.explain.ecam_files import means_dict, means_text, write_numbers

    together: ByClass = {name: [] for name in CLASSES}
    examples: dict[str, tuple[Recording, LeadMap]] = {}
    for source in sources:
        recording, detection = _detected(source, model)
        here = maps_by_class(recording, detection, model, method=ask)
        for name in CLASSES:
            together[name] += here[name]
            for found in alike(here[name])[:1]:
                kept = examples.get(name)
                if kept is None or kept[1].against == "masked" != found.against:
                    examples[name] = (recording, found)
    for name in CLASSES:
        if not together[name]:
            raise ConfigError(
                f"found no {name} segment of 15 s in {len(sources)} recordings; "
                "give recordings that hold both, as long as possible"
            )
    means: dict[str, MeanMap] = {
        name: mean_map(alike(together[name])) for name in CLASSES
    }
    if output is None:
        typer.echo(means_text(means), nl=False)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix.lower() not in PICTURES:
        write_numbers(output, means_dict(means), means_text(means))
        return
    _draw_classes(
        {n: _example(n, *examples[n], means[n], model) for n in CLASSES}, output
    )


def _example(
    name: str, recording: Recording, found: LeadMap, mean: MeanMap, model: Model
) -> Example:
    from distilclip_eeg.explain.ecam_picture import Example
    from distilclip_eeg.explain.page import read_page

    page = read_page(recording, found.onset_s, found.values.shape[1], model.signal)
    title = {"background": "normal segment", "seizure": "seizure"}[name]
    return Example(title, page, found, mean.by_lead, mean.n)


def _draw_classes(examples: dict[str, Example], output: Path) -> None:
    from distilclip_eeg.explain.drawing import save_figure
    from distilclip_eeg.explain.ecam_picture import draw_comparison

    drawn = draw_comparison(examples["background"], examples["seizure"])
    save_figure(drawn, output)
