"""`fit` against histogram gradient boosting on seeded stratified splits of a whole small table (train and test rows together).

    python benchmarks/small_table_splits.py [ecoli] [--splits 5] [--budget 60] [--data ../shared/data]

A class of one row always trains. Balanced accuracy averages the classes that have test rows, for both alike. Prints each split, the means,
and the paired difference with its standard error over splits (splits share rows, so that the error is optimistic).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import OrdinalEncoder

TEST_SHARE = 0.3


def split(labels: pd.Series, seed: int) -> np.ndarray:
    """Whether each row is a test row: 30 % of each class of two rows or more, at least one."""
    rng = np.random.default_rng(seed)
    test = np.zeros(len(labels), dtype=bool)
    for label in sorted(labels.unique()):
        rows = np.flatnonzero(labels == label)
        if len(rows) >= 2:
            test[rng.permutation(rows)[: max(1, round(TEST_SHARE * len(rows)))]] = True
    return test


def boosting(train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Balanced accuracy of scikit-learn's defaults, categories as ordinals."""
    text = [column for column in train.columns if column != "target" and not pd.api.types.is_numeric_dtype(train[column])]
    x, z = train.drop(columns="target"), test.drop(columns="target")
    if text:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(x[text])
        x, z = (
            x.assign(**dict(zip(text, encoder.transform(x[text]).T, strict=True))),
            z.assign(**dict(zip(text, encoder.transform(z[text]).T, strict=True))),
        )
    model = HistGradientBoostingClassifier(random_state=0).fit(x, train["target"])
    return float(balanced_accuracy_score(test["target"], model.predict(z)))


def ours(train: pd.DataFrame, test: pd.DataFrame, budget: int, seed: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        command = [sys.executable, "-m", "rarebird.cli", "fit", str(folder / "train.csv"), "--test", str(folder / "test.csv"), "--json"]
        command += ["--budget", f"{budget}s", "--seed", str(seed), "--out", str(folder / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(json.loads(done.stdout)["metrics"]["balanced_accuracy"]["value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="ecoli")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    parts = [pd.read_csv(arguments.data / "tables" / f"{arguments.name}.{part}.csv", skipinitialspace=True) for part in ("train", "test")]
    rows = pd.concat(parts, ignore_index=True)
    pairs = []
    for seed in range(arguments.splits):
        test = split(rows["target"], seed)
        pairs.append((ours(rows[~test], rows[test], arguments.budget, seed), boosting(rows[~test], rows[test])))
        print(f"{arguments.name} split {seed}: rarebird {pairs[-1][0]:.3f}, histogram gradient boosting {pairs[-1][1]:.3f}", flush=True)
    mine, theirs = (statistics.mean(column) for column in zip(*pairs, strict=True))
    differences = [a - b for a, b in pairs]
    error = statistics.stdev(differences) / len(differences) ** 0.5
    print(
        f"{arguments.name} mean: rarebird {mine:.3f}, boosting {theirs:.3f}, difference {statistics.mean(differences):+.3f} +- {error:.3f}"
    )


if __name__ == "__main__":
    main()
