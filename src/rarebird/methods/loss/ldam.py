"""LDAM: rarer classes must be recognized with a larger margin.

Cao, Wei, Gaidon, Arechiga and Ma, "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS
2019: cross entropy in which the logit of a row's own class k is lowered by ``scale * m_k``; ``m_k = C / n_k^(1/4)`` is
the split of margins between classes that a generalization bound favors, and C makes the rarest class's margin
`max_margin`. The paper's full method re-weights the classes after the learning rate has dropped: that is the stage plan
``stages = "deferred"``, not part of this loss.

*Helps when* classes are skewed and the network fits its training rows anyway, with the plan ``deferred``.

*Does not help when* the classes are balanced (all margins are then equal), or when probabilities matter and no rows are
left to calibrate them.

Cost: cross entropy and two more passes over the logits.

Its logits have no known prior: the margin of a class acts only on rows of that class, so that the best logits are no
function of the prior times the likelihood; temperature, scale and bias correct them, fitted out of fold.

NOTE[DIFF]: in the paper logits are cosines between normalized features and weights, times `scale`. Here they are the
network's own, without that bound, and grow as large as the margin needs; the paper's scale works for them, too. A class
without training rows counts as one row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from rarebird.methods.loss._from_logits import FromLogits, at_least_one, known_counts, log_complement, log_probabilities
from rarebird.slots.methods import Method
from rarebird.slots.protocols import TargetStatistics
from rarebird.slots.ranges import Float

KINDS = ("image", "table", "series")


class Ldam(Method):
    """How large the margins are.

    Attributes:
        max_margin: Margin of the rarest class, before `scale`; 0 is cross entropy.
        scale: Factor of all margins, in units of the network's logits.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    per_row: ClassVar[bool] = True

    max_margin: Annotated[float, Float(0.1, 1)] = Field(default=0.5, ge=0, le=10)
    scale: Annotated[float, Float(3, 60, log=True)] = Field(default=30.0, gt=0, le=200)

    @classmethod
    def neutral(cls) -> Self:
        """Cross entropy."""
        return cls(max_margin=0.0)

    @classmethod
    def examples(cls) -> list[Self]:
        """The paper's, cross entropy, and margins of a few units."""
        return [cls(), cls(max_margin=0.0), cls(max_margin=0.3, scale=5.0)]

    def build(self, targets: TargetStatistics) -> nn.Module:
        """The loss as a module."""
        return FromLogits(ldam, margins=self.scale * margins(known_counts(targets, self.name), self.max_margin))

    def prior_factor(self, targets: TargetStatistics) -> np.ndarray | None:
        """None, as margins have no prior; ones without margins."""
        return np.ones(len(known_counts(targets, self.name))) if self.max_margin == 0 else None


def margins(class_counts: np.ndarray, max_margin: float) -> np.ndarray:
    """``(n_classes,)`` margins in inverse proportion to the fourth root of the counts, the largest being
    `max_margin`."""
    inverse = at_least_one(class_counts) ** -0.25
    scaled: np.ndarray = max_margin * inverse / inverse.max()
    return scaled


def ldam(logits: Tensor, y: Tensor, margins: Tensor) -> Tensor:
    """Cross entropy of class k with logit k lowered by ``margins[k]``, ``(batch, n_classes) x (batch, n_classes) ->
    (batch,)``.

    The softmax of one class against the rest is the sigmoid of its log-odds, from which the margin is subtracted.
    """
    log_p = log_probabilities(logits)
    log_odds = log_p - log_complement(log_p)
    return (y * softplus(margins - log_odds)).sum(dim=1)
