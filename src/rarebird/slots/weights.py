"""Which parameters of a network are weights: what decay and penalties may shrink."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def weights(network: nn.Module) -> list[nn.Parameter]:
    """The matrices and kernels of a network, frozen ones included.

    Left out are parameters of one dimension or none, every parameter called a bias (batched layers have biases of two
    dimensions), and all of normalization layers: shrinking those limits what the network can express instead of how
    complex it is.
    """
    norms = {id(p) for module in network.modules() if _is_norm(module) for p in module.parameters(recurse=False)}
    return [
        parameter
        for name, parameter in network.named_parameters()
        if parameter.ndim >= 2 and "bias" not in name.rpartition(".")[2] and id(parameter) not in norms
    ]


def _is_norm(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__
