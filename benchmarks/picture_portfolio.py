"""The evidence for the pictures' portfolio without weights: each recipe beside the default one, on outer splits of
training files.

    python benchmarks/picture_portfolio.py ../shared/data/images/fashion_lt100.npz --rows 600 --steps 200 --splits 2

A share of the rows is drawn, classes as they are; 30 % of them are held out and score each recipe once; the test rows
of the files are not used. All recipes take the same steps, so that the figures do not depend on the machine's load.
Each line has balanced accuracy and log loss of the recipe, and of its mean with the default, each with the difference
from the default alone on the same rows. `other seed` is the default once more: what a mean alone gains.
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
from rarebird.recipe.recipe import Recipe

OUTER = 0.3
LIGHT = "augmentation=[{name=brightness,strength=0.4},{name=contrast,strength=0.4}]"
# Name -> settings; `changed` knows those without any.
RECIPES = {
    "default": [],
    "other seed": [],
    "light": [LIGHT],
    "trivial": ["augmentation=[trivial_augment]"],
    "mixup": [],
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
    """Train each recipe, and print its figures on the outer rows, and those of its mean with the default."""
    base = default_recipe(splits.train, seed=seed).updated(
        folds=0, holdout=0.2, threads=1, precision="float32", steps=steps, batch_size=64
    )
    assert splits.test is not None
    known: dict[str, np.ndarray] = {}
    for recipe in recipes:
        start = time.monotonic()
        known[recipe] = run(changed(base, recipe), splits, copies=None).model.outputs(splits.test)
        mixed = (known[recipe] + known["default"]) / 2
        prior = splits.train.prior
        text = [
            f"{what} {value:.4f} ({value - usual:+.4f})"
            for outputs in (known[recipe], mixed)
            for what, value, usual in zip(
                ("balanced accuracy", "log loss"),
                figures(outputs, splits.test.codes, prior),
                figures(known["default"], splits.test.codes, prior),
                strict=True,
            )
        ]
        alone, both = "  ".join(text[:2]), "  ".join(text[2:])
        print(
            f"{name:<14} {seed} {recipe:<10} {alone} | with default {both}  {time.monotonic() - start:.0f} s",
            flush=True,
        )


def changed(base: Recipe, name: str) -> Recipe:
    """The default recipe with the changes of one entry."""
    if name == "mixup":
        return base.updated(augmentation=(*base.augmentation, "mixup"))
    if name == "other seed":
        return base.updated(seed=base.seed + 1_000)
    return base.with_settings(RECIPES[name])


def figures(outputs: np.ndarray, codes: np.ndarray, prior: np.ndarray) -> tuple[float, float]:
    """Balanced accuracy of the balanced decision, and the log loss with classes equally frequent."""
    guesses = (outputs / prior).argmax(axis=1)
    recalls = [float((guesses[codes == code] == code).mean()) for code in np.unique(codes)]
    losses = -np.log(outputs[np.arange(len(codes)), codes].clip(1e-12))
    return float(np.mean(recalls)), float(np.mean([losses[codes == code].mean() for code in np.unique(codes)]))


if __name__ == "__main__":
    main()
