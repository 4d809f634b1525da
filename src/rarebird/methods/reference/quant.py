"""Quant: extremely randomized trees on quantiles of a series' intervals.

Dempster, Schmidt and Webb, "quant: a minimalist interval method for time series classification", Data Mining and
Knowledge Discovery 2024. Quantiles of the dyadic intervals of the series, of its first and second differences and of
its spectrum are the columns of the trees.

*Helps when* classes differ in levels, spreads or frequencies within parts of the series; trees on such summaries err on
other rows than kernels do, so that both together are better than either.

*Does not help when* a short shape may come anywhere: an interval does not find it.

Cost: a second or two on hundreds of series of hundreds of steps; saved as arrays.

NOTE[DIFF]: each model of a cross-fit has 60 trees, as ten of them are averaged, where the paper grows one forest of
200. A series that is shorter than the longest is stretched to its length first, and an interval has 256 quantiles at
most.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rarebird.methods.reference._growth import ForestReference, smallest_leaf
from rarebird.methods.reference._tree_reference import TreeRows
from rarebird.slots.ranges import Float, Int

KINDS = ("series",)


class Quant(ForestReference):
    """Settings of the forest.

    Attributes:
        rounds: Number of trees; the recipe's `steps` replace it once they are planned.
        fewest_rows: Smallest number of rows in a leaf; at least a thousandth of all rows.
        column_share: Share of the quantiles that each split considers.
    """

    rounds: Annotated[int, Int(40, 200, log=True)] = Field(default=60, ge=1, le=100_000)
    fewest_rows: Annotated[int, Int(1, 8, log=True)] = Field(default=1, ge=1)
    column_share: Annotated[float, Float(0.02, 0.4, log=True)] = Field(default=0.1, gt=0, le=1)

    def options(self, rows: TreeRows) -> dict[str, Any]:
        """Settings of the forest for these rows, as scikit-learn names them."""
        fewest = smallest_leaf(self.fewest_rows, rows)
        options: dict[str, Any] = {"min_samples_leaf": fewest, "max_features": self.column_share}
        if rows.spec.task == "classification":
            options["criterion"] = "entropy"
        return options
