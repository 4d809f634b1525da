"""Do strategies that learn find the minimum of a bowl sooner than random search? Prints the distance to a known optimum
after the same number of trials.

    python benchmarks/quadratic.py [--seeds 20] [--trials 30]

The bowl is a quadratic function of three ranges of a recipe, each on its own scale and in units of its width. It is
four times as steep in one of them, and its minimum is neither in the middle nor at an end. All trials go through
`tuning.study.Study`, as in `tune`. Prints for each strategy the median over seeds of the distance between the best
trial and the minimum; for `tpe` and `gaussian_process` it must be smaller than for `random`.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rarebird.slots.ranges import Float
from rarebird.tuning.space import Space
from rarebird.tuning.study import Study

SPACE = Space.of(
    {
        "kind": "table",
        "network": {"name": "mlp", "dropout": {"low": 0.0, "high": 0.5}},
        "optimizer": {
            "name": "adamw",
            "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
            "weight_decay": {"low": 1e-5, "high": 1e-1, "log": True},
        },
    }
)
# The minimum as a share of each range's width, and the steepness along each range.
OPTIMUM = {"network.dropout": 0.3, "optimizer.learning_rate": 0.65, "optimizer.weight_decay": 0.2}
STEEPNESS = {"network.dropout": 1.0, "optimizer.learning_rate": 4.0, "optimizer.weight_decay": 1.0}
STRATEGIES = ("random", "tpe", "gaussian_process")


def shares(values: Mapping[str, float]) -> dict[str, float]:
    """The position of each value in its range, 0..1, on the range's own scale."""
    found = {}
    for dimension in SPACE.dimensions():
        where = dimension.where
        assert isinstance(where, Float)
        low, high, value = where.low, where.high, values[dimension.name]
        low, high, value = (math.log(low), math.log(high), math.log(value)) if where.log else (low, high, value)
        found[dimension.name] = (value - low) / (high - low)
    return found


def height(values: Mapping[str, float]) -> float:
    return sum(STEEPNESS[name] * (share - OPTIMUM[name]) ** 2 for name, share in shares(values).items())


def distance(strategy: Any, seed: int, trials: int, startup: int) -> float:
    """The distance of a search's best trial from the optimum, in widths of the ranges."""
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            Path(folder), SPACE, larger_is_better=False, strategy=strategy, seed=seed, startup=startup, identity={}
        )
        for _ in range(trials):
            asked = study.ask()
            assert asked is not None
            asked.tell(height(asked.trial.params), {})
        best = min(study.finished(), key=lambda trial: trial.value)
        study.close()
    return math.dist(list(shares(best.values).values()), [OPTIMUM[name] for name in shares(best.values)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--startup", type=int, default=10)
    arguments = parser.parse_args()
    medians = {}
    for strategy in STRATEGIES:
        found = [distance(strategy, seed, arguments.trials, arguments.startup) for seed in range(arguments.seeds)]
        medians[strategy] = statistics.median(found)
        what = f"over {len(found)} seeds, {arguments.trials} trials each"
        print(f"{strategy}: median distance {medians[strategy]:.3f} {what}", flush=True)
    if not max(medians["tpe"], medians["gaussian_process"]) < medians["random"]:
        sys.exit("A strategy that learns was no better than random search.")


if __name__ == "__main__":
    main()
