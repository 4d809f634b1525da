"""The pairwise loss: pairs counted one by one, scikit-learn's AUC in the limit, and what training by it reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from rarebird.core.checks import DataError
from rarebird.methods.loss.auc import Auc, pairwise_squared_hinge
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([30, 10]))
CODES = np.repeat([0, 1], [30, 10])
Y = torch.eye(2, dtype=torch.float64)[CODES]
LOGITS = torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
WEIGHT = torch.rand(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_is_the_weighted_mean_over_pairs_one_by_one() -> None:
    score, weight = (LOGITS[:, 1] - LOGITS[:, 0]).numpy(), WEIGHT.numpy()
    pairs = [(i, j) for i in np.flatnonzero(CODES == 1) for j in np.flatnonzero(CODES == 0)]
    costs = [max(0.0, 0.7 - (score[i] - score[j])) ** 2 for i, j in pairs]
    expected = np.average(costs, weights=[weight[i] * weight[j] for i, j in pairs])
    assert Auc(margin=0.7).build(TARGETS)(LOGITS, Y, WEIGHT).item() == pytest.approx(expected)


def test_is_one_minus_auc_where_scores_are_far_apart() -> None:
    # Scores of only two, rare sizes: pairs in order cost nothing, ties margin^2, pairs out of order (margin + gap)^2.
    score = np.random.default_rng(0).integers(0, 2, 40) * 1e6
    logits = torch.tensor(np.stack([np.zeros(40), score], axis=1))
    loss = pairwise_squared_hinge(logits, Y, WEIGHT, margin=1.0) / 1e12
    reversed_share = sum(
        WEIGHT[i].item() * WEIGHT[j].item()
        for i in range(40)
        for j in range(40)
        if CODES[i] > CODES[j] and score[i] < score[j]
    )
    ties = sum(
        WEIGHT[i].item() * WEIGHT[j].item()
        for i in range(40)
        for j in range(40)
        if CODES[i] > CODES[j] and score[i] == score[j]
    )
    pairs = WEIGHT[CODES == 1].sum().item() * WEIGHT[CODES == 0].sum().item()
    assert loss.item() == pytest.approx(reversed_share / pairs, rel=1e-4)
    assert 1 - roc_auc_score(CODES, score, sample_weight=WEIGHT.numpy()) == pytest.approx(
        (reversed_share + ties / 2) / pairs
    )


def test_in_order_by_the_margin_costs_nothing_and_bounds_one_minus_auc() -> None:
    logits = torch.tensor(np.stack([np.zeros(40), 1.0 * CODES], axis=1))
    assert pairwise_squared_hinge(logits, Y, WEIGHT, margin=1.0).item() == 0
    for seed in range(5):
        scores = torch.randn(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        loss = pairwise_squared_hinge(torch.stack([torch.zeros_like(scores), scores], dim=1), Y, WEIGHT, margin=1.0)
        assert loss.item() >= 1 - roc_auc_score(CODES, scores.numpy(), sample_weight=WEIGHT.numpy())


def test_the_skew_of_the_classes_plays_no_part() -> None:
    rare = torch.cat([torch.arange(30), torch.arange(30, 40), torch.arange(30, 40), torch.arange(30, 40)])
    ones = torch.ones(40, dtype=torch.float64)
    even = pairwise_squared_hinge(LOGITS[rare], Y[rare], torch.ones(60, dtype=torch.float64), 1.0)
    torch.testing.assert_close(even, pairwise_squared_hinge(LOGITS, Y, ones, 1.0))


def test_training_by_it_ranks_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64) + torch.tensor(CODES[:, None]) * torch.tensor(
        [2.0, -2.0, 0.0]
    )
    weights = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    before = roc_auc_score(CODES, x[:, 2])
    optimizer = torch.optim.SGD([weights], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        Auc().build(TARGETS)(x @ weights, Y, WEIGHT).backward()
        optimizer.step()
    scores = (x @ weights).detach()
    assert roc_auc_score(CODES, scores[:, 1] - scores[:, 0]) > max(before, 0.95)


def test_more_than_two_classes_and_values_are_refused() -> None:
    with pytest.raises(DataError, match="'auc' is for two classes, but the data have 3"):
        Auc().build(TargetStatistics(np.array([5, 5, 5])))
    with pytest.raises(ValueError, match="auc is for classes"):
        Auc().build(TargetStatistics(values=np.zeros(3)))
    assert Auc().prior_factor(TARGETS) is None
