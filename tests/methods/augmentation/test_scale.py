"""Scaling against torchvision; growing is as likely as shrinking."""

from __future__ import annotations

import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.scale import Scale, magnification


def test_torchvision_agrees(pictures) -> None:
    matrix = _geometry.compose([magnification(torch.full((400,), 1.3))], 12, 20)
    expected = affine(pictures, 0, [0, 0], 1.3, [0, 0], interpolation=InterpolationMode.BILINEAR)
    torch.testing.assert_close(_geometry.resample(pictures, matrix, "zero"), expected, atol=2e-5, rtol=0)


def test_factors_are_balanced_on_the_logarithmic_scale(generator) -> None:
    factor = 1 / Scale(strength=0.5).bind(None).matrix(5000, generator)[:, 0, 0]
    assert factor.max() <= 1.5 + 1e-5
    assert factor.min() >= 1 / 1.5 - 1e-5
    assert factor.log().mean().abs() < 0.02
