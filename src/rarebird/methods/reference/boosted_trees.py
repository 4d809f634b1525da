"""Boosted trees: the usual choice for a table, with the same splits, calibrations and decisions as networks.

Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017; Friedman, "Greedy function
approximation: a gradient boosting machine", Annals of Statistics 2001. Trees are added one after the other, each fitted
to the gradient of the log loss (the squared error for regression); trees split on missing cells and categories
directly.

*Helps when* a table has thresholds, uninformative columns, or thousands of rows; it is the reference that a network
must beat.

*Does not help when* rows are few and trends are smooth (a leaf has no slope), or classes have only a few rows each.

Cost: seconds on tens of thousands of rows; no GPU.

NOTE[DIFF]: probabilities have the natural prior (no class weights); the decision afterwards serves the metric. A group
of categories may be as small as a leaf, where LightGBM requires 100 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from rarebird.core.checks import DataError
from rarebird.methods.reference._boosted_nodes import ensemble_of
from rarebird.methods.reference._tree_reference import TreeReference, TreeRows, at_least_one_column
from rarebird.slots.lightgbm_text import END, Expected, checked
from rarebird.slots.ranges import Float, Int
from rarebird.slots.tree_ensembles import TreeEnsemble

if TYPE_CHECKING:
    import lightgbm

    from rarebird.data.spec import InputSpec
    from rarebird.slots.protocols import Inputs, RoundProgress

KINDS = ("table",)
LEAST_HESSIAN = 1e-3
# Largest share of a tree that is added where rounds are cut short, and that is searched. Of 34,000 rows (adult) 15
# rounds have a log loss of .39 with .05, and .30 with this.
FASTEST = 0.2


class BoostedTrees(TreeReference):
    """Settings of the trees.

    Attributes:
        rounds: Boosting rounds, each with one tree per class; the recipe's `steps` replace them once they are planned.
        learning_rate: Share of each tree that is added.
        leaves: Largest number of leaves of a tree.
        fewest_rows: Smallest number of rows in a leaf.
        l2: Penalty on leaf values.
        column_share: Share of the columns that each tree uses.
    """

    rounds: Annotated[int, Int(50, 1000, log=True)] = Field(default=200, ge=1, le=100_000)
    learning_rate: Annotated[float, Float(0.01, FASTEST, log=True)] = Field(default=0.05, gt=0, le=1)
    leaves: Annotated[int, Int(4, 63, log=True)] = Field(default=15, ge=2, le=4096)
    fewest_rows: Annotated[int, Int(2, 50, log=True)] = Field(default=10, ge=1)
    l2: Annotated[float, Float(0.01, 10, log=True)] = Field(default=1.0, ge=0)
    column_share: Annotated[float, Float(0.4, 1.0)] = Field(default=0.8, gt=0, le=1)

    def grow(self, rows: TreeRows, rounds: int, seed: int, threads: int, progress: RoundProgress) -> Trees:
        """The trees; True from `progress` makes the round that has just ended the last one."""
        return Trees(boosted(self._parameters(rows.spec, seed, threads), rows, rounds, progress), rows.spec)

    def in_fewer_rounds(self, own: int, rounds: int) -> Self:
        """The settings for trees that have time for a part of their rounds: each tree is added with a larger share, up
        to `FASTEST`, so that all together move the scores about as far."""
        faster = max(self.learning_rate, min(self.learning_rate * own / rounds, FASTEST))
        return self.model_copy(update={"learning_rate": faster})

    def from_text(self, text: str, spec: InputSpec) -> Trees:
        """Trees from LightGBM's text format.

        Raises:
            ValueError: The text does not contain trees, or trees for other data.
        """
        import lightgbm

        _, end, tail = text.partition(END)
        booster = lightgbm.Booster(model_str=checked(text, _expected(spec)))
        return Trees(booster, spec, end + tail)

    def _parameters(self, spec: InputSpec, seed: int, threads: int) -> dict[str, Any]:
        objective = (
            {"objective": "multiclass", "num_class": spec.n_outputs} if spec.n_outputs > 2 else {"objective": "binary"}
        )
        return {
            **({"objective": "regression"} if spec.task == "regression" else objective),
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.fewest_rows,
            "min_data_per_group": self.fewest_rows,
            # Not 0, as LightGBM may then fail on a leaf with only certain rows.
            "min_sum_hessian_in_leaf": LEAST_HESSIAN,
            "lambda_l2": self.l2,
            "feature_fraction": self.column_share,
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


class Trees(nn.Module):
    """Fitted trees in place of a network: ``forward(x: Inputs) -> logits (batch, n_outputs)``, without parameters.

    Args:
        booster: LightGBM's trees.
        spec: Shapes of the rows.
        training: What the text that they were read from says of their training, behind the trees; None: LightGBM's own.
    """

    def __init__(self, booster: lightgbm.Booster, spec: InputSpec, training: str | None = None) -> None:
        super().__init__()
        self.booster, self.training_text = booster, training
        self.spec, self.n_outputs = spec, spec.n_outputs

    def forward(self, x: Inputs) -> Tensor:
        """Raw scores; with two classes, the logit of the first is 0."""
        # One thread, as a thread pool for each batch would take longer than it saves.
        scores = np.asarray(self.booster.predict(cells(x), raw_score=True, num_threads=1)).reshape(
            len(next(iter(x.values()))), -1
        )
        if scores.shape[1] < self.n_outputs:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        return torch.from_numpy(scores.astype(np.float32))

    def contributions(self, x: Inputs) -> np.ndarray:
        """``(n, n_outputs, columns + 1)``: of each column to each raw score, by TreeSHAP (Lundberg et al., Nature
        Machine Intelligence 2020), and last the mean score of the training rows; they sum to `forward`."""
        table = cells(x)
        found = np.asarray(self.booster.predict(table, pred_contrib=True, num_threads=1))
        found = found.reshape(len(table), -1, table.shape[1] + 1)
        if found.shape[1] < self.n_outputs:
            found = np.concatenate([np.zeros_like(found), found], axis=1)
        return found

    def to_text(self) -> str:
        """The trees in LightGBM's text format."""
        text: str = self.booster.model_to_string()
        return text if self.training_text is None else text.partition(END)[0] + self.training_text

    def tree_columns(self, x: Inputs) -> Tensor:
        """``(batch, n_numbers + n_categories)`` float32, NaN where a number is missing."""
        return columns_of(x).float()

    def tree_ensemble(self) -> TreeEnsemble:
        """The trees as arrays of nodes.

        Raises:
            DataError: They take zeros as missing numbers, or numbers as categories.
        """
        spec = self.spec
        return ensemble_of(self.booster.model_to_string(), spec.n_outputs, spec.cardinalities, spec.n_numbers)

    def of_sums(self, sums: Tensor) -> Tensor:
        """The raw scores are the sums."""
        return sums


