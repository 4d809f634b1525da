"""A small table with its split, and recipes of few steps, for tests of a search."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.automl import search as searching
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.search import Search, SearchOptions
from rarebird.core.clock import Clock
from rarebird.core.progress import Progress, silent
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.recipe.recipe import Recipe

FOLDS = 4


def rows(n: int = 160, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(3 * y, 1), "b": rng.normal(size=n), "c": rng.choice(["u", "v"], n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def trees(**changes: Any) -> Recipe:
    """Boosted trees of a few rounds: the quickest that learns these rows."""
    # All columns in each tree: of few trees, chance would leave some without the one that matters.
    reference = {
        "name": "boosted_trees",
        "leaves": 4,
        "learning_rate": 0.3,
        "column_share": 1.0,
        "rounds": changes.pop("rounds", 8),
    }
    plain = {
        "kind": "table",
        "network": "mlp",
        "reference": reference,
        "calibration": ["temperature"],
        "folds": FOLDS,
        "threads": 1,
    }
    return Recipe(**plain | changes)


def perceptron(**changes: Any) -> Recipe:
    network, optimizer = {"name": "mlp", "width": 8, "depth": 1}, {"name": "adamw", "learning_rate": 0.03}
    return trees(
        **{"reference": None, "network": network, "optimizer": optimizer, "steps": 20, "batch_size": 16} | changes
    )


def setup(recipe: Recipe | None = None, *, val: bool = False, test: Dataset | None = None) -> Setup:
    data = Splits(rows(), rows(60, seed=2) if val else None, test)
    return prepare_run(recipe or trees(), data, device="cpu", test_share=0.0 if test is None else 0.2)


def entries(base: Recipe) -> list[PortfolioEntry]:
    """A portfolio of three small recipes with their steps laid out: what a search does with them needs no clock."""
    linear = base.updated(network={"name": "linear"}, loss="weighted", calibration=["prior_correction", "temperature"])
    return [
        PortfolioEntry("linear", linear, 0.2),
        PortfolioEntry("trees", base.updated(reference=trees().reference, steps=8), 0.3, is_reference=True),
        PortfolioEntry("mlp", base, 1.0, role="default", stays=True),
    ]


def search(of: Setup, base: Recipe, progress: Progress = silent) -> Search:
    """A search without a budget and without a file of trials; `entries` take the portfolio's place."""
    log: Any = SimpleNamespace(
        record=lambda entry, candidate: None,
        drop=lambda entry, why: None,
        restored=lambda device: [],
        left=dict,
        release=lambda one: None,
        notes=[],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "portfolio", lambda train, base, references, weights: entries(base))
        patch.setattr(searching, "MOST_REPEATS", 2)
        one = Search(base, of, Clock(), log, progress, SearchOptions())
        one.run("cpu")
    return one
