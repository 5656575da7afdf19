"""Seeds -> simulated seizures -> the numbers of `detection.locating`.

    python -m distilclip_eeg.evaluation.locator_fit 23000 24000 locator.npz

Each seed gives one seizure of one person, and rare lobes are drawn more often than they
occur and weighted back. Every seizure is learned with left and right exchanged as well,
some without what was before it, some with leads lost. Knows no network and no detector.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.simulation.amplifier import amplify, draw_amplifier
from distilclip_eeg.corpora.simulation.artefacts import add_artefacts
from distilclip_eeg.corpora.simulation.background import background, draw_stages
from distilclip_eeg.corpora.simulation.discharges import plant
from distilclip_eeg.corpora.simulation.graphoelements import add_graphoelements
from distilclip_eeg.corpora.simulation.scalp import add_scalp, wax_and_wane
from distilclip_eeg.corpora.simulation.scene import Scene, draw_scene
from distilclip_eeg.corpora.simulation.seizures import Plan, draw_plan
from distilclip_eeg.corpora.simulation.statistics import LOBES as COUNTS
from distilclip_eeg.detection.leads import Heard
from distilclip_eeg.detection.locating import (
    CLASSES,
    MIRRORED,
    features,
    loudness,
    mirror_of_features,
)
from distilclip_eeg.eeg.findings import Lobe, kind_of
from distilclip_eeg.eeg.montage import ELECTRODES, plan_montage
from distilclip_eeg.eeg.signal import Conditioner
from distilclip_eeg.eeg.whole_files import written_whole

SFREQ: Final = 256
WINDOW_S: Final = 10
SHORTEST_S, LONGEST_S = 6.0, 60.0  # of a seizure, to keep recordings short
GENERALISED: Final = 0.2  # of people
RARE: Final = ("central", "parietal", "occipital", "insular")
RARE_SHARE: Final = 0.45  # of seeds, in which nothing else is taken
WITHOUT_PAST, WITH_LOST = 0.2, 0.3  # of windows
STRENGTH: Final = 0.006  # of the fit, inverse to its penalty; by folds of seeds


@dataclass(frozen=True, eq=False)
class Example:
    """One seizure: its place among `CLASSES`, windows of it, one from before it."""

    label: int
    lobe: Lobe
    windows: tuple[Heard, ...]
    before: Heard


def draw_example(seed: int) -> Example:
    """Draw one; the same seed gives the same samples."""
    rng = np.random.default_rng(seed)
    scene, plan = _draw_plan(rng)
    onset_s = float(rng.uniform(18, 32))
    duration_s = onset_s + plan.duration_s + 1
    leads, usable = _conditioned(_signal(scene, plan, onset_s, duration_s))
    cuts = np.random.default_rng(seed + 1)

    def cut(second: int) -> Heard:
        samples = slice(second * SFREQ, (second + WINDOW_S) * SFREQ)
        return Heard(leads[:, samples], usable[:, second : second + WINDOW_S])

    past_s = max(0, int(onset_s) - 15 - int(cuts.integers(0, 8)))
    first = int(np.ceil(onset_s - 2))
    last = max(int(onset_s + plan.duration_s - 9), first + 1)
    starts = {first + int(cuts.integers(0, 3)), *cuts.integers(first, last, 3).tolist()}
    latest = usable.shape[1] - WINDOW_S
    kept = sorted(start for start in starts if start <= latest) or [latest]
    kind = kind_of(plan.event_type)
    label = CLASSES.index(
        (kind, plan.side, plan.lobe if plan.side != "bilateral" else "unknown")
    )
    return Example(label, plan.lobe, tuple(map(cut, kept)), cut(past_s))


def fit(examples: Sequence[Example], seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Fit the numbers of a `Locator`.

    Returns
    -------
    dict
        mean (F,), scale (F,), weight (14, F), bias (14,); exchanging left and right
        exchanges the classes exactly.
    """
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(seed)
    rows = [_measured(example, rng) for example in examples]
    x = np.concatenate(rows)
    label = np.repeat([e.label for e in examples], list(map(len, rows)))
    weight = np.repeat(_weights(examples), list(map(len, rows)))
    across = mirror_of_features()
    x = np.concatenate([x, x[:, across]])
    label = np.concatenate([label, MIRRORED[label]])
    mean, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0) + 1e-6
    known = np.nan_to_num((x - mean) / scale, nan=0.0)
    model = LogisticRegression(C=STRENGTH, max_iter=120, tol=1e-3)
    model.fit(known, label, sample_weight=np.tile(weight, 2))
    found = np.zeros((len(CLASSES), x.shape[1]))
    bias = np.full(len(CLASSES), -20.0)  # of a class of which there was nothing
    found[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    return {
        "mean": mean.astype(np.float32),
        "scale": scale.astype(np.float32),
        "weight": (0.5 * (found + found[MIRRORED][:, across])).astype(np.float32),
        "bias": (0.5 * (bias + bias[MIRRORED])).astype(np.float32),
    }


def write_numbers(path: Path, numbers: dict[str, NDArray[np.float32]]) -> None:
    """Write what `locating.load_locator` reads; it appears whole or not at all."""
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **numbers)


