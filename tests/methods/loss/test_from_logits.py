"""What losses for classes share: probabilities are distinguished from logits, and logarithms stay exact."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from rarebird.methods.loss._from_logits import (
    FromLogits,
    are_probabilities,
    at_least_one,
    known_counts,
    log_complement,
    log_probabilities,
)
from rarebird.slots.protocols import TargetStatistics

WARNING = "The loss takes logits but was given probabilities .* remove the softmax at the end of the network"


def total(logits: Tensor, y: Tensor) -> Tensor:
    return (logits * y).sum(dim=1)


def softmax_of(n: int, n_classes: int, dtype: torch.dtype = torch.float32, spread: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(n + n_classes)
    return torch.softmax(spread * torch.randn(n, n_classes, generator=generator), dim=1).to(dtype)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("n", [1, 4, 256])
def test_softmax_is_recognized_sharp_flat_and_in_half_precision(n: int, n_classes: int) -> None:
    for spread in (0.01, 1.0, 30.0):
        assert are_probabilities(softmax_of(n, n_classes, spread=spread))
        assert n < 4 or are_probabilities(softmax_of(n, n_classes, torch.bfloat16, spread))


def test_logits_are_not_taken_for_probabilities() -> None:
    zeros, shares = torch.zeros(8, 3), softmax_of(8, 3)
    for logits in (zeros, torch.log(shares), torch.logit(shares), shares + 0.1, shares - 0.1, shares * 2, zeros[:0]):
        assert not are_probabilities(logits)
    one_true_logit = shares.clone()
    one_true_logit[3] = torch.tensor([1.5, -0.5, 0.0])
    assert not are_probabilities(one_true_logit)


def test_fresh_networks_never_set_it_off() -> None:
    generator = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n_classes in (2, 3, 10):
            for _ in range(300):
                weight, bias = (
                    torch.randn(n_classes, 5, generator=generator) / 5,
                    torch.rand(n_classes, generator=generator),
                )
                logits = torch.randn(4, 5, generator=generator) @ weight.T + bias
                FromLogits(total)(logits, torch.ones(4, n_classes))


def test_warns_once_and_looks_at_the_first_batches_only() -> None:
    module, shares, logits = FromLogits(total), softmax_of(8, 3), torch.zeros(8, 3)
    with pytest.warns(UserWarning, match=WARNING):
        module(shares, shares)
    late = FromLogits(total)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(shares, shares)
        for _ in range(FromLogits.LOOKS):
            late(logits, shares)
        late(shares, shares)
    assert copy.deepcopy(late)._looks_left == 0


def test_numbers_per_class_follow_the_module_and_are_not_saved() -> None:
    module = FromLogits(lambda logits, y, weights: total(logits, y * weights), weights=np.array([1.0, 2.0]))
    torch.testing.assert_close(module(torch.tensor([[3.0, 5.0]]), torch.ones(1, 2)), torch.tensor([13.0]))
    assert [name for name, _ in module.named_buffers()] == ["weights"]
    assert module.state_dict() == {}


def test_half_precision_logits_are_lifted_and_double_ones_kept() -> None:
    for given, got in ((torch.bfloat16, torch.float32), (torch.float16, torch.float32), (torch.float64, torch.float64)):
        assert log_probabilities(torch.zeros(2, 3, dtype=given)).dtype == got


def test_log_complement_is_exact_where_p_is_near_one() -> None:
    log_p = torch.log_softmax(torch.tensor([[60.0, 0.0, 0.0], [1.0, 0.0, -1.0]], dtype=torch.float64), dim=1)
    assert log_complement(log_p)[0, 0].item() == pytest.approx(np.log(2) - 60)
    torch.testing.assert_close(log_complement(log_p)[1], torch.log1p(-log_p[1].exp()))


def test_counts_must_be_known_and_not_all_zero() -> None:
    np.testing.assert_array_equal(at_least_one(np.array([3, 0])), [3, 1])
    with pytest.raises(ValueError, match="focal is for classes, with their counts"):
        known_counts(TargetStatistics(values=np.ones(3)), "focal")
    with pytest.raises(ValueError, match="at least one training row"):
        known_counts(TargetStatistics(np.array([0, 0])), "focal")


def test_only_a_class_without_rows_counts_as_one_row() -> None:
    np.testing.assert_array_equal(at_least_one(np.array([0, 0.4, 3])), [1, 0.4, 3])
