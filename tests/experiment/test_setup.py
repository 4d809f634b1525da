"""What every training of a run shares: rows that stay together, and what counts as a group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rarebird.data.dataset import Dataset, Frame, Splits
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
