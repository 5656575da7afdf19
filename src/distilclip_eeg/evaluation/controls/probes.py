"""Embeddings -> how well they tell data set, patient and seizure, by a linear probe.

A probe is a logistic regression. Data set and seizure are asked of patients that the
probe never saw; with models by fold neither did the network: it embeds all windows, the
probe learns from the other folds and is judged on the model's own. A patient is asked
of other recordings of that patient. Beside each stands the same probe on band power
and line length: what the signal says without any network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from distilclip_eeg.evaluation.controls.hearing import Heard, Windows
from distilclip_eeg.evaluation.intervals import Interval, drawn
from distilclip_eeg.evaluation.windows import ICTAL_SHARE

ROUNDS: Final = 5  # of grouped cross-validation, where data give no folds
PENALTY: Final = 0.1  # inverse: embeddings are wide, patients few
DRAWS: Final = 1000

Flags = NDArray[np.bool_]
Values = NDArray[np.float32]
Labels = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Probe:
    """How well one thing is told.

    Attributes
    ----------
    asked, of
        What is told, and of which windows.
    figure
        `balanced accuracy` or `AUROC`.
    embeddings, signal
        By the model's embeddings, and by band power and line length.
    chance
        What guessing gives.
    n_classes, n_patients
        Told apart; judged.
    """

    asked: str
    of: str
    figure: str
    embeddings: Interval
    signal: Interval
    chance: float
    n_classes: int
    n_patients: int


def probes(heard: Heard) -> Iterator[Probe]:
    """Ask everything that the data can answer."""
    share = heard.windows.ictal_share
    seen = ~np.isnan(heard.windows.measured[:, 0])
    quiet, ictal = seen & (share == 0), seen & (share >= ICTAL_SHARE)
    for of, kept in (("without a seizure", quiet), ("ictal", ictal)):
        yield from _dataset(heard, kept, of)
        yield from _patient(heard, kept, of)
    for shuffled in (False, True):
        yield from _seizure(heard, quiet | ictal, shuffled)


def _fitted(x: Values, y: NDArray[np.generic]) -> Pipeline:
    probe = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=2000, tol=1e-3),
    )
    return probe.fit(x, y)


Spaces = Mapping[int | None, Values]


def _spaces(heard: Heard) -> tuple[Spaces, Spaces]:
    """The embeddings, and beside them the signal, which is the same for all models."""
    measured = np.nan_to_num(heard.windows.measured)
    return heard.embeddings, dict.fromkeys(heard.embeddings, measured)


def _rounds(windows: Windows, spaces: Spaces) -> Iterator[tuple[int | None, Flags]]:
    """Yield a model and the windows that it, or at least its probe, is judged on."""
    if list(spaces) != [None]:
        for key in spaces:
            yield key, windows.fold == key
        return
    n = min(ROUNDS, len(set(windows.patient.tolist())))
    if n < 2:
        return
    for _, judged in GroupKFold(n).split(windows.start_s, groups=windows.patient):
        flags = np.zeros(len(windows), bool)
        flags[judged] = True
        yield None, flags


def _dataset(heard: Heard, kept: Flags, of: str) -> Iterator[Probe]:
    windows = heard.windows
    names = [
        name
        for name in sorted(set(windows.dataset[kept].tolist()))
        if len(set(windows.patient[kept & (windows.dataset == name)].tolist())) > 1
    ]
    kept = kept & np.isin(windows.dataset, names)
    if len(names) < 2:
        return
    found = [_told(windows, space, windows.dataset, kept) for space in _spaces(heard)]
    if not all(patients for patients in found):
        return
    label_of = dict(
        zip(windows.patient.tolist(), windows.dataset.tolist(), strict=True)
    )
    ours, signal = (_balanced(patients, label_of) for patients in found)
    n = len(found[0])
    yield Probe(
        "data set", of, "balanced accuracy", ours, signal, 1 / len(names), len(names), n
    )


Told = dict[str, tuple[float, float]]
"""Patient -> windows told right, and all."""


def _told(windows: Windows, spaces: Spaces, labels: Labels, kept: Flags) -> Told:
    told: Told = {}
    for key, judged in _rounds(windows, spaces):
        learned = kept & ~judged
        asked = kept & judged & np.isin(labels, labels[learned])
        if len(set(labels[learned].tolist())) < 2 or not asked.any():
            continue
        probe = _fitted(spaces[key][learned], labels[learned])
        _count(
            told,
            probe.predict(spaces[key][asked]),
            labels[asked],
            windows.patient[asked],
        )
    return told


def _count(told: Told, said: Labels, true: Labels, patients: Labels) -> None:
    for patient in sorted(set(patients.tolist())):
        own = patients == patient
        right, whole = told.get(patient, (0.0, 0.0))
        told[patient] = (
            right + float((said[own] == true[own]).sum()),
            whole + float(own.sum()),
        )


def _balanced(told: Told, label_of: Mapping[str, str]) -> Interval:
    """Mean over labels of the mean over their patients of what is told right."""
    patients = sorted(told)
    right = np.array([told[p][0] / told[p][1] for p in patients])
    labels = np.array([label_of[p] for p in patients])

    def figures(weights: NDArray[np.floating]) -> dict[str, float]:
        each = []
        for label in sorted(set(labels.tolist())):
            w = weights * (labels == label)
            if w.any():
                each.append(float(w @ right / w.sum()))
        return {"": float(np.mean(each)) if each else float("nan")}

    return drawn(figures, len(patients), DRAWS, seed=0)[""]


def _patient(heard: Heard, kept: Flags, of: str) -> Iterator[Probe]:
    """Ask within a data set, of patients unseen by the model, with two recordings."""
    windows = heard.windows
    found: list[Told] = []
    chances: dict[str, float] = {}
    for spaces in _spaces(heard):
        told: Told = {}
        for key in spaces:
            own = kept if key is None else kept & (windows.fold == key)
            for dataset in sorted(set(windows.dataset[own].tolist())):
                chance = _who(
                    windows, spaces[key], own & (windows.dataset == dataset), told
                )
                chances |= dict.fromkeys(chance[0], chance[1])
        found.append(told)
    if found[0]:
        names = dict.fromkeys(chances, "")
        ours, signal = (_balanced(told, names) for told in found)
        chance_of_all = float(np.mean([chances[p] for p in found[0]]))
        n = len(found[0])
        yield Probe(
            "patient", of, "balanced accuracy", ours, signal, chance_of_all, n, n
        )


def _who(
    windows: Windows, space: Values, own: Flags, told: Told
) -> tuple[list[str], float]:
    """Tell the patients of one data set apart; return who could be told, and chance."""
    recordings = {
        p: len(set(windows.recording[own & (windows.patient == p)].tolist()))
        for p in sorted(set(windows.patient[own].tolist()))
    }
    who = [p for p, n in recordings.items() if n > 1]
    if len(who) < 2:
        return [], float("nan")
    at = np.flatnonzero(own & np.isin(windows.patient, who))
    patients = windows.patient[at]
    n = min(ROUNDS, *(recordings[p] for p in who))
    folds = StratifiedGroupKFold(n, shuffle=True, random_state=0)
    for learned, judged in folds.split(at, patients, windows.recording[at]):
        if len(set(patients[learned].tolist())) < 2 or not len(judged):
            continue
        probe = _fitted(space[at[learned]], patients[learned])
        said = probe.predict(space[at[judged]])
        _count(told, said, patients[judged], patients[judged])
    return who, 1 / len(who)


def _seizure(heard: Heard, kept: Flags, shuffled: bool) -> Iterator[Probe]:
    """Ask for seizures; shuffled labels say how many a patient has, and not where."""
    windows = heard.windows
    true = windows.ictal_share >= ICTAL_SHARE
    labels = within_patients(true, windows.patient, kept) if shuffled else true
    found = []
    for spaces in _spaces(heard):
        scores = np.full(len(windows), np.nan)
        for key, judged in _rounds(windows, spaces):
            learned, asked = kept & ~judged, kept & judged
            if asked.any() and 0 < labels[learned].mean() < 1:
                probe = _fitted(spaces[key][learned], labels[learned])
                scores[asked] = probe.decision_function(spaces[key][asked])
        found.append(_areas(true, scores, windows.patient))
    if not found[0]:
        return
    ours, signal = (mean_over(areas) for areas in found)
    asked_for = "seizure, learned from labels shuffled within patients"
    yield Probe(
        asked_for if shuffled else "seizure",
        "all",
        "AUROC",
        ours,
        signal,
        0.5,
        2,
        len(found[0]),
    )


def within_patients(true: Flags, patients: Labels, kept: Flags, seed: int = 0) -> Flags:
    """Shuffle the labels of every patient's windows among them."""
    rng = np.random.default_rng(seed)
    labels = true.copy()
    for patient in np.unique(patients[kept]):
        own = np.flatnonzero(kept & (patients == patient))
        labels[own] = rng.permutation(labels[own])
    return labels


def _areas(
    true: Flags, scores: NDArray[np.floating], patients: Labels
) -> dict[str, float]:
    """AUROC of every patient with both classes."""
    areas = {}
    had = ~np.isnan(scores)
    for patient in sorted(set(patients[had].tolist())):
        own = had & (patients == patient)
        if 0 < true[own].mean() < 1:
            areas[patient] = float(roc_auc_score(true[own], scores[own]))
    return areas


def mean_over(values: Mapping[str, float]) -> Interval:
    """Mean over patients, with its bounds over draws of them."""
    each = np.array(list(values.values()))
    if not len(each):
        return Interval(float("nan"), float("nan"), float("nan"))
    figures = drawn(lambda w: {"": float(w @ each / w.sum())}, len(each), DRAWS, seed=0)
    return figures[""]
