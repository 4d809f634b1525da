"""Label smoothing: torch's own is the referee, and the minimum lies at the smoothed probabilities."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rarebird.core.checks import DataError
from rarebird.methods.network._layers import HeadedNetwork
from rarebird.methods.regularization.label_smoothing import LabelSmoothing, smoothed


def test_cross_entropy_of_smoothed_targets_is_torchs() -> None:
    logits, codes = torch.randn(20, 5), torch.arange(20) % 5
    hook = LabelSmoothing(smoothing=0.2).attach(torch.nn.Linear(1, 5))
    found = functional.cross_entropy(logits, hook.targets(functional.one_hot(codes, 5).float()))
    torch.testing.assert_close(found, functional.cross_entropy(logits, codes, label_smoothing=0.2))


def test_nothing_is_taken_at_zero_and_even_targets_stay() -> None:
    y = torch.rand(6, 4).softmax(dim=1)
    assert torch.equal(smoothed(y, 0.0), y)
    torch.testing.assert_close(smoothed(torch.full((2, 4), 0.25), 0.3), torch.full((2, 4), 0.25))


def test_a_target_of_numbers_is_refused() -> None:
    class Values(HeadedNetwork):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(3, 1)

    with pytest.raises(DataError, match="the target is a number"):
        LabelSmoothing().attach(Values())


def test_smoothing_is_no_factor_on_the_prior() -> None:
    """At the minimum the network's probabilities are the smoothed ones; what they are of the true ones differs from row
    to row, so that no factor per class gives the true ones back."""
    true = torch.tensor([[0.9, 0.1], [0.99, 0.01]], dtype=torch.float64)
    learned = smoothed(true, 0.1)
    change = (learned[:, 1] / learned[:, 0]) / (true[:, 1] / true[:, 0])
    assert change[1] > 3 * change[0] > 3
    assert LabelSmoothing().bends_prior
    assert not LabelSmoothing(smoothing=0).bends_prior
