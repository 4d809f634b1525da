"""Logit adjustment: the balanced softmax at tau 1, and raw logits under equal priors."""

from __future__ import annotations

import numpy as np
import torch

from rarebird.methods.loss.logit_adjusted import LogitAdjusted
from rarebird.slots.protocols import TargetStatistics

COUNTS = np.array([90, 9, 1])
TARGETS = TargetStatistics(COUNTS)


def test_tau_one_is_the_balanced_softmax() -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.nn.functional.one_hot(torch.arange(10) % 3, 3).double()
    scores = torch.tensor(COUNTS) * logits.exp()
    expected = -(scores / scores.sum(dim=1, keepdim=True)).log()[y.bool()]
    torch.testing.assert_close(LogitAdjusted().build(TARGETS)(logits, y), expected, rtol=1e-6, atol=1e-6)


def test_tau_one_gives_equal_priors_and_tau_two_reverses_them() -> None:
    prior = COUNTS / COUNTS.sum()
    np.testing.assert_allclose(LogitAdjusted(tau=1).prior_factor(TARGETS) * prior, 1 / 3)
    turned = LogitAdjusted(tau=2).prior_factor(TARGETS) * prior
    np.testing.assert_allclose(turned, (1 / prior) / (1 / prior).sum())


def test_equal_counts_give_cross_entropy_at_any_tau() -> None:
    logits, y = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.eye(3)[[0, 1, 2, 0, 1]]
    ours = LogitAdjusted(tau=1.7).build(TargetStatistics(np.array([4, 4, 4])))(logits, y)
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, y, reduction="none"))
