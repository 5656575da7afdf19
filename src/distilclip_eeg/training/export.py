"""A trained run -> a model folder that runs without torch.

Weights are rounded to fp16 first, so that the ONNX file (weights kept in fp16, widened
on loading) and the safetensors hold the very same numbers. BERT is named, not copied.
"""

from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from distilclip_eeg import __version__
from distilclip_eeg.config import Config
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.model.distilclip import DistilCLIP, EEGEncoder
from distilclip_eeg.model_folder import (
    ConfidenceScale,
    FolderConfig,
    ModelFolder,
    OperatingPoint,
    SignalContract,
    write_folder,
)
from distilclip_eeg.training.narrowing import narrowed
from distilclip_eeg.training.run_folder import load_run
from distilclip_eeg.training.trained import load_trained

ONNX_OPSET = 18
OUTPUTS = ("window_embedding", "second_embedding", "window_logits", "second_logits")


class Deployed(nn.Module):
    """Tower, projections and class vectors: the part of a model that is shipped."""

    classes: Tensor

    def __init__(self, encoder: EEGEncoder, prototypes: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("classes", (scale * prototypes).T.contiguous())

    def forward(self, eeg: Tensor, usable: Tensor) -> tuple[Tensor, ...]:
        """(B, 18, T), (B, 18, S) -> `OUTPUTS`, in that order."""
        window, seconds = self.encoder(eeg, usable)
        return window, seconds, window @ self.classes, seconds @ self.classes


def deployed(model: DistilCLIP) -> tuple[Deployed, Tensor]:
    """Return the shipped part and the class vectors (K, D) it holds."""
    with torch.no_grad():
        prototypes = model.prototypes().half().float()
        return Deployed(model.eeg, prototypes, model.logit_scale).eval(), prototypes


def export(
    run: Path,
    folder: Path,
    *,
    card: str,
    example: tuple[NDArray[np.float32], NDArray[np.float32]],
    chosen: Config | None = None,
    operating_points: tuple[OperatingPoint, ...] = (),
    measured_on: str = "",
    confidence: ConfidenceScale | None = None,
    force: bool = False,
) -> ModelFolder:
    """Write the model folder of a run.

    Parameters
    ----------
    card
        Text of the model card.
    example
        Windows (B, 18, T) microvolts and (B, 18, S) for the test vector.
    chosen
        Whose detection settings and hop count, chosen after training; those of the run
        if not given.
    confidence
        What makes the mean probability of an event's seconds a probability that it is
        a seizure; without it the mean is its confidence.
    """
    config, model = load_trained(run)
    config = chosen or config
    module, prototypes = deployed(model)
    eeg, usable = (torch.from_numpy(part) for part in example)
    with torch.no_grad():
        outputs = dict(zip(OUTPUTS, module(eeg, usable), strict=True))
    _, weights = load_run(run)
    settings = FolderConfig(
        name=config.name,
        package_version=__version__,
        signal=SignalContract.of(config.signal),
        classes=config.model.classes,
        logit_scale=model.logit_scale.item(),
        embed_dim=config.model.embed_dim,
        detection=config.detection,
        false_alarms_per_day=operating_points,
        measured_on=measured_on,
        bert=model.text.bert_identity(),
        n_parameters=count_parameters(model),
        confidence=confidence,
    )
    return write_folder(
        folder,
        settings,
        onnx=narrowed(to_onnx(module, config)),
        weights=save({name: value.half() for name, value in weights.items()}),
        prototypes=prototypes.numpy(),
        test_vector={
            "eeg": example[0],
            "usable": example[1],
            "window_logits": outputs["window_logits"].numpy(),
            "second_logits": outputs["second_logits"].numpy(),
        },
        card=card,
        force=force,
    )


def count_parameters(model: DistilCLIP) -> dict[str, int]:
    """Return the numbers in each part: EEG encoder, BERT, prompts, projection."""
    eeg = sum(p.numel() for p in model.eeg.parameters())
    text = model.text.n_parameters()
    return {"eeg": eeg, **text, "total": eeg + sum(text.values()) + 1}


def to_onnx(module: Deployed, config: Config) -> onnx.ModelProto:
    """Trace the shipped part; the number of windows stays free."""
    n_leads, signal = len(LEADS), config.signal
    eeg = torch.zeros(2, n_leads, signal.window_samples)
    usable = torch.ones(2, n_leads, signal.window_s)
    batch = torch.export.Dim("B")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():  # about torch's own insides, not about this model
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (eeg, usable),
            input_names=["eeg", "usable"],
            output_names=list(OUTPUTS),
            dynamic_shapes={"eeg": {0: batch}, "usable": {0: batch}},
            opset_version=ONNX_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    buffer = io.BytesIO()
    onnx.save(program.model_proto, buffer)
    return onnx.load_from_string(buffer.getvalue())
