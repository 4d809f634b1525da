"""Constant: one learning rate from the first step to the last.

The textbook's setting (Robbins and Monro, "A stochastic approximation method", 1951, show why rates should fall to converge).

*Helps when* weights are averaged anyway (`ema`), or to see what a schedule is worth.

*Does not help when* the last weights are used as they are: they keep jumping about the minimum.

Cost: nothing.
"""

from __future__ import annotations

from rarebird.checks import require
from rarebird.methods import Method

KINDS = ("image", "table", "series")


class Constant(Method):
    """Nothing to set."""

    def __call__(self, progress: float) -> float:
        """1 at every `progress`, 0..1."""
        require(0 <= progress <= 1, "0 <= progress <= 1", progress=progress)
        return 1.0
