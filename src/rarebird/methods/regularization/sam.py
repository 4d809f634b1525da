"""SAM: each step takes the gradient at the worst weights nearby, and so finds minima with a flat neighborhood.

Foret, Kleiner, Mobahi and Neyshabur, "Sharpness-aware minimization for efficiently improving generalization", ICLR
2021: ``w <- w - step of the gradient at w + radius * g / ||g||``, where g is the gradient at w. The adaptive form
(Kwon, Kim, Park and Choi, "ASAM", ICML 2021) measures the neighborhood in units of each weight, so that scaling a layer
changes nothing: ``w + radius * T ** 2 g / ||T g||`` with ``T = |w| + 0.01``.

*Helps when* classes are long-tailed and there is time for more steps: the minima of rare classes are the sharp ones
(Rangwani et al., "Escaping saddle points for effective generalization on class-imbalanced data", NeurIPS 2022, with
deferred re-weighting).

*Does not help when* time is short: one step takes as long as two.

Cost: every step computes the network forward and backward twice.

NOTE[DIFF]: T is 1 for biases and norms. Both passes use the same dropout masks; only the first one updates the running
statistics of batch normalization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.slots.hooks import Hook, TrainState
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Choice, Float
from rarebird.slots.weights import weights

KINDS = ("image", "table", "series")
# Added to the size of a weight, so that weights at zero have a neighborhood, too (Kwon's eta).
SMALLEST = 0.01


class Sam(Method):
    """The neighborhood.

    Attributes:
        radius: Radius of the neighborhood; the adaptive form needs one 10 to 40 times as large.
        adaptive: Whether distances are measured in units of each weight.
    """

    strength_field: ClassVar[str] = "radius"

    radius: Annotated[float, Float(0.01, 2.0, log=True)] = Field(default=0.05, gt=0)
    adaptive: Annotated[bool, Choice(True, False)] = False

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(radius=0.5, adaptive=True)]

    def attach(self, network: nn.Module) -> Hook:
        """The hook that puts the second pass around the optimizer."""
        return _Around(self.radius, self.adaptive)


@torch.no_grad()
def ascent(parameters: list[nn.Parameter], scales: list[Tensor] | None, radius: float) -> list[Tensor]:
    """The way from each parameter to the worst point of the neighborhood, by the current gradients.

    Args:
        parameters: Those that have a gradient.
        scales: T for each of them; None for T = 1.
        radius: Length of the way, in units of T.
    """
    gradients: list[Tensor] = [p.grad for p in parameters if p.grad is not None]
    scaled = gradients if scales is None else torch._foreach_mul(gradients, scales)
    length = torch.stack(torch._foreach_norm(scaled)).norm() + 1e-12
    ways = torch._foreach_mul(scaled, radius / length)
    return list(ways if scales is None else torch._foreach_mul(ways, scales))


class _Around(Hook):
    """Wraps the optimizer in two passes."""

    def __init__(self, radius: float, adaptive: bool) -> None:
        self.radius, self.adaptive = radius, adaptive
        self.network: nn.Module | None = None

    def around(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return TwoPasses(optimizer, self)

    def after_backward(self, state: TrainState) -> None:
        # Set by the first pass, as a copied hook belongs to a copied network.
        self.network = state.network


class TwoPasses(torch.optim.Optimizer):
    """Computes the closure at the weights and at the worst ones nearby, and lets the inner optimizer step by the second
    gradient."""

    def __init__(self, inner: torch.optim.Optimizer, hook: _Around) -> None:
        super().__init__(inner.param_groups, {})
        self.inner, self.hook = inner, hook
        # The training loop sets the learning rates of these groups.
        self.param_groups, self.state = inner.param_groups, inner.state

    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """One step; returns the loss of the first pass."""
        device = self.param_groups[0]["params"][0].device
        random_state = torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            torch._foreach_add_(parameters, ascent(parameters, self._scales(parameters), self.hook.radius))
        torch.set_rng_state(random_state[0])
        if random_state[1] is not None:
            torch.cuda.set_rng_state(random_state[1], device)
        try:
            with frozen_statistics(self.hook.network):
                closure()
        finally:
            # Also after an out-of-memory error in the second pass, as the training loop tries again.
            with torch.no_grad():
                torch._foreach_copy_(parameters, before)
        self.inner.step()
        return loss

    def _scales(self, parameters: list[nn.Parameter]) -> list[Tensor] | None:
        """Kwon's T for each parameter, None where it is 1 for all."""
        if not self.hook.adaptive or self.hook.network is None:
            return None
        scaled = {id(weight) for weight in weights(self.hook.network)}
        return [p.detach().abs() + SMALLEST if id(p) in scaled else torch.ones_like(p) for p in parameters]

    def train(self) -> None:
        """Passed on to an inner optimizer that averages weights."""
        getattr(self.inner, "train", lambda: None)()

    def eval(self) -> None:
        """Passed on to an inner optimizer that averages weights."""
        getattr(self.inner, "eval", lambda: None)()


@contextmanager
def frozen_statistics(network: nn.Module | None) -> Iterator[None]:
    """Batch normalization normalizes by its batch as usual, but does not update its running statistics."""
    modules = () if network is None else network.modules()
    updating = [
        module
        for module in modules
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    for module in updating:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in updating:
            module.track_running_stats = True
