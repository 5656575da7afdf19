"""A trained run and recordings -> what the space of EEG and text holds, in figures.

Windows that do not overlap and the captions that training would give them are embedded;
recall at k says how well one finds the other. Every figure says whether the model was
trained on the patients behind it: by the folds of the run's configuration, or, for the
folder of a cross-validation, because each fold is embedded by the model that never saw
it.

Shapes: n windows, N distinct captions, D embedding, K classes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from distilclip_eeg.config import Config, SignalConfig
from distilclip_eeg.corpora.catalog import in_folds
from distilclip_eeg.corpora.manifest import read_manifest
from distilclip_eeg.corpora.store import Crop, StoredRecording, prepare
from distilclip_eeg.errors import ConfigError, CorpusError
from distilclip_eeg.evaluation.retrieval import Queries, recall_rows
from distilclip_eeg.evaluation.windows import ICTAL_SHARE
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.model.losses import deduplicate
from distilclip_eeg.training.batches import describe
from distilclip_eeg.training.predict import BATCH, TorchRuntime
from distilclip_eeg.training.run_folder import WEIGHTS, load_run
from distilclip_eeg.training.trained import load_trained

Part: TypeAlias = Literal["training", "validation", "unseen"]
Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a recording and what is known of it."""

    recording: str
    dataset: str
    patient: str
    fold: int | None
    start_s: float
    seizure: bool
    caption: str
    part: Part


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Windows and captions as one model embeds them; rows have unit length.

    Attributes
    ----------
    eeg
        (n, D).
    text, target
        (N, D) of the distinct captions, and which of them each window has, (n,).
    prompts
        (K, D), the class vectors.
    """

    name: str
    classes: tuple[str, ...]
    windows: list[Window]
    eeg: Samples
    captions: list[str]
    text: Samples
    target: NDArray[np.intp]
    prompts: Samples

    @property
    def ictal_captions(self) -> NDArray[np.bool_]:
        """Which captions speak of a seizure, (N,)."""
        ictal = np.zeros(len(self.captions), bool)
        ictal[self.target] = [window.seizure for window in self.windows]
        return ictal


@dataclass(frozen=True, slots=True)
class LatentReport:
    """`content` is what JSON can say of `spaces`."""

    spaces: list[Space]
    content: dict[str, Any]


def latent(run: Path, data: Path, folds: Sequence[int]) -> LatentReport:
    """Embed folds of a data set by a run, and score both directions.

    Parameters
    ----------
    run
        Of `train`, or of `crossvalidate`: then each fold goes to the model that never
        saw it.
    data
        Holds manifest.tsv.

    Raises
    ------
    ConfigError
        If there is no trained model, for one of the folds.
    CorpusError
        If one of the folds holds no recording, or none a window.
    """
    runs = _runs_of(run, folds)
    crossed = run not in runs
    config, _ = load_run(next(iter(runs)))
    recordings = in_folds(read_manifest(data), folds)
    if absent := sorted({*folds} - {r.fold for r in recordings if r.fold is not None}):
        raise CorpusError(f"{data}: no recording of fold {_joined(absent)}")
    spaces = []
    with tempfile.TemporaryDirectory() as folder:
        store = prepare(recordings, Path(folder), config.signal)
        for one, own in runs.items():
            config, model = load_trained(one)
            of_folds = [r for r in store.recordings if r.fold in own]
            part_of = _unseen if crossed else _parts_of(config)
            name = one.name if crossed else ""
            spaces.append(embed(model, of_folds, config.signal, part_of, name))
    content = {
        "run": run.name,
        "model": config.name,
        "folds": list(folds),
        "training_folds": "all but the one embedded" if crossed else _folds(config),
        "validation_folds": list(config.data.validation_folds),
        "taught": bool(config.distillation.teacher_sha256),
        "window_s": config.signal.window_s,
        "skipped": store.skipped,
        "parts": score(spaces),
    }
    return LatentReport(spaces, content)


def embed(
    model: DistilCLIP,
    recordings: Sequence[StoredRecording],
    signal: SignalConfig,
    part_of: Callable[[StoredRecording], Part],
    name: str = "",
) -> Space:
    """Embed windows that do not overlap, and their captions.

    Windows that are partly ictal but by less than half are left out, as everywhere.

    Raises
    ------
    CorpusError
        If no window is left.
    """
    runtime = TorchRuntime(model)
    windows: list[Window] = []
    eeg = []
    for recording in recordings:
        crops = list(whole_windows(recording, signal.window_s, signal.window_s))
        if not crops:
            continue
        scores = runtime.run(
            np.stack([crop.eeg for crop in crops]),
            np.stack([crop.usable for crop in crops]),
        )
        eeg.append(scores.window_embedding)
        windows += [
            _window(recording, crop, signal, part_of(recording)) for crop in crops
        ]
    if not windows:
        raise CorpusError(
            f"{len(recordings)} recordings hold no labelled window of "
            f"{signal.window_s} s; other folds are needed"
        )
    captions, target = deduplicate([window.caption for window in windows])
    return Space(
        name=name,
        classes=model.config.classes,
        windows=windows,
        eeg=np.concatenate(eeg),
        captions=captions,
        text=embed_text(model, captions),
        target=target.numpy(),
        prompts=_prompts(model),
    )


def whole_windows(
    recording: StoredRecording, window_s: int, hop_s: int
) -> Iterator[Crop]:
    """Cut the windows that experts saw all of and that are clearly of one class."""
    first_s, last_s = (int(np.ceil(s)) for s in recording.labelled_s)
    for start_s in range(first_s, max(first_s + 1, last_s - window_s + 1), hop_s):
        crop = recording.crop(start_s, window_s)
        share = float(crop.ictal.mean())
        clear = share == 0 or share >= ICTAL_SHARE
        if clear and crop.labelled.all() and crop.usable.any():
            yield crop


@torch.no_grad()
def embed_text(model: DistilCLIP, texts: Sequence[str]) -> Samples:
    """Embed sentences, (N, D) unit rows."""
    parts = [
        model.text(texts[start : start + BATCH]).float().cpu().numpy()
        for start in range(0, len(texts), BATCH)
    ]
    return np.concatenate(parts)


def score(spaces: Sequence[Space]) -> dict[str, Any]:
    """Recall at k of each part of the data: seen in training, validation, unseen."""
    parts: dict[str, Any] = {}
    for part in ("unseen", "validation", "training"):
        cut = [_only(space, part) for space in spaces]
        cut = [space for space in cut if space.windows]
        if not cut:
            continue
        windows = [window for space in cut for window in space.windows]
        parts[part] = {
            "patients": len({(w.dataset, w.patient) for w in windows}),
            "windows": len(windows),
            "seizure_windows": sum(w.seizure for w in windows),
            "captions": len({caption for space in cut for caption in space.captions}),
            "recall": [
                *recall_rows("EEG to caption", [_eeg_queries(space) for space in cut]),
                *recall_rows("caption to EEG", [_text_queries(space) for space in cut]),
            ],
        }
    return parts


def _eeg_queries(space: Space) -> Queries:
    right = space.target[:, None] == np.arange(len(space.captions))
    seizure = np.array([window.seizure for window in space.windows])
    people = [f"{window.dataset} {window.patient}" for window in space.windows]
    return Queries.of(space.eeg @ space.text.T, right, seizure, people)


def _text_queries(space: Space) -> Queries:
    right = np.arange(len(space.captions))[:, None] == space.target
    return Queries.of(space.text @ space.eeg.T, right, space.ictal_captions, ())


def _only(space: Space, part: str) -> Space:
    """Keep the windows of one part of the data, and the captions that they have."""
    rows = [i for i, window in enumerate(space.windows) if window.part == part]
    kept, target = np.unique(space.target[rows], return_inverse=True)
    return Space(
        name=space.name,
        classes=space.classes,
        windows=[space.windows[i] for i in rows],
        eeg=space.eeg[rows],
        captions=[space.captions[i] for i in kept],
        text=space.text[kept],
        target=target,
        prompts=space.prompts,
    )


def _window(
    recording: StoredRecording, crop: Crop, signal: SignalConfig, part: Part
) -> Window:
    return Window(
        recording=recording.name,
        dataset=recording.dataset,
        patient=recording.patient,
        fold=recording.fold,
        start_s=crop.start_s,
        seizure=float(crop.ictal.mean()) >= ICTAL_SHARE,
        caption=describe(crop, round(signal.sfreq)),
        part=part,
    )


@torch.no_grad()
def _prompts(model: DistilCLIP) -> Samples:
    return model.prototypes().float().cpu().numpy()


def _runs_of(run: Path, folds: Sequence[int]) -> dict[Path, tuple[int, ...]]:
    """Which folds each trained model embeds."""
    if (run / WEIGHTS).exists() or not any(run.glob(f"fold*/{WEIGHTS}")):
        return {run: tuple(folds)}  # no run at all is refused on loading
    missing = [fold for fold in folds if not (run / f"fold{fold}" / WEIGHTS).exists()]
    if missing:
        raise ConfigError(
            f"{run}: no model for fold {_joined(missing)}; it was not cross-validated"
        )
    return {run / f"fold{fold}": (fold,) for fold in folds}


def _parts_of(config: Config) -> Callable[[StoredRecording], Part]:
    data = config.data

    def part_of(recording: StoredRecording) -> Part:
        if recording.fold in data.validation_folds:
            return "validation"
        named = not data.folds or recording.fold in data.folds
        seen = named and data.simulated_share < 1  # 1: no person at all was seen
        return "training" if seen else "unseen"

    return part_of


def _unseen(_: StoredRecording) -> Part:
    return "unseen"


def _folds(config: Config) -> list[int] | str:
    if config.data.simulated_share == 1:
        return []
    held_back = config.data.validation_folds
    return [f for f in config.data.folds if f not in held_back] or "all"


def _joined(folds: Sequence[int]) -> str:
    return ", ".join(str(fold) for fold in folds)
