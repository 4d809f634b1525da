"""Low-rank adapters: beside each frozen linear layer of a body a product of two narrow matrices learns, and joins the
layer's weights at the end, so that the trained network is one like any other.

Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.utils import parametrize

from rarebird.core.checks import DataError

# The product counts this number of times: alpha / rank of the paper, which suggests alpha = 2 rank.
SCALE = 2.0
# The usual rank.
RANK = 8


class LowRank(nn.Module):
    """A layer's weights ``(outer, inner)`` plus a product of rank `rank`, which is 0 at first."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outer, inner = weight.shape
        self.down = nn.Parameter(weight.new_empty(rank, inner))
        self.up = nn.Parameter(weight.new_zeros(outer, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + SCALE * (self.up @ self.down)


def add(network: nn.Module, rank: int) -> None:
    """Put an adapter beside each linear layer of the body that is wider than twice the rank on both sides.

    Raises:
        DataError: There is no such layer.
    """
    layers = [layer for layer in _linear_layers(network) if min(layer.weight.shape) > 2 * rank]
    if not layers:
        raise DataError(
            f"trainable=adapters needs a network with linear layers in its body that are wider than {2 * rank} "
            "numbers, such as a transformer; take another plan of stages, or a smaller rank."
        )
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight.detach(), rank))


def merge(network: nn.Module) -> None:
    """Add what the adapters learned to the weights of their layers, and remove the adapters."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)


def parameters(network: nn.Module) -> list[nn.Parameter]:
    """The parameters of the adapters."""
    return [one for module in network.modules() if isinstance(module, LowRank) for one in module.parameters()]


def _linear_layers(network: nn.Module) -> Iterator[nn.Linear]:
    """Plain linear layers before the head; a layer that computes in its own way may not call its weights."""
    head = {id(module) for module in network.head.modules()}  # type: ignore[union-attr]
    for module in network.modules():
        if type(module) is nn.Linear and id(module) not in head:
            yield module
