"""Random resized crops: windows of the asked area, wholly inside, stretched to the picture's size."""

from __future__ import annotations

import torch

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.crop import Crop, window


def test_the_whole_window_is_the_identity() -> None:
    one, zero = torch.ones(4), torch.zeros(4)
    assert torch.equal(window(one, one, zero, zero), torch.eye(3).repeat(4, 1, 1))


def test_the_upper_left_quarter_is_what_interpolation_makes_of_it(pictures) -> None:
    half, corner = torch.full((400,), 0.5), torch.full((400,), -1.0)
    shown = _geometry.resample(pictures, window(half, half, corner, corner), "edge")
    expected = torch.nn.functional.interpolate(pictures, scale_factor=2, mode="bilinear")[..., :12, :20]
    torch.testing.assert_close(shown, expected, atol=1e-5, rtol=0)


def test_areas_ratios_and_places(generator) -> None:
    matrix = Crop(min_area=0.3, ratio=1.5).bind(None).matrix(5000, generator)
    width, height = matrix[:, 0, 0], matrix[:, 1, 1]
    area = width * height
    assert area.max() <= 1 + 1e-5
    # A side is cut to the picture's only where the stretched window is longer: then the area is smaller, by the stretch
    # at most.
    assert area.min() >= 0.3 / 1.5**0.5 - 1e-5
    assert (width / height).max() <= 1.5 + 1e-5
    for side, place in ((width, matrix[:, 0, 2]), (height, matrix[:, 1, 2])):
        assert ((side + place.abs()) <= 1 + 1e-5).all()
        assert place.mean().abs() < 0.02
