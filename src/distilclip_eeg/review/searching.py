"""A direction in the shared space + a folder of recordings -> moments that lie there.

Knows no words: `training.asking` turns them into the direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.detection.embeddings import (
    SUFFIX,
    WindowEmbeddings,
    kept_embeddings,
)
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg.files import find_recordings
from distilclip_eeg.errors import DistilClipError

COLUMNS: Final = ("recording", "onset", "duration", "score")


class Moment(NamedTuple):
    """A window that is like what was asked for.

    Attributes
    ----------
    recording
        Path below the folder that was searched.
    onset_s, duration_s
        Seconds, from the start of the recording.
    score
        Product of its embedding and the query's direction; higher is more alike.
    """

    recording: str
    onset_s: float
    duration_s: float
    score: float


def embeddings_below(
    root: Path, model: Model, kept: Path | None, say: Callable[[str], None]
) -> dict[str, WindowEmbeddings]:
    """Give the embeddings of every recording below a folder, made where they are not.

    Parameters
    ----------
    kept
        Folder for the Parquet files; beside the recordings if None.
    say
        Is told of recordings that cannot be read; they are left out.

    Raises
    ------
    DistilClipError
        If there is no recording that can be read.
    """
    found: dict[str, WindowEmbeddings] = {}
    home = root if root.is_dir() else root.parent
    for recording in find_recordings(root):
        name = recording.relative_to(home)
        beside = (kept or home) / name.with_name(name.name + SUFFIX)
        try:
            found[name.as_posix()] = kept_embeddings(recording, beside, model)
        except DistilClipError as error:
            say(str(error))
    if not found:
        raise DistilClipError(
            f"{root}: found no recording that can be read, expected one or more"
        )
    return found


def nearest(
    every: dict[str, WindowEmbeddings],
    query: NDArray[np.float32],
    window_s: float,
    top: int,
) -> list[Moment]:
    """Rank windows, best first; of those that overlap only the best is kept.

    Parameters
    ----------
    query
        (D,), from `training.asking.ask`.
    window_s
        Of the windows that were embedded.
    """
    moments = [
        Moment(name, float(onset_s), window_s, float(score))
        for name, windows in every.items()
        for onset_s, score in zip(
            windows.onset_s, windows.embedding @ query, strict=True
        )
        if np.isfinite(score)
    ]
    moments.sort(key=lambda m: (-m.score, m.recording, m.onset_s))
    return _apart(moments, top)


def table(moments: Sequence[Moment]) -> str:
    """Give the moments as tab-separated text with a header."""
    lines = ["\t".join(COLUMNS)]
    lines += [
        f"{m.recording}\t{m.onset_s:g}\t{m.duration_s:g}\t{m.score:.4f}"
        for m in moments
    ]
    return "\n".join(lines) + "\n"


def _apart(moments: Iterable[Moment], top: int) -> list[Moment]:
    """Take the best that overlap none that is better, at most `top`."""
    kept: list[Moment] = []
    for moment in moments:
        if len(kept) == top:
            break
        if not any(_overlap(moment, other) for other in kept):
            kept.append(moment)
    return kept


def _overlap(a: Moment, b: Moment) -> bool:
    return a.recording == b.recording and abs(a.onset_s - b.onset_s) < a.duration_s
