"""Models and data -> what they say of recordings as they are, and in other guises.

A recording is conditioned once; then it is scored as it is, without the occipital
electrodes, and, where its data set has no seizure, at the loudness of one that has.
Windows keep their embedding by every model, and what a clock or a sound meter would
say of them. Whole recordings are held in memory: for clips and hours, not for days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import StoredRecording, condition
from distilclip_eeg.detection.models import Model
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.errors import CorpusError, DistilClipError
from distilclip_eeg.evaluation.evaluate import Models, without_place
from distilclip_eeg.evaluation.forest import window_features
from distilclip_eeg.evaluation.listening import scored
from distilclip_eeg.evaluation.material import Data, Material, Task, open_data
from distilclip_eeg.evaluation.predictions import Prediction
from distilclip_eeg.evaluation.windows import HOP_S, WINDOW_S

AS_IT_IS, NO_OCCIPITAL, AS_LOUD = "as recorded", "O1 and O2 masked", "as loud"
OCCIPITAL: Final = np.array([lead.endswith(("-O1", "-O2")) for lead in LEADS])
MOST_WINDOWS: Final = 120  # of a recording that probes look at, evenly over it

InTurn = Callable[[Sequence[Task]], Iterable[Task]]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The W windows that probes look at; every array is (W, ...).

    Attributes
    ----------
    fold
        -1 where the data give none.
    ictal_share
        0 to 1.
    loudness_uv
        Median over the usable leads of their spread.
    measured
        (W, 27) band power and line length, see `forest.window_features`.
    """

    recording: NDArray[np.str_]
    patient: NDArray[np.str_]
    dataset: NDArray[np.str_]
    fold: NDArray[np.intp]
    start_s: NDArray[np.intp]
    ictal_share: NDArray[np.floating]
    loudness_uv: NDArray[np.floating]
    measured: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.recording)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """All that controls rest on.

    Attributes
    ----------
    embeddings
        Fold of the model, None for one model -> (W, D) of every window, also of those
        whose patients that model has seen.
    predictions
        Guise -> what the model that never saw the patient says; of `AS_LOUD` only the
        data sets without a seizure.
    gains
        Data set without a seizure -> the factor that makes it as loud as `loud_as`.
    """

    data: Data
    windows: Windows
    embeddings: dict[int | None, NDArray[np.float32]]
    predictions: dict[str, list[Prediction]]
    gains: dict[str, float]
    loud_as: str
    skipped: dict[str, str]


def hear(
    models: Models,
    data: str,
    folds: Sequence[int] | None = None,
    in_turn: InTurn = lambda tasks: tasks,
) -> Heard:
    """Let models hear data in every guise.

    Raises
    ------
    DistilClipError
        If no recording can be scored, or no window is labelled throughout.
    """
    signal = models.first(folds).signal
    found = open_data(data, signal, folds)
    keys = sorted({t.fold for t in found.tasks}, key=str) if models.by_fold else [None]
    heard: dict[str, list[Prediction]] = {AS_IT_IS: [], NO_OCCIPITAL: [], AS_LOUD: []}
    parts: list[Windows] = []
    embeddings: dict[int | None, list[NDArray[np.float32]]] = {k: [] for k in keys}
    skipped = dict(found.skipped)
    for task in in_turn(found.tasks):
        try:
            material = task.load()
            seconds = conditioned(material, signal)
        except DistilClipError as error:
            skipped[task.name] = without_place(str(error), data)
            continue
        model = models.of(task.fold)
        heard[AS_IT_IS].append(_said(material, seconds, model))
        heard[NO_OCCIPITAL].append(_said(material, without_occipital(seconds), model))
        windows, eeg, usable = _windows(material, seconds, signal, task.fold)
        if not len(windows):
            continue
        parts.append(windows)
        for key in keys:
            run = models.of(key).runtime.run(eeg, usable)
            embeddings[key].append(run.window_embedding)
    if not parts:
        raise CorpusError(f"{data}: found no labelled window, expected some to probe")
    joined = _joined(parts)
    gains, loud_as = gains_of(joined, heard[AS_IT_IS])
    heard[AS_LOUD] = _as_loud(found, models, signal, gains)
    return Heard(
        found,
        joined,
        {key: np.concatenate(of) for key, of in embeddings.items()},
        heard,
        gains,
        loud_as,
        skipped,
    )


def conditioned(material: Material, signal: SignalConfig) -> Conditioned:
    """Return a whole recording as models see it; gaps are unusable seconds."""
    source = material.source
    if not isinstance(source, StoredRecording):
        return condition(source, signal)
    crop = source.crop(0, source.n_seconds)
    return Conditioned(crop.eeg, crop.usable, {})


