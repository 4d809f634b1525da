"""Is what `rarebird next` chooses better than a random choice? Simulated on labeled training rows.

A few rows are labeled at first; the rest is the pool, whose labels are shown when asked for. After each batch the
same recipe is fitted again and judged on the test rows. Compared, on the same seeds: the choice of `rarebird next`, the
margin alone, and a random choice.

    python benchmarks/next_rows.py adult --first 100 --batch 50 --rounds 4 --seeds 8 --set reference=boosted_trees
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rarebird.core.clock import Clock
from rarebird.core.compute import Compute
from rarebird.core.progress import silent
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.next_rows.acquisition import Pool, chosen, scored
from rarebird.diagnostics.next_rows.command import pool_rows
from rarebird.evaluation import held_out
from rarebird.experiment.run import finish
from rarebird.experiment.setup import prepare_run
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.training.cross_fit import cross_fit_all

SETS = {
    "fashion_lt100": ("images/fashion_lt100.npz", None),
    "pneumoniamnist": ("images/pneumoniamnist.npz", None),
    "adult": ("tables/adult.train.csv", "tables/adult.test.csv"),
    "mammography": ("tables/mammography.train.csv", "tables/mammography.test.csv"),
    "abalone": ("tables/abalone.train.csv", "tables/abalone.test.csv"),
    "ECG5000": ("series/ECG5000_TRAIN.tsv", "series/ECG5000_TEST.tsv"),
}
METRIC = "balanced_accuracy"
MOST_TEST, MOST_POOL = 3_000, 4_000
Choice = Callable[[Pool, int, np.random.Generator], np.ndarray]
CHOICES: dict[str, Choice] = {
    "random": lambda pool, n, draw: draw.permutation(len(pool.features))[:n],
    "margin": lambda pool, n, draw: np.argsort(-scored(pool).margin, kind="stable")[:n],
    "next": lambda pool, n, draw: chosen(pool, n),
}


def rows_of(folder: Path, name: str) -> tuple[Dataset, Dataset]:
    train, test = SETS[name]
    found = read(folder / train, ReadOptions())
    if test is None:
        assert found.test is not None
        return found.train, found.test
    options = ReadOptions(role="test rows", schema=found.train.known_schema, kind=found.train.kind)
    return found.train, read(folder / test, options).train.aligned(found.train.classes)


def first_rows(train: Dataset, n: int, draw: np.random.Generator) -> np.ndarray:
    """Random rows, with at least three of each class, as a practitioner would start."""
    order = draw.permutation(len(train))
    some = np.concatenate([order[train.codes[order] == code][:3] for code in range(train.n_classes)])
    rest = order[~np.isin(order, some)][: max(n - len(some), 0)]
    return np.concatenate([some, rest])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(SETS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    train, test = rows_of(options.data, options.name)
    values: dict[str, list[list[float]]] = {name: [] for name in CHOICES}
    for seed in range(options.seeds):
        draw = np.random.default_rng(seed)
        train_part = train.take(draw.permutation(len(train))[:MOST_POOL])
        test_part = test.take(draw.permutation(len(test))[:MOST_TEST])
        start = first_rows(train_part, options.first, draw)
        for name in CHOICES:
            values[name].append(_simulate(train_part, test_part, start, CHOICES[name], options, seed))
            print(f"seed {seed}  {name:<8}", " ".join(f"{value:.4f}" for value in values[name][-1]), flush=True)
    base = np.array(values["random"])
    for name, found in values.items():
        means = np.array(found).mean(axis=0)
        difference = (np.array(found) - base)[:, 1:].mean(axis=1)
        error = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0
        print(f"{name:<8}", " ".join(f"{value:.4f}" for value in means), f"  {difference.mean():+.4f} +- {error:.4f}")


def _simulate(
    train: Dataset, test: Dataset, start: np.ndarray, choose: Choice, options: argparse.Namespace, seed: int
) -> list[float]:
    """The metric on the test rows after each round."""
    labeled, draw, scores = start, np.random.default_rng(seed), []
    for _ in range(options.rounds + 1):
        own = train.take(np.sort(labeled))
        recipe = default_recipe(own, METRIC, seed).updated(steps=options.steps, threads=1, folds=3)
        recipe = recipe.with_settings(options.settings) if options.settings else recipe
        setup = prepare_run(recipe, Splits(own), device="cpu", test_share=0, copies=None)
        recipe = setup.settled(recipe)
        models = cross_fit_all(recipe, setup.splits, setup.parts(seed), Compute())
        model = finish(models.recipe, setup, [models], Clock(), silent, timings={}).model
        value = held_out.scores_of_outputs(model, test, model.outputs(test)).metrics[METRIC].value
        assert value is not None
        scores.append(value)
        rest = np.setdiff1d(np.arange(len(train)), labeled)
        pool = pool_rows(model, setup, train.take(rest))
        labeled = np.concatenate([labeled, rest[choose(pool, options.batch, draw)]])
    return scores


if __name__ == "__main__":
    main()
