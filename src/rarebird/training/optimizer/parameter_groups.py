"""Which parameters weight decay may shrink: matrices and kernels, never biases, norms or other vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from rarebird.checks import require


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in a decayed and a spared group, each only where it has a member.

    Spared are parameters of one dimension or none, every parameter called a bias (batched layers have biases of two dimensions), and all of
    normalization layers: shrinking those limits what the network can express instead of how complex it is.

    Raises:
        ValueError: Nothing is trainable.
    """
    spared_ids = {id(p) for module in network.modules() if _is_norm(module) for p in module.parameters(recurse=False)}
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            spare = parameter.ndim < 2 or "bias" in name.rpartition(".")[2] or id(parameter) in spared_ids
            (spared if spare else decayed).append(parameter)
    require(bool(decayed or spared), "at least one trainable parameter", network=type(network).__name__)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def fused(network: nn.Module) -> bool:
    """Whether torch's fused step serves all parameters: it is several times as fast as the plain one, on the CPU too."""
    return all(p.device.type in ("cpu", "cuda") and torch.is_floating_point(p) for p in network.parameters())


def _is_norm(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__
