"""Focal loss: the paper's binary formula and its limits; weights of the classes in each form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from rarebird.core.checks import DataError
from rarebird.methods.loss.class_balanced import ClassBalanced
from rarebird.methods.loss.focal import Focal, focal
from rarebird.methods.loss.weighted import Weighted
from rarebird.slots import methods
from rarebird.slots.protocols import TargetStatistics

THREE = TargetStatistics(np.array([90, 9, 1]), ("a", "b", "猫"))
TWO = TargetStatistics(np.array([10, 90]), ("sick", "well"))


def test_two_classes_are_the_papers_sigmoid_focal_loss() -> None:
    x = 4 * torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = torch.arange(50) % 2
    logits, y = torch.stack([torch.zeros_like(x), x], dim=1), torch.nn.functional.one_hot(codes, 2).double()
    torch.testing.assert_close(
        focal(logits, y, torch.ones(2), gamma=2.0), sigmoid_focal_loss(x, codes.double(), alpha=-1, gamma=2.0)
    )
    # With alpha .25 for class 1, the rarer one here; ours has mean weight 1.
    ours = Focal(alpha=0.25).build(TargetStatistics(np.array([90, 10])))(logits, y)
    paper = sigmoid_focal_loss(x, codes.double(), alpha=0.25, gamma=2.0)
    torch.testing.assert_close(ours, paper / (0.9 * 0.75 + 0.1 * 0.25), rtol=1e-6, atol=1e-6)


def test_larger_gamma_lowers_the_weight_of_easy_rows() -> None:
    easy, y = torch.tensor([[4.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    values = [focal(easy, y, torch.ones(2), gamma).item() for gamma in (0.0, 1.0, 2.0, 5.0)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("alpha", "weights"),
    [
        ("balanced", Weighted().prior_factor(THREE)),
        ("effective_number", ClassBalanced().prior_factor(THREE)),
        ({"猫": 5.0, "a": 1.0, "b": 2.0}, Weighted(class_weight={"a": 1.0, "b": 2.0, "猫": 5.0}).prior_factor(THREE)),
    ],
)
def test_alpha_multiplies_the_weights_of_its_scheme(alpha: object, weights: np.ndarray) -> None:
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    plain, with_alpha = (Focal(alpha=value).build(THREE)(logits, torch.eye(3)) for value in (None, alpha))
    torch.testing.assert_close(with_alpha, torch.tensor(weights, dtype=torch.float32) * plain)
    assert Focal(alpha=alpha).prior_factor(THREE) is None
    np.testing.assert_allclose(Focal(gamma=0, alpha=alpha).prior_factor(THREE), weights)


def test_a_number_is_the_rarer_classs_share_whichever_it_is() -> None:
    first_rare = Focal(gamma=0, alpha=0.8).prior_factor(TWO)
    second_rare = Focal(gamma=0, alpha=0.8).prior_factor(TargetStatistics(np.array([90, 10])))
    assert first_rare[0] / first_rare[1] == pytest.approx(4)
    np.testing.assert_allclose(second_rare, first_rare[::-1])
    np.testing.assert_allclose(Focal(gamma=0, alpha=0.5).prior_factor(TWO), 1)


def test_labels_and_numbers_that_do_not_fit_the_data_are_refused() -> None:
    with pytest.raises(DataError, match="alpha names the class 'sik', which is not in the data; did you mean 'sick'"):
        Focal(alpha={"sik": 1, "well": 2}).build(TWO)
    with pytest.raises(DataError, match="alpha has no weight for the class 'well'"):
        Focal(alpha={"sick": 1}).build(TWO)
    with pytest.raises(DataError, match=r"alpha=0\.3 only for two classes, but there are 3"):
        Focal(alpha=0.3).build(THREE)
    for bad in ("balance", 0, 1.5, {"a": 0}):
        with pytest.raises(
            ValueError, match=r"effective_number, a number in 0\.\.1, or a weight above 0 for each class label"
        ) as caught:
            Focal(alpha=bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("alpha", [0.3, "balanced", {"sick": 3.0, "well": 1.0}])
def test_every_form_comes_back_from_plain_settings(alpha: object) -> None:
    loss = Focal(alpha=alpha)
    assert methods.build("loss", loss.settings()) == loss
