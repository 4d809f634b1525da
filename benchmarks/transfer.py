"""What pretrained weights give: a probe or a fine-tuning of given weights beside the default network from nothing.

    python benchmarks/transfer.py DATA WEIGHTS --network '{name=backbone,model=mobilenetv2_100}' --share 0.8 --seeds 5

Each seed draws a share of the rows to learn from, with groups and copies kept together. The others are the test; of a
small share, a fifth of all rows are, and the rest is halved until it is as small. One line per seed, then mean and
spread of the balanced accuracy. Without --budget, recipes take their own steps, so that the figures do not depend on
the machine's load. `--plan fit` is the whole search of `rarebird fit` with the weights, in
its budget (reading the pictures not counted), and `--plan fit-nothing` the same search without any.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import rarebird as rb
from rarebird import readers
from rarebird.core.clock import Clock, seconds_of
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.run import Outcome, run
from rarebird.profile import duplicates
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.fine_tuning import with_settings
from rarebird.recipe.recipe import Recipe

PLANS = {
    "probe": ["stages=linear_probe", "head={name=ridge,class_weight=balanced}", "augmentation=[]", "regularization=[]"],
    "layer_decay": ["stages=layer_decay"],
    "gradual_unfreezing": ["stages=gradual_unfreezing"],
    "full": ["stages=full", "optimizer.learning_rate=3e-4"],
}


def drawn(rows: Dataset, share: float, seed: int) -> Splits:
    """A share of the rows to learn from, and test rows."""
    learned, held = split.sides(rows, 1 - share if share > 0.5 else 0.2, seed, "test")
    train = rows.take(learned)
    while len(train) > 1.5 * share * len(rows):
        train = train.take(split.sides(train, 0.5, seed, "half")[0])
    return Splits(train, test=rows.take(held))


def trained(splits: Splits, seed: int, given: argparse.Namespace) -> Outcome:
    """One recipe: the default one, with the weights in the plan's way."""
    plan = [] if given.plan == "nothing" else [*weights(given), *PLANS[given.plan]]
    recipe = Recipe(**with_settings(default_recipe(splits.train, seed=seed), [*plan, *given.settings]))
    clock = Clock(None if given.budget is None else seconds_of(given.budget))
    return run(recipe, splits, clock=clock, copies=None)


def searched(splits: Splits, seed: int, given: argparse.Namespace) -> Outcome:
    """The search of `fit`, with the weights or without."""
    settings = [*given.settings, *(weights(given) if given.plan == "fit" else ())]
    with tempfile.TemporaryDirectory() as folder:
        return rb.fit(splits, budget=given.budget or "2m", seed=seed, settings=settings, out=Path(folder) / "run")


def weights(given: argparse.Namespace) -> list[str]:
    """The settings that name the network and its weights."""
    return [f"network={given.network}", f"transfer.file={given.weights}"]


def main() -> None:
    """Read the arguments, and print a line per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--network", default="{name=backbone,model=mobilenetv2_100}")
    parser.add_argument("--plan", default="probe", choices=[*PLANS, "nothing", "fit", "fit-nothing"])
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--share", type=float, default=0.8, help="of the rows, to learn from")
    parser.add_argument("--side", type=int, default=224, help="to which pictures are read")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", default=None)
    given = parser.parse_args()
    data = readers.read(given.data, ReadOptions(largest_side=given.side))
    rows = data.train
    rows = replace(rows, copies=duplicates.duplicate_groups(rows))
    scores = []
    for seed in range(given.seeds):
        splits = drawn(rows, given.share, seed)
        start = time.monotonic()
        outcome = (searched if given.plan.startswith("fit") else trained)(splits, seed, given)
        assert outcome.result.test is not None
        value = float(outcome.result.test.metrics["balanced_accuracy"].value or 0.0)
        scores.append(value)
        seconds = time.monotonic() - start
        parts = ", ".join(f"{one.name} {one.share:.2f}" for one in outcome.result.tried if one.share)
        print(
            f"seed {seed}: {len(splits.train)} rows, balanced accuracy {value:.3f}, {seconds:.0f} s {parts}", flush=True
        )
    print(f"mean {np.mean(scores):.3f}, spread {np.ptp(scores):.3f} (standard deviation {np.std(scores):.3f})")


if __name__ == "__main__":
    main()
