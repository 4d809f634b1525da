"""Shear against torchvision, one axis at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.shear import Shear, slant


@pytest.mark.parametrize(("sideways", "upright"), [(15.0, 0.0), (0.0, -10.0)])
def test_torchvision_agrees(pictures, sideways: float, upright: float) -> None:
    matrix = slant(*(torch.full((400,), math.radians(angle)) for angle in (sideways, upright)))
    moved = _geometry.resample(pictures, _geometry.compose([matrix], 12, 20), "zero")
    # torchvision counts a positive shear the other way.
    expected = affine(pictures, 0, [0, 0], 1, [-sideways, -upright], interpolation=InterpolationMode.BILINEAR)
    torch.testing.assert_close(moved, expected, atol=2e-5, rtol=0)


def test_angles_stay_within_the_bound(generator) -> None:
    matrix = Shear(degrees=20).bind(None).matrix(2000, generator)
    assert torch.rad2deg(matrix[:, 0, 1].abs().atan()).max() <= 20 + 1e-4
