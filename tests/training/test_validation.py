"""The learning curve's scores: of natural probabilities, each row by its weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarebird.data import prepare
from rarebird.data.dataset import Dataset
from rarebird.training.validation import Validation, inputs_of
from tests.training.made_rows import recipe, rows

RECIPE = recipe()


class Known(nn.Module):
    """Logits that follow from the first column alone."""

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        first = x["numbers"][:, 0]
        return torch.stack([torch.zeros_like(first), 1.5 * first - 0.5], dim=1)


def validation(watched: Dataset, train: Dataset) -> Validation:
    prepared, _ = prepare.fit(train, 0)
    inputs = inputs_of(Known(), RECIPE, prepared, watched, "cpu")
    return Validation(watched, prepared, inputs, train.weighted_counts, "cpu")


def by_hand(watched: Dataset, train: Dataset, factor: np.ndarray) -> tuple[float, float]:
    """The weighted log loss of corrected probabilities, and the mean recall where they are above the prior."""
    prepared, _ = prepare.fit(train, 0)
    logits = Known()(prepared.inputs(watched)).double().numpy()
    p = np.exp(logits) / factor
    p /= p.sum(axis=1, keepdims=True)
    y, weight = watched.codes, watched.weights
    loss = -(weight * np.log(p[np.arange(len(y)), y])).sum() / weight.sum()
    right = (p / train.prior).argmax(axis=1) == y
    recalls = [(weight * right)[y == code].sum() / weight[y == code].sum() for code in (0, 1)]
    return float(loss), float(np.mean(recalls))


@pytest.mark.parametrize("factor", [np.array([0.5, 0.5]), np.array([0.1, 0.9])])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_curve_is_of_corrected_probabilities_and_weighted_rows(factor: np.ndarray, weighted: bool) -> None:
    train, watched = rows(), rows(200, share=0.4, seed=1)
    if weighted:
        watched = replace(watched, weight=np.where(np.arange(200) % 3 == 0, 9.0, 1.0))
    scores = validation(watched, train)(Known(), factor)
    assert [scores["loss"], scores["balanced_accuracy"]] == pytest.approx(by_hand(watched, train, factor), rel=1e-6)


def test_factors_and_weights_matter() -> None:
    train, watched = rows(), rows(200, share=0.4, seed=1)
    heavy = replace(watched, weight=np.where(np.arange(200) % 3 == 0, 9.0, 1.0))
    even = np.array([0.5, 0.5])
    found = {validation(one, train)(Known(), factor)["loss"] for one in (watched, heavy) for factor in (even, even**3)}
    found |= {validation(watched, train)(Known(), np.array([0.1, 0.9]))["loss"]}
    assert len({round(value, 9) for value in found}) == 3