def _draw_plan(rng: Generator) -> tuple[Scene, Plan]:
    is_rare = rng.random() < RARE_SHARE
    while True:
        scene = draw_scene(rng, float(SFREQ), GENERALISED)
        plan = draw_plan(scene, max_duration_s=LONGEST_S)
        if plan.duration_s >= SHORTEST_S and (plan.lobe in RARE or not is_rare):
            return scene, plan


def _signal(
    scene: Scene, plan: Plan, onset_s: float, duration_s: float
) -> NDArray[np.float32]:
    """(19, n) µV, as `simulation.recording` brings a recording together."""
    rng, sfreq = scene.rng, scene.sfreq
    stages = draw_stages(rng, duration_s)
    n_times = round(duration_s * sfreq)
    eeg = background(rng, scene.head, scene.person, stages, n_times, sfreq)
    wax_and_wane(scene, eeg)
    add_graphoelements(scene, stages, eeg)
    add_scalp(scene, stages, eeg)
    plant(scene, eeg, plan, onset_s)
    add_artefacts(scene, stages, eeg)
    amplify(rng, draw_amplifier(rng), eeg, sfreq)
    return eeg


def _conditioned(
    eeg: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    montage = plan_montage(ELECTRODES)
    conditioner = Conditioner(montage, float(SFREQ), SignalConfig())
    parts = [conditioner.push(eeg[list(montage.picks)]), conditioner.close()]
    return (
        np.concatenate([part.leads for part in parts], axis=1),
        np.concatenate([part.usable for part in parts], axis=1),
    )


def _measured(example: Example, rng: Generator) -> NDArray[np.float64]:
    rows = []
    past = loudness(example.before)
    for window in example.windows:
        has_past = rng.random() >= WITHOUT_PAST
        heard = _with_lost(window, rng) if rng.random() < WITH_LOST else window
        rows.append(features(heard, past if has_past else None))
    return np.stack(rows)


def _with_lost(window: Heard, rng: Generator) -> Heard:
    """Lose up to six leads, or all that need O1 and O2, as Siena has it."""
    lost = rng.choice(18, rng.integers(1, 7), replace=False)
    if rng.random() < 0.3:
        lost = np.array([3, 7, 13, 17])
    usable = window.usable.copy()
    usable[lost] = False
    return Heard(window.eeg, usable)


def _weights(examples: Sequence[Example]) -> NDArray[np.float64]:
    """Let every lobe count as often as it occurs, and each window of a seizure less."""
    natural: Counter[str] = Counter()
    for side in ("left", "right"):
        natural.update(COUNTS[side])
    lateral = [e.lobe for e in examples if CLASSES[e.label][1] != "bilateral"]
    drawn, share = Counter(lateral), len(lateral) / sum(natural.values())
    return np.array(
        [
            (natural[e.lobe] * share / drawn[e.lobe] if e.lobe in drawn else 1.0)
            / len(e.windows)
            for e in examples
        ]
    )


def main(arguments: Iterable[str]) -> None:
    """Fit on the seeds from the first to before the last, and write the numbers."""
    first, last, path = arguments
    examples = [draw_example(seed) for seed in range(int(first), int(last))]
    write_numbers(Path(path), fit(examples))


if __name__ == "__main__":
    main(sys.argv[1:])
