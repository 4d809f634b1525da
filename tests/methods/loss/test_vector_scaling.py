"""Vector scaling: the paper's factors and shifts, and what it becomes without either."""

from __future__ import annotations

import numpy as np
import torch

from rarebird.methods.loss.logit_adjusted import LogitAdjusted
from rarebird.methods.loss.vector_scaling import VectorScaling
from rarebird.slots.protocols import TargetStatistics

COUNTS = np.array([100, 25, 1])
TARGETS = TargetStatistics(COUNTS)
LOGITS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CODES = torch.arange(12) % 3
Y = torch.eye(3, dtype=torch.float64)[CODES]


def test_is_the_papers_formula_on_centered_logits() -> None:
    centered = (LOGITS - LOGITS.mean(dim=1, keepdim=True)).numpy()
    scaled = (COUNTS / 100) ** 0.2 * centered + 0.7 * np.log(COUNTS / COUNTS.sum())
    expected = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(12), CODES]
    np.testing.assert_allclose(VectorScaling(gamma=0.2, tau=0.7).build(TARGETS)(LOGITS, Y), expected, rtol=1e-6)


def test_two_classes_with_opposite_logits_are_the_papers_binary_loss() -> None:
    # log(1 + exp(iota) exp(-delta_y y f)) of the paper for outputs f and labels of -1 and 1 that share one factor.
    f = torch.linspace(-3, 3, 7, dtype=torch.float64)
    targets = TargetStatistics(np.array([50, 50]))
    ours = VectorScaling().build(targets)(
        torch.stack([-f / 2, f / 2], dim=1), torch.eye(2, dtype=torch.float64)[[1] * 7]
    )
    torch.testing.assert_close(ours, torch.log1p(torch.exp(-f)), rtol=1e-6, atol=1e-6)


def test_without_factors_it_is_logit_adjustment_with_its_prior() -> None:
    ours, adjusted = VectorScaling(gamma=0, tau=1.3), LogitAdjusted(tau=1.3)
    torch.testing.assert_close(ours.build(TARGETS)(LOGITS, Y), adjusted.build(TARGETS)(LOGITS, Y), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ours.prior_factor(TARGETS), adjusted.prior_factor(TARGETS))
    assert VectorScaling().prior_factor(TARGETS) is None


def test_a_rare_row_must_raise_its_logit_further() -> None:
    loss = VectorScaling(gamma=0.3, tau=0).build(TARGETS)
    margin = 4 * torch.eye(3) - 2
    cost = loss(margin, torch.eye(3))
    assert cost[0] < cost[1] < cost[2]