def without_occipital(seconds: Conditioned) -> Conditioned:
    """Mask every lead that rests on O1 or O2."""
    return replace(seconds, usable=seconds.usable & ~OCCIPITAL[:, None])


def gains_of(
    windows: Windows, predictions: Sequence[Prediction]
) -> tuple[dict[str, float], str]:
    """Say by what factor data sets without a seizure become as loud as one with some.

    Of several with seizures that with most patients is taken. Loudness is the median
    over windows without a seizure.
    """
    who = {(p.dataset, p.patient) for p in predictions if p.seizures}
    with_seizures = Counter(dataset for dataset, _ in who)
    if not with_seizures:
        return {}, ""
    loud_as = min(with_seizures, key=lambda name: (-with_seizures[name], name))
    quiet = windows.ictal_share == 0

    def loudness_uv(dataset: str) -> float:
        own = windows.loudness_uv[quiet & (windows.dataset == dataset)]
        known = own[~np.isnan(own)]
        return float(np.median(known)) if len(known) else float("nan")

    others = sorted(set(windows.dataset.tolist()) - set(with_seizures))
    gains = {name: loudness_uv(loud_as) / loudness_uv(name) for name in others}
    return {name: gain for name, gain in gains.items() if gain == gain}, loud_as


def _as_loud(
    found: Data, models: Models, signal: SignalConfig, gains: dict[str, float]
) -> list[Prediction]:
    heard = []
    for task in found.tasks if gains else ():
        try:
            material = task.load()
            if material.dataset not in gains:
                continue
            seconds = conditioned(material, signal)
        except DistilClipError:  # named when it was first heard
            continue
        gain = np.float32(gains[material.dataset])
        louder = replace(seconds, leads=seconds.leads * gain)
        heard.append(_said(material, louder, models.of(task.fold)))
    return heard


def _said(material: Material, seconds: Conditioned, model: Model) -> Prediction:
    length_s = float(material.n_seconds)
    return material.predicted((scored([seconds], model, 0.0, length_s),))


def _windows(
    material: Material, seconds: Conditioned, signal: SignalConfig, fold: int | None
) -> tuple[Windows, NDArray[np.float32], NDArray[np.bool_]]:
    """Cut a recording into the windows that count, and measure them."""
    truth = material.predicted(())
    starts = _starts(truth, signal.window_s)
    rate, width = round(signal.sfreq), signal.window_samples
    shape = (0, len(LEADS))
    eeg, usable = (
        np.zeros((*shape, width), "f4"),
        np.zeros((*shape, signal.window_s), bool),
    )
    if len(starts):
        eeg = np.stack([seconds.leads[:, s * rate : s * rate + width] for s in starts])
        usable = np.stack([seconds.usable[:, s : s + signal.window_s] for s in starts])
    n = len(starts)
    share = [truth.ictal[s : s + signal.window_s].mean() for s in starts]
    table = Windows(
        recording=np.full(n, material.name),
        patient=np.full(n, material.patient),
        dataset=np.full(n, material.dataset),
        fold=np.full(n, -1 if fold is None else fold, np.intp),
        start_s=np.array(starts, np.intp),
        ictal_share=np.array(share, float),
        loudness_uv=_loudness(eeg, usable),
        measured=window_features(eeg, usable, signal.sfreq)
        if n
        else np.zeros((0, 27), "f4"),
    )
    return table, eeg, usable


def _starts(truth: Prediction, window_s: int) -> list[int]:
    """Windows of which every second is labelled, at most `MOST_WINDOWS`."""
    latest = len(truth.labelled) - window_s
    starts = [
        s for s in range(0, latest + 1, HOP_S) if truth.labelled[s : s + window_s].all()
    ]
    if not starts and truth.labelled_s[1] - truth.labelled_s[0] >= WINDOW_S:
        starts = [int(truth.labelled_s[0])]
    if len(starts) <= MOST_WINDOWS:
        return starts
    return [
        starts[k] for k in np.linspace(0, len(starts) - 1, MOST_WINDOWS).astype(int)
    ]


def _loudness(
    eeg: NDArray[np.float32], usable: NDArray[np.bool_]
) -> NDArray[np.floating]:
    spread = eeg.std(axis=2)
    seen = usable.mean(axis=2) >= 0.5
    return np.array(
        [
            np.median(x[s]) if s.any() else np.nan
            for x, s in zip(spread, seen, strict=True)
        ],
        float,
    )


def _joined(parts: Sequence[Windows]) -> Windows:
    names = Windows.__slots__
    return Windows(*(np.concatenate([getattr(w, n) for w in parts]) for n in names))
