"""Logits of many rows, in float32 whatever the training's precision was, so that a fresh process gives the same numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from rarebird.protocols import Inputs
from rarebird.training.batches import ready
from rarebird.training.device import Placement

BATCH = 512


@torch.inference_mode()
def logits(network: nn.Module, inputs: Inputs, device: str = "cpu", batch_size: int = BATCH) -> np.ndarray:
    """``(n, n_outputs)`` float64 of the network in evaluation mode; its training mode is restored."""
    was_training = network.training
    network.eval()
    placement = Placement(device)
    n = len(next(iter(inputs.values())))
    parts = []
    try:
        for start in range(0, n, batch_size):
            x = ready({name: part[start : start + batch_size] for name, part in inputs.items()}, placement)
            parts.append(network(x).float().cpu())
    finally:
        network.train(was_training)
    return torch.cat(parts).double().numpy()
