"""Padding and cropping: whole pixels, exactly those of the picture, at places drawn evenly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.pad_crop import PadCrop, shifted, whole
from rarebird.methods.augmentation.translate import translation

MODES = {"zero": "constant", "edge": "edge", "reflect": "symmetric"}


@pytest.mark.parametrize("fill", MODES)
def test_it_is_numpys_padding_and_a_crop(pictures, fill: str) -> None:
    down, right = (torch.randint(-5, 6, (50,), generator=torch.Generator().manual_seed(seed)) for seed in range(2))
    moved = shifted(pictures[:50], down, right, fill)
    for picture, row, i, j in zip(pictures.numpy(), moved.numpy(), 5 - down, 5 - right, strict=False):
        padded = np.pad(picture, ((0, 0), (5, 5), (5, 5)), mode=MODES[fill])
        np.testing.assert_array_equal(row, padded[:, i : i + 12, j : j + 20])


@pytest.mark.parametrize("fill", MODES)
def test_interpolation_at_whole_pixels_agrees(pictures, fill: str) -> None:
    down, right = torch.arange(-10, 10).repeat(20), torch.arange(400) % 31 - 15
    matrix = _geometry.compose([translation(right / 20, down / 12)], 12, 20)
    torch.testing.assert_close(
        shifted(pictures, down, right, fill), _geometry.resample(pictures, matrix, fill), atol=3e-5, rtol=0
    )


def test_a_move_there_and_back_keeps_what_stayed_inside(pictures) -> None:
    down, right = torch.full((400,), 3), torch.full((400,), -2)
    back = shifted(shifted(pictures, down, right, "zero"), -down, -right, "zero")
    assert torch.equal(back[..., :9, 2:], pictures[..., :9, 2:])
    assert back[..., 9:, :].abs().max() == back[..., :2].abs().max() == 0


def test_moves_are_even_up_to_the_fraction_and_at_least_a_pixel(generator) -> None:
    pixels = whole(0.125, 32, 9000, generator)
    counts = torch.bincount(pixels + 4)
    assert len(counts) == 9
    assert (counts - 1000).abs().max() < 130
    assert set(whole(0.01, 12, 200, generator).tolist()) == {-1, 0, 1}


def test_both_axes_move_by_their_own_side(augment) -> None:
    point = torch.zeros(500, 1, 16, 32)
    point[..., 8, 16] = 1
    places = augment(PadCrop(), {"pixels": point})[0]["pixels"].nonzero()
    assert len(places) == 500
    assert (places[:, 2].min().item(), places[:, 2].max().item()) == (6, 10)
    assert (places[:, 3].min().item(), places[:, 3].max().item()) == (12, 20)
    assert torch.corrcoef(places[:, 2:].T.float())[0, 1].abs() < 0.1
