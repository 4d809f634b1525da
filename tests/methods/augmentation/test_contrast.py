"""Contrast: the mean stays, the deviations scale; torchvision agrees on gray pictures."""

from __future__ import annotations

import torch
from torchvision.transforms.v2.functional import adjust_contrast

from rarebird.methods.augmentation.contrast import Contrast, stretched


def test_mean_stays_and_deviation_scales(augment, pictures) -> None:
    inside = 0.4 + 0.2 * pictures
    changed = augment(Contrast(strength=0.8), {"pixels": inside})[0]["pixels"]
    torch.testing.assert_close(changed.mean((1, 2, 3)), inside.mean((1, 2, 3)))
    gain = changed.flatten(1).std(1) / inside.flatten(1).std(1)
    assert ((gain >= 0.2 - 1e-4) & (gain <= 1.8 + 1e-4)).all()
    assert gain.std() > 0.4


def test_torchvision_agrees_on_gray_pictures() -> None:
    gray = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(stretched(gray, torch.tensor([1.4])), adjust_contrast(gray, 1.4))


def test_no_contrast_is_flat(pictures) -> None:
    assert stretched(pictures, torch.zeros(400)).flatten(2).std(2).max() < 1e-6
