"""Extremely randomized trees: a forest whose trees split at thresholds drawn at random, and whose shares of classes are averaged.

Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 2006. Each tree of a class is grown to the 0/1 target of that
class by squared error, which for shares is the Gini criterion; the forest's mean over leaves is the class's share, its logarithm the logit.

*Helps when* rows are few and columns informative but rough: hundreds of trees that each know little are calm where boosting follows single
rows; beside networks and boosted trees it lowers an ensemble's log loss more than any other member.

*Does not help when* rows are many (boosting overtakes it), or trends are smooth and few columns matter, as in linear data.

Cost: a forest per class, a second on some thousands of rows; leaves grow with the rows up to `leaves`.

NOTE[DIFF]: one forest per class in place of trees of several outputs, as LightGBM grows them; shares are scaled to sum 1. Rows are drawn
without replacement for each tree (the paper uses all of them), which LightGBM asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.checks import require
from rarebird.methods import Method
from rarebird.ranges import Float, Int
from rarebird.references.boosted_trees import ROWS_PER_THREAD, cells, grown, knows

if TYPE_CHECKING:
    import lightgbm

    from rarebird.data.spec import InputSpec
    from rarebird.protocols import Inputs

KINDS = ("table",)
# A share of rows that a forest of some hundred trees can tell from none.
LEAST_SHARE = 1e-3
ROW_SHARE = 0.9
# Leaves of one row would only store the rows.
ROWS_PER_LEAF = 1_000


class ExtraTrees(Method):
    """Settings of the forest.

    Attributes:
        rounds: Trees of a class; the recipe's `steps` take their place where they are laid out.
        leaves: Of a tree, at most.
        fewest_rows: In a leaf; of more than 1000 rows, a thousandth of them where that is more.
        column_share: Of the columns that each split looks at; 0: the root of their number.
    """

    rounds: Annotated[int, Int(100, 500, log=True)] = Field(default=200, ge=1, le=100_000)
    leaves: Annotated[int, Int(31, 511, log=True)] = Field(default=255, ge=2, le=4096)
    fewest_rows: Annotated[int, Int(1, 20, log=True)] = Field(default=2, ge=1)
    column_share: Annotated[float, Float(0, 1.0)] = Field(default=0.0, ge=0, le=1)

    def fit(
        self,
        x: Inputs,
        y: Tensor,
        weight: Tensor,
        spec: InputSpec,
        *,
        rounds: int,
        seed: int,
        threads: int,
        told: Callable[[float], bool] = lambda progress: False,
    ) -> Forest:
        """Grow the forest; arguments as those of `boosted_trees`."""
        threads = min(threads, max(1, len(y) // ROWS_PER_THREAD))
        targets = y.double().numpy() if spec.task == "regression" or spec.n_outputs > 2 else y[:, 1:].double().numpy()
        table, columns = cells(x), [spec.n_numbers + place for place in range(len(spec.cardinalities))]
        boosters: list[lightgbm.Booster] = []
        for place in range(targets.shape[1]):

            def tell(progress: float, place: int = place) -> bool:
                return told((place + progress) / targets.shape[1])

            parameters = self._parameters(len(y), table.shape[1], seed + place, threads)
            boosters.append(grown(parameters, table, targets[:, place], weight.numpy(), columns, rounds, tell))
        return Forest(boosters, spec)

    def from_text(self, text: str, spec: InputSpec) -> Forest:
        """A forest from LightGBM's text format, one class after the other.

        Raises:
            ValueError: The text holds no trees, or those of other data.
        """
        import lightgbm

        texts = [part for part in re.split(r"^(?=tree$)", text, flags=re.MULTILINE) if part.strip()]
        wanted = spec.n_outputs if spec.task == "classification" and spec.n_outputs > 2 else 1
        require(len(texts) == wanted, "a forest per class, one for two classes", forests=len(texts), wanted=wanted)
        boosters = [lightgbm.Booster(model_str=part) for part in texts]
        for booster in boosters:
            knows(booster, spec, outputs=1)
        return Forest(boosters, spec)

    def _parameters(self, n: int, columns: int, seed: int, threads: int) -> dict[str, Any]:
        return {
            "boosting": "rf",
            "extra_trees": True,
            "objective": "regression",
            "boost_from_average": False,
            "num_leaves": self.leaves,
            "min_data_in_leaf": max(self.fewest_rows, n // ROWS_PER_LEAF),
            "min_data_per_group": 1,
            "cat_smooth": 1.0,
            "bagging_freq": 1,
            "bagging_fraction": ROW_SHARE,
            "feature_fraction_bynode": self.column_share or min(1.0, max(1.0, columns**0.5) / columns),
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


class Forest(nn.Module):
    """Fitted forests in a network's place: ``forward(x: Inputs) -> logits (batch, n_outputs)``; there is nothing to train."""

    def __init__(self, boosters: Sequence[lightgbm.Booster], spec: InputSpec) -> None:
        super().__init__()
        self.boosters = list(boosters)
        self.task, self.n_outputs = spec.task, spec.n_outputs

    def forward(self, x: Inputs) -> Tensor:
        """Logarithms of the classes' shares; the mean of the leaves for regression."""
        table = cells(x)
        shares = np.stack([np.asarray(booster.predict(table, num_threads=1)) for booster in self.boosters], axis=1)
        if self.task == "regression":
            return torch.from_numpy(shares.astype(np.float32))
        if shares.shape[1] < self.n_outputs:
            shares = np.concatenate([1 - shares, shares], axis=1)
        shares = shares.clip(LEAST_SHARE, None)
        return torch.from_numpy(np.log(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))

    def to_text(self) -> str:
        """The forests in LightGBM's text format, one class after the other."""
        return "\n".join(booster.model_to_string() for booster in self.boosters)
