"""A configuration -> what the model costs, before anybody has trained it.

Builds the model, random weights and all, and counts. `detection.footprint` says the
same of a model folder, without torch.
"""

from __future__ import annotations

from typing import Final

import torch
from safetensors.torch import save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from distilclip_eeg.config import Config
from distilclip_eeg.detection.footprint import Footprint
from distilclip_eeg.eeg.montage import LEADS
from distilclip_eeg.model.distilclip import DistilCLIP
from distilclip_eeg.model_folder import ONNX, WEIGHTS
from distilclip_eeg.training.export import count_parameters, deployed
from distilclip_eeg.training.trained import trained_parameters

# What an ONNX file holds beside the weights (names, nodes, the filter bank, small
# tensors in f32): measured on towers of three and of six blocks.
GRAPH_BYTES: Final = 160_000
BLOCK_BYTES: Final = 24_000


def config_footprint(config: Config) -> Footprint:
    """Build the model that `config` means and count.

    The size of the ONNX file is estimated: exporting takes longer than all the rest.
    """
    model = DistilCLIP(config.model, config.signal).eval()
    module, prototypes = deployed(model)
    signal = config.signal
    eeg = torch.zeros(1, len(LEADS), signal.window_samples)
    usable = torch.ones(1, len(LEADS), signal.window_s)
    return Footprint(
        name=config.name,
        parameters=count_parameters(model),
        multiply_adds=multiply_adds(module, eeg, usable),
        window_s=signal.window_s,
        hop_s=signal.hop_s,
        n_classes=len(prototypes),
        embed_dim=config.model.embed_dim,
        files={WEIGHTS: weights_bytes(model), ONNX: onnx_bytes(model, config)},
        estimated=(ONNX,),
    )


@torch.no_grad()
def multiply_adds(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Count products that are summed in one call; twice as many are operations."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2


def weights_bytes(model: DistilCLIP) -> int:
    """Count the bytes of the model's own weights as fp16 safetensors, BERT left out."""
    return len(save({n: p.detach().half() for n, p in trained_parameters(model)}))


def onnx_bytes(model: DistilCLIP, config: Config) -> int:
    """Estimate the ONNX file: fp16 weights and the graph; good to one per cent."""
    n_weights = sum(p.numel() for p in model.eeg.parameters())
    return 2 * n_weights + GRAPH_BYTES + config.model.tower.depth * BLOCK_BYTES
