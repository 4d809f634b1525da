"""What rand_augment and trivial_augment draw among: ranges, strength 0, and rows that get what they drew and nothing
else."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation import _geometry, _operations
from rarebird.methods.augmentation._operations import RandomOperations, geometric, photometric

COLOR = InputSpec(
    kind="image", task="classification", n_outputs=2, channels=3, height=12, width=20, mean=(0.5,) * 3, std=(0.25,) * 3
)
GRAY = COLOR.model_copy(update={"channels": 1, "mean": (0.5,), "std": (0.25,)})
# Places among the photometric whose result depends on the generator.
DRAWING = (3, 4)


@pytest.fixture
def colors() -> torch.Tensor:
    return torch.rand(400, 3, 12, 20, generator=torch.Generator().manual_seed(5))


def drawn(
    number: int = 1, least: float = 0.3, most: float = 0.9, p: float = 1.0, flips: bool = False
) -> RandomOperations:
    return RandomOperations(geometric(flips), photometric(COLOR, most), number, least, most, p, "edge")


def run(step: RandomOperations, pixels: torch.Tensor, seed: int = 0) -> torch.Tensor:
    y = torch.ones(len(pixels), 1)
    return step({"pixels": pixels}, y, y[:, 0], torch.Generator().manual_seed(seed))[0]["pixels"]


def test_strength_zero_of_every_operation_is_the_identity(colors, generator) -> None:
    still = torch.zeros(400)
    assert (len(geometric(flips=False)), len(photometric(COLOR, 1.0)) > 4) == (6, True)
    for move in geometric(flips=False):
        assert torch.equal(move(still), torch.eye(3).repeat(400, 1, 1))
    for retouch in photometric(COLOR, 1.0):
        torch.testing.assert_close(retouch(colors, still, generator), colors)


def test_full_strength_is_the_papers() -> None:
    level = torch.tensor([1.0, -1.0])
    turn, slant_x, slant_y, move_x, move_y, scale = (move(level) for move in geometric(flips=False))
    torch.testing.assert_close(torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0])), 30 * level)
    torch.testing.assert_close(slant_x[:, 0, 1], -0.3 * level)
    torch.testing.assert_close(slant_y[:, 1, 0], -0.3 * level)
    # Coordinates span 2 from edge to edge.
    torch.testing.assert_close(move_x[:, 0, 2], -0.9 * level)
    torch.testing.assert_close(move_y[:, 1, 2], -0.9 * level)
    torch.testing.assert_close(scale[:, 0, 0], torch.tensor([1 / 1.5, 1.5]))
    for matrix in (slant_x, slant_y, move_x, move_y, turn):
        torch.testing.assert_close(torch.linalg.det(matrix), torch.ones(2))


def test_flips_only_where_asked_and_saturation_only_of_colors() -> None:
    level = torch.full((1,), 0.5)
    assert all(torch.linalg.det(move(level)) > 0 for move in geometric(flips=False))
    assert [bool(torch.linalg.det(move(level)) < 0) for move in geometric(flips=True)].count(True) == 1
    assert len(photometric(COLOR, 1.0)) == len(photometric(GRAY, 1.0)) + 1


def test_draws_are_even_and_within_the_strengths(generator) -> None:
    step = drawn(number=2, least=0.2, most=0.8)
    chosen, level = step.draw(20000, generator)
    count = len(step.geometric) + len(step.photometric) + 1
    frequency = torch.bincount(chosen.flatten(), minlength=count) / chosen.numel()
    assert len(frequency) == count
    torch.testing.assert_close(frequency, torch.full((count,), 1 / count), atol=0.006, rtol=0)
    assert level.abs().min() >= 0.2
    assert level.abs().max() <= 0.8
    torch.testing.assert_close(level.abs().std().item(), 0.6 / math.sqrt(12), rtol=0.02, atol=0)
    assert level.sign().mean().abs() < 0.02
    assert torch.corrcoef(torch.stack([*chosen.float(), *level])).fill_diagonal_(0).abs().max() < 0.03


def test_every_row_gets_the_operation_that_it_drew(colors) -> None:
    step = drawn()
    changed = run(step, colors, seed=3)
    chosen, level = (part[0] for part in step.draw(400, torch.Generator().manual_seed(3)))
    for row, (kind, strength) in enumerate(zip(chosen.tolist(), level.split(1), strict=True)):
        pixels = colors[row : row + 1]
        place = kind - len(step.geometric)
        if place == len(step.photometric):
            assert torch.equal(changed[row], pixels[0])
        elif place < 0:
            matrix = _geometry.compose([step.geometric[kind](strength)], 12, 20)
            torch.testing.assert_close(changed[row], _geometry.resample(pixels, matrix, "edge")[0])
        elif place in DRAWING:
            assert 0 < (changed[row] != pixels[0]).float().mean() <= 1
        else:
            expected = step.photometric[place](pixels, strength, torch.Generator())[0]
            torch.testing.assert_close(changed[row], expected)


def test_a_rows_moves_are_composed_into_one_resampling(colors, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled: list[int] = []
    original = functional.grid_sample

    def counted(pixels, *args, **kwargs):
        sampled.append(len(pixels))
        return original(pixels, *args, **kwargs)

    monkeypatch.setattr(functional, "grid_sample", counted)
    step = RandomOperations(geometric(flips=False), (), 3, 0.5, 0.5, 1.0, "edge")
    changed = run(step, colors)
    chosen, level = step.draw(400, torch.Generator().manual_seed(0))
    moved = (chosen < len(step.geometric)).any(0)
    assert sampled == [int(moved.sum())]
    row = int((chosen < len(step.geometric)).all(0).nonzero()[0])
    parts = [step.geometric[int(chosen[i, row])](level[i, row : row + 1]) for i in range(3)]
    expected = original(
        colors[row : row + 1],
        _geometry.sampling_grid(_geometry.compose(parts, 12, 20), 12, 20),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    torch.testing.assert_close(changed[row], expected[0])


def test_rows_that_do_not_draw_stay_to_the_bit(colors) -> None:
    changed = run(drawn(number=3, p=0.4), colors)
    touched = (changed != colors).flatten(1).any(1).float().mean()
    assert 0.3 < touched < 0.48
    assert torch.equal(run(drawn(), torch.empty(0, 3, 12, 20)), torch.empty(0, 3, 12, 20))


def test_the_reach_of_the_blur_follows_the_strength() -> None:
    point = torch.zeros(1, 3, 25, 25)
    point[..., 12, 12] = 1
    blur = photometric(COLOR, 0.3)[2]
    spread = blur(point, torch.tensor([-0.3]), torch.Generator())[0, 0]
    distance = torch.arange(25.0) - 12
    torch.testing.assert_close(
        (spread.sum(0) * distance**2).sum().sqrt().item(), 0.3 * _operations.SIGMA, rtol=0.02, atol=0
    )
