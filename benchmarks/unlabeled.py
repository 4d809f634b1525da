"""What learning without labels gives: few labelled rows, the others as the pool, with and without pretraining.

    python benchmarks/unlabeled.py ../shared/data/images/fashion_lt100.npz --labeled 300 --set transfer.epochs=10

Each seed draws the labelled rows at random, at least one of each class; all other training rows are the pool, without
their labels. Both ways train the same recipe for the same steps, so that the figures do not depend on the machine's
load. One line per seed, then the mean paired difference with its 95 % interval (Student's t over the seeds).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from rarebird import readers
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.run import run
from rarebird.readers import unlabeled
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe


def main() -> None:
    """Read the arguments, and print a line per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", type=Path, default=None)
    parser.add_argument("--labeled", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int, default=200, help="of the training with labels, both ways")
    parser.add_argument("--metric", default="balanced_accuracy")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="for both ways")
    parser.add_argument("--without", action="append", default=[], help="for the way without pretraining alone")
    given = parser.parse_args()
    data = readers.read(given.data, ReadOptions())
    test = data.test if given.test is None else readers.read(given.test, ReadOptions()).train
    plain = [one for one in given.settings if not one.startswith("transfer")]
    gains = []
    for seed in range(given.first, given.first + given.seeds):
        labeled, pool = drawn(data.train, given.labeled, seed)
        splits = Splits(labeled, test=test.aligned(labeled.classes), unlabeled=unlabeled.fitted(pool, labeled)[0])
        recipe = default_recipe(labeled, seed=seed).updated(folds=0, holdout=0.2, threads=1, precision="float32")
        recipe = recipe.updated(steps=given.steps)
        scores = []
        for name, settings in (
            ("without", [*plain, *given.without]),
            ("with", ["transfer=self_supervised", *given.settings]),
        ):
            start = time.monotonic()
            one = splits if name == "with" else replace(splits, unlabeled=None)
            outcome = run(recipe.with_settings(settings), one)
            scores.append(outcome.result.test.metrics[given.metric].value)
            print(f"seed {seed}, {name}: {scores[-1]:.4f}, {time.monotonic() - start:.0f} s", flush=True)
        gains.append(scores[1] - scores[0])
    mean, error = np.mean(gains), stats.sem(gains) if len(gains) > 1 else np.nan
    half = error * stats.t.ppf(0.975, len(gains) - 1) if len(gains) > 1 else np.nan
    print(f"{given.metric}: {mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}] with pretraining", flush=True)


def drawn(train: Dataset, n: int, seed: int) -> tuple[Dataset, Dataset]:
    """`n` random rows, at least one of each class, and all others."""
    order = np.random.default_rng(seed).permutation(len(train))
    first = [order[train.codes[order] == code][0] for code in range(train.n_classes)]
    others = order[~np.isin(order, first)]
    chosen = np.concatenate([first, others])[:n]
    return train.take(np.sort(chosen)), train.take(np.setdiff1d(order, chosen))


if __name__ == "__main__":
    main()
