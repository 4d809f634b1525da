"""LDAM: the paper's margins, and cross entropy with the row's own logit lowered."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.ldam import Ldam, margins
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([810, 160, 10]))


def test_margins_are_the_papers() -> None:
    np.testing.assert_allclose(margins(np.array([81, 16, 1]), max_margin=0.5), [0.5 / 3, 0.25, 0.5])
    np.testing.assert_allclose(margins(np.array([7, 7]), max_margin=0.5), 0.5)


def test_is_cross_entropy_with_the_own_logit_lowered_by_the_scaled_margin() -> None:
    logits = 5 * torch.randn(30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = torch.arange(30) % 3
    lowered = logits.clone()
    lowered[torch.arange(30), codes] -= 7.0 * torch.tensor(margins(TARGETS.class_counts, 0.4))[codes]
    ours = Ldam(max_margin=0.4, scale=7.0).build(TARGETS)(logits, torch.eye(3, dtype=torch.float64)[codes])
    torch.testing.assert_close(
        ours, torch.nn.functional.cross_entropy(lowered, codes, reduction="none"), rtol=1e-6, atol=1e-6
    )


def test_rarer_classes_pay_more_for_the_same_logits() -> None:
    cost = Ldam().build(TARGETS)(2 * torch.eye(3), torch.eye(3))
    assert cost[0] < cost[1] < cost[2]


def test_the_best_constant_is_no_multiple_of_the_prior() -> None:
    # Two classes of prior p: the logit difference d that minimizes the loss, by torch, for two priors and the same
    # margins.
    module = Ldam().build(TargetStatistics(np.array([90, 10])))

    def best(prior: float) -> float:
        d = torch.linspace(-15, 15, 30001, dtype=torch.float64)
        logits = torch.stack([d, torch.zeros_like(d)], dim=1)
        y = torch.tensor([[prior, 1 - prior]], dtype=torch.float64)
        return float(d[module(logits, y.expand(len(d), 2)).argmin()])

    shifts = [best(prior) - float(np.log(prior / (1 - prior))) for prior in (0.9, 0.6)]
    assert abs(shifts[0] - shifts[1]) > 0.05
    assert Ldam().prior_factor(TARGETS) is None
    np.testing.assert_allclose(Ldam(max_margin=0).prior_factor(TARGETS), 1)


def test_settings_keep_their_bounds() -> None:
    with pytest.raises(ValueError, match=r"`scale > 0` must hold for ldam, but got scale=0"):
        Ldam(scale=0)
