"""The main job on real data that comes with scikit-learn: handwritten digits thinned to a long tail, and the
breast-cancer table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rarebird.automl import command
from rarebird.core.clock import Clock
from rarebird.core.rng import stream
from rarebird.report.terminal import summary
from rarebird.runs.request import Request

MOST_DIGITS, FEWEST_DIGITS, TEST_SHARE = 130, 8, 0.25


def run(folder: Path, seconds: float, say: Callable[[str], None], report: Callable[[float, str], bool]) -> None:
    """Write both data sets below `folder`, fit each within `seconds`, and say how it went and where the report and the
    model are."""
    folder.mkdir(parents=True, exist_ok=True)
    for write, what in (
        (digits, "Handwritten digits, thinned to a long tail"),
        (breast_cancer, "Breast cancer, a table"),
    ):
        data = write(folder)
        say(f"\n== {what}: rarebird fit {data} --budget {seconds:g}s --out {folder / data.stem}")
        outcome = command.fit(Request(data=data, out=folder / data.stem), Clock(seconds), report)
        say(summary(outcome.result))


def digits(folder: Path) -> Path:
    """`digits.npz`: 8x8 pictures; class counts fall from 130 to 8 in the training rows, the test rows stay as they
    are."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    pictures = np.round(pictures.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    rng = stream(0, "demo digits")
    wanted = np.round(MOST_DIGITS * (FEWEST_DIGITS / MOST_DIGITS) ** np.linspace(0, 1, 10)).astype(int)
    train, test = [], []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        tested = round(TEST_SHARE * len(rows))
        test.append(rows[:tested])
        train.append(rows[tested : tested + wanted[digit]])
    chosen, judged = np.concatenate(train), np.concatenate(test)
    path = folder / "digits.npz"
    np.savez(
        path,
        train_images=pictures[chosen],
        train_labels=labels[chosen],
        test_images=pictures[judged],
        test_labels=labels[judged],
    )
    return path


def breast_cancer(folder: Path) -> Path:
    """`breast-cancer.csv`: 569 tumors, 30 measurements each, benign or malignant."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.frame.assign(target=bunch.target_names[bunch.frame["target"]])
    path = folder / "breast-cancer.csv"
    frame.to_csv(path, index=False)
    return path
