"""Stochastic depth: residual branches are skipped at random for each row, deeper ones more often.

Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", ECCV 2016: branch l of L is skipped with
probability ``rate * l / L``, and kept ones are scaled by 1 over their probability.

*Helps when* a deep residual network or transformer memorizes few rows.

*Does not help when* the network is shallow: then each branch is needed.

Cost: one random number per row and branch.

NOTE[DIFF]: each row of a batch has its own draw, where the paper drops a branch for the whole batch; so no computation
is saved.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn

from rarebird.core.checks import DataError
from rarebird.slots.hooks import Hook, SkippableBranch
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class StochasticDepth(Method):
    """How often branches are skipped.

    Attributes:
        rate: Probability that the last branch is skipped; it grows linearly from the first branch to the last.
    """

    strength_field: ClassVar[str] = "rate"

    rate: Annotated[float, Float(0, 0.5)] = Field(default=0.1, ge=0, lt=1)

    def attach(self, network: nn.Module) -> Hook:
        """Set the branches' rates; the hook does nothing more.

        Raises:
            DataError: The network has no branches that can be skipped.
        """
        set_rates(network, self.rate)
        return Hook()


def set_rates(network: nn.Module, rate: float) -> None:
    """Set the rates of the residual branches of `network`: they grow linearly with the depth up to `rate`.

    Raises:
        DataError: There are none.
    """
    branches = [module for module in network.modules() if isinstance(module, SkippableBranch)]
    if not branches:
        raise DataError(
            f"The {type(network).__name__} has no residual branch to skip, so stochastic_depth has no effect; remove "
            "it, or choose transformer, resnet (pictures) or inception_time (series)."
        )
    for place, branch in enumerate(branches, start=1):
        branch.skip_rate = rate * place / len(branches)
