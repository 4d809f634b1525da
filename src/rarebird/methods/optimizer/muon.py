"""Muon: hidden layers take orthogonal steps, so that all directions of a layer learn equally fast; AdamW does the rest.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is scalable for LLM
training", 2025, which gives the size of a step: ``w <- w - rate * (0.2 * sqrt(max(rows, columns)) *
orthogonalized(momentum) + decay * w)``, whose entries are about as large as AdamW's steps, so that one rate and one
decay fit both. Orthogonalized means that all singular values become about 1, by five rounds of a matrix polynomial
(Newton-Schulz) in bfloat16.

*Helps when* the network has wide hidden layers and many steps: transformers, deep convolutional networks.

*Does not help when* layers are narrow or few, so that most weights are in the first and last layer. Nor, on a CPU, for
wide layers and small batches, where it takes longer than the network.

Cost: one number kept per weight of the hidden layers; about ``30 * rows * columns * min(rows, columns)``
multiplications per layer and step, whatever the batch. On one CPU core the step added 9 ms to the 173 ms of forward and
backward of `resnet` (64 pictures of 28 px), but 21 ms to the 3.5 ms of `mlp` (128 rows).

NOTE[DIFF]: kernels of convolutions count as matrices (outputs, inputs times kernel), as Jordan does for pictures. AdamW
trains the first and the last layer, recurrent and embedding weights, batched layers, kernels in groups and all vectors;
biases, norms and other vectors do not decay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.optimizer._parameter_groups import fused, loss_of, parameter_groups
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Muon(Method):
    """Settings of the optimizer.

    Attributes:
        learning_rate: Highest rate of the schedule, for both parts.
        weight_decay: Share of a weight that is subtracted per step at learning rate 1.
        momentum: Decay of the running mean of the hidden layers' gradient; it is Nesterov's momentum.
        beta1, beta2: Decay of the running means of AdamW.
    """

    learning_rate: Annotated[float, Float(1e-4, 1e-2, log=True)] = Field(default=1e-3, gt=0)
    weight_decay: Annotated[float, Float(1e-4, 0.5, log=True)] = Field(default=0.01, ge=0)
    momentum: Annotated[float, Float(0.8, 0.98)] = Field(default=0.95, ge=0, lt=1)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(weight_decay=0.0, momentum=0.9)]

    def build(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of the network's trainable parameters."""
        groups = parameter_groups(network, self.weight_decay)
        hidden = hidden_weights(network)
        in_hidden = {id(weight) for weight in hidden}
        others = [group | {"params": [p for p in group["params"] if id(p) not in in_hidden]} for group in groups]
        return OrthogonalSteps(self, hidden, [group for group in others if group["params"]], fused(network))


def hidden_weights(network: nn.Module) -> list[nn.Parameter]:
    """Trainable weights of the linear layers and convolutions between the first layer with weights and the last one,
    which is `head` if the network has it."""
    layers = [
        m for m in network.modules() if not any(m.children()) and any(p.ndim >= 2 for p in m.parameters(recurse=False))
    ]
    first, last = layers[0], getattr(network, "head", layers[-1])
    found: list[nn.Parameter] = []
    for layer in layers:
        if (
            isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
            and layer not in (first, last)
            and getattr(layer, "groups", 1) == 1
        ):
            assert isinstance(layer.weight, nn.Parameter)
            found += [layer.weight] if layer.weight.requires_grad else []
    return found


def as_matrix(kernel: Tensor, like: Tensor) -> Tensor:
    """``(outputs, inputs, ...)`` as ``(outputs, inputs * ...)``, columns in the order of the memory of `like`."""
    stride = like.stride()
    return kernel.permute(0, *sorted(range(1, kernel.ndim), key=lambda axis: -stride[axis])).flatten(1)


class OrthogonalSteps(torch.optim.Optimizer):
    """torch's Muon for the hidden weights as matrices, and AdamW for the other groups, with one list of groups for
    both."""

    def __init__(
        self, settings: Muon, hidden: list[nn.Parameter], others: list[dict[str, Any]], is_fused: bool
    ) -> None:
        first: list[dict[str, Any]] = [{"params": hidden, "weight_decay": settings.weight_decay}] if hidden else []
        super().__init__([*first, *others], {"lr": settings.learning_rate})
        self.hidden = hidden
        self.inner: list[torch.optim.Optimizer] = []
        if hidden:
            # Views of the kernels, also in channels-last layout: torch's Muon changes the network through them.
            self.matrices = [nn.Parameter(as_matrix(weight.detach(), like=weight)) for weight in hidden]
            assert all(
                matrix.data_ptr() == weight.data_ptr() for matrix, weight in zip(self.matrices, hidden, strict=True)
            )
            self.inner.append(
                torch.optim.Muon(
                    self.matrices,
                    weight_decay=settings.weight_decay,
                    momentum=settings.momentum,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        if others:
            betas = (settings.beta1, settings.beta2)
            self.inner.append(
                torch.optim.AdamW([dict(group) for group in others], betas=betas, fused=True if is_fused else None)
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns the loss that `closure` gives."""
        loss = loss_of(closure)
        inner_groups = [group for optimizer in self.inner for group in optimizer.param_groups]
        for ours, theirs in zip(self.param_groups, inner_groups, strict=True):
            theirs["lr"] = ours["lr"]
        if self.hidden:
            for weight, matrix in zip(self.hidden, self.matrices, strict=True):
                matrix.grad = None if weight.grad is None else as_matrix(weight.grad, like=weight)
        for optimizer in self.inner:
            optimizer.step()
        return loss
