"""Does `compare` find nothing where there is nothing to find, and does it find a remedy that helps?

    python benchmarks/shuffled_labels.py [--sets 200] [--helped 10] [--seed 0]

First, small skewed tables with shuffled labels: any verdict of ``helps`` or ``hurts`` in balanced accuracy, for a
remedy, the combination or a member, is a false claim. Asked: at most 18 of 200 sets with one; a level of 5 % would make
10.

Then, tables on which one remedy helps by construction, compared with others. The argmax of natural probabilities hardly
ever predicts a rare class, and the balanced decision does. On a chessboard, trees find the fields and a very small
network does not. `compare` must name these remedies.

Prints a line per false claim, and the counts. Nothing is asserted: read the counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from rarebird.comparison.compare import ComparisonOptions, compare
from rarebird.comparison.paired_test import Difference
from rarebird.comparison.result import Comparison, Row
from rarebird.data.dataset import Dataset, Frame
from rarebird.recipe.recipe import Recipe

FOLDS, REPEATS, COLUMNS = 5, 3, 4
REMEDIES = (
    "loss=weighted",
    "loss=focal",
    "resampling=random_over",
    "batch_sampling=class_balanced",
    "regularization=label_smoothing",
)


def baseline(seed: int, **changes: object) -> Recipe:
    """A network that trains in a few hundredths of a second."""
    plain: dict[str, object] = {
        "kind": "table",
        "network": {"name": "mlp", "width": 8, "depth": 1},
        "optimizer": {"name": "adamw", "learning_rate": 1e-2},
        "steps": 15,
        "batch_size": 32,
        "calibration": ["prior_correction"],
        "seed": seed,
        "threads": 1,
    }
    return Recipe(**(plain | changes))


def dataset(x: np.ndarray, rare: np.ndarray) -> Dataset:
    frame = pd.DataFrame({f"x{place}": column for place, column in enumerate(x.T)})
    n = len(rare)
    return Dataset(
        "table",
        "classification",
        Frame(frame),
        np.arange(n),
        rare.astype(np.int64),
        ("common", "rare"),
        np.arange(n).astype(str),
    )


def shuffled(rng: np.random.Generator) -> Dataset:
    """120 to 160 rows, 15 to 30 % of them rare. A column predicts the class, but then the labels are shuffled."""
    n, share = int(rng.integers(120, 161)), rng.uniform(0.15, 0.3)
    rare = rng.permutation(np.arange(n) < share * n)
    x = rng.normal(size=(n, COLUMNS)) + np.outer(1.5 * rare, np.eye(COLUMNS)[0])
    return dataset(x, rng.permutation(rare))


def overlapping(rng: np.random.Generator) -> Dataset:
    """500 rows, a tenth of them rare; nowhere is the rare class the more probable one."""
    rare = rng.permutation(np.arange(500) < 50)
    return dataset(rng.normal(size=(500, COLUMNS)) + np.outer(1.5 * rare, np.eye(COLUMNS)[0]), rare)


def chessboard(rng: np.random.Generator) -> Dataset:
    """500 rows on a chessboard of 4 x 4 fields."""
    x = rng.uniform(0, 4, size=(500, COLUMNS))
    return dataset(x, x[:, :2].astype(int).sum(axis=1) % 2 == 1)


def rows_of(found: Comparison) -> Iterator[tuple[str, Row]]:
    """Every row with a verdict, and its part of the comparison."""
    yield from (("alone", row) for row in found.rows)
    if found.combination is not None:
        yield "together", found.combination.row
        yield from (("member", row) for row in found.combination.members)


def claims_of(found: Comparison) -> list[str]:
    """Every claim of a comparison, with the difference and its interval."""
    return [
        f"{part} {row.remedy} {row.verdict} {shown(row.difference)}"
        for part, row in rows_of(found)
        if row.verdict != "too few rows to tell"
    ]


def shown(difference: Difference) -> str:
    return f"({difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}])"


def find_nothing(sets: int, seed: int) -> None:
    """Compare on shuffled labels, and count the sets with a claim."""
    begun, with_claim, combined = time.monotonic(), 0, 0
    for number in range(sets):
        rng = np.random.default_rng([seed, number])
        found = compare(
            baseline(number), shuffled(rng), [*REMEDIES, "augmentation=mixup"], ComparisonOptions(FOLDS, REPEATS)
        )
        claims = claims_of(found)
        with_claim += bool(claims)
        combined += found.combination is not None
        for claim in claims:
            print(f"shuffled set {number}: {claim}", flush=True)
        if (number + 1) % 20 == 0:
            print(f"{number + 1} sets: {with_claim} with any claim, {time.monotonic() - begun:.0f} s", flush=True)
    counts = f"{with_claim} of {sets} sets with any claim in balanced accuracy"
    print(f"shuffled labels: {counts}; {combined} had a combination")


def find_what_helps(sets: int, seed: int) -> None:
    """Compare where one remedy helps by construction, and count how often it is named."""
    cases = {
        "decision=balanced": (overlapping, {"decision": "argmax", "steps": 80}),
        "reference=boosted_trees": (chessboard, {"decision": "argmax", "steps": 80}),
    }
    for helpful, (made, changes) in cases.items():
        named, wrong = 0, 0
        for number in range(sets):
            rng = np.random.default_rng([seed, 1000 + number])
            found = compare(
                baseline(number, **changes),
                made(rng),
                [*REMEDIES[:3], helpful],
                ComparisonOptions(FOLDS, REPEATS, combine=False),
            )
            named += any(row.remedy == helpful and row.verdict == "helps" for row in found.rows)
            wrong += any(row.remedy == helpful and row.verdict == "hurts" for row in found.rows)
        print(
            f"{helpful} on a {made.__name__} table: named 'helps' on {named} of {sets} sets, 'hurts' on {wrong}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--helped", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    find_what_helps(arguments.helped, arguments.seed)
    find_nothing(arguments.sets, arguments.seed)


if __name__ == "__main__":
    main()
