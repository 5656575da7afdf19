"""The shipped segments of the AUBMC data set -> arrays, for the `paper` protocol only.

(N, 19, 500): one second of 19 channels at 500 Hz, one of four classes. Seconds of one
seizure stand in both parts and nobody says whose they are, so no split by patient can
be made of them. The files do not name their channels; `CHANNELS` is what public code
that uses them assumes: all 21 electrodes but Cz and Pz.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.eeg.arrays import NotArraysError, read_array
from distilclip_eeg.errors import CorpusError

CLASSES: Final = (
    "normal",
    "complex partial seizure",
    "electrographic seizure",
    "video-detected seizure without visible change",
)
"""By number. The last is by definition invisible on EEG: to find it all is to leak."""

EVENT_TYPES: Final = ("bckg", "sz_foc_ia", "sz", "sz")
"""The classes as HED-SCORE types."""

PROTOCOL: Final = "paper"
SFREQ: Final = 500.0
SHAPE: Final = (19, 500)
CHANNELS: Final = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2",
    "F7", "F8", "T3", "T4", "T5", "T6", "Fz", "A1", "A2",
)  # fmt: skip
"""Assumed order of the 19 channels; the data set does not say it."""


@dataclass(frozen=True, slots=True)
class Segments:
    """One part of the shipped split.

    Attributes
    ----------
    eeg
        (N, 19, 500), stays on disk until it is indexed.
    classes
        (N,) 0 to 3, see `CLASSES`.
    """

    part: Literal["train", "test"]
    eeg: NDArray[Any]
    classes: NDArray[np.int64]


def find_segments(root: Path) -> tuple[str, ...]:
    """Say in one line what segments a folder holds; nothing if it holds none."""
    if not any(root.rglob("x_train.npy")):
        return ()
    train, test = read_segments(root)
    count = f"{len(train.classes)} + {len(test.classes)}"
    why = "their split mixes patients"
    return (f"{count} shipped segments of 1 s: protocol '{PROTOCOL}' only, {why}",)


def read_segments(root: Path) -> tuple[Segments, Segments]:
    """Open the shipped segments, training and test part.

    Raises
    ------
    CorpusError
        If a file is missing, holds pickled objects, or its shape or classes are not
        those of the data set.
    """
    return _part(root, "train"), _part(root, "test")


def _part(root: Path, part: Literal["train", "test"]) -> Segments:
    x, eeg = _array(root, f"x_{part}.npy")
    y, stored = _array(root, f"y_{part}.npy")
    if eeg.ndim != 3 or eeg.shape[1:] != SHAPE or eeg.dtype.kind not in "fi":
        raise CorpusError(
            f"{x}: found {eeg.dtype} of shape {eeg.shape}, expected numbers of shape "
            f"(N, {SHAPE[0]}, {SHAPE[1]})"
        )
    if stored.shape not in ((len(eeg),), (len(eeg), 1)):
        raise CorpusError(
            f"{y}: found shape {stored.shape}, expected one class for each of the "
            f"{len(eeg)} segments of {x.name}"
        )
    classes = np.asarray(stored).reshape(-1)
    if strange := set(np.unique(classes).tolist()) - set(range(len(CLASSES))):
        raise CorpusError(
            f"{y}: found class {min(strange)}, expected 0 to {len(CLASSES) - 1}"
        )
    return Segments(part, eeg, classes.astype(np.int64))


def _array(root: Path, name: str) -> tuple[Path, NDArray[np.generic]]:
    path = next(iter(sorted(root.rglob(name))), None)
    if path is None:
        raise CorpusError(f"{root}: found no {name}, expected it beside the others")
    try:
        return path, read_array(path, mapped=True)
    except (OSError, NotArraysError) as error:
        reason = str(error)
        raise CorpusError(
            f"{path}: found no plain array ({reason}), expected one that numpy.save "
            "wrote without objects"
        ) from None
