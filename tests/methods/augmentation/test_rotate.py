"""Rotation against right angles and torchvision."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import rotate

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.rotate import Rotate, rotation


def test_a_quarter_turn_permutes_a_square() -> None:
    square = torch.rand(1, 3, 9, 9)
    turned = _geometry.resample(square, _geometry.compose([rotation(torch.tensor([math.pi / 2]))], 9, 9), "zero")
    torch.testing.assert_close(turned, torch.rot90(square, 1, dims=(2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("degrees", [-75, 13, 180])
def test_torchvision_agrees_on_a_picture_that_is_not_square(pictures, degrees: int) -> None:
    matrix = _geometry.compose([rotation(torch.full((400,), math.radians(degrees)))], 12, 20)
    expected = rotate(pictures, degrees, interpolation=InterpolationMode.BILINEAR)
    torch.testing.assert_close(_geometry.resample(pictures, matrix, "zero"), expected, atol=2e-5, rtol=0)


def test_angles_are_uniform_within_the_bound(generator) -> None:
    matrix = Rotate(degrees=30).bind(None).matrix(5000, generator)
    angle = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert angle.abs().max() <= 30
    torch.testing.assert_close(angle.std().item(), 30 / math.sqrt(3), rtol=0.03, atol=0)
