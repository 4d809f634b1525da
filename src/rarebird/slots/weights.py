"""Which parameters of a network are weights, so that decay and penalties may shrink them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def weights(network: nn.Module) -> list[nn.Parameter]:
    """The matrices and kernels of a network, frozen ones included.

    Not among them are parameters of one dimension or none, biases (those of batched layers have two dimensions), and
    parameters of normalization layers: shrinking them would limit what the network can express, not how complex it is.
    """
    norms = {id(p) for module in network.modules() if _is_norm(module) for p in module.parameters(recurse=False)}
    return [
        parameter
        for name, parameter in network.named_parameters()
        if parameter.ndim >= 2 and "bias" not in name.rpartition(".")[2] and id(parameter) not in norms
    ]


def _is_norm(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__
