"""Focal loss: the paper's binary formula, its limits, and numbers where 1 - p rounds to 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from rarebird.remedies.loss.focal import Focal, focal, log_complement
from rarebird.remedies.loss.weighted import Weighted


def test_two_classes_are_the_papers_sigmoid_focal_loss() -> None:
    x = 4 * torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = torch.arange(50) % 2
    ours = focal(torch.stack([torch.zeros_like(x), x], dim=1), torch.nn.functional.one_hot(codes, 2).double(), gamma=2.0)
    torch.testing.assert_close(ours, sigmoid_focal_loss(x, codes.double(), alpha=-1, gamma=2.0))


def test_log_complement_is_exact_where_p_is_near_one() -> None:
    log_p = torch.log_softmax(torch.tensor([[60.0, 0.0, 0.0], [1.0, 0.0, -1.0]], dtype=torch.float64), dim=1)
    assert log_complement(log_p)[0, 0].item() == pytest.approx(np.log(2) - 60)
    torch.testing.assert_close(log_complement(log_p)[1], torch.log1p(-log_p[1].exp()))


def test_larger_gamma_turns_easy_rows_down() -> None:
    easy, y = torch.tensor([[4.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    values = [focal(easy, y, gamma).item() for gamma in (0.0, 1.0, 2.0, 5.0)]
    assert values == sorted(values, reverse=True)
    p = torch.softmax(easy, 1)[0, 0].item()
    assert values[2] == pytest.approx(-((1 - p) ** 2) * np.log(p), rel=1e-4)


def test_alpha_multiplies_the_balanced_weights() -> None:
    counts = torch.tensor([90, 9, 1])
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    plain, balanced = (Focal(alpha=alpha).build(counts)(logits, torch.eye(3)) for alpha in (None, "balanced"))
    weights = torch.tensor(Weighted().prior_factor(counts.numpy()), dtype=torch.float32)
    torch.testing.assert_close(balanced, weights * plain)
    assert Focal().prior_factor(counts.numpy()) is None
