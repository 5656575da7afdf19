"""The shipped segments of the AUBMC data set -> what a forest makes of its classes.

One second of 19 channels each, dealt out by the data set so that both parts hold the
same people and nobody says whose a segment is: leaky, and no split by patient can be
made of it. The networks read ten seconds of 18 leads and cannot take part; neither can
the controls, which need times and patients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.corpora.aubmc_segments import (
    CLASSES,
    PROTOCOL,
    SFREQ,
    Segments,
    read_segments,
)
from distilclip_eeg.errors import CorpusError
from distilclip_eeg.evaluation.experiment.scored_segments import (
    Key,
    Row,
    claim,
    write_rows,
)
from distilclip_eeg.evaluation.experiment.segment_forest import (
    probabilities,
    several_classes,
)
from distilclip_eeg.evaluation.forest import BLOCK, window_features

MODEL: Final = "forest"
PART: Final = "shipped"
TYPICAL_UV: Final = 30.0  # spread of a channel; the unit of the files is not stated
SAID: Final = (
    "Segments of 1 s and their split as the data set ships them: the seconds of one "
    "seizure stand on both sides, and nobody says whose they are. A forest on the 19 "
    "channels as they are; the networks need 10 s of 18 leads, the controls need times "
    "and patients. Called what is likeliest; seeds differ by the forest alone."
)


def score_shipped(
    root: Path, folder: Path, n_seeds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train a forest on the training part, write what it holds of the test part.

    Returns
    -------
    What the table notes, see `protocol_table.table_of`.

    Raises
    ------
    CorpusError
        If the segments are not there, or not those of the data set.
    ConfigError
        If the folder holds another experiment.
    """
    train, test = read_segments(root)
    about = _about(train, test)
    claim(folder, about)
    keys = [Key(PROTOCOL, MODEL, seed, PART) for seed in range(n_seeds)]
    if all(key.path(folder).exists() for key in keys):
        return about
    scale = TYPICAL_UV / _typical(train)
    learned, tested = _values(train, scale), _values(test, scale)
    rows = [
        Row(f"x_test@{k}", "unknown", CLASSES[label])
        for k, label in enumerate(test.classes.tolist())
    ]
    for number, key in enumerate(keys, start=1):
        if not key.path(folder).exists():
            say(f"job {number} of {n_seeds}: shipped segments, forest, seed {key.seed}")
            forest = several_classes(learned, train.classes.astype(np.intp), key.seed)
            found = probabilities(forest, tested, len(CLASSES))
            write_rows(folder, key, rows, found, CLASSES)
    return about


def _about(train: Segments, test: Segments) -> dict[str, Any]:
    labels = np.concatenate([train.classes, test.classes])
    return {
        "datasets": "aubmc, shipped segments",
        "training_segments": len(train.classes),
        "test_segments": len(test.classes),
        "labels_sha256": hashlib.sha256(labels.tobytes()).hexdigest(),
        "classes": list(CLASSES),
        "segments": SAID,
    }


def _typical(part: Segments) -> float:
    """Return the median spread of the channels, in the unit of the file."""
    spread = [float(np.median(x.std(axis=2))) for x in _blocks(part)]
    return float(np.median(spread)) or 1.0


def _values(part: Segments, scale: float) -> NDArray[np.float32]:
    """(N, F) as `forest.window_features` measures them, over channels for leads."""
    measured = []
    for x in _blocks(part):
        usable = np.ones((*x.shape[:2], 1), bool)
        measured.append(window_features(x * np.float32(scale), usable, SFREQ))
    return np.concatenate(measured)


def _blocks(part: Segments) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(part.classes), BLOCK):
        block = np.asarray(part.eeg[first : first + BLOCK], np.float32)
        if not (whole := np.isfinite(block).all(axis=(1, 2))).all():
            raise CorpusError(
                f"x_{part.part}.npy: found segment {first + int(whole.argmin())} with "
                "values that are no numbers, expected numbers alone"
            )
        yield block
