"""Flows of trees: clusters, dependence within a class in its own direction, gaps that depend on a column, no copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.methods.synthesis.tree_flow import TreeFlow
from tests.methods.synthesis.made_classes import clusters, dataset, ellipses


def made(rows: Dataset, code: int, n: int = 400, **settings: object) -> pd.DataFrame:
    generator = TreeFlow(**({"steps": 60} | settings)).fit(rows, Compute(), np.random.default_rng(0))  # type: ignore[arg-type]
    frame: pd.DataFrame = generator.sample(code, n, np.random.default_rng(1)).raw()
    return frame


def test_both_clusters_of_both_classes_are_drawn_and_none_between() -> None:
    rows = clusters()
    for code in (0, 1):
        frame = made(rows, code)
        right = frame["side"] == "right"
        assert 0.35 < right.mean() < 0.65
        assert (np.abs(frame["x"] - 10 * right) < 3).mean() > 0.95
        assert (np.abs(frame["y"] - 10 * code - 3 * right) < 4).mean() > 0.95


def test_columns_depend_on_each_other_as_they_do_in_the_class() -> None:
    rows = ellipses()
    found = [made(rows, code)[["first", "second"]].corr(method="spearman").iloc[0, 1] for code in (0, 1)]
    assert found[0] > 0.75
    assert found[1] < -0.6


def test_a_gap_depends_on_the_columns_before_it() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 300)
    frame = pd.DataFrame(
        {"kind": np.array(["x", "y"], dtype=object)[kind], "a": np.where(kind, rng.normal(size=300), np.nan)}
    )
    drawn = made(dataset(frame, np.repeat([0, 1], [200, 100])), 1)
    assert drawn["a"].isna()[drawn["kind"] == "x"].mean() > 0.95
    assert drawn["a"].isna()[drawn["kind"] == "y"].mean() < 0.05


def test_new_rows_are_no_copies() -> None:
    """New rows are not nearer to the training rows than other real rows are, by more than a little."""
    train, other = ellipses(), ellipses(seed=1)
    frame = made(train, 0, 300)[["first", "second"]].to_numpy()
    known = train.raw()[["first", "second"]].to_numpy()[train.codes == 0]
    real = other.raw()[["first", "second"]].to_numpy()[other.codes == 0]
    nearest = [np.sqrt(((part[:, None] - known) ** 2).sum(axis=2)).min(axis=1) for part in (frame, real)]
    assert np.median(nearest[0]) > 0.5 * np.median(nearest[1])


def test_a_text_that_holds_no_trees_is_refused() -> None:
    rows = clusters((40, 20))
    method = TreeFlow(steps=3)
    generator = method.fit(rows, Compute(), np.random.default_rng(0))
    arrays = generator.sampler.arrays() | {"flow 0": np.frombuffer(b"tree\nversion=v9\n", np.uint8)}
    with pytest.raises(ValueError, match="This is no generator of the method 'tree_flow'"):
        method.restored(rows, generator.sampler.state(), arrays)
