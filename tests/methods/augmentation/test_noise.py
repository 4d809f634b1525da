"""Noise: its level, its unit, and its independence."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from scipy import stats

from rarebird.methods.augmentation.noise import STEP, Noise, windows


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


def test_short_rows_share_nothing(generator) -> None:
    like, again = torch.empty(5, 1, 64, 64), torch.Generator().manual_seed(0)
    assert torch.equal(windows(like, generator), torch.randn(like.shape, generator=again))


def test_long_rows_are_windows_of_one_stretch(generator) -> None:
    noise = windows(torch.empty(4, 3, 96, 80), generator).flatten(1)
    for row, following in itertools.pairwise(noise):
        assert torch.equal(row[STEP:], following[:-STEP])
    assert noise.untyped_storage().nbytes() == 4 * (3 * 96 * 80 + 3 * STEP)


def test_within_a_long_row_noise_is_independent_and_normal(generator) -> None:
    row = windows(torch.empty(8, 3, 160, 160), generator)[5].double().numpy()
    assert stats.kstest(row.ravel(), "norm").pvalue > 0.01
    spectrum = np.abs(np.fft.rfft(row.ravel())[1:]) ** 2 / row.size
    # The periodogram of white noise is exponential with mean 1 at every frequency: no period, no color.
    assert stats.kstest(spectrum[:-1], "expon").pvalue > 0.01


def test_rows_without_noise_are_left_alone_and_others_not(augment) -> None:
    large = torch.full((40, 3, 64, 64), 0.5)
    noised = augment(Noise(strength=0.5, p=0.5), {"pixels": large}, std=(0.2,) * 3)[0]["pixels"]
    same = (noised == large).flatten(1).all(1)
    assert 8 < same.sum() < 32
    assert len(torch.unique(noised[~same].flatten(1), dim=0)) == (~same).sum()
