"""Scores a network, while it trains, on rows that it does not learn from: for the learning curve and for early
stopping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from rarebird.core import rng
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.training import distributed
from rarebird.training.inference import embedded, is_frozen_before_head, logits
from rarebird.training.loop import EVALUATIONS

# Rows of each evaluation: all evaluations together use a fifth of the rows that all steps use.
ROWS_SHARE, FEWEST_ROWS = 0.2 / EVALUATIONS, 100


def watched_rows(recipe: Recipe, rows: Dataset, fold: int) -> Dataset:
    """The rows of each evaluation; the choice depends only on the recipe and its seed.

    Args:
        recipe: Its steps are filled in.
        rows: Rows that the network does not learn from.
        fold: The number of the part.
    """
    assert recipe.steps is not None
    limit = max(FEWEST_ROWS, int(ROWS_SHARE * recipe.steps * recipe.batch_size))
    if len(rows) <= limit:
        return rows
    return rows.take(np.sort(rng.stream(recipe.seed, "judged", fold).permutation(len(rows))[:limit]))


@dataclass(frozen=True)
class Validation:
    """Scores a network on fixed rows.

    Attributes:
        rows: The rows.
        prepared: Raw rows -> inputs and targets.
        inputs: The network's inputs for the rows, as `inputs_of` gives them.
        natural_counts: ``(n_classes,)`` weighted training rows of each class; None for regression.
        device: Where the network computes.
        precision: In which it computes, that of the training: a rounded learning curve serves as well.
    """

    rows: Dataset
    prepared: Prepared
    inputs: Inputs
    natural_counts: np.ndarray | None
    device: str
    precision: str = "float32"

    def __call__(self, network: nn.Module, prior_factor: np.ndarray | None) -> dict[str, float]:
        """``loss`` and, for classes, ``balanced_accuracy``.

        Args:
            network: The network as it is now.
            prior_factor: ``(n_classes,)`` by which the training multiplies the natural prior now; None where the prior
                of the logits is unknown.
        """
        outputs = self._outputs(network)
        return self._value_scores(outputs) if self.natural_counts is None else self._class_scores(outputs, prior_factor)

    def _outputs(self, network: nn.Module) -> np.ndarray:
        """``(n, n_outputs)`` of all rows; each of several ranks predicts its share of them."""
        n = len(self.rows)
        if n < distributed.count():
            return logits(network, self.inputs, self.device, precision=self.precision)
        own = distributed.own_share(n)
        share = {name: part[own] for name, part in self.inputs.items()}
        return distributed.gathered_array(logits(network, share, self.device, precision=self.precision), n)

    def _value_scores(self, outputs: np.ndarray) -> dict[str, float]:
        """The squared error, in units of the target's variance."""
        error = (outputs - self.prepared.targets(self.rows).double().numpy())[:, 0] ** 2
        return {"loss": float(np.average(error, weights=self.rows.weights))}

    def _class_scores(self, outputs: np.ndarray, prior_factor: np.ndarray | None) -> dict[str, float]:
        """The log loss under the natural prior, and the balanced accuracy of the balanced decision."""
        corrected = outputs if prior_factor is None else outputs - np.log(prior_factor)
        log_probability = corrected - np.logaddexp.reduce(corrected, axis=1, keepdims=True)
        y, weight = self.rows.codes, self.rows.weights
        loss = np.average(-log_probability[np.arange(len(y)), y], weights=weight)
        natural = self.natural_counts
        assert natural is not None
        # Where the prior of the logits is unknown, the decision does not divide by it.
        prior = np.log(np.where(natural > 0, natural, 1)) if prior_factor is not None else 0.0
        right = (log_probability - prior).argmax(axis=1) == y
        recalls = [np.average(right[y == code], weights=weight[y == code]) for code in np.unique(y)]
        return {"loss": float(loss), "balanced_accuracy": float(np.mean(recalls))}


def inputs_of(network: nn.Module, recipe: Recipe, prepared: Prepared, rows: Dataset, device: str) -> Inputs:
    """A network's inputs for these rows; where it has a frozen part, the outputs of that part."""
    inputs = prepared.inputs(rows)
    return embedded(network, inputs, device) if is_frozen_before_head(network, recipe) else inputs
