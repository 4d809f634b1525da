"""`fit` on real data that comes with scikit-learn: handwritten digits with common and rare classes, and the
breast-cancer table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rarebird.automl import command
from rarebird.core.clock import Clock
from rarebird.core.progress import Progress
from rarebird.core.rng import stream
from rarebird.report.terminal import summary
from rarebird.runs.request import Request

# Training rows of the most common and of the rarest digit, and the share of rows for the test.
MOST_DIGITS, FEWEST_DIGITS, TEST_SHARE = 130, 8, 0.25


def run(folder: Path, seconds: float, show: Callable[[str], None], progress: Progress) -> None:
    """Write both data sets below `folder` and fit each of them.

    Args:
        folder: For the data and the runs.
        seconds: Wall-clock time of each fit.
        show: Called with the scores, and with the paths of report and model.
        progress: Called as the work proceeds; True from it ends the current fit early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for write, what in (
        (digits, "Handwritten digits, with common and rare classes"),
        (breast_cancer, "Breast cancer, a table"),
    ):
        data = write(folder)
        show(f"\n== {what}: rarebird fit {data} --budget {seconds:g}s --out {folder / data.stem}")
        outcome = command.fit(Request(data=data, out=folder / data.stem, force=True), Clock(seconds), progress)
        show(summary(outcome.result))


def digits(folder: Path) -> Path:
    """`digits.npz`: 8x8 pictures. Class counts fall from 130 to 8 in the training rows; in the test rows the classes
    are about equally common."""
    from sklearn.datasets import load_digits

    pictures, labels = load_digits(return_X_y=True)
    pictures = np.round(pictures.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    rng = stream(0, "demo digits")
    wanted = np.round(MOST_DIGITS * (FEWEST_DIGITS / MOST_DIGITS) ** np.linspace(0, 1, 10)).astype(int)
    train, test = [], []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        n_test = round(TEST_SHARE * len(rows))
        test.append(rows[:n_test])
        train.append(rows[n_test : n_test + wanted[digit]])
    train_rows, test_rows = np.concatenate(train), np.concatenate(test)
    path = folder / "digits.npz"
    np.savez(
        path,
        train_images=pictures[train_rows],
        train_labels=labels[train_rows],
        test_images=pictures[test_rows],
        test_labels=labels[test_rows],
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
