"""Distillation: the teacher's logits are the optimum, and the gradient keeps its size at any temperature."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.loss.distillation import Distillation, distillation
from rarebird.slots.protocols import TargetStatistics

TARGETS = TargetStatistics(np.array([90, 9, 1]))
TEACHER = 4 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
def test_the_teachers_logits_are_the_best_and_the_loss_is_the_papers(temperature: float) -> None:
    y = torch.softmax(TEACHER / temperature, dim=1)
    student = TEACHER.clone().requires_grad_()
    (slope,) = torch.autograd.grad(distillation(student, y, temperature, hard_share=0).sum(), student)
    torch.testing.assert_close(slope, torch.zeros_like(slope))
    other = TEACHER.flip(0)
    excess = distillation(other, y, temperature, 0) - distillation(TEACHER, y, temperature, 0)
    log_other = torch.log_softmax(other / temperature, dim=1)
    divergence = torch.nn.functional.kl_div(log_other, y, reduction="none").sum(dim=1)
    torch.testing.assert_close(excess, temperature**2 * divergence)


def test_softened_probabilities_are_the_softmax_of_divided_logits() -> None:
    # The card tells who makes the targets to raise the teacher's probabilities to the power 1 / T.
    powers = torch.softmax(TEACHER, dim=1) ** (1 / 3)
    torch.testing.assert_close(powers / powers.sum(dim=1, keepdim=True), torch.softmax(TEACHER / 3, dim=1))


def test_high_temperatures_match_logits_by_squared_error() -> None:
    # Hinton et al., equation 4: for centered logits the gradient tends to (z - v) / n_classes.
    student = (TEACHER.flip(0) - TEACHER.flip(0).mean(dim=1, keepdim=True)).requires_grad_()
    teacher = TEACHER - TEACHER.mean(dim=1, keepdim=True)
    value = distillation(student, torch.softmax(teacher / 1e4, dim=1), 1e4, hard_share=0).sum()
    (slope,) = torch.autograd.grad(value, student)
    torch.testing.assert_close(slope, (student - teacher).detach() / 3, rtol=1e-2, atol=1e-3)


def test_hard_share_mixes_in_cross_entropy() -> None:
    y = torch.eye(3, dtype=torch.float64)[torch.arange(20) % 3]
    soft, hard, mixed = (distillation(TEACHER, y, 4.0, share) for share in (0.0, 1.0, 0.3))
    torch.testing.assert_close(hard, torch.nn.functional.cross_entropy(TEACHER, y, reduction="none"))
    torch.testing.assert_close(mixed, 0.7 * soft + 0.3 * hard)


def test_the_prior_is_known_only_where_it_is_cross_entropy() -> None:
    assert Distillation().prior_factor(TARGETS) is None
    for loss in (Distillation(temperature=1), Distillation(hard_share=1)):
        np.testing.assert_array_equal(loss.prior_factor(TARGETS), np.ones(3))


def test_standardized_logits_teach_relations_and_not_sizes() -> None:
    spread = TEACHER - TEACHER.mean(dim=1, keepdim=True)
    y = torch.softmax(spread / spread.square().mean(dim=1, keepdim=True).sqrt() / 2, dim=1)
    student = (1000 * TEACHER + 7).requires_grad_()
    (slope,) = torch.autograd.grad(distillation(student, y, 2.0, 0.0, standardized=True).sum(), student)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-6, rtol=0)
    wrong = distillation(TEACHER.flip(0), y, 2.0, 0.0, standardized=True)
    assert (wrong >= distillation(TEACHER, y, 2.0, 0.0, standardized=True) - 1e-3).all()
    assert torch.isfinite(torch.func.grad(lambda z: distillation(z, y, 2.0, 0.5, True).sum())(0 * TEACHER)).all()


def test_without_a_plain_part_nothing_tells_the_size_of_logits() -> None:
    with pytest.raises(ValueError, match="hard_share > 0"):
        Distillation(standardized=True)
    assert Distillation(temperature=1, hard_share=0.5, standardized=True).prior_factor(TARGETS) is None
