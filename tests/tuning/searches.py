"""A small search that the tests share: two ranges around a small network, and rows for its trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

from rarebird.data import split
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.tuning.space import Space
from rarebird.tuning.storage import DATABASE
from rarebird.tuning.study import STUDY, Study
from rarebird.tuning.trial import TrialContext

SPACE = Space.of(
    {
        "kind": "table",
        "steps": 20,
        "batch_size": 32,
        "calibration": ["prior_correction", "temperature"],
        "network": {"name": "mlp", "width": 8, "depth": 1, "dropout": {"low": 0.0, "high": 0.5}},
        "optimizer": {"name": "adamw", "learning_rate": {"low": 1e-3, "high": 9e-2, "log": True}},
    }
)


def study(
    folder: Path | str,
    strategy: Any = "random",
    pruner: str = "none",
    *,
    seed: int = 3,
    space: Space = SPACE,
    **identity: Any,
) -> Study:
    return Study(
        folder,
        space,
        larger_is_better=True,
        strategy=strategy,
        seed=seed,
        startup=4,
        identity=identity,
        pruner=pruner,
    )


def rows(n: int = 120, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(np.int64)
    frame = pd.DataFrame({"a": rng.normal(1.5 * y, 1), "b": rng.normal(size=n)})
    return Dataset("table", "classification", Frame(frame), np.arange(n), y, ("no", "yes"), np.arange(n).astype(str))


def context(folds: int = 2, val: Dataset | None = None, metric: str = "log_loss") -> TrialContext:
    train = rows()
    parts = split.parts(train, split.decide(train, val, folds=folds), 0)
    return TrialContext(Splits(train, val), parts, metric, None, "cpu", 1)


def recorded(folder: Path) -> list[tuple[int, str, float | None, dict[str, Any]]]:
    """Place, state, value and parameters of each trial that counts, by place; empty before there is any."""
    if not (folder / DATABASE).is_file():
        return []
    trials = optuna.load_study(study_name=STUDY, storage=f"sqlite:///{folder / DATABASE}").trials
    counted = [
        one for one in trials if one.state.is_finished() and (one.state.name != "FAIL" or "reason" in one.user_attrs)
    ]
    return sorted((one.user_attrs["place"], one.state.name, one.value, one.params) for one in counted)
