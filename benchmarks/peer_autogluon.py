"""AutoGluon on the seven small skewed tables: measures the PEER figures of `small_tables.py` again.

    python -m venv peer && peer/bin/pip install "autogluon.tabular[all]==1.6.3"
    peer/bin/python benchmarks/peer_autogluon.py [NAME ...] [--budget 60] [--data ../shared/data]

It runs in an environment of its own, without rarebird, with `medium_quality` and balanced accuracy as the metric to
optimize. Balanced accuracy averages the classes that have test rows; average precision is that of the rarer class, or
the macro mean over classes with test rows; calibration error has 15 bins of the top probability. A class that AutoGluon
leaves out has probability 0, which counts as 1e-12 in the log loss; in the last column as 1e-3, which is kinder.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from sklearn.metrics import average_precision_score, balanced_accuracy_score

NAMES = ("mammography", "oil-spill", "german", "abalone", "haberman", "ecoli", "glass")
FIGURES = ("balanced accuracy", "average precision", "calibration error", "log loss", "log loss, 1e-3")
BINS = 15


def scores(train: pd.DataFrame, test: pd.DataFrame, budget: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("target", eval_metric="balanced_accuracy", path=folder, verbosity=0)
        predictor.fit(train, presets="medium_quality", time_limit=budget)
        inputs = test.drop(columns="target")
        found, labels = predictor.predict_proba(inputs), predictor.predict(inputs)
    counts = train["target"].value_counts()
    probability = found.reindex(columns=counts.index, fill_value=0.0).to_numpy()
    truth = test["target"].to_numpy()
    shown = [place for place, label in enumerate(counts.index) if (truth == label).any()]
    precision = [average_precision_score(truth == counts.index[place], probability[:, place]) for place in shown]
    top, right = probability.max(axis=1), counts.index.to_numpy()[probability.argmax(axis=1)] == truth
    bins = np.clip(np.ceil(top * BINS) - 1, 0, BINS - 1)
    error = sum(abs(top[bins == place].sum() - right[bins == place].sum()) for place in range(BINS)) / len(truth)
    given = probability[np.arange(len(truth)), counts.index.get_indexer(truth)]
    losses = [float(-np.log(np.clip(given, least, None)).mean()) for least in (1e-12, 1e-3)]
    rare = precision[-1] if len(counts) == 2 else np.mean(precision)
    return [balanced_accuracy_score(truth, labels), rare, error, *losses]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name in arguments.names or NAMES:
        parts = [
            pd.read_csv(arguments.data / "tables" / f"{name}.{part}.csv", skipinitialspace=True)
            for part in ("train", "test")
        ]
        start = time.monotonic()
        rows.append(scores(*parts, arguments.budget))  # type: ignore[call-arg]
        print(f"{name:<12} {time.monotonic() - start:5.1f} s  {_shown(rows[-1])}", flush=True)
    print(f"{'mean':<12}          {_shown(np.mean(rows, axis=0))}")


def _shown(values: list[float] | np.ndarray) -> str:
    return "  ".join(f"{figure} {value:.4f}" for figure, value in zip(FIGURES, values, strict=True))


if __name__ == "__main__":
    main()
