"""The evidence for the pictures' portfolio without weights: each recipe beside the default one, on outer splits of
training files.

    python benchmarks/picture_portfolio.py ../shared/data/images/fashion_lt100.npz --rows 600 --steps 200 --splits 2

A share of the rows is drawn, classes as they are; 30 % of them are held out and score each recipe once; the test rows
of the files are not used. All recipes take the same steps, so that the figures do not depend on the machine's load.
Each line has balanced accuracy and log loss, and their difference from those of the default on the same rows.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird import readers
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.experiment.run import run
from rarebird.profile import duplicates
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe

FIGURES = ("balanced_accuracy", "log_loss")
OUTER = 0.3
LIGHT = "augmentation=[{name=brightness,strength=0.4},{name=contrast,strength=0.4}]"
RECIPES = {
    "default": [],
    "light": [LIGHT],
    "trivial": ["augmentation=[trivial_augment]"],
    "mixup": ["augmentation=+mixup"],
    "cnn": ["network=cnn"],
    "cnn light": ["network=cnn", LIGHT],
    "views": ["test_time_views=8"],
}


def main() -> None:
    """Read the arguments, and print a line per data set, split and recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    given = parser.parse_args()
    for path in given.data:
        rows = readers.read(path, ReadOptions()).train
        for seed in range(given.splits):
            drawn = rows
            if len(rows) > given.rows:
                kept, _ = split.sides(rows, 1 - given.rows / len(rows), seed, "drawn")
                drawn = rows.take(kept)
            drawn = replace(drawn, copies=duplicates.duplicate_groups(drawn))
            learned, held = split.sides(drawn, OUTER, seed, "test")
            splits = Splits(drawn.take(learned), test=drawn.take(held))
            one_split(path.stem, seed, splits, given.recipes.split(","), given.steps)


def one_split(name: str, seed: int, splits: Splits, recipes: list[str], steps: int) -> None:
    """Train each recipe, and print its figures on the outer rows."""
    base = default_recipe(splits.train, seed=seed).updated(
        folds=0, holdout=0.2, threads=1, precision="float32", steps=steps, batch_size=64
    )
    default = np.zeros(len(FIGURES))
    for recipe in recipes:
        settings = RECIPES[recipe]
        tried = base
        if settings == ["augmentation=+mixup"]:
            tried, settings = base.updated(augmentation=(*base.augmentation, "mixup")), []
        start = time.monotonic()
        found = run(tried.with_settings(settings), splits, copies=None).result.test
        assert found is not None
        figures = np.array([float(found.metrics[figure].value or np.nan) for figure in FIGURES])
        default = figures if recipe == "default" else default
        text = " ".join(
            f"{figure} {value:.4f} ({value - usual:+.4f})"
            for figure, value, usual in zip(FIGURES, figures, default, strict=True)
        )
        print(f"{name:<16} {seed} {recipe:<10} {text}  {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
