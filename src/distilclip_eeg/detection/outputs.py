"""What was found in recordings -> files: which goes where, and in what format.

The suffix decides the format: `.tsv` HED-SCORE, `.json` everything that was found,
`.edf` or `.bdf` the recording again with the events as EDF+ annotations. Where the
files go is settled before any work is done. Does not know how seizures are found.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from distilclip_eeg.eeg.annotations import (
    table_text,
    write_edf_annotations,
    write_recording,
    write_tsv,
    written_whole,
)
from distilclip_eeg.eeg.files import find_recordings, open_recording
from distilclip_eeg.errors import (
    DistilClipError,
    OutputExistsError,
    UnreadableRecordingError,
)

if TYPE_CHECKING:
    from distilclip_eeg.detection.result import Detection

OUTPUT_SUFFIXES: Final = (".tsv", ".json", ".edf", ".bdf")


@dataclass(frozen=True, slots=True)
class Job:
    """One recording and the file that its events are written to; None is stdout."""

    source: Path
    output: Path | None


def write_detection(
    detection: Detection, source: Path, output: Path
) -> tuple[str, ...]:
    """Write what was found in `source`; the file appears whole or never.

    Returns
    -------
    tuple of str
        One line for each thing that the file could not keep.

    Raises
    ------
    DistilClipError
        If the suffix names no format.
    """
    check_suffix(output, OUTPUT_SUFFIXES)
    match output.suffix.lower():
        case ".tsv":
            _write_tsv(detection, output)
        case ".json":
            _write_json(detection, output)
        case _:
            return _write_annotated(detection, source, output)
    return ()


def tsv_text(detection: Detection) -> str:
    """Give the events as the text of a HED-SCORE table."""
    return table_text(detection.events, detection.duration_s, detection.start_time)


def plan_jobs(sources: Sequence[Path], folder: Path | None) -> list[Job]:
    """Settle what is read and what is written.

    Parameters
    ----------
    sources
        With `folder`: recordings, and folders to be searched for them. Without: one
        recording, and perhaps the file to write.
    folder
        Where the tree of each source is written again, as `.tsv`.

    Raises
    ------
    DistilClipError
        If a source is absent or holds no recording, the output cannot be meant, or
        two recordings would share it.
    """
    if folder is not None:
        return _plan_many(sources, folder)
    if len(sources) > 2:
        raise DistilClipError("several recordings need a folder: --output FOLDER")
    source, *outputs = sources
    if source.is_dir():
        raise DistilClipError(f"{source} is a folder; say where to write with --output")
    if not source.exists():
        raise DistilClipError(f"{source}: no such file")
    for output in outputs:
        check_suffix(output, OUTPUT_SUFFIXES)
        if output.exists() and output.samefile(source):
            raise DistilClipError(
                f"{output} is the recording itself; name another file"
            )
    return [Job(source, outputs[0] if outputs else None)]


def _plan_many(sources: Sequence[Path], folder: Path) -> list[Job]:
    if folder.exists() and not folder.is_dir():
        raise DistilClipError(f"--output {folder} is a file, expected a folder")
    found = list(_recordings(sources))
    names = table_names([relative for _, relative in found])
    jobs: dict[Path, Job] = {}
    for (source, _), name in zip(found, names, strict=True):
        output = folder / name
        if output in jobs:
            raise DistilClipError(
                f"{jobs[output].source} and {source} would both be written to "
                f"{output}; give the folder that holds both"
            )
        jobs[output] = Job(source, output)
    return list(jobs.values())


def table_names(recordings: Sequence[Path]) -> list[Path]:
    """Name the table of each recording: `rec.tsv`, or `rec.edf.tsv` beside `rec.bdf`.

    Parameters
    ----------
    recordings
        Paths relative to one root, none of them twice; nor is any name.
    """
    short = [recording.with_suffix(".tsv") for recording in recordings]
    full = [Path(f"{recording}.tsv") for recording in recordings]
    taken = Counter(short) + Counter(full)
    return [a if taken[a] == 1 else b for a, b in zip(short, full, strict=True)]


def check_outputs(outputs: Iterable[Path], *, force: bool) -> None:
    """Refuse to write over what is there, before any work.

    Raises
    ------
    OutputExistsError
        If one of the files exists and `force` was not asked for.
    """
    existing = [output for output in outputs if output.exists()]
    if existing and not force:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        second = existing[0].suffix.lower() in (".edf", ".bdf")
        hint = "; to detect in several recordings use --output FOLDER" if second else ""
        raise OutputExistsError(
            f"{existing[0]}{others} exists already; --force writes over it{hint}"
        )


def check_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise `DistilClipError` unless the suffix of `path` is one of these."""
    if path.suffix.lower() not in suffixes:
        raise DistilClipError(
            f"{path}: the suffix says the format; use one of {' '.join(suffixes)}"
        )


def _recordings(sources: Sequence[Path]) -> Iterable[tuple[Path, Path]]:
    """Each recording with its path relative to the source that it was found in."""
    for source in sources:
        if source.is_file():
            yield source, Path(source.name)
            continue
        if not source.is_dir():
            raise DistilClipError(f"{source}: no such file or folder")
        found = find_recordings(source)
        if not found:
            raise DistilClipError(f"{source}: no recordings in this folder or below")
        for recording in found:
            yield recording, recording.relative_to(source)


def _write_tsv(detection: Detection, output: Path) -> None:
    write_tsv(output, detection.events, detection.duration_s, detection.start_time)


def _write_json(detection: Detection, output: Path) -> None:
    text = json.dumps(detection.to_dict(), indent=1, allow_nan=False)
    with written_whole(output) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _write_annotated(
    detection: Detection, source: Path, output: Path
) -> tuple[str, ...]:
    try:
        write_edf_annotations(source, output, detection.events)
    except UnreadableRecordingError as error:
        write_recording(open_recording(source), output, detection.events)
        return (f"{error}; {output.name} holds its EEG channels alone",)
    return ()
