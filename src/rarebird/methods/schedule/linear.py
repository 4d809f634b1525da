"""Linear: the learning rate rises quickly, then falls on a straight line to the end of the training.

Defazio, Cutkosky, Mehta and Mishchenko, "Optimal linear decay learning rate schedules and further refinements", 2023,
who find it best in theory for the last weights, and as good as the cosine or better in practice; warm-up from Goyal et
al., "Accurate, large minibatch SGD", 2017.

*Helps when* the length of the training is known and short: it spends fewer steps at the highest rates than the cosine,
and fewer at rates near 0.

*Does not help when* training may end before the planned steps.

Cost: nothing.
"""

from __future__ import annotations

from rarebird.methods.schedule._fall import Fall

KINDS = ("image", "table", "series")


class Linear(Fall):
    """Settings: `warm_up`, the share of the steps over which the rate rises, and `final_factor`, the last rate."""

    def fall(self, share: float) -> float:
        """A straight line."""
        return 1 - (1 - self.final_factor) * share
