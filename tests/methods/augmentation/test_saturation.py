"""Saturation: torchvision agrees, gray stays gray, and pictures without color are left alone."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2.functional import adjust_saturation

from rarebird.methods.augmentation.saturation import Saturation, saturated

COLORS = torch.rand(60, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("gain", [0.0, 0.4, 1.7])
def test_torchvision_agrees(gain: float) -> None:
    torch.testing.assert_close(
        saturated(COLORS, torch.full((60,), gain)), adjust_saturation(COLORS, gain), atol=1e-6, rtol=0
    )


def test_a_gain_of_one_is_the_identity_and_gains_multiply() -> None:
    assert torch.equal(saturated(COLORS, torch.ones(60)), COLORS)
    pale = saturated(COLORS, torch.full((60,), 0.4))
    twice = saturated(saturated(COLORS, torch.full((60,), 0.5)), torch.full((60,), 0.8))
    torch.testing.assert_close(twice, pale, atol=1e-4, rtol=0)


def test_gains_are_uniform_within_the_strength(augment) -> None:
    colors = torch.tensor([0.5, 0.4, 0.45])[:, None, None].expand(3000, 3, 2, 2)
    changed = augment(Saturation(strength=0.6), {"pixels": colors}, channels=3)[0]["pixels"]
    gain = (changed[:, 0, 0, 0] - changed[:, 1, 0, 0]) / 0.1
    assert gain.min() >= 0.4 - 1e-4
    assert gain.max() <= 1.6 + 1e-4
    torch.testing.assert_close(gain.std().item(), 0.6 / 3**0.5, rtol=0.03, atol=0)


def test_gray_pictures_are_left_alone(augment, pictures) -> None:
    gray = pictures[:, :1]
    assert augment(Saturation(), {"pixels": gray}, channels=1)[0]["pixels"] is gray
    colorless = gray.expand(-1, 3, -1, -1)
    changed = augment(Saturation(strength=1), {"pixels": colorless}, channels=3)[0]["pixels"]
    # The weights of luma sum to .9999.
    torch.testing.assert_close(changed, colorless, atol=2e-4, rtol=0)
