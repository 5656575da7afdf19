"""A torch model over stored recordings -> seizure log-odds of every second.

The windows, and how several of them speak of one second, are those of detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from distilclip_eeg.config import SignalConfig
from distilclip_eeg.corpora.store import StoredRecording
from distilclip_eeg.detection.runtime import Runtime, Scores
from distilclip_eeg.detection.windows import SecondScorer
from distilclip_eeg.eeg.signal import Conditioned
from distilclip_eeg.evaluation.predictions import Prediction, save_predictions
from distilclip_eeg.model.distilclip import DistilCLIP

__all__ = ["Prediction", "TorchRuntime", "predict", "save_predictions"]

BATCH: Final = 64


class TorchRuntime:
    """The `run` of `detection.runtime.Runtime`, on a model in training."""

    def __init__(self, model: DistilCLIP, device: torch.device | None = None) -> None:
        self._model = model.eval()
        self._device = device or next(model.eeg.parameters()).device
        with torch.no_grad():
            self._prototypes = model.prototypes()

    @torch.no_grad()
    def run(
        self, eeg: NDArray[np.float32], usable: NDArray[np.float32] | NDArray[np.bool_]
    ) -> Scores:
        """Score windows (B, 18, T) and (B, 18, S)."""
        parts = []
        for start in range(0, max(1, len(eeg)), BATCH):  # no window is one empty batch
            span = slice(start, start + BATCH)
            out = self._model.score(
                torch.from_numpy(eeg[span]).to(self._device),
                torch.from_numpy(usable[span].astype(np.float32)).to(self._device),
                self._prototypes,
            )
            tensors = cast(dict[str, torch.Tensor], out)
            parts.append([tensors[k].float().cpu().numpy() for k in Scores._fields])
        return Scores(*(np.concatenate(each) for each in zip(*parts, strict=True)))


class WindowRuntime(TorchRuntime):
    """One that lets a window speak for its seconds: they were never trained."""

    def run(
        self, eeg: NDArray[np.float32], usable: NDArray[np.float32] | NDArray[np.bool_]
    ) -> Scores:
        """Score windows (B, 18, T) and (B, 18, S)."""
        scores = super().run(eeg, usable)
        spread = np.broadcast_to(
            scores.window_logits[:, None], scores.second_logits.shape
        )
        return scores._replace(second_logits=spread.copy())


def predict(
    model: DistilCLIP,
    recordings: Sequence[StoredRecording],
    signal: SignalConfig,
    *,
    by_second: bool = True,
) -> list[Prediction]:
    """Score whole recordings.

    Parameters
    ----------
    by_second
        Whether the scores of seconds are asked; else those of windows alone.
    """
    runtime = (TorchRuntime if by_second else WindowRuntime)(model)
    background = model.config.classes.index("background")
    return [_predict_one(runtime, r, signal, background) for r in recordings]


def _predict_one(
    runtime: TorchRuntime,
    recording: StoredRecording,
    signal: SignalConfig,
    background: int,
) -> Prediction:
    whole = recording.crop(0, recording.n_seconds)
    # All that a scorer asks of a runtime is `run`.
    scorer = SecondScorer(cast(Runtime, runtime), signal, background)
    windows = [*scorer.push(Conditioned(whole.eeg, whole.usable, {})), *scorer.close()]
    return Prediction(
        name=recording.name,
        dataset=recording.dataset,
        patient=recording.patient,
        kind=recording.kind,
        log_odds=np.concatenate([w.settled for w in windows]),
        ictal=whole.ictal,
        labelled=whole.labelled,
        seizures=tuple(recording.seizures),
    )
