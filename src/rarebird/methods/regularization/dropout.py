"""Dropout: one rate for all dropout layers of the network, in place of the network's own setting.

Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks from
overfitting", JMLR 2014: in training each unit is zeroed with probability `rate` and the others are scaled by ``1 / (1 -
rate)``.

*Helps when* rows are few and layers are wide, and the training loss ends far below the held-out loss.

*Does not help when* the network still underfits, or batch normalization follows the dropped units: its statistics then
differ between training and evaluation.

Cost: a random number per unit, and more steps to reach the same training loss.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from rarebird.core.checks import DataError
from rarebird.slots.hooks import Hook
from rarebird.slots.methods import Method
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Dropout(Method):
    """Settings of dropout.

    Attributes:
        rate: Probability that a unit becomes 0.
    """

    strength_field: ClassVar[str] = "rate"

    rate: Annotated[float, Float(0, 0.7)] = Field(default=0.3, ge=0, lt=1)

    def attach(self, network: nn.Module) -> Hook:
        """Set the layers' rate; the hook does nothing more.

        Raises:
            DataError: The network has no dropout layer.
        """
        set_rate(network, self.rate)
        return Hook()


def set_rate(network: nn.Module, rate: float) -> None:
    """Set the rate of all dropout layers of `network`.

    Raises:
        DataError: There is none.
    """
    layers = [module for module in network.modules() if isinstance(module, _DropoutNd)]
    if not layers:
        raise DataError(
            f"The {type(network).__name__} has no dropout layer, so dropout has no effect; remove it, or choose "
            "another network."
        )
    for layer in layers:
        layer.p = rate
