"""What was found of a shared space -> JSON, Markdown, and the points of a map.

Every figure stands under the part of the data it comes from: people that the model
never saw, people it was stopped on, people it was trained on.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from distilclip_eeg.eeg.annotations import written_whole
from distilclip_eeg.evaluation.plane import MapPoint, Method, flatten
from distilclip_eeg.training.latent import LatentReport, Space, Window

MAX_MAPPED: Final = 4000  # windows; t-SNE of more takes minutes
PARTS: Final = {
    "unseen": "People that the model never saw",
    "validation": "People that training was stopped on",
    "training": "People that the model was trained on: memory, not a result",
}
TAUGHT: Final = "A teacher taught this model; whom the teacher saw is not known here."
METHODS: Final = {"tsne": "t-SNE by cosine", "pca": "first two principal directions"}

_HEAD: Final = """\
# The shared space of `{model}` (run `{run}`)

Windows of {window_s} s that do not overlap, and the captions that training would give
them. Folds shown: {shown}; trained on: {trained}. {taught}

Recall at k: a right answer is among the first k; equal captions are equal answers.
Beside it, exact: *chance*, a random order; *class known*, a random order with the
answers of the right class first; *commonest*, the commonest answers first. Intervals:
95 %, people drawn with return.
"""
_PART: Final = """
## {title}

{patients} people, {windows} windows ({seizure_windows} ictal), {captions} captions.

| {columns} |
| {rule} |
"""
_COLUMNS: Final = (
    *("direction", "class", "k", "queries", "recall", "interval"),
    *("chance", "class known", "commonest"),
)


def map_points(space: Space, method: Method = "pca", seed: int = 0) -> list[MapPoint]:
    """Lay windows, captions and class prompts out in one plane."""
    rows = np.arange(len(space.windows))
    if len(rows) > MAX_MAPPED:
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(rows, MAX_MAPPED, replace=False))
    eeg, text, prompts = flatten(
        space.eeg[rows], space.text, space.prompts, method=method, seed=seed
    )
    ictal = space.ictal_captions
    return [
        *(
            _point(space.windows[i], xy)
            for i, xy in zip(rows, eeg.tolist(), strict=True)
        ),
        *(
            MapPoint("caption", x, y, _state(seizure), caption=caption)
            for (x, y), seizure, caption in zip(
                text.tolist(), ictal, space.captions, strict=True
            )
        ),
        *(
            MapPoint("prompt", x, y, name)
            for (x, y), name in zip(prompts.tolist(), space.classes, strict=True)
        ),
    ]


def write_report(
    found: LatentReport, report: Path, readable: Path, *, method: str, seed: int
) -> list[str]:
    """Write both files; return what a person should be told at once."""
    content = {**found.content, "map": {"method": method, "seed": seed}}
    with written_whole(report) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with written_whole(readable) as partial:
        partial.write_text(markdown(content), encoding="utf-8")
    return notes(content)


def notes(content: dict[str, Any]) -> list[str]:
    """Say which folds were trained on, and what the figures can therefore tell."""
    shown, trained = _words(content["folds"]), _words(content["training_folds"])
    lines = [f"folds shown: {shown}; trained on: {trained}"]
    if content["validation_folds"]:
        lines.append(f"stopped on: {_words(content['validation_folds'])}")
    for part in content["parts"]:
        n = content["parts"][part]
        lines.append(f"{PARTS[part]}: {n['patients']}, {n['windows']} windows")
    if content["taught"]:
        lines.append(TAUGHT)
    lines += [f"{name}: left out, {why}" for name, why in content["skipped"].items()]
    return lines


def markdown(content: dict[str, Any]) -> str:
    """Say all of it for a person."""
    text = _HEAD.format(
        model=content["model"],
        run=content["run"],
        window_s=content["window_s"],
        shown=_words(content["folds"]),
        trained=_words(content["training_folds"]),
        taught=TAUGHT if content["taught"] else "",
    ).replace(" \n", "\n")
    for part, figures in content["parts"].items():
        text += _PART.format(
            title=PARTS[part],
            columns=" | ".join(_COLUMNS),
            rule=" | ".join("---" for _ in _COLUMNS),
            **figures,
        )
        text += "".join(_row(row) for row in figures["recall"])
    return text


def map_title(space: Space, content: dict[str, Any]) -> str:
    """Name the model and whose windows are shown."""
    people = Counter(
        part for part, _, _ in {(w.part, w.dataset, w.patient) for w in space.windows}
    )
    shown = ", ".join(f"{n} people {_SEEN[part]}" for part, n in people.items())
    name = f"{content['model']} {space.name}".strip()
    return f"Shared space of {name}: {shown}"


def map_note(space: Space, method: str) -> str:
    """Say what a point is and how points were laid out."""
    return (
        f"{len(space.windows)} windows and {len(space.captions)} captions, laid out "
        f"together: {METHODS[method]}"
    )


_SEEN: Final = {
    "unseen": "never seen in training",
    "validation": "that training was stopped on",
    "training": "seen in training",
}


def _point(window: Window, xy: tuple[float, float]) -> MapPoint:
    return MapPoint(
        "window",
        *xy,
        _state(window.seizure),
        window.dataset,
        window.patient,
        "" if window.fold is None else str(window.fold),
        window.part,
        window.recording,
        f"{window.start_s:g}",
        window.caption,
    )


def _row(row: dict[str, Any]) -> str:
    between = "{:.3f} to {:.3f}".format(*row["interval"]) if row["interval"] else ""
    cells = (
        *(row["direction"], row["class"], str(row["k"]), str(row["queries"])),
        *(f"{row['recall']:.3f}", between, f"{row['chance']:.3f}"),
        f"{row['class_known']:.3f}",
        "" if row["commonest"] is None else f"{row['commonest']:.3f}",
    )
    return f"| {' | '.join(cells)} |\n"


def _words(folds: list[int] | str) -> str:
    if isinstance(folds, str):
        return folds
    return ", ".join(str(fold) for fold in folds) or "none"


def _state(seizure: bool | np.bool_) -> str:
    return "seizure" if seizure else "background"
