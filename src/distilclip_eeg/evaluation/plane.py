"""Embeddings -> a map in two dimensions, as points and as a table.

Knows neither models nor how a map is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.annotations import written_whole

PERPLEXITY: Final = 30.0

Method = Literal["pca", "tsne"]
Floats = NDArray[np.floating]


class MapPoint(NamedTuple):
    """One point of a map; what does not apply to it is empty."""

    what: Literal["window", "caption", "prompt"]
    x: float
    y: float
    state: str  # the class
    dataset: str = ""
    patient: str = ""
    fold: str = ""
    part: str = ""  # training, validation or unseen
    recording: str = ""
    start_s: str = ""
    caption: str = ""


def flatten(*groups: Floats, method: Method = "pca", seed: int = 0) -> list[Floats]:
    """Lay out groups of embeddings, (n, D) each, in one plane, (n, 2) each.

    `pca` keeps the two directions in which all of them together spread most; `tsne`
    keeps neighbours (by cosine), and distances across the map say little. The same
    seed gives the same map.
    """
    together = np.concatenate(groups).astype(np.float64)
    if method == "pca" or len(together) < 5:
        plane = _principal(together)
    else:
        from sklearn.manifold import TSNE

        plane = TSNE(
            perplexity=min(PERPLEXITY, (len(together) - 1) / 3),
            metric="cosine",
            init="random",
            random_state=seed,
        ).fit_transform(together)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return list(np.split(np.asarray(plane, np.float64), ends))


def _principal(rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]
    # The sign of a direction is arbitrary: its largest part is made positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    plane = centred @ axes.T
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def write_points(path: Path, points: Sequence[MapPoint]) -> None:
    """Write a table, one point a line; the file appears whole or never."""
    lines = ["\t".join(MapPoint._fields)]
    for point in points:
        fields = point._replace(x=round(point.x, 4), y=round(point.y, 4))
        lines.append("\t".join(str(field) for field in fields))
    with written_whole(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
