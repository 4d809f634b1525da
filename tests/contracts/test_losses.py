"""The contract of losses: linear in y, blind to the order of classes, finite everywhere, exact in their gradients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rarebird.slots import methods
from rarebird.slots.protocols import TargetStatistics
from tests.contracts.asked import asked_of

CLASSES = ("0", "1", "猫")
COUNTS = np.array([90, 9, 1])
TARGETS = TargetStatistics(COUNTS, CLASSES)
TWO = TargetStatistics(np.array([90, 10]), CLASSES[:2])
VALUES = TargetStatistics(values=np.random.default_rng(0).lognormal(size=200))


def cases(task: str, per_row: bool) -> list[tuple[str, Any]]:
    return [
        (f"{name} {place}", value)
        for name in methods.names("loss")
        for place, value in enumerate(methods.load("loss", name).examples())
        if task in value.tasks and value.per_row is per_row  # type: ignore[attr-defined]
    ]


OF_CLASSES = cases("classification", per_row=True)
for_classes = asked_of(OF_CLASSES)
# With a setting that is cross entropy, whatever the counts; and with a prior that the logits answer to.
for_neutral = asked_of([(name, loss) for name, loss in OF_CLASSES if hasattr(loss, "neutral")])
for_known_priors = asked_of([(name, loss) for name, loss in OF_CLASSES if loss.prior_factor(TARGETS) is not None])
for_pairs = asked_of(cases("classification", per_row=False))
for_values = asked_of(cases("regression", per_row=True))


def batch(n: int = 12, seed: int = 0, dtype: torch.dtype = torch.float64, n_classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    y = torch.softmax(torch.randn(n, n_classes, generator=generator, dtype=torch.float64), dim=1)
    return logits.to(dtype), y.to(dtype)


@asked_of([(name, methods.load("loss", name)) for name in methods.names("loss")])
def test_every_loss_names_its_tasks(loss: Any) -> None:
    assert loss.tasks
    assert set(loss.tasks) <= {"classification", "regression"}


@for_classes
def test_one_finite_float32_number_per_row(loss: Any) -> None:
    logits, y = batch(dtype=torch.float32)
    for dtype in (torch.float32, torch.bfloat16):
        value = loss.build(TARGETS)(logits.to(dtype), y)
        assert value.shape == (12,)
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()


@for_classes
def test_rows_do_not_see_one_another_and_inputs_stay(loss: Any) -> None:
    module = loss.build(TARGETS)
    logits, y = batch()
    before = logits.clone(), y.clone()
    together = module(logits, y)
    assert torch.equal(logits, before[0])
    assert torch.equal(y, before[1])
    alone = torch.cat([module(logits[i : i + 1], y[i : i + 1]) for i in range(len(y))])
    torch.testing.assert_close(together, alone)


@for_classes
def test_linear_in_y(loss: Any) -> None:
    module = loss.build(TARGETS)
    logits, y = batch()
    _, other = batch(seed=1)
    torch.testing.assert_close(module(logits, 0.3 * y + 2 * other), 0.3 * module(logits, y) + 2 * module(logits, other))


@for_classes
def test_permuting_the_classes_changes_nothing(loss: Any) -> None:
    logits, y = batch()
    order = [2, 0, 1]
    permuted = loss.build(TargetStatistics(COUNTS[order], tuple(CLASSES[i] for i in order)))
    torch.testing.assert_close(permuted(logits[:, order], y[:, order]), loss.build(TARGETS)(logits, y))


@for_classes
def test_a_constant_on_all_logits_changes_nothing(loss: Any) -> None:
    module = loss.build(TARGETS)
    logits, y = batch()
    torch.testing.assert_close(module(logits + 7, y), module(logits, y))


@for_classes
def test_gradient_is_exact(loss: Any) -> None:
    module = loss.build(TARGETS)
    logits, y = batch()
    assert torch.autograd.gradcheck(lambda z: module(z, y), (logits.requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@for_classes
def test_finite_value_and_gradient_at_extreme_logits(loss: Any, dtype: torch.dtype) -> None:
    corners = torch.cartesian_prod(*[torch.tensor([-100.0, 0.0, 100.0], dtype=dtype)] * 3).requires_grad_()
    for code in range(3):
        y = torch.zeros_like(corners)
        y[:, code] = 1
        value = loss.build(TARGETS)(corners, y)
        (slope,) = torch.autograd.grad(value.sum(), corners)
        assert torch.isfinite(value).all()
        assert torch.isfinite(slope).all()


@for_classes
def test_right_costs_less_than_unsure_less_than_wrong(loss: Any) -> None:
    module = loss.build(TARGETS)
    # Only fairly sure: a loss with smoothed targets also punishes certainty.
    logits = torch.tensor([[1.5, 0, 0], [0, 0, 0], [0, 0, 1.5]])
    right, unsure, wrong = module(logits, torch.eye(3)[[0, 0, 0]]).tolist()
    assert right < unsure < wrong


@for_neutral
def test_neutral_setting_is_cross_entropy(loss: Any) -> None:
    logits, y = batch()
    expected = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    torch.testing.assert_close(loss.neutral().build(TARGETS)(logits, y), expected)
    np.testing.assert_allclose(loss.neutral().prior_factor(TARGETS), np.ones(3))


@for_known_priors
def test_prior_factor_has_mean_one_over_the_training_rows(loss: Any) -> None:
    factor = loss.prior_factor(TARGETS)
    assert factor.shape == (3,)
    assert (factor > 0).all()
    assert factor @ COUNTS / COUNTS.sum() == pytest.approx(1)


@for_known_priors
def test_prior_factor_is_what_the_logits_of_the_best_constant_answer_to(loss: Any) -> None:
    # Without inputs, the logits that minimize the loss are the log of the prior that the loss teaches.
    factor = loss.prior_factor(TARGETS)
    module = loss.build(TARGETS)
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss_value: Tensor = (
            module(logits.expand(3, 3), torch.eye(3, dtype=torch.float64)) * torch.tensor(COUNTS)
        ).sum()
        loss_value.backward()
        return loss_value

    optimizer.step(closure)
    taught = factor * COUNTS
    np.testing.assert_allclose(torch.softmax(logits.detach(), 0).numpy(), taught / taught.sum(), rtol=1e-4)


@for_classes
def test_a_class_without_rows_is_handled(loss: Any) -> None:
    without = TargetStatistics(np.array([90, 10, 0]), CLASSES)
    logits, y = batch()
    assert torch.isfinite(loss.build(without)(logits, y)).all()
    factor = loss.prior_factor(without)
    assert factor is None or np.isfinite(factor).all()


@for_classes
def test_nothing_of_it_is_saved_with_a_network(loss: Any) -> None:
    assert loss.build(TARGETS).state_dict() == {}


@for_classes
def test_probabilities_are_warned_of_once_and_logits_never(loss: Any) -> None:
    logits, y = batch(dtype=torch.float32)
    module = loss.build(TARGETS)
    with pytest.warns(UserWarning, match="takes logits but was given probabilities"):
        module(torch.softmax(logits, dim=1), y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(torch.softmax(logits, dim=1), y)
        for seed in range(5):
            loss.build(TARGETS)(batch(seed=seed)[0] / 30, y)


@for_pairs
def test_pairs_give_one_finite_float32_number(loss: Any) -> None:
    logits, y = batch(n_classes=2, dtype=torch.float32)
    for dtype in (torch.float32, torch.bfloat16):
        value = loss.build(TWO)(logits.to(dtype), y, torch.ones(12))
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert torch.isfinite(value)


@for_pairs
def test_pairs_count_a_row_of_weight_two_as_the_row_twice(loss: Any) -> None:
    module = loss.build(TWO)
    logits, y = batch(n_classes=2)
    weight = torch.ones(12, dtype=torch.float64)
    weight[3] = 2
    twice = [*range(12), 3]
    torch.testing.assert_close(
        module(logits, y, weight), module(logits[twice], y[twice], torch.ones(13, dtype=torch.float64))
    )
    torch.testing.assert_close(module(logits, y, 5 * weight), module(logits, y, weight))


@for_pairs
def test_pairs_see_neither_the_order_of_classes_nor_a_constant(loss: Any) -> None:
    logits, y = batch(n_classes=2)
    weight = torch.rand(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    value = loss.build(TWO)(logits, y, weight)
    swapped = loss.build(TargetStatistics(TWO.class_counts[::-1], TWO.classes[::-1]))
    torch.testing.assert_close(swapped(logits.flip(1), y.flip(1), weight), value)
    torch.testing.assert_close(loss.build(TWO)(logits + 7, y, weight), value)


@for_pairs
def test_pairs_gradient_is_exact_and_finite_at_extreme_logits(loss: Any) -> None:
    module, (logits, y), weight = loss.build(TWO), batch(n_classes=2), torch.ones(12, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: module(z, y, weight), (logits.requires_grad_(),))
    corners = torch.cartesian_prod(*[torch.tensor([-100.0, 0.0, 100.0])] * 2).requires_grad_()
    value = module(corners, torch.eye(2)[torch.arange(9) % 2], torch.ones(9))
    (slope,) = torch.autograd.grad(value, corners)
    assert torch.isfinite(value)
    assert torch.isfinite(slope).all()


@for_pairs
def test_pairs_of_a_batch_without_one_class_give_zero_with_a_gradient(loss: Any) -> None:
    logits = batch(n_classes=2)[0].requires_grad_()
    for y in (torch.eye(2, dtype=torch.float64)[[0] * 12], torch.eye(2, dtype=torch.float64)[[1] * 12]):
        value = loss.build(TWO)(logits, y, torch.ones(12, dtype=torch.float64))
        (slope,) = torch.autograd.grad(value, logits)
        assert value.item() == 0
        assert torch.equal(slope, torch.zeros_like(logits))


@for_pairs
def test_pairs_warn_of_probabilities_and_save_nothing(loss: Any) -> None:
    logits, y = batch(n_classes=2, dtype=torch.float32)
    with pytest.warns(UserWarning, match="takes logits but was given probabilities"):
        loss.build(TWO)(torch.softmax(logits, dim=1), y, torch.ones(12))
    assert loss.build(TWO).state_dict() == {}


@for_values
def test_values_give_one_finite_float32_number_per_row_which_is_zero_where_right(loss: Any) -> None:
    y = torch.tensor(VALUES.values[:12, None], dtype=torch.float32)
    module = loss.build(VALUES)
    for dtype in (torch.float32, torch.bfloat16):
        value = module(torch.zeros(12, 1, dtype=dtype), y)
        assert value.shape == (12,)
        assert value.dtype == torch.float32
        assert (torch.isfinite(value) & (value > 0)).all()
    assert torch.equal(module(y, y), torch.zeros(12))
    assert torch.isfinite(module(y + 100, y)).all()
    assert torch.isfinite(module(y, y + 100)).all()


@for_values
def test_values_gradient_is_exact_and_rows_are_alone(loss: Any) -> None:
    y = torch.tensor(VALUES.values[:12, None])
    outputs = torch.randn(12, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    module = loss.build(VALUES)
    assert torch.autograd.gradcheck(lambda z: module(z, y), (outputs,))
    alone = torch.cat([module(outputs[i : i + 1], y[i : i + 1]) for i in range(12)])
    torch.testing.assert_close(module(outputs, y), alone)


@for_values
def test_values_have_no_prior_and_nothing_to_save(loss: Any) -> None:
    assert loss.prior_factor(VALUES) is None
    assert loss.build(VALUES).state_dict() == {}
