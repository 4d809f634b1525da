"""Draw new rows from a mixture of simple distributions of each class, fitted by expectation-maximization.

Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm" (JRSS B 1977); for numbers and
categories together: Hunt and Jorgensen, "Mixture model clustering of data sets with categorical and continuous
variables" (1996). Within a component all columns are independent: a Gaussian for each number, after a power
transformation of its column, and a table of shares for each category: ``p(x | class) = sum_k pi_k prod_j N(x_j; mu_kj,
s_kj) prod_c theta_kc[x_c]``. The number of components is chosen by the Bayesian information criterion.

*Helps when* a class forms a few compact groups: it is the floor that every network of this slot must beat.
*Does not help when* columns depend on each other in other ways than through groups, and the class has too few rows for
many groups: its new rows are then less dependent than real ones.
*Cost:* a fraction of a second.

NOTE[DIFF]: variances and shares are drawn towards those that all classes have within themselves (maximum a posteriori),
so that a class of few rows borrows its spread from the others; a class of one row has its own mean and their spread.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from rarebird.methods.synthesis._generator import Generator, Part
from rarebird.slots.ranges import Int

KINDS = ("table",)


class Mixture(Generator):
    """Settings.

    Attributes:
        components: Components of a class, at most; a component has at least ten rows.
        steps: Iterations of each fit, at most.
    """

    components: Annotated[int, Int(1, 20, log=True)] = Field(default=10, ge=1, le=1_000)
    steps: Annotated[int, Int(10, 100, log=True)] = Field(default=50, ge=1)

    @classmethod
    def examples(cls) -> list[Self]:
        """The default; a single component, with half of the rows."""
        return [cls(), cls(components=1, ratio=0.5, weight=0.5)]

    def part(self, kind: str) -> Part:
        """Tables only."""
        from rarebird.methods.synthesis import _mixture_table

        return _mixture_table
