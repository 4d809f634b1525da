"""A model with test-time views gives the same outputs after it was saved and loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rarebird.data.dataset import Curves, Dataset, Pixels, Splits
from rarebird.experiment.run import run
from rarebird.model.model import load
from rarebird.recipe.recipe import Recipe


def pictures(n: int = 48) -> Dataset:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    pixels = rng.integers(0, 120, (n, 1, 12, 12)).astype(np.uint8)
    pixels[y == 1, :, 3:6, 3:9] += 100
    at = np.arange(n)
    return Dataset("image", "classification", Pixels(pixels), at, y, ("no", "yes"), at.astype(str))


def series(n: int = 48) -> Dataset:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    values = rng.normal(size=(n, 1, 24)).astype(np.float32)
    values[y == 1, :, 5:9] += 2
    at = np.arange(n)
    return Dataset("series", "classification", Curves(values, np.full(n, 24)), at, y, ("no", "yes"), at.astype(str))


SERIES_NETWORK = {"name": "inception_time", "depth": 1, "width": 4}


@pytest.mark.parametrize(
    ("data", "network", "augmentation"),
    [(pictures(), {"name": "cnn"}, ["rotate", "translate"]), (series(), SERIES_NETWORK, ["time_shift"])],
    ids=["image", "series"],
)
def test_a_model_with_views_gives_the_same_outputs_after_save_and_load(
    data: Dataset, network: dict[str, object], augmentation: list[str], tmp_path: Path
) -> None:
    recipe = Recipe(
        kind=data.kind,
        network=network,
        augmentation=augmentation,
        test_time_views=3,
        calibration=["temperature"],
        steps=4,
        batch_size=16,
        folds=2,
        threads=1,
    )
    model = run(recipe, Splits(data), device="cpu", test_share=0, copies=None).model
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    outputs = model.outputs(data)
    np.testing.assert_array_equal(loaded.outputs(data), outputs)
    assert [len(member.views) for member in loaded.members] == [3, 3]
    plain = replace(model, members=[replace(one, views=()) for one in model.members])
    assert not np.allclose(plain.outputs(data), outputs, atol=1e-6)
