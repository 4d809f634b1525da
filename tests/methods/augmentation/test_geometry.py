"""Affine maps: grids, composition and resampling against identities and torch's own functional."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from rarebird.methods.augmentation import _geometry
from rarebird.methods.augmentation.rotate import rotation
from rarebird.methods.augmentation.scale import magnification
from rarebird.methods.augmentation.shear import slant
from rarebird.methods.augmentation.translate import translation


def angles(*degrees: float) -> torch.Tensor:
    return torch.tensor([math.radians(value) for value in degrees])


def test_grid_is_affine_grid(generator: torch.Generator) -> None:
    matrix = torch.eye(3) + torch.randn(5, 3, 3, generator=generator) * 0.2
    expected = functional.affine_grid(matrix[:, :2], [5, 1, 7, 11], align_corners=False)
    torch.testing.assert_close(_geometry.sampling_grid(matrix, 7, 11), expected)


def test_a_grid_is_the_sum_of_its_parts_row_by_row(generator: torch.Generator) -> None:
    matrix = torch.eye(3) + torch.randn(5, 3, 3, generator=generator) * 0.2
    across, down = _geometry.grid_parts(matrix, 7, 11)
    assert across.shape == (5, 2, 1, 11)
    assert down.shape == (5, 2, 7, 1)
    assert torch.equal(_geometry.grid_of(across[2:4], down[2:4]), _geometry.sampling_grid(matrix, 7, 11)[2:4])


def test_matrices_hold_what_they_are_given() -> None:
    x = torch.tensor([0.1, -0.2])
    expected = torch.tensor([[[1.0, 0, 0.1], [0, -1, 0], [0, 0, 1]], [[1, 0, -0.2], [0, -1, 0], [0, 0, 1]]])
    assert torch.equal(_geometry.affine(x=x, yy=-1.0), expected)
    assert torch.equal(_geometry.affine(xx=0.0, xy=x)[:, 0, :2], torch.stack([torch.zeros(2), x], dim=1))


def test_identity_keeps_the_picture(pictures: torch.Tensor) -> None:
    for fill in ("edge", "reflect", "zero"):
        torch.testing.assert_close(
            _geometry.resample(pictures, torch.eye(3).repeat(len(pictures), 1, 1), fill), pictures, atol=1e-5, rtol=0
        )


def test_angles_add_up_on_any_shape() -> None:
    twice = _geometry.compose([rotation(angles(20)), rotation(angles(35))], 12, 20)
    torch.testing.assert_close(twice, _geometry.compose([rotation(angles(55))], 12, 20))


def test_factors_multiply_and_opposites_cancel() -> None:
    there, back = magnification(torch.tensor([1.5])), magnification(torch.tensor([1 / 1.5]))
    torch.testing.assert_close(_geometry.compose([there, back], 12, 20), torch.eye(3)[None])
    shift = translation(torch.tensor([0.2]), torch.tensor([-0.1]))
    torch.testing.assert_close(
        _geometry.compose([shift, translation(torch.tensor([-0.2]), torch.tensor([0.1]))], 12, 20), torch.eye(3)[None]
    )


def test_shear_keeps_areas(generator: torch.Generator) -> None:
    sideways, upright = torch.rand(2, 50, generator=generator) - 0.5
    torch.testing.assert_close(_geometry.compose([slant(sideways, upright)], 12, 20).det(), torch.ones(50))


def test_composed_is_one_after_the_other_inside_the_picture() -> None:
    down, right = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 60), indexing="ij")
    smooth = (0.5 + 0.2 * torch.sin(4 * right) + 0.2 * torch.cos(5 * down))[None, None]
    maps = [
        rotation(angles(12)),
        translation(torch.tensor([0.08]), torch.tensor([-0.05])),
        magnification(torch.tensor([1.2])),
    ]
    one_by_one = smooth
    for matrix in maps:
        one_by_one = _geometry.resample(one_by_one, _geometry.compose([matrix], 40, 60), "edge")
    at_once = _geometry.resample(smooth, _geometry.compose(maps, 40, 60), "edge")
    torch.testing.assert_close(at_once[..., 12:-12, 16:-16], one_by_one[..., 12:-12, 16:-16], atol=2e-3, rtol=0)
    other_order = _geometry.resample(smooth, _geometry.compose(maps[::-1], 40, 60), "edge")
    assert (other_order - at_once).abs().max() > 0.01


@pytest.mark.parametrize("fill", ["edge", "reflect"])
def test_a_flat_picture_stays_flat_where_the_edge_is_continued(fill: _geometry.Fill) -> None:
    moved = _geometry.resample(
        torch.full((3, 1, 8, 8), 0.3), _geometry.compose([rotation(angles(10, 45, 90))], 8, 8), fill
    )
    torch.testing.assert_close(moved, torch.full((3, 1, 8, 8), 0.3))


def test_zero_fill_is_black_beyond_the_edge() -> None:
    moved = _geometry.resample(torch.ones(1, 1, 8, 8), translation(torch.tensor([0.25]), torch.tensor([0.0])), "zero")
    torch.testing.assert_close(moved[0, 0], torch.cat([torch.zeros(8, 2), torch.ones(8, 6)], dim=1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 4e-3), (torch.float64, 1e-5)])
def test_dtype_is_kept_and_coordinates_are_precise(
    pictures: torch.Tensor, dtype: torch.dtype, tolerance: float
) -> None:
    matrix = _geometry.compose([rotation(angles(*[7.0] * 400))], 12, 20)
    moved = _geometry.resample(pictures.to(dtype), matrix, "edge")
    assert moved.dtype == dtype
    expected = _geometry.resample(pictures.to(dtype).float(), matrix, "edge")
    torch.testing.assert_close(moved.float(), expected, atol=tolerance, rtol=0)


def test_boxes_have_the_asked_area_and_lie_inside(generator: torch.Generator) -> None:
    height, width = torch.full((2000,), 0.5), torch.full((2000,), 0.25)
    box = _geometry.boxes((height, width), (16, 16), generator)
    assert box.shape == (2000, 1, 16, 16)
    assert (box.flatten(1).sum(1) == 8 * 4).all()
    columns = box.any(dim=2)[:, 0].float().mean(0)
    torch.testing.assert_close(columns, columns.flip(0), atol=0.05, rtol=0)
