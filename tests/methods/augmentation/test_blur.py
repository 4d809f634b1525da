"""Blur: a Gaussian of each row's own width, beyond the edge the edge's pixels; torchvision agrees."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional
from torchvision.transforms.v2.functional import gaussian_blur

from rarebird.methods.augmentation.blur import Blur, blurred, radius


def widths(pictures: torch.Tensor, sigma: float) -> torch.Tensor:
    return torch.full((len(pictures),), sigma)


def test_no_width_is_the_identity_and_a_flat_picture_stays_flat(pictures) -> None:
    assert torch.equal(blurred(pictures, widths(pictures, 0), 3), pictures)
    flat = torch.full_like(pictures, 0.3)
    torch.testing.assert_close(blurred(flat, torch.linspace(0, 2, len(flat)), 6), flat)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.0])
def test_torchvision_agrees_on_a_picture_padded_by_its_edge(pictures, sigma: float) -> None:
    reach = radius(sigma)
    padded = functional.pad(pictures, [reach] * 4, mode="replicate")
    expected = gaussian_blur(padded, [2 * reach + 1] * 2, [sigma] * 2)[..., reach:-reach, reach:-reach]
    torch.testing.assert_close(blurred(pictures, widths(pictures, sigma), reach), expected, atol=1e-6, rtol=0)


def test_a_point_spreads_by_the_square_of_its_width() -> None:
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = blurred(point, torch.tensor([2.0]), 10)[0, 0]
    distance = torch.arange(41.0) - 20
    torch.testing.assert_close(spread.sum(), torch.tensor(1.0))
    for axis in (0, 1):
        torch.testing.assert_close((spread.sum(1 - axis) * distance**2).sum().item(), 4.0, rtol=1e-3, atol=0)


def test_two_blurs_are_one_of_their_root_sum_of_squares() -> None:
    picture = torch.zeros(1, 1, 41, 41)
    picture[..., 15:26, 18:22] = 1
    twice = blurred(blurred(picture, torch.tensor([1.2]), 8), torch.tensor([1.6]), 8)
    torch.testing.assert_close(twice, blurred(picture, torch.tensor([2.0]), 8), atol=1e-3, rtol=0)


def test_each_row_has_its_own_width(pictures) -> None:
    sigma = torch.linspace(0, 1, 5)
    alone = torch.cat([blurred(pictures[i : i + 1], sigma[i : i + 1], 3) for i in range(5)])
    assert torch.equal(blurred(pictures[:5], sigma, 3), alone)


def test_widths_are_drawn_up_to_the_setting(augment) -> None:
    point = torch.zeros(2000, 1, 15, 15)
    point[..., 7, 7] = 1
    spread = augment(Blur(sigma=1.0), {"pixels": point})[0]["pixels"]
    variance = (spread.sum((1, 2)) * (torch.arange(15.0) - 7) ** 2).sum(1)
    assert variance.max() <= 1.0
    # Narrow Gaussians, sampled at whole pixels, lose their width: hence a quantile high up.
    torch.testing.assert_close(variance.quantile(0.8).sqrt().item(), 0.8, atol=0.03, rtol=0)


def test_a_picture_smaller_than_the_filter_works() -> None:
    assert blurred(torch.rand(3, 1, 2, 1), torch.full((3,), 2.0), 6).shape == (3, 1, 2, 1)
