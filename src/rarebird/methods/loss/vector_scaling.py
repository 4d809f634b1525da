"""Vector scaling: logits of rarer classes are scaled down and shifted in training, so that they must grow larger.

Kini, Paraskevas, Oymak and Thrampoulidis, "Label-imbalanced and group-sensitive classification under
overparameterization", NeurIPS 2021: ``cross_entropy(d * logits + tau log prior, y)`` with ``d_k = (n_k / max
n)^gamma``. The shift is that of `logit_adjusted`; it helps early in training and changes the prior; the factors act at
the end, when every training row is fitted and a shift alone no longer moves the boundary.

*Helps when* classes are skewed and the network trains long past fitting every row.

*Does not help when* the training is short or the network small: then only the shift has an effect, as in
`logit_adjusted`.

Cost: that of cross entropy.

The prior factor is known at ``gamma = 0``, where it is that of `logit_adjusted`; otherwise the logits have a scale per
class, which is no prior.

NOTE[DIFF]: the factors multiply the logits less their mean over the classes, as a constant added to all logits does not
change a softmax, but would with factors (a row of a frequent class could be fitted by raising all its logits). For two
classes and a single output, as in the paper's theory, that is the same. A class without training rows counts as one
row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.methods.loss._class_weights import normalized
from rarebird.methods.loss._from_logits import FromLogits, at_least_one, known_counts
from rarebird.methods.loss.cross_entropy import cross_entropy
from rarebird.methods.loss.logit_adjusted import log_prior
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class VectorScaling(Method):
    """How much the logits of rarer classes are scaled down and shifted.

    Attributes:
        gamma: Power of the class frequencies in the factors; 0 is `logit_adjusted`.
        tau: How much of the prior is removed from the logits; at 0 only the factors act.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    gamma: Annotated[float, Float(0, 0.3)] = Field(default=0.1, ge=0, le=2)
    tau: Annotated[float, Float(0, 2)] = Field(default=1.0, ge=0, le=10)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(gamma=0.0, tau=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default, cross entropy, and either part alone."""
        return [cls(), cls(gamma=0.0, tau=0.0), cls(gamma=0.0), cls(gamma=0.3, tau=0.0)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        counts = at_least_one(known_counts(targets, self.name))
        return FromLogits(
            vector_scaling, factors=(counts / counts.max()) ** self.gamma, offsets=self.tau * log_prior(counts)
        )

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """``prior^-tau`` without factors, scaled to mean 1 over the training rows; None with them."""
        counts = known_counts(targets, self.name)
        return normalized(np.exp(-self.tau * log_prior(counts)), counts) if self.gamma == 0 else None


def vector_scaling(logits: Tensor, y: Tensor, factors: Tensor, offsets: Tensor) -> Tensor:
    """Cross entropy of scaled and shifted logits, ``(batch, n_classes) x (batch, n_classes) x 2 (n_classes,) ->
    (batch,)``."""
    lifted = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return cross_entropy(factors * (lifted - lifted.mean(dim=1, keepdim=True)) + offsets, y)
