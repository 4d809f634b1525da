"""The pipeline: one resampling for neighbors, the same maps as alone, parts of a batch, and nothing behind its back."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation import _geometry, _pipeline
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.slots import methods
from rarebird.slots.protocols import TrainStatistics

SPEC = InputSpec(
    kind="image", task="classification", n_outputs=2, channels=2, height=12, width=20, mean=(0.5,) * 2, std=(0.25,) * 2
)


def build(*settings: str | dict[str, object]) -> Pipeline:
    entries = [{"name": entry} if isinstance(entry, str) else entry for entry in settings]
    return Pipeline([methods.build("augmentation", entry) for entry in entries], TrainStatistics(SPEC))


def run(made: Pipeline, pixels: torch.Tensor, seed: int = 0) -> torch.Tensor:
    n = len(pixels)
    return made({"pixels": pixels}, torch.ones(n, 1), torch.ones(n), torch.Generator().manual_seed(seed))[0]["pixels"]


@pytest.fixture
def samplings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The padding mode of each call of grid_sample."""
    calls: list[str] = []
    original = functional.grid_sample

    def counted(*args, **kwargs):
        calls.append(kwargs["padding_mode"])
        return original(*args, **kwargs)

    monkeypatch.setattr(functional, "grid_sample", counted)
    return calls


def test_neighbors_share_one_resampling(pictures, samplings) -> None:
    run(build("horizontal_flip", "rotate", "translate", "scale", "shear", "crop", "brightness"), pictures)
    assert samplings == ["border"]


def test_another_step_or_another_fill_between_them_splits_the_run(pictures, samplings) -> None:
    run(build("rotate", "brightness", "translate", {"name": "scale", "fill": "zero"}, "crop"), pictures)
    assert samplings == ["border", "border", "zeros"]


def test_strength_zero_does_not_part_them(pictures, samplings) -> None:
    run(build("rotate", {"name": "brightness", "strength": 0}, "translate"), pictures)
    assert samplings == ["border"]


def test_flips_alone_stay_exact(pictures, samplings) -> None:
    flipped = run(build({"name": "horizontal_flip", "p": 1}, {"name": "vertical_flip", "p": 1}), pictures)
    assert torch.equal(flipped, pictures.flip(-1, -2))
    assert samplings == []


def test_the_composed_map_is_the_product_of_its_parts(pictures) -> None:
    spec = TrainStatistics(SPEC)
    parts = [methods.build("augmentation", {"name": name}).bind(spec) for name in ("rotate", "translate", "scale")]
    draws = torch.Generator().manual_seed(3)
    matrix = _geometry.compose([part.matrix(400, draws) for part in parts], 12, 20)
    assert torch.equal(
        run(build("rotate", "translate", "scale"), pictures, seed=3), _geometry.resample(pictures, matrix, "edge")
    )


def test_rows_that_no_part_moves_stay_to_the_bit(pictures) -> None:
    moved = run(build({"name": "rotate", "p": 0.5}, {"name": "translate", "p": 0.5}), pictures)
    assert 0.18 < (moved == pictures).flatten(1).all(1).float().mean() < 0.32


PLANNED = [
    "horizontal_flip",
    "rotate",
    {"name": "crop", "p": 0.5},
    "brightness",
    {"name": "contrast", "p": 0.5},
    "noise",
]


def test_in_which_parts_a_batch_goes_through_changes_no_bit(pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(build(*PLANNED), pictures)
    for rows in (1, 7, 399):
        monkeypatch.setattr(_pipeline, "TILE_BYTES", rows * pictures[0].nbytes)
        assert torch.equal(run(build(*PLANNED), pictures), whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_parts_keep_the_dtype(pictures, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setattr(_pipeline, "TILE_BYTES", 7 * pictures[0].nbytes)
    changed = run(build(*PLANNED), pictures.to(dtype))
    assert changed.dtype == dtype
    torch.testing.assert_close(changed.float(), run(build(*PLANNED), pictures.to(dtype).float()), atol=2e-2, rtol=0)


def test_steps_that_draw_on_the_way_draw_for_every_part(pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pipeline, "TILE_BYTES", 2 * pictures[0].nbytes)
    same = pictures[:1].expand(50, -1, -1, -1)
    made = build("brightness", "erase")
    moved = run(made, same)
    assert moved.shape == same.shape
    assert len(torch.unique(moved.flatten(1), dim=0)) == 50
    assert torch.equal(moved, run(made, same))


@pytest.mark.parametrize("first", ["rotate", "horizontal_flip", "brightness", "erase", "mixup"])
def test_bytes_are_floats_of_the_same_value(pictures, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    stored = (pictures * 255).round().to(torch.uint8)
    before = stored.clone()
    expected = run(build(first, "noise"), stored.float() / 255)
    assert torch.equal(run(build(first, "noise"), stored), expected)
    monkeypatch.setattr(_pipeline, "TILE_BYTES", 30 * pictures[0].nbytes)
    in_parts = run(build(first, "noise"), stored)
    assert in_parts.dtype == torch.float32
    assert first in {"erase", "mixup"} or torch.equal(in_parts, expected)
    assert torch.equal(stored, before)


def test_mixing_sees_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pipeline, "TILE_BYTES", 1)
    y = torch.eye(2)[torch.arange(64) % 2]
    x = {"pixels": y[:, :, None, None].repeat(1, 1, 12, 20)}
    made = build("horizontal_flip", {"name": "mixup", "alpha": 1.0}, "vertical_flip")
    out, mixed, _ = made(x, y, torch.ones(64), torch.Generator().manual_seed(0))
    torch.testing.assert_close(out["pixels"].mean((2, 3)), mixed)


def test_an_empty_pipeline_is_the_identity(pictures) -> None:
    assert run(build(), pictures) is pictures
    assert torch.equal(run(build(), (pictures * 255).to(torch.uint8)), (pictures * 255).to(torch.uint8) / 255)
