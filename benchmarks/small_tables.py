"""`fit` on the seven small skewed tables: beside AutoGluon's figures, or beside two references over outer splits.

    python benchmarks/small_tables.py [NAME ...] [--budget 60] [--seed 0] [--data ../shared/data]
    python benchmarks/small_tables.py [NAME ...] --splits 5

Without ``--splits`` the tables' own test files are scored, beside the figures of PEER (measured once, on the same
files). With it, all rows of a table are split again that many times (a class of one row is always trained on), and each
split is also given to histogram gradient boosting with a decision at the prior, and to balanced logistic regression;
printed are the paired differences with their corrected 95 % interval. Balanced accuracy averages the classes that have
test rows; average precision is that of the rarer class, or the macro mean over classes with test rows; calibration
error has 15 bins. Every fit is a process of its own.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from fitting import fit, test_metrics
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from rarebird.comparison.paired_test import corrected

TEST_SHARE = 0.3
# Balanced accuracy, average precision, calibration error, log loss of AutoGluon 1.6.3 in 60 s (`peer_autogluon.py`);
# the best of the other columns has a mean balanced accuracy of .736.
PEER = {
    "mammography": (0.897, 0.744, 0.004, 0.045),
    "oil-spill": (0.728, 0.381, 0.025, 0.141),
    "german": (0.678, 0.647, 0.108, 0.537),
    "abalone": (0.794, 0.226, 0.013, 0.108),
    "haberman": (0.670, 0.501, 0.117, 0.527),
    "ecoli": (0.631, 0.677, 0.090, 0.863),
    "glass": (0.629, 0.752, 0.226, 0.741),
}
FIGURES = ("balanced_accuracy", "average_precision", "expected_calibration_error", "log_loss")


def fit_table(train: Path, test: Path, budget: int, seed: int, options: list[str]) -> tuple[dict[str, float], float]:
    """Test metric -> value, and the fit's seconds."""
    found, seconds = fit(train, test, "--budget", f"{budget}s", "--seed", str(seed), *options)
    return test_metrics(found), seconds


def official(names: list[str], arguments: argparse.Namespace) -> None:
    rows = []
    for name in names:
        files = [arguments.data / "tables" / f"{name}.{part}.csv" for part in ("train", "test")]
        found, seconds = fit_table(*files, arguments.budget, arguments.seed, arguments.settings)  # type: ignore[call-arg]
        rows.append([found[figure] for figure in FIGURES])
        figures = " ".join(f"{figure} {found[figure]:.3f}" for figure in FIGURES)
        print(
            f"{name:<12} {seconds:5.1f} s  {figures}  AutoGluon {' '.join(f'{value:.3f}' for value in PEER[name])}",
            flush=True,
        )
    means = np.mean(rows, axis=0)
    peer = np.mean([PEER[name] for name in names], axis=0)
    print(
        f"{'mean':<12}          "
        + " ".join(f"{figure} {value:.4f}" for figure, value in zip(FIGURES, means, strict=True)),
        end="  ",
    )
    print("AutoGluon " + " ".join(f"{value:.4f}" for value in peer))


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
    """Histogram gradient boosting with fixed settings, decided by the probability divided by the training prior."""
    text = _text(train)
    encoder = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), text),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=150, max_leaf_nodes=15, min_samples_leaf=10, l2_regularization=1, random_state=0
    )
    pipe = make_pipeline(encoder, model).fit(train.drop(columns="target"), train["target"])
    prior = train["target"].value_counts(normalize=True)[pipe.classes_].to_numpy()
    chosen = pipe.classes_[(pipe.predict_proba(test.drop(columns="target")) / prior).argmax(axis=1)]
    return float(balanced_accuracy_score(test["target"], chosen))


def logistic(train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Logistic regression with balanced class weights on standardized numbers and one-hot categories."""
    text = _text(train)
    numbers = [column for column in train.columns if column not in (*text, "target")]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), text),
    )
    pipe = make_pipeline(columns, LogisticRegression(class_weight="balanced", max_iter=5_000))
    pipe.fit(train.drop(columns="target"), train["target"])
    return float(balanced_accuracy_score(test["target"], pipe.predict(test.drop(columns="target"))))


def _text(train: pd.DataFrame) -> list[str]:
    return [
        column for column in train.columns if column != "target" and not pd.api.types.is_numeric_dtype(train[column])
    ]


def outer(names: list[str], arguments: argparse.Namespace) -> None:
    means: dict[str, list[float]] = {"rarebird": [], "boosting": [], "logistic": []}
    every: dict[str, list[list[float]]] = {"boosting": [], "logistic": []}
    for name in names:
        parts = [
            pd.read_csv(arguments.data / "tables" / f"{name}.{part}.csv", skipinitialspace=True)
            for part in ("train", "test")
        ]
        rows = pd.concat(parts, ignore_index=True)
        values: dict[str, list[float]] = {key: [] for key in means}
        for seed in range(arguments.splits):
            held = split(rows["target"], seed)
            train, test = rows[~held], rows[held]
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn warns of classes without test rows
                files = [Path(folder) / f"{part}.csv" for part in ("train", "test")]
                for frame, file in zip((train, test), files, strict=True):
                    frame.to_csv(file, index=False)
                values["rarebird"].append(
                    fit_table(*files, arguments.budget, seed, arguments.settings)[0]["balanced_accuracy"]  # type: ignore[call-arg]
                )
                values["boosting"].append(boosting(train, test))
                values["logistic"].append(logistic(train, test))
            print(
                f"{name:<12} split {seed}  " + "  ".join(f"{key} {found[-1]:.3f}" for key, found in values.items()),
                flush=True,
            )
        for key, found in values.items():
            means[key].append(statistics.mean(found))
        for key in every:
            differences = np.array(values["rarebird"]) - np.array(values[key])
            every[key].append(differences.tolist())
            print(f"{name:<12} minus {key}: {_shown(differences)}", flush=True)
    print("mean  " + "  ".join(f"{key} {statistics.mean(found):.4f}" for key, found in means.items()))
    for key, found in every.items():
        print(f"mean over tables, minus {key}: {_shown(np.mean(found, axis=0))}")


def _shown(differences: np.ndarray) -> str:
    found = corrected(differences, TEST_SHARE / (1 - TEST_SHARE))
    return f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--splits", type=int, default=0)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], help="an option of fit, as in --set=--no-references"
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    (outer if arguments.splits else official)(arguments.names or list(PEER), arguments)


if __name__ == "__main__":
    main()
