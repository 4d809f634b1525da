"""Class-balanced loss: the effective number of rows, from no weights to the balanced ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.class_balanced import ClassBalanced
from rarebird.methods.loss.weighted import Weighted
from rarebird.slots.protocols import TargetStatistics

COUNTS = np.array([5000, 300, 7])
TARGETS = TargetStatistics(COUNTS)


def test_the_effective_number_is_that_of_rows_that_may_repeat() -> None:
    # Each further row is new with the probability (N - E) / N, where N = 1 / (1 - beta) distinct rows exist: E <- 1 +
    # beta E.
    beta, expected = 0.99, []
    for count in COUNTS:
        effective = 0.0
        for _ in range(count):
            effective = 1 + beta * effective
        expected.append(effective)
    weights = ClassBalanced(beta=beta).prior_factor(TARGETS)
    np.testing.assert_allclose(1 / weights, np.array(expected) / (expected[0] * weights[0]))


def test_beta_goes_from_no_weights_to_the_balanced_ones() -> None:
    np.testing.assert_allclose(ClassBalanced(beta=0).prior_factor(TARGETS), 1)
    np.testing.assert_allclose(
        ClassBalanced(beta=1 - 1e-9).prior_factor(TARGETS), Weighted().prior_factor(TARGETS), rtol=1e-4
    )
    ratios = [
        (factor := ClassBalanced(beta=beta).prior_factor(TARGETS))[2] / factor[0] for beta in (0.9, 0.99, 0.999, 0.9999)
    ]
    assert ratios == sorted(ratios)


def test_equals_torchs_weighted_cross_entropy_with_the_papers_weights() -> None:
    logits, codes = torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3
    paper = (1 - 0.999) / (1 - 0.999**COUNTS)
    weights = torch.tensor(paper * COUNTS.sum() / (paper @ COUNTS), dtype=torch.float32)
    ours = ClassBalanced().build(TARGETS)(logits, torch.nn.functional.one_hot(codes, 3).float())
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits, codes, weight=weights, reduction="none"))


def test_beta_must_stay_below_one() -> None:
    with pytest.raises(ValueError, match=r"`beta < 1` must hold for class_balanced, but got beta=1"):
        ClassBalanced(beta=1)
