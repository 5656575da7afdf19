"""A trial -> what the baseline and the two controls hold of its test segments.

The forest hears loudness and rhythm of a segment (`forest.py`). `clock` is one that is
told only when a segment begins; `shuffled` one whose training labels were shuffled
within patients. Knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from distilclip_eeg.evaluation import forest
from distilclip_eeg.evaluation.experiment.protocols import Segment, Trial
from distilclip_eeg.evaluation.experiment.scored_segments import Probability
from distilclip_eeg.evaluation.experiment.seizure_classes import CLASSES
from distilclip_eeg.evaluation.windows import WINDOW_S

Values = NDArray[np.float32]
Labels = NDArray[np.intp]


def forest_probability(
    trial: Trial,
    seed: int,
    sfreq: float,
    model: str = "forest",
    classes: Sequence[str] = CLASSES,
) -> Probability:
    """Train the baseline or one of the controls and let it score the test segments.

    Where no lead can be used the forest sees background.
    """
    measure = _clock if model == "clock" else _measured
    values = measure(trial.train, sfreq)
    labels = np.array([classes.index(s.label) for s in trial.train], np.intp)
    if model == "shuffled":
        labels = shuffled_within_patients(trial.train, labels, seed)
    tested = measure(trial.test, sfreq)
    if tuple(classes) == CLASSES:
        fitted = _of_two(trial.train, values, labels, seed)
    else:
        fitted = several_classes(values, labels, seed)
    probability = probabilities(fitted, tested, len(classes))
    return probability[:, 1] if tuple(classes) == CLASSES else probability


def _of_two(
    segments: Sequence[Segment], values: Values, labels: Labels, seed: int
) -> RandomForestClassifier:
    starts = np.array([segment.start_s for segment in segments], np.int64)
    return forest.train([forest.Features(starts, values, labels.astype(float))], seed)


def several_classes(
    values: Values, labels: Labels, seed: int
) -> RandomForestClassifier:
    """Fit a forest in which every class weighs the same, however rare it is.

    Parameters
    ----------
    values
        (N, F); rows that begin with NaN are not looked at.
    labels
        (N,).
    """
    seen = ~np.isnan(values[:, 0])
    fitted = RandomForestClassifier(
        forest.N_TREES,
        min_samples_leaf=forest.MIN_SAMPLES_LEAF,
        class_weight="balanced",
        random_state=seed,
    )
    return fitted.fit(values[seen], labels[seen])


def probabilities(
    fitted: RandomForestClassifier, values: Values, n_classes: int
) -> NDArray[np.floating]:
    """(N, K) of each class; background for certain where nothing was measured."""
    out = np.zeros((len(values), n_classes))
    out[:, 0] = 1
    seen = ~np.isnan(values[:, 0])
    if seen.any():
        known = fitted.classes_.astype(np.intp)
        out[seen] = 0
        out[np.ix_(seen, known)] = fitted.predict_proba(values[seen])
    return out


def shuffled_within_patients(
    segments: Sequence[Segment], labels: Labels, seed: int
) -> Labels:
    """Return labels that say how many of each class a patient has, and not where."""
    rng = np.random.default_rng(seed)
    patients = np.array([segment.recording.patient for segment in segments])
    labels = labels.copy()
    for patient in np.unique(patients):
        own = patients == patient
        labels[own] = rng.permutation(labels[own])
    return labels


def in_parts(segments: Sequence[Segment], n: int) -> Iterator[Sequence[Segment]]:
    """Cut a long list into lists of at most `n`."""
    return (segments[k : k + n] for k in range(0, len(segments), n))


def _measured(segments: Sequence[Segment], sfreq: float) -> Values:
    values = []
    for part in in_parts(segments, forest.BLOCK):
        crops = [s.recording.crop(s.start_s, WINDOW_S) for s in part]
        eeg, usable = np.stack([c.eeg for c in crops]), [c.usable for c in crops]
        values.append(forest.window_features(eeg, np.stack(usable), sfreq))
    return np.concatenate(values)


def _clock(segments: Sequence[Segment], sfreq: float) -> Values:  # noqa: ARG001
    return np.array([[segment.start_s] for segment in segments], np.float32)
