"""What optimizers share: groups of parameters, of which only weights decay, and the closure that computes a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from rarebird.core.checks import require
from rarebird.slots.weights import weights


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups: weights, which decay, and all others, which do not.

    Weights are matrices and kernels; biases, norms and other vectors are not. A group without parameters is left out.

    Raises:
        ValueError: No parameter is trainable.
    """
    decaying = {id(parameter) for parameter in weights(network)}
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    require(bool(trainable), "at least one trainable parameter", network=type(network).__name__)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if id(p) in decaying], "weight_decay": weight_decay},
        {"params": [p for p in trainable if id(p) not in decaying], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def fused(network: nn.Module) -> bool:
    """Whether torch's fused step works for all parameters: it is several times as fast as the plain one, on the CPU
    too. That of SGD knows no parameters that are divided among processes (FSDP2)."""
    return all(
        p.device.type in ("cpu", "cuda") and torch.is_floating_point(p) and not hasattr(p, "to_local")
        for p in network.parameters()
    )


def loss_of(closure: Callable[[], Any] | None) -> Any:
    """The loss that a step's closure computes, with gradients; None without a closure."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
