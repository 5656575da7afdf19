"""The command that copies recordings without saying who was recorded."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distilclip_eeg.cli.app import FAILED, Force, app, say
from distilclip_eeg.errors import DistilClipError

if TYPE_CHECKING:
    from distilclip_eeg.eeg.anonymous import Anonymized

    Copy = Callable[[Path, Path], Anonymized]


@app.command()
def anonymize(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING|FOLDER", show_default=False, help="EDF or BDF."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", show_default=False, help="The copy, or a folder for copies."
        ),
    ],
    drop_annotations: Annotated[
        bool,
        typer.Option(
            "--drop-annotations",
            help="Keep of the annotations only what keeps time: notes can name people.",
        ),
    ] = False,
    drop_time: Annotated[
        bool,
        typer.Option("--drop-time", help="Clear the time of day too."),
    ] = False,
    rename: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY.tsv",
            help="Number the copies of a folder; which is which is written here, "
            "outside of OUT.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Copy EDF or BDF recordings without the header fields that identify a patient."""
    from distilclip_eeg.eeg.anonymous import anonymize as anonymized_copy

    copy = partial(
        anonymized_copy,
        keep_annotations=not drop_annotations,
        keep_time=not drop_time,
        overwrite=force,
    )
    if source.is_dir():
        raise typer.Exit(FAILED if _copy_many(copy, source, out, rename, force) else 0)
    if rename is not None:
        raise DistilClipError(
            "--rename numbers the copies of a folder; of one recording you name the "
            "copy yourself"
        )
    if out.is_dir():
        raise DistilClipError(f"{out} is a folder; name the copy, as in OUT/copy.edf")
    out.parent.mkdir(parents=True, exist_ok=True)
    done = copy(source, out)
    found = f"removed {', '.join(done.removed)}" if done.removed else "names nobody"
    typer.echo(f"{out}: {found}")
    _warn(source, done)


def _copy_many(
    copy: Copy, source: Path, out: Path, rename: Path | None, force: bool
) -> int:
    """Copy what can be copied; gives how many recordings could not."""
    from distilclip_eeg.detection.outputs import check_outputs

    copies = _copies(source, out, rename)
    check_outputs((out / name for name in copies.values()), force=force)
    removed: Counter[str] = Counter()
    n_failed = 0
    for recording, name in _progress(copies):
        try:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            done = copy(source / recording, out / name)
        except (DistilClipError, OSError) as error:
            n_failed += 1
            reason = str(error).removeprefix(f"{recording.name}: ")
            say(f"{source / recording}: {reason}")
            continue
        removed.update(done.removed)
        _warn(source / recording, done)
    typer.echo(f"{len(copies) - n_failed} of {len(copies)} recordings copied to {out}")
    for what, n in removed.most_common():
        typer.echo(f"removed from {n}: {what}")
    return n_failed


def _copies(source: Path, out: Path, rename: Path | None) -> dict[Path, Path]:
    """Settle which recording becomes which copy, by paths below the two folders."""
    from distilclip_eeg.corpora.numbered import number_paths, read_key, write_key
    from distilclip_eeg.eeg.files import find_recordings

    if out.resolve().is_relative_to(source.resolve()):
        raise DistilClipError(f"{out} lies in {source}; name a folder outside of it")
    if out.exists() and not out.is_dir():
        raise DistilClipError(f"{out} is a file, expected a folder")
    found = [path.relative_to(source) for path in find_recordings(source)]
    if not found:
        raise DistilClipError(f"{source}: no recordings in this folder or below")
    if rename is None:
        say("folders and files keep their names: if these name people, use --rename")
        return {path: path for path in found}
    if rename.resolve().is_relative_to(out.resolve()):
        raise DistilClipError(f"{rename} lies in {out}; keep the key apart from it")
    key = number_paths(found, read_key(rename))
    write_key(rename, key)
    return {path: key[path] for path in found}


def _warn(source: Path, done: Anonymized) -> None:
    for what, n in done.repeats.items():
        hint = "; --drop-annotations removes them" if what == "annotations" else ""
        say(f"{source}: {n} {what} repeat words of the identification{hint}")


def _progress(copies: Mapping[Path, Path]) -> Iterable[tuple[Path, Path]]:
    if not sys.stderr.isatty():
        return copies.items()
    from rich.console import Console
    from rich.progress import track

    items = list(copies.items())
    return track(items, "Recordings", console=Console(stderr=True))
