"""What every training of a run shares: rows that stay together, and what counts as a group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame, Pixels, Splits
from rarebird.experiment.setup import prepare_run
from rarebird.recipe.recipe import Recipe


def with_one_copy(n: int = 200) -> Dataset:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 4)), columns=list("abcd"))
    frame.iloc[1] = frame.iloc[0]
    y = np.arange(n) // 2 % 2
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def test_a_copy_stays_with_its_original_and_is_no_group() -> None:
    for seed in range(5):
        recipe = Recipe(kind="table", network="mlp", seed=seed)
        splits = prepare_run(recipe, Splits(with_one_copy()), device="cpu").splits
        assert splits.test is not None
        assert splits.train.group is None
        assert splits.test.group is None
        assert {"0", "1"} <= set(splits.train.ids) or {"0", "1"} <= set(splits.test.ids)
        assert any("copies" in note for note in splits.notes)


def test_a_run_records_the_size_of_pictures_that_were_given_as_arrays_and_says_where_another_was_asked_for() -> None:
    for side, recorded in ((12, 12), (6, None)):
        pixels = np.random.default_rng(0).integers(0, 256, (60, 1, side, side + 3), dtype=np.uint8)
        y = np.arange(60) % 3 // 2
        data = Dataset("image", "classification", Pixels(pixels), np.arange(60), y, ("no", "yes"), y.astype(str))
        asked = Recipe(kind="image", network="linear", image_size=24, folds=2)
        setup = prepare_run(asked, Splits(data), device="cpu")
        assert setup.settled(asked).image_size == setup.settled(asked.updated(image_size=None)).image_size == recorded
        said = f"The recipe asks for pictures of 24 px, but those of data have {side} px."
        assert said in setup.splits.notes
        assert said not in prepare_run(asked.updated(image_size=None), Splits(data), device="cpu").splits.notes
