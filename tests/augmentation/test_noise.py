"""Noise: its level, its unit, and its independence."""

from __future__ import annotations

import torch

from rarebird.remedies.augmentation.noise import Noise


def test_level_is_uniform_up_to_the_strength_in_training_deviations(augment) -> None:
    gray = torch.full((500, 1, 16, 16), 0.5)
    level = (augment(Noise(strength=0.5), {"pixels": gray}, std=(0.1,))[0]["pixels"] - gray).flatten(1).std(1)
    assert level.max() < 0.05 * 1.15
    assert 0.022 < level.mean() < 0.028


def test_dark_pictures_get_little(augment) -> None:
    dark = torch.full((50, 1, 8, 8), 0.02)
    noised = augment(Noise(strength=0.1), {"pixels": dark}, std=(0.01,))[0]["pixels"]
    assert 0 < (noised - dark).abs().max() < 0.01


def test_no_mean_and_no_pattern(augment) -> None:
    gray = torch.full((2000, 1, 4, 4), 0.5)
    noise = (augment(Noise(strength=1), {"pixels": gray}, std=(0.1,))[0]["pixels"] - gray).flatten(1)
    assert noise.mean().abs() < 0.002
    correlation = torch.corrcoef(noise.T) - torch.eye(16)
    assert correlation.abs().max() < 0.12