def boosted(parameters: dict[str, Any], rows: TreeRows, rounds: int, progress: RoundProgress) -> lightgbm.Booster:
    """LightGBM's trees.

    Args:
        parameters: As LightGBM names them.
        rows: Training rows.
        rounds: How often trees are added.
        progress: Called with the share done, 0..1, after each round; True from it makes that round the last.

    Raises:
        DataError: LightGBM cannot grow trees on these rows.
    """
    import lightgbm

    def after_round(env: Any) -> None:
        if progress((env.iteration + 1) / rounds):
            raise lightgbm.callback.EarlyStopException(env.iteration, [])

    categorical = [rows.spec.n_numbers + place for place in range(len(rows.spec.cardinalities))]
    data = lightgbm.Dataset(
        cells(rows.x), rows.target, weight=rows.weight, categorical_feature=categorical, params={"verbose": -1}
    )
    try:
        return lightgbm.train(parameters, data, rounds, callbacks=[after_round])
    except lightgbm.basic.LightGBMError as error:
        raise DataError(f"Trees cannot be grown on these rows: {error}") from None


def _expected(spec: InputSpec) -> Expected:
    """What the text of a table's trees must say."""
    columns, outputs = max(spec.n_numbers + len(spec.cardinalities), 1), spec.n_outputs
    if spec.task == "regression":
        return Expected(columns, 1, "regression")
    if outputs <= 2:
        return Expected(columns, 1, "binary sigmoid:1")
    return Expected(columns, outputs, f"multiclass num_class:{outputs}")


def cells(x: Inputs) -> np.ndarray:
    """``(n, n_numbers + n_categories)`` float64, NaN where a number is missing; a table without columns gets one
    of zeros."""
    table: np.ndarray = columns_of(x).cpu().numpy()
    return table


def columns_of(x: Inputs) -> Tensor:
    """`cells` as a tensor."""
    numbers = torch.where(x["missing"] > 0, torch.nan, x["numbers"]).double()
    return at_least_one_column(torch.cat([numbers, x["categories"].double()], dim=1))
