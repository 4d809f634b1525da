"""The contract of losses: linear in y, blind to the order of classes, finite everywhere, exact in their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rarebird import methods

CLASSES = ("0", "1", "猫")
COUNTS = torch.tensor([90, 9, 1])
CASES = [
    pytest.param(value, id=f"{name}-{place}")
    for name in methods.names("loss")
    for place, value in enumerate(methods.load("loss", name).examples())
    if "classification" in value.tasks  # type: ignore[attr-defined]
]
for_classes = pytest.mark.parametrize("loss", CASES)


def batch(n: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, len(CLASSES), generator=generator, dtype=torch.float64)
    y = torch.softmax(torch.randn(n, len(CLASSES), generator=generator, dtype=torch.float64), dim=1)
    return logits.to(dtype), y.to(dtype)


def test_every_loss_says_what_it_is_for() -> None:
    for name in methods.names("loss"):
        tasks = methods.load("loss", name).tasks  # type: ignore[attr-defined]
        assert tasks
        assert set(tasks) <= {"classification", "regression"}


@for_classes
def test_one_finite_float32_number_per_row(loss: Any) -> None:
    logits, y = batch(dtype=torch.float32)
    for dtype in (torch.float32, torch.bfloat16):
        value = loss.build(COUNTS, CLASSES)(logits.to(dtype), y)
        assert value.shape == (12,)
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()


@for_classes
def test_rows_do_not_see_one_another_and_inputs_stay(loss: Any) -> None:
    module = loss.build(COUNTS, CLASSES)
    logits, y = batch()
    before = logits.clone(), y.clone()
    together = module(logits, y)
    assert torch.equal(logits, before[0])
    assert torch.equal(y, before[1])
    alone = torch.cat([module(logits[i : i + 1], y[i : i + 1]) for i in range(len(y))])
    torch.testing.assert_close(together, alone)


@for_classes
def test_linear_in_y(loss: Any) -> None:
    module = loss.build(COUNTS, CLASSES)
    logits, y = batch()
    _, other = batch(seed=1)
    torch.testing.assert_close(module(logits, 0.3 * y + 0.7 * other), 0.3 * module(logits, y) + 0.7 * module(logits, other))


@for_classes
def test_permuting_the_classes_changes_nothing(loss: Any) -> None:
    logits, y = batch()
    order = torch.tensor([2, 0, 1])
    permuted = loss.build(COUNTS[order], tuple(CLASSES[i] for i in order))
    torch.testing.assert_close(permuted(logits[:, order], y[:, order]), loss.build(COUNTS, CLASSES)(logits, y))


@for_classes
def test_a_constant_on_all_logits_changes_nothing(loss: Any) -> None:
    module = loss.build(COUNTS, CLASSES)
    logits, y = batch()
    torch.testing.assert_close(module(logits + 7, y), module(logits, y))


@for_classes
def test_gradient_is_exact(loss: Any) -> None:
    module = loss.build(COUNTS, CLASSES)
    logits, y = batch()
    assert torch.autograd.gradcheck(lambda z: module(z, y), (logits.requires_grad_(),))


@for_classes
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_value_and_gradient_at_extreme_logits(loss: Any, dtype: torch.dtype) -> None:
    corners = torch.cartesian_prod(*[torch.tensor([-100.0, 0.0, 100.0], dtype=dtype)] * 3).requires_grad_()
    for code in range(3):
        y = torch.zeros_like(corners)
        y[:, code] = 1
        value = loss.build(COUNTS, CLASSES)(corners, y)
        (slope,) = torch.autograd.grad(value.sum(), corners)
        assert torch.isfinite(value).all()
        assert torch.isfinite(slope).all()


@for_classes
def test_confidently_right_costs_less_than_unsure_less_than_wrong(loss: Any) -> None:
    module = loss.build(COUNTS, CLASSES)
    logits = torch.tensor([[30.0, 0, 0], [0, 0, 0], [0, 0, 30.0]])
    right, unsure, wrong = module(logits, torch.eye(3)[[0, 0, 0]]).tolist()
    assert right < unsure < wrong


@for_classes
def test_neutral_setting_is_cross_entropy(loss: Any) -> None:
    if not hasattr(loss, "neutral"):
        pytest.skip("no setting of it is cross entropy whatever the counts")
    logits, y = batch()
    expected = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    torch.testing.assert_close(loss.neutral().build(COUNTS, CLASSES)(logits, y), expected)
    np.testing.assert_allclose(loss.neutral().prior_factor(COUNTS.numpy(), CLASSES), np.ones(3))


@for_classes
def test_prior_factor_has_mean_one_over_the_training_rows(loss: Any) -> None:
    factor = loss.prior_factor(COUNTS.numpy(), CLASSES)
    if factor is not None:
        assert factor.shape == (3,)
        assert (factor > 0).all()
        assert factor @ COUNTS.numpy() / COUNTS.sum().item() == pytest.approx(1)


@for_classes
def test_prior_factor_is_what_the_logits_of_the_best_constant_answer_to(loss: Any) -> None:
    # Without inputs, the logits that minimize the loss are the log of the prior that the loss teaches.
    factor = loss.prior_factor(COUNTS.numpy(), CLASSES)
    if factor is None:
        pytest.skip("it answers to no prior")
    module = loss.build(COUNTS, CLASSES)
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss_value: Tensor = (module(logits.expand(3, 3), torch.eye(3, dtype=torch.float64)) * COUNTS).sum()
        loss_value.backward()
        return loss_value

    optimizer.step(closure)
    taught = factor * COUNTS.numpy()
    np.testing.assert_allclose(torch.softmax(logits.detach(), 0).numpy(), taught / taught.sum(), rtol=1e-4)


@for_classes
def test_a_class_without_rows_is_handled(loss: Any) -> None:
    counts = torch.tensor([90, 10, 0])
    logits, y = batch()
    assert torch.isfinite(loss.build(counts, CLASSES)(logits, y)).all()
    factor = loss.prior_factor(counts.numpy(), CLASSES)
    assert factor is None or np.isfinite(factor).all()


@for_classes
def test_nothing_of_it_is_saved_with_a_network(loss: Any) -> None:
    assert loss.build(COUNTS, CLASSES).state_dict() == {}
