"""How many labels that were changed at random come first in the list of `rarebird label-issues`?

    python benchmarks/label_issues.py [NAME ...] [--share 0.05] [--budget 120] [--seeds 0] [--noise even|shuffled]
    [--data ../shared/data]

NAME is a data set of the shared folder: `fashion_lt100`, or a table such as `adult` or `shuttle`. A share of the
training labels is changed: with `even`, each to any other class; with `shuffled`, the chosen rows exchange their
labels, so that the class counts stay. Then the command's own code runs. Printed: the precision among the first n rows
of the list, where n labels were changed (asked on fashion_lt100: .6), beside that of plain self-confidence; the average
precision; and precision and recall of the rows that are called issues. Labels that were wrong from the start count as
false finds, and labels that were changed to a class too small to judge count as missed. Nothing is asserted: read the
table.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from rarebird.core.clock import Clock
from rarebird.data.dataset import Dataset, Splits
from rarebird.diagnostics.label_issues.command import Review, check_labels
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def file_of(name: str, data: Path) -> Path:
    """The training file of a shared data set."""
    picture = data / "images" / f"{name}.npz"
    return picture if picture.is_file() else data / "tables" / f"{name}.train.csv"


def with_wrong_labels(train: Dataset, share: float, noise: str, seed: int) -> Dataset:
    """The rows, with a share of the labels changed."""
    rng, y = np.random.default_rng(seed), train.codes.copy()
    rows = rng.choice(len(y), round(share * len(y)), replace=False)
    if noise == "even":
        y[rows] = (y[rows] + rng.integers(1, train.n_classes, len(rows))) % train.n_classes
    else:
        y[rows] = y[rng.permutation(rows)]
    return replace(train, y=y)


def scores(review: Review, true: dict[str, str]) -> dict[str, float]:
    """How well the list finds wrong labels.

    Args:
        review: The ranked rows.
        true: Row id -> true label.
    """
    rows = review.found.rows
    wrong = np.array([row.given != true[row.id] for row in rows])
    issue, own = np.array([row.is_issue for row in rows]), np.array([row.given_probability for row in rows])
    n = int(wrong.sum())
    return {
        "changed": n,
        "precision": float(wrong[:n].mean()),
        "average precision": float(average_precision_score(wrong, -np.arange(len(rows)))),
        "self-confidence": float(wrong[np.argsort(own, kind="stable")[:n]].mean()),
        "issues": int(issue.sum()),
        "their precision": float(wrong[issue].mean()) if issue.any() else float("nan"),
        "their recall": float(issue[wrong].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["fashion_lt100"], metavar="NAME")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds for each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--noise", choices=["even", "shuffled"], default="even")
    parser.add_argument("--data", type=Path, default=SHARED)
    arguments = parser.parse_args()
    for name in arguments.names:
        for seed in arguments.seeds:
            clock = Clock(arguments.budget)
            train = read(file_of(name, arguments.data), ReadOptions()).train
            noisy = with_wrong_labels(train, arguments.share, arguments.noise, seed)
            review = check_labels(default_recipe(noisy, seed=seed), Splits(noisy), clock=clock)
            true = {str(row): train.classes[code] for row, code in zip(train.ids, train.codes, strict=True)}
            figures = scores(review, true)
            shown = "  ".join(
                f"{what} {value if isinstance(value, int) else f'{value:.3f}'}" for what, value in figures.items()
            )
            print(
                f"{name}, seed {seed}, {time.monotonic() - clock.start:.0f} s, {review.recipe.steps} steps: {shown}",
                flush=True,
            )


if __name__ == "__main__":
    main()
