"""Draw new rows by a flow of boosted trees, one column after the other.

Jolicoeur-Martineau, Fatras and Kachman, "Generating and Imputing Tabular Data via Diffusion and Flow-based Gradient-
Boosted Trees" (AISTATS 2024); column after column: Akazan, Mitliagkas and Jolicoeur-Martineau, "Generating Tabular Data
Using Heterogeneous Sequential Feature Forest Flow Matching" (2024). A category is drawn from a classifier that knows
the class and the columns before it. A number starts as noise z and follows ``dx/dt = v(x, t, columns before, class)``
from t = 0 to 1, where trees have learned ``v = x_1 - z`` at ``x = (1 - t) z + t x_1`` from the training rows.

*Helps when* rows are few and columns of mixed kinds depend on each other: on small tables trees learn faster than
networks. Classes share their trees, and a rare class counts more than its rows.
*Does not help when* columns are many (pictures, series), or a class has too few rows to show how its columns depend
on each other.
*Cost:* seconds: an ensemble of `steps` trees for each column.

NOTE[DIFF]: one ensemble of a column learns all times, which are one of its inputs, in place of one for each of 50;
numbers are normal scores (`_table_codec`) in place of scaled ones; a leaf has at least as many drawn rows as
`fewest_rows` rows have at all times, which keeps trees from learning single rows by heart: with 100 rounds of 31 leaves
of a row each, new rows of `ecoli` are nearer to training rows than real ones are in 67 to 78 % of pairs (NOTES.md).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from rarebird.methods.synthesis._generator import Generator, Part
from rarebird.slots.ranges import Float, Int

KINDS = ("table",)


class TreeFlow(Generator):
    """Settings.

    Attributes:
        steps: Boosting rounds of each column.
        learning_rate: Shrinkage of each round.
        leaves: Leaves of a tree, at most.
        fewest_rows: Rows that a leaf has, at least.
        times: Steps from noise to a number.
    """

    steps: Annotated[int, Int(20, 400, log=True)] = Field(default=70, ge=1)
    learning_rate: Annotated[float, Float(0.03, 0.3, log=True)] = Field(default=0.1, gt=0, le=1)
    leaves: Annotated[int, Int(4, 64, log=True)] = Field(default=16, ge=2, le=1_024)
    fewest_rows: Annotated[float, Float(0.5, 10, log=True)] = Field(default=3.0, gt=0)
    times: Annotated[int, Int(5, 50, log=True)] = Field(default=20, ge=1, le=1_000)
    least_rows: ClassVar[int] = 2

    @classmethod
    def examples(cls) -> list[Self]:
        """Quick settings; few leaves."""
        return [cls(steps=8, times=5), cls(steps=8, times=5, leaves=4, fewest_rows=3.0)]

    def part(self, kind: str) -> Part:
        """Tables only."""
        from rarebird.methods.synthesis import _tree_flow_table

        return _tree_flow_table
