"""Mean squared error against torch's own."""

from __future__ import annotations

import torch

from rarebird.methods.loss.mean_squared import MeanSquared
from rarebird.slots.protocols import TargetStatistics


def test_equals_torch_per_row_and_serves_regression_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs, y = torch.randn(9, 2, generator=generator), torch.randn(9, 2, generator=generator)
    ours = MeanSquared().build(TargetStatistics())(outputs, y)
    torch.testing.assert_close(ours, torch.nn.functional.mse_loss(outputs, y, reduction="none").mean(dim=1))
    assert MeanSquared.tasks == ("regression",)
    assert MeanSquared().prior_factor(TargetStatistics()) is None


def test_half_precision_outputs_are_lifted_and_gradient_is_exact() -> None:
    module = MeanSquared().build(TargetStatistics())
    assert module(torch.zeros(2, 1, dtype=torch.bfloat16), torch.ones(2, 1)).dtype == torch.float32
    outputs = torch.randn(4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: module(z, torch.zeros(4, 1, dtype=torch.float64)), (outputs,))
