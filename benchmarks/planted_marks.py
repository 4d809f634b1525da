"""Planted marks: does an explanation rank first what decides the class, in at least 95 of 100 rows?

    python benchmarks/planted_marks.py [pictures table series] [--rows 100]

Pictures of 28 px hold noise and, in one of the four corners, a patch of 7 x 7 px with upright stripes (the rare class)
or level ones (the common class): the mark decides the class, its place does not. Tables of 12 columns have one column,
a number or a category, that decides; the others are noise. Series of two channels and 96 steps have a bump of 12 steps,
up or down, at one of eight places of the first channel. Models learn from 600 rows; 100 other rows are explained, each
for the label that the model decides for. The places of a picture are 16 cells of 7 x 7 px, those of a series 16 windows
of 12 steps and one channel; the mark ranks first where its cell has the largest mean size of the amounts. Prints a line
for each model and method: the accuracy, in how many rows the mark ranks first, and the median of the completeness
error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Splits
from rarebird.experiment.run import run
from rarebird.explanation.amounts import Amounts
from rarebird.explanation.explain import Explainer
from rarebird.explanation.permutation_importance import permutation_importance
from rarebird.recipe.recipe import Recipe

CLASSES, SHARE, N_TRAIN = ("level", "upright"), 0.25, 600
SIDE, PATCH, LENGTH, WINDOW = 28, 7, 96, 12
CNN = {"name": "cnn", "width": 8, "dense": 64}


def labels(n: int, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(n) < SHARE).astype(np.int64)


def pictures(n: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """Pictures, and the cell of each mark, counted by rows."""
    rng = np.random.default_rng(seed)
    y, corner = labels(n, rng), rng.integers(0, 4, n)
    pixels = rng.integers(60, 190, (n, 1, SIDE, SIDE)).astype(np.uint8)
    stripes = np.where(np.arange(PATCH) % 2 == 0, 255, 0).astype(np.uint8)
    for row in range(n):
        top, left = (SIDE - PATCH) * (corner[row] // 2), (SIDE - PATCH) * (corner[row] % 2)
        mark = np.broadcast_to(stripes, (PATCH, PATCH))
        pixels[row, 0, top : top + PATCH, left : left + PATCH] = mark if y[row] else mark.T
    return rows_of("image", Pixels(pixels), y), np.array([0, 3, 12, 15])[corner]


def table(n: int, seed: int, category: bool) -> tuple[Dataset, np.ndarray]:
    """A table, and the place of the column that decides."""
    rng = np.random.default_rng(seed)
    y = labels(n, rng)
    frame = pd.DataFrame({f"noise {place}": rng.normal(size=n) for place in range(9)})
    frame["city"], frame["ward"] = (rng.choice(["a", "b", "c", "d"], n) for _ in range(2))
    frame["plant"] = np.where(y, "yes", "no") if category else np.where(y, 1, -1) * rng.uniform(1, 3, n)
    return rows_of("table", Frame(frame), y), np.full(n, frame.columns.get_loc("plant"))


def series(n: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """Series, and the window of each bump."""
    rng = np.random.default_rng(seed)
    y, place = labels(n, rng), rng.integers(0, LENGTH // WINDOW, n)
    values = rng.normal(size=(n, 2, LENGTH)).astype(np.float32)
    bump = 3 * np.hanning(WINDOW + 2)[1:-1]
    for row in range(n):
        start = WINDOW * place[row]
        values[row, 0, start : start + WINDOW] += bump if y[row] else -bump
    return rows_of("series", Curves(values, np.full(n, LENGTH)), y), place


def rows_of(kind: Any, source: Any, y: np.ndarray) -> Dataset:
    n = len(y)
    return Dataset(kind, "classification", source, np.arange(n), y, CLASSES, np.arange(n).astype(str))


def cells(amounts: Amounts) -> np.ndarray:
    """``(n, cells)`` mean size of the amounts of each cell, window or column."""
    size = np.abs(amounts.values)
    if amounts.values.ndim == 4:
        one = np.abs(amounts.values.sum(axis=1))
        grid = one.reshape(len(one), SIDE // PATCH, PATCH, SIDE // PATCH, PATCH).mean(axis=(2, 4))
        return np.asarray(grid.reshape(len(one), -1))
    if amounts.values.ndim == 3:
        found: np.ndarray = size.reshape(len(size), -1, WINDOW).mean(axis=2)
        return found
    return np.asarray(size)


def compare(name: str, make: Callable[[int, int], tuple[Dataset, np.ndarray]], n: int, **recipe: Any) -> None:
    """Train on some rows, explain others by every method that suits the model, and print a line for each."""
    train, _ = make(N_TRAIN, 0)
    rows, mark = make(n, 1)
    plain = {"kind": train.kind, "folds": 0, "holdout": 0.25, "batch_size": 64, "steps": 200}
    plain["optimizer"] = {"name": "adamw", "learning_rate": 0.005}
    model = run(Recipe(**{**plain, **recipe}), Splits(train), test_share=0).model
    codes = np.asarray(model.labels(model.outputs(rows), rows))
    accuracy = float((codes == rows.codes).mean())
    explainer = Explainer(model, train)
    for method in dict.fromkeys([*explainer.methods(), "shapley"]):
        start = time.monotonic()
        amounts = explainer.explain(rows, codes, method)
        if amounts.names:
            mark = np.full(n, amounts.names.index("plant"))
        first = int((cells(amounts).argmax(axis=1) == mark).sum())
        error = f"{100 * np.median(amounts.relative_errors):.2f} %" if amounts.sums else "-"
        seconds = time.monotonic() - start
        print(f"| {name} | {method} | {accuracy:.2f} | {first} of {n} | {error} | {seconds:.1f} s |", flush=True)
    if train.kind == "table":
        found = permutation_importance(explainer.shipped, rows, np.random.default_rng(0))
        rank = [one.columns for one in found].index(("plant",)) + 1
        print(f"| {name} | permutation importance | {accuracy:.2f} | rank {rank} | - | - |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=["pictures", "table", "series"])
    parser.add_argument("--rows", type=int, default=100)
    given = parser.parse_args()
    n = given.rows
    if "pictures" in given.kinds:
        compare("resnet", pictures, n, network={"name": "resnet", "width": 8}, steps=150)
        compare("cnn", pictures, n, network=CNN, steps=300)
        compare("random_patches", pictures, n, network="random_patches", head="ridge")
    for what, category in (("number", False), ("category", True)) if "table" in given.kinds else ():

        def make(count: int, seed: int, category: bool = category) -> tuple[Dataset, np.ndarray]:
            return table(count, seed, category)

        compare(f"mlp, a {what}", make, n, network={"name": "mlp", "width": 64})
        compare(f"two mlp, a {what}", make, n, network={"name": "mlp", "width": 64}, folds=2, holdout=None)
        for reference in ("boosted_trees", "extra_trees"):
            compare(f"{reference}, a {what}", make, n, network="mlp", reference=reference, steps=100)
    if "series" in given.kinds:
        compare("cnn", series, n, network=CNN)
        ridge = {"network": {"name": "multirocket_hydra", "kernels": 1000, "groups": 8}, "head": "ridge"}
        compare("multirocket_hydra", series, n, **ridge)


if __name__ == "__main__":
    main()
