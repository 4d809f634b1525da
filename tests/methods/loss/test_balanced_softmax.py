"""Balanced softmax: the paper's formula, which is logit adjustment at tau 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.balanced_softmax import BalancedSoftmax
from rarebird.methods.loss.logit_adjusted import LogitAdjusted
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([90, 9, 1]))


def test_is_the_papers_formula_and_logit_adjustment_at_tau_one() -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.eye(3, dtype=torch.float64)[torch.arange(10) % 3]
    scores = torch.tensor(TARGETS.class_counts) * logits.exp()
    expected = -(scores / scores.sum(dim=1, keepdim=True)).log()[y.bool()]
    ours = BalancedSoftmax().build(TARGETS)(logits, y)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(ours, LogitAdjusted(tau=1).build(TARGETS)(logits, y))
    np.testing.assert_allclose(BalancedSoftmax().prior_factor(TARGETS), LogitAdjusted(tau=1).prior_factor(TARGETS))


def test_the_classes_are_taught_as_equally_frequent() -> None:
    taught = BalancedSoftmax().prior_factor(TARGETS) * TARGETS.class_counts
    np.testing.assert_allclose(taught / taught.sum(), 1 / 3)


def test_values_are_refused() -> None:
    with pytest.raises(ValueError, match="balanced_softmax is for classes"):
        BalancedSoftmax().build(TargetStatistics(values=np.zeros(3)))
