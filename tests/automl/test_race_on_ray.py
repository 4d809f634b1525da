"""A race on a Ray cluster: its candidates are those of this process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.automl.candidate import TrainingContext
from rarebird.automl.criterion import Criterion
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.core.progress import silent
from rarebird.data.dataset import Splits
from rarebird.executors.workers import Workers
from rarebird.experiment.setup import prepare_run
from rarebird.recipe.recipe import Recipe
from tests.executors.ray_machines import two_machines  # noqa: F401
from tests.tuning.searches import rows

pytestmark = pytest.mark.xdist_group("heavy")
PLAIN = {"kind": "table", "network": {"name": "mlp", "width": 8, "depth": 1}, "folds": 3, "threads": 1}
PERCEPTRON = Recipe(**PLAIN, optimizer={"name": "adamw", "learning_rate": 0.03}, steps=20, batch_size=16)
TREES = Recipe(**PLAIN, reference={"name": "boosted_trees", "leaves": 4, "rounds": 8}, calibration=["temperature"])


def test_candidates_are_those_of_this_process(cluster: Any) -> None:
    setup = prepare_run(PERCEPTRON, Splits(rows()), device="cpu")
    criterion = Criterion.of(setup.scored_rows, setup.splits.train.prior, "balanced_accuracy")
    entries = [
        PortfolioEntry("trees", TREES, is_reference=True, must=True),
        PortfolioEntry("mlp", PERCEPTRON, must=True),
    ]
    found = []
    for workers in (Workers(), Workers(cluster=cluster.address)):
        with Race(TrainingContext(setup, criterion, 0, threads=1), np.inf, silent, workers=workers) as race:
            race.run(entries)
        found.append({one.name: one.predicted for one in race.finished})
    assert set(found[0]) == set(found[1]) == {"trees", "mlp"}
    for name, predicted in found[0].items():
        np.testing.assert_array_equal(found[1][name], predicted)
