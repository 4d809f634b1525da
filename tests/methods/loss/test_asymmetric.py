"""Asymmetric loss: the paper's formula class by class, and what each setting turns off."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.asymmetric import Asymmetric
from rarebird.methods.loss.focal import focal
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([90, 9, 1]))
LOGITS = 3 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.eye(3, dtype=torch.float64)[torch.arange(40) % 3]


@pytest.mark.parametrize(
    "settings", [(4.0, 0.0, 0.05), (2.0, 1.0, 0.2), (0.0, 0.0, 0.1), (3.0, 0.5, 0.0), (0.5, 0.0, 0.3)]
)
def test_is_the_papers_formula_on_the_softmax(settings: tuple[float, float, float]) -> None:
    negative, positive, margin = settings
    p = torch.softmax(LOGITS, dim=1).numpy()
    y, q = Y.numpy(), np.maximum(p - margin, 0)
    expected = -(y * (1 - p) ** positive * np.log(p) + (1 - y) * q**negative * np.log(1 - q)).sum(axis=1)
    loss = Asymmetric(gamma_negative=negative, gamma_positive=positive, margin=margin).build(TARGETS)
    np.testing.assert_allclose(loss(LOGITS, Y), expected, rtol=1e-9)


def test_without_negatives_it_is_focal() -> None:
    ours = Asymmetric(gamma_positive=1.5, margin=1.0).build(TARGETS)(LOGITS, Y)
    torch.testing.assert_close(ours, focal(LOGITS, Y, torch.ones(3), gamma=1.5))


def test_easy_negatives_give_no_gradient() -> None:
    logits = torch.tensor([[6.0, 0.0, -2.0]], dtype=torch.float64, requires_grad=True)
    plain = torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    ours = Asymmetric().build(TARGETS)(logits, torch.eye(3, dtype=torch.float64)[:1]).sum()
    torch.testing.assert_close(ours, plain)


def test_a_confident_confusion_costs_more_than_one_spread_over_classes() -> None:
    p = torch.tensor([[0.2, 0.8, 0.0], [0.2, 0.4, 0.4]], dtype=torch.float64).clamp(min=1e-9)
    confident, spread = Asymmetric().build(TARGETS)(p.log(), torch.eye(3, dtype=torch.float64)[[0, 0]])
    assert confident > spread


def test_the_prior_is_known_only_where_it_is_cross_entropy() -> None:
    assert Asymmetric().prior_factor(TARGETS) is None
    assert Asymmetric(gamma_positive=1.0, margin=1.0).prior_factor(TARGETS) is None
    np.testing.assert_array_equal(Asymmetric.neutral().prior_factor(TARGETS), np.ones(3))
