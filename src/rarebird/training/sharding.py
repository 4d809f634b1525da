"""A network whose weights, gradients and optimizer states are divided among the ranks, for backbones of which one
device holds one copy, but not four: torch's FSDP2 (`fully_shard`).

Zhao et al., "PyTorch FSDP: experiences on scaling fully sharded data parallel", VLDB 2023; Rajbhandari, Rasley, Ruwase
and He, "ZeRO: memory optimizations toward training trillion parameter models", SC 2020. A block's weights are put
together for its forward and its backward pass alone. Gradients are sums over the ranks, as without it
(`training/distributed.py`). For evaluations, checkpoints and at the end the whole network is put together, so that what
is saved is a network like any other.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.training import distributed
from rarebird.training.recomputation import blocks

# Methods that look at each number by itself, or not at the weights at all.
OPTIMIZERS = ("adam", "adamw", "sgd")
REGULARIZERS = ("dropout", "stochastic_depth", "label_smoothing", "gradient_clipping", "early_stopping")


class Sharding:
    """A network that is divided among the ranks, and a whole copy, which is on the CPU while it is not used.

    Args:
        network: On the rank's device; it is divided in place.
        device: The device.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import FSDPModule, fully_shard

        self.device, self.whole = device, copy.deepcopy(network).cpu()
        mesh = init_device_mesh(torch.device(device).type, (distributed.count(),))
        self.network = network.to(memory_format=torch.contiguous_format)
        for module in [*blocks(self.network), self.network]:
            fully_shard(module, mesh=mesh)
        for module in self.network.modules():
            if isinstance(module, FSDPModule):
                # Losses are divided by the rows of the whole batch already.
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    @torch.no_grad()
    def gathered(self) -> nn.Module:
        """The whole network with the present weights, on the device; all ranks must call it together."""
        self.whole.to(self.device)
        for whole, own in zip(_numbers(self.whole), _numbers(self.network), strict=True):
            whole.copy_(own.full_tensor() if hasattr(own, "full_tensor") else own)
        return self.whole.train(self.network.training)

    def release(self) -> None:
        """Take the whole network off the device."""
        self.whole.cpu()


def _numbers(network: nn.Module) -> list[Any]:
    return [*network.parameters(), *network.buffers()]


def local(values: Any) -> Any:
    """This rank's part of a divided tensor; any other value as it is."""
    return values.to_local() if hasattr(values, "to_local") else values


def divided_like(part: Tensor, parameter: Any) -> Tensor:
    """A rank's part of numbers as a tensor that is divided as a parameter is."""
    from torch.distributed.tensor import DTensor

    mesh, places = parameter.device_mesh, parameter.placements
    return DTensor.from_local(part, mesh, places, shape=parameter.shape, stride=parameter.stride())


def check_sharded(recipe: Recipe) -> None:
    """Check that a recipe's training can be divided.

    Raises:
        DataError: It has one device, or a method that needs whole weights.
    """
    if not recipe.sharded:
        return
    if distributed.count() == 1:
        raise DataError(
            "sharded=true divides a network's weights among devices, but there is only one; give --devices 2, or "
            "leave it out."
        )
    stages = recipe.stages
    optimizers = [recipe.optimizer.name, *(one.overrides.get("optimizer", {}).get("name") for one in stages)]
    unfit = [f"optimizer={name}" for name in optimizers if name not in (None, *OPTIMIZERS)]
    unfit += [one.name for one in recipe.regularization if one.name not in REGULARIZERS]
    unfit += [one.name for one in recipe.augmentation if getattr(one, "on_features", False)]
    unfit += ["a stage that trains a part of the network" for one in stages if one.trainable != "all"]
    unfit += ["a stage with a new head" for one in stages if one.reset_head]
    unfit += ["a quantization-aware stage" for one in stages if one.quantization_aware]
    if unfit:
        raise DataError(f"sharded=true does not serve {unfit[0]}, which needs whole weights; leave out one of the two.")
