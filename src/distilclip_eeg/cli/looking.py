"""The commands that look into a model: its size, its space, what it can be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distilclip_eeg.cli.app import Force, app, extra, fold_numbers, say

if TYPE_CHECKING:
    from distilclip_eeg.detection.footprint import Footprint
    from distilclip_eeg.evaluation.plane import Method
    from distilclip_eeg.training.latent import LatentReport, Space


@app.command()
def info(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|MODEL", help="A TOML file, a bundled model, a model folder."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Say what a model costs: parameters, multiply-adds, bytes."""
    footprint = _footprint(source)
    if as_json:
        typer.echo(json.dumps(footprint.as_dict(), indent=1))
    else:
        typer.echo(footprint.table(), nl=False)


def _footprint(source: str) -> Footprint:
    if source.endswith(".toml"):
        from distilclip_eeg.config import load_config

        with extra("train"):
            from distilclip_eeg.training.sizes import config_footprint
        return config_footprint(load_config(Path(source)))
    from distilclip_eeg.detection.footprint import folder_footprint
    from distilclip_eeg.detection.models import find_model
    from distilclip_eeg.model_folder import load_folder

    return folder_footprint(load_folder(find_model(source)))


@app.command()
def latent(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A folder of `train` or `crossvalidate`."),
    ],
    data: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Holds manifest.tsv.", show_default=False),
    ],
    folds: Annotated[str, typer.Option(help="Such as 0,1,2,3.", show_default=False)],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="To be filled.", show_default=False)
    ],
    method: Annotated[
        Literal["pca", "tsne"], typer.Option(help="How the map is laid out.")
    ] = "pca",
    seed: Annotated[int, typer.Option(help="Of the map.")] = 0,
    force: Force = False,
) -> None:
    """Show the space of EEG and captions: recall at k, and a map of it."""
    from distilclip_eeg.detection.outputs import check_outputs

    report, readable = output / "latent.json", output / "latent.md"
    check_outputs([report, readable, *output.glob("map*")], force=force)
    with extra("train"):
        from distilclip_eeg.training.latent import latent as look
        from distilclip_eeg.training.latent_report import write_report
    found = look(run, data, fold_numbers(folds))
    output.mkdir(parents=True, exist_ok=True)
    for space in found.spaces:
        for path in _draw_space(space, found, output, method, seed):
            typer.echo(path)
    for note in write_report(found, report, readable, method=method, seed=seed):
        say(note)
    typer.echo(report)
    typer.echo(readable)


@app.command()
def zero_shot(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A TOML file, see configs/.")
    ],
    leave_out: Annotated[
        str,
        typer.Option(
            metavar="TYPE|PLACE",
            help="Such as sz_gen_nm or 'right temporal'.",
            show_default=False,
        ),
    ],
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Default: runs/zero-shot- and what."),
    ] = None,
    hours: Annotated[
        int | None,
        typer.Option(min=1, help="Simulated, to learn from. Default: as in CONFIG."),
    ] = None,
    people: Annotated[
        int, typer.Option(min=1, help="Simulated, to rank, 20 minutes each.")
    ] = 120,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Default: those of the configuration's pretraining."),
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Saw every seizure: to compare with."),
    ] = None,
) -> None:
    """Leave seizures out of a simulated training, then ask for them in words."""
    with extra("train"):
        from distilclip_eeg.training.zero_shot import zero_shot as experiment
    report = experiment(
        config,
        leave_out,
        run,
        hours=hours,
        people=people,
        steps=steps,
        seen=seen,
    )
    typer.echo(report.with_suffix(".md").read_text(encoding="utf-8"), nl=False)
    typer.echo(report)


def _draw_space(
    space: Space, found: LatentReport, output: Path, method: Method, seed: int
) -> list[Path]:
    from distilclip_eeg.evaluation.plane import write_points
    from distilclip_eeg.explain.drawing import save_figure
    from distilclip_eeg.explain.latent_map import draw_map
    from distilclip_eeg.training.latent_report import map_note, map_points, map_title

    points = map_points(space, method, seed)
    stem = "map" + (f"_{space.name}" if space.name else "")
    paths = [output / f"{stem}{suffix}" for suffix in (".png", ".svg", ".tsv")]
    figure = draw_map(
        points,
        title=map_title(space, found.content),
        note=map_note(space, method),
    )
    save_figure(figure, paths[0])
    save_figure(figure, paths[1])
    write_points(paths[2], points)
    return paths
