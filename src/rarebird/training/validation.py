"""Scores of a network on rows that it does not learn from, while it trains: the learning curve, and what stops
early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from rarebird.core import rng
from rarebird.data.dataset import Dataset
from rarebird.data.prepare import Prepared
from rarebird.recipe.recipe import Recipe
from rarebird.slots.protocols import Inputs
from rarebird.training.inference import embedded, logits
from rarebird.training.loop import EVALUATIONS

# Rows that each evaluation looks at: all evaluations together see a fifth as many rows as the steps do.
ROWS_SHARE, FEWEST_ROWS = 0.2 / EVALUATIONS, 100


def watched_rows(recipe: Recipe, rows: Dataset, fold: int) -> Dataset:
    """The rows that an evaluation looks at; which ones depends on the recipe and its seed alone.

    Args:
        recipe: With its steps laid out.
        rows: Rows that the network does not learn from.
        fold: Which part of the cross-fitting is trained.
    """
    assert recipe.steps is not None
    most = max(FEWEST_ROWS, int(ROWS_SHARE * recipe.steps * recipe.batch_size))
    if len(rows) <= most:
        return rows
    return rows.take(np.sort(rng.stream(recipe.seed, "judged", fold).permutation(len(rows))[:most]))


@dataclass(frozen=True)
class Validation:
    """Scores a network on fixed rows.

    Attributes:
        rows: The rows.
        prepared: Raw rows -> inputs and targets.
        inputs: Of the rows, past a network's frozen part where it has one.
        prior_factor: By which the training multiplied the natural prior; None where the logits answer to no prior.
        natural_counts: ``(n_classes,)`` weighted training rows of each class; None for regression.
        device: Where the network computes.
    """

    rows: Dataset
    prepared: Prepared
    inputs: Inputs
    prior_factor: np.ndarray | None
    natural_counts: np.ndarray | None
    device: str

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """``loss`` and, for classes, ``balanced_accuracy``."""
        outputs = logits(network, self.inputs, self.device)
        return self._of_values(outputs) if self.natural_counts is None else self._of_classes(outputs)

    def _of_values(self, outputs: np.ndarray) -> dict[str, float]:
        """The squared error, in units of the target's variance."""
        error = (outputs - self.prepared.targets(self.rows).double().numpy())[:, 0] ** 2
        return {"loss": float(np.average(error, weights=self.rows.weights))}

    def _of_classes(self, outputs: np.ndarray) -> dict[str, float]:
        """The log loss under the natural prior, and the balanced accuracy of the balanced decision."""
        corrected = outputs if self.prior_factor is None else outputs - np.log(self.prior_factor)
        log_probability = corrected - np.logaddexp.reduce(corrected, axis=1, keepdims=True)
        y, weight = self.rows.codes, self.rows.weights
        loss = np.average(-log_probability[np.arange(len(y)), y], weights=weight)
        natural = self.natural_counts
        assert natural is not None
        # Without a known prior of the logits there is nothing to divide by.
        prior = np.log(np.where(natural > 0, natural, 1)) if self.prior_factor is not None else 0.0
        right = (log_probability - prior).argmax(axis=1) == y
        recalls = [np.average(right[y == code], weights=weight[y == code]) for code in np.unique(y)]
        return {"loss": float(loss), "balanced_accuracy": float(np.mean(recalls))}


def inputs_of(network: nn.Module, prepared: Prepared, rows: Dataset, device: str) -> Inputs:
    """A network's inputs for these rows, past its frozen part where it has one."""
    inputs = prepared.inputs(rows)
    return embedded(network, inputs, device) if hasattr(network, "embed") else inputs
