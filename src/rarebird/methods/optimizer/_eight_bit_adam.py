"""Adam and AdamW whose running means are kept in 8 bits: two bytes per parameter in place of eight.

The step is torch's; between steps the mean of the gradient and the root of the mean of its square are codes
(`_eight_bit_states.py`). Tensors of fewer than 4096 numbers stay in float32, as in the paper: they are norms and
biases, which need the digits and little memory.

NOTE[DIFF]: the root of the second mean is kept, not the mean itself, whose numbers are spread over twice as many
decades.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rarebird.methods.optimizer._eight_bit_states import BLOCK, packed, unpacked
from rarebird.methods.optimizer._parameter_groups import loss_of

# Tensors of fewer numbers stay in float32.
SMALLEST = 4096
# Numbers that are computed at once: on a CPU what stays in its caches, on a GPU what keeps it busy.
CPU_CHUNK, GPU_CHUNK = 64 * BLOCK, 8192 * BLOCK
EPSILON = 1e-8


class EightBitAdam(torch.optim.Optimizer):
    """Adam with states in 8 bits.

    Args:
        groups: Groups of parameters.
        learning_rate, betas: As of torch's.
        decoupled: Decay of weights as in AdamW; else it is part of the gradient, as in Adam.
    """

    def __init__(
        self, groups: list[dict[str, Any]], learning_rate: float, betas: tuple[float, float], decoupled: bool
    ) -> None:
        super().__init__(groups, {"lr": learning_rate, "betas": betas})
        self.decoupled, self.steps = decoupled, 0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns the loss that `closure` gives."""
        loss = loss_of(closure)
        self.steps += 1
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        own, gradient = (own_part(one) for one in (parameter, parameter.grad))
        weights, gradient = in_memory_order(own, own), in_memory_order(gradient, own)
        state = self.state[parameter]
        if len(weights) < SMALLEST:
            if not state:
                state |= {"mean": torch.zeros_like(weights), "root": torch.zeros_like(weights)}
            self._updated(weights, gradient, state["mean"], state["root"], group)
            return
        if not state:
            state |= _empty(weights)
        size = CPU_CHUNK if weights.device.type == "cpu" else GPU_CHUNK
        for start in range(0, len(weights), size):
            part, blocks = slice(start, start + size), slice(start // BLOCK, (start + size) // BLOCK)
            mean = unpacked(state["mean"][part], state["mean_scales"][blocks], signed=True)
            root = unpacked(state["root"][part], state["root_scales"][blocks], signed=False)
            self._updated(weights[part], gradient[part], mean, root, group)
            state["mean"][part], state["mean_scales"][blocks] = packed(mean, True, self.steps)
            state["root"][part], state["root_scales"][blocks] = packed(root, False, self.steps)

    def _updated(self, weights: Tensor, gradient: Tensor, mean: Tensor, root: Tensor, group: dict[str, Any]) -> None:
        """The step of some numbers; weights, mean and root change in place."""
        rate, decay, (beta1, beta2) = group["lr"], group["weight_decay"], group["betas"]
        if self.decoupled:
            weights.mul_(1 - rate * decay)
        elif decay:
            gradient = gradient.add(weights, alpha=decay)
        mean.lerp_(gradient, 1 - beta1)
        root.square_().mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2).sqrt_()
        first, second = 1 - beta1**self.steps, 1 - beta2**self.steps
        weights.addcdiv_(mean, root.div(second**0.5).add_(EPSILON), value=-rate / first)


def own_part(values: Any) -> Tensor:
    """This process's part of a tensor that is divided among several (FSDP2); any other tensor itself."""
    part: Tensor = values.to_local() if hasattr(values, "to_local") else values
    return part


def in_memory_order(values: Tensor, like: Tensor) -> Tensor:
    """The numbers of a tensor, flat, in the order of the memory of `like`; a view where it has this order itself."""
    strides = like.stride()
    order = sorted(range(like.ndim), key=lambda axis: -strides[axis])
    return values.permute(order).reshape(-1)


def _empty(weights: Tensor) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, signed in (("mean", True), ("root", False)):
        state[name], state[f"{name}_scales"] = packed(torch.zeros_like(weights), signed, 0)
    return state
