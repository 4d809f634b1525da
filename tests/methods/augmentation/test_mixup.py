"""Mixup: inputs, targets and weights blend by the same share, whatever the kind of data."""

from __future__ import annotations

import pytest
import torch

from rarebird.methods.augmentation import _rows
from rarebird.methods.augmentation._blend import blended, mixed_targets
from rarebird.methods.augmentation.mixup import Mixup

N = 2000


@pytest.fixture
def y(generator) -> torch.Tensor:
    return torch.eye(3)[torch.randint(0, 3, (N,), generator=generator)]


def test_inputs_that_spell_the_target_still_spell_it(augment, y) -> None:
    pixels = y[:, :, None, None].expand(-1, -1, 2, 2)
    x, mixed, _ = augment(Mixup(alpha=1), {"pixels": pixels}, y)
    torch.testing.assert_close(x["pixels"], mixed[:, :, None, None].expand(-1, -1, 2, 2))
    torch.testing.assert_close(mixed.sum(0), y.sum(0), atol=60, rtol=0)
    x, mixed, _ = augment(Mixup(), {"values": y[:, :, None].repeat(1, 1, 4), "lengths": torch.full((N,), 4)}, y)
    torch.testing.assert_close(x["values"], mixed[:, :, None].expand(-1, -1, 4))
    x, mixed, _ = augment(
        Mixup(), {"numbers": y, "missing": torch.zeros(N, 3), "categories": torch.zeros(N, 0, dtype=torch.long)}, y
    )
    torch.testing.assert_close(x["numbers"], mixed)


@pytest.mark.parametrize("values", [True, False], ids=["regression", "classes"])
def test_each_half_carries_its_own_weight(generator, y, values: bool) -> None:
    """As in the paper: ``lam w_i loss(y_i) + (1 - lam) w_j loss(y_j)``; rows of weight 0 add nothing."""
    targets = y @ torch.tensor([[-1.0], [0.5], [2.0]]) if values else y
    weight = y @ torch.tensor([0.0, 2.0, 5.0])
    partner, share = _rows.permutation(N, generator), torch.rand(N, generator=generator)
    mixed, mean = mixed_targets(targets, weight, partner, share)
    torch.testing.assert_close(mean, share * weight + (1 - share) * weight[partner])
    own, other = (share * weight)[:, None] * targets, ((1 - share) * weight[partner])[:, None] * targets[partner]
    torch.testing.assert_close(mean[:, None] * mixed, own + other)
    assert mixed.isfinite().all()


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 5.0])
def test_shares_follow_the_beta_distribution(generator, alpha: float) -> None:
    share = _rows.beta(alpha, 20000, generator)
    assert ((share >= 0) & (share <= 1)).all()
    torch.testing.assert_close(share.mean().item(), 0.5, atol=0.012, rtol=0)
    torch.testing.assert_close(share.var().item(), 1 / (4 * (2 * alpha + 1)), rtol=0.05, atol=0)


def test_share_one_is_the_first_and_share_zero_the_second(generator) -> None:
    first, second = (
        {"values": torch.randn(4, 2, 6, generator=generator), "lengths": torch.tensor(lengths)}
        for lengths in ([6, 3, 5, 2], [1, 6, 4, 3])
    )
    for share, expected in ((1.0, first), (0.0, second)):
        mixed = blended(first, second, torch.full((4,), share), generator)
        assert all(torch.equal(mixed[name], expected[name]) for name in expected)
    assert blended(first, second, torch.full((4,), 0.5), generator)["lengths"].tolist() == [6, 6, 5, 3]


def test_cells_that_cannot_be_blended_come_from_either_row(generator) -> None:
    share = torch.full((4000,), 0.7)
    first = {
        "numbers": torch.ones(4000, 2),
        "missing": torch.zeros(4000, 2),
        "categories": torch.ones(4000, 1, dtype=torch.long),
    }
    second = {
        "numbers": torch.zeros(4000, 2),
        "missing": torch.tensor([[0.0, 1.0]]).expand(4000, 2),
        "categories": first["categories"] * 2,
    }
    mixed = blended(first, second, share, generator)
    torch.testing.assert_close(mixed["numbers"][:, 0], share)
    assert set(mixed["numbers"][:, 1].tolist()) == {0.0, 1.0}
    assert torch.equal(mixed["missing"][:, 1], 1 - mixed["numbers"][:, 1])
    assert mixed["missing"][:, 0].sum() == 0
    for own in ((mixed["categories"] == 1).float().mean(), mixed["numbers"][:, 1].mean()):
        torch.testing.assert_close(own.item(), 0.7, atol=0.03, rtol=0)


def test_regression_targets_blend_too(augment) -> None:
    y = torch.linspace(-2, 2, N)[:, None]
    x, mixed, _ = augment(
        Mixup(alpha=1),
        {"numbers": y, "missing": torch.zeros(N, 1), "categories": torch.zeros(N, 0, dtype=torch.long)},
        y,
    )
    torch.testing.assert_close(x["numbers"], mixed)
