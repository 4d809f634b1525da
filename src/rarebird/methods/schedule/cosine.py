"""Cosine: the learning rate rises quickly, then falls along half a cosine to the end of the training.

Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without restarts; warm-up from
Goyal et al., "Accurate, large minibatch SGD", 2017.

*Helps when* the length of the training is known, as it is here: at the low rates of the last third the weights
converge.

*Does not help when* training may end before the planned steps.

Cost: nothing.
"""

from __future__ import annotations

import math

from rarebird.methods.schedule._fall import Fall

KINDS = ("image", "table", "series")


class Cosine(Fall):
    """Settings: `warm_up`, the share of the steps over which the rate rises, and `final_factor`, the last rate."""

    def fall(self, share: float) -> float:
        """Half a cosine."""
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * share)) / 2
