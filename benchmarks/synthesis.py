"""Do synthetic rows help? Every generator of tables beside no remedy, repeated rows and SMOTE, on the skewed tables.

    python benchmarks/synthesis.py [NAME ...] [--repeats 2] [--steps 100] [--made-steps N] [--data ../shared/data]
    python benchmarks/synthesis.py --gate [NAME ...]
    python benchmarks/synthesis.py --train-on-synthetic ecoli glass

The first compares remedies of boosted trees on the same splits of the training rows: balanced accuracy and average
precision, paired differences with 95 % intervals; `vae`, `gan` and `diffusion` learn for their own steps, or for
``--made-steps``, where their own take too long. ``--gate`` prints the gate's verdict on each generator, class by
class. ``--train-on-synthetic`` trains four classifiers on synthetic rows alone, as many of each class as there are real
ones, and scores them on real rows: the macro F1 beside that of real training rows, over three splits (the protocol of
Jolicoeur-Martineau et al., AISTATS 2024, as far as it is stated).
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rarebird.comparison.compare import ComparisonOptions, compare
from rarebird.comparison.remedies import remedies
from rarebird.core.compute import Compute
from rarebird.data import prepare, split
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Dataset
from rarebird.data.plain_features import plain_features
from rarebird.methods.synthesis import _gate
from rarebird.readers import read
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.slots import methods

NAMES = ("ecoli", "glass", "haberman", "oil-spill", "abalone", "mammography", "german")
FIGURES = ("balanced_accuracy", "average_precision")
# Generators that are networks, whose own steps take minutes.
NETWORKS = ("vae", "gan", "diffusion")
# Rows of a class that the gate judges here, and classes of a table, the rarest first.
LEAST, MOST_CLASSES = 20, 3
PUBLISHED = {"ecoli": (0.684, 0.732), "glass": (0.567, 0.621)}


def rows_of(folder: Path, name: str) -> Dataset:
    return read(folder / "tables" / f"{name}.train.csv", ReadOptions()).train


def shorten(steps: int) -> None:
    """Let networks learn for this number of steps: a remedy has its method's defaults."""
    for name in NETWORKS:
        method = methods.load("synthesis", name)
        method.model_fields["steps"].default = steps
        method.model_rebuild(force=True)


def remedies_table(name: str, train: Dataset, given: argparse.Namespace) -> None:
    baseline = default_recipe(train).with_settings(["reference=boosted_trees", f"steps={given.steps}", "threads=1"])
    generators = [f"synthesis={method}" for method in given.methods or methods.names("synthesis", "table")]
    wanted = remedies(",".join(["resampling=random_over", "resampling=smote", *generators]), train, baseline)
    start = time.monotonic()
    found = compare(
        baseline, train, wanted, ComparisonOptions(folds=5, repeats=given.repeats, combine=False), Compute()
    )
    means = ", ".join(f"{figure} {found.baselines[figure]:.3f}" for figure in FIGURES)
    print(f"{name}: no remedy {means} ({found.splits} splits, {time.monotonic() - start:.0f} s)")
    for row in found.rows:
        parts = [
            f"{figure} {one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
            for figure in FIGURES
            for one in [row.metrics[figure]]
        ]
        print(f"    {row.remedy:<26} {'  '.join(parts)}", flush=True)


def gate_table(name: str, train: Dataset, given: argparse.Namespace) -> None:
    counts = train.class_counts
    assert counts is not None
    codes = [int(code) for code in np.argsort(counts) if counts[code] >= LEAST][:MOST_CLASSES]
    for method in given.methods or methods.names("synthesis", "table"):
        verdict = _gate.judge(methods.load("synthesis", method)(), train, codes, Compute())  # type: ignore[arg-type]
        print(f"{name}, {method} ({verdict.seconds:.0f} s):")
        for one in verdict.classes:
            areas = {figure.name: figure.value for figure in one.figures}
            shown = ", ".join(f"{key} {areas[key]:.2f}" for key in ("tree_area", "dependence", "nearness"))
            print(f"    {one.label} ({one.rows} rows): {'passes' if one.passes else 'rejected'}, {shown}; {one.reason}")
        print(end="", flush=True)


def train_on_synthetic(name: str, folder: Path, given: argparse.Namespace) -> None:
    whole = rows_of(folder, name)
    test = read(folder / "tables" / f"{name}.test.csv", ReadOptions(schema=whole.known_schema)).train
    rows = concat([whole, test.aligned(whole.classes)])
    for method in given.methods or methods.names("synthesis", "table"):
        scores = []
        for seed in range(3):
            held = split.hold_out(rows, 0.2, seed)
            train, judged = rows.take(np.flatnonzero(~held)), rows.take(np.flatnonzero(held))
            draw = np.random.default_rng(seed)
            fitted = methods.load("synthesis", method)().fit(train, Compute(), draw)  # type: ignore[attr-defined]
            able = [code for code in range(train.n_classes) if fitted.able[code]]
            made = concat([fitted.sample(code, int(fitted.counts[code]), draw) for code in able])
            prepared = prepare.fit(train)[0]
            real, synthetic = plain_features((concat([train, judged]), made), prepared)
            on = (real[: len(train)], train.codes), (synthetic, made.codes)
            scores.append([_mean_f1(x, y, real[len(train) :], judged.codes, seed) for x, y in on])
        after_real, after_new = np.mean(scores, axis=0)
        published = PUBLISHED.get(name)
        beside = f" (published: {published[0]} and {published[1]})" if published else ""
        print(
            f"{name}, {method}: F1 after synthetic rows {after_new:.3f}, after real rows {after_real:.3f}{beside}",
            flush=True,
        )


def _mean_f1(x: np.ndarray, y: np.ndarray, at: np.ndarray, truth: np.ndarray, seed: int) -> float:
    """Mean over four classifiers."""
    models = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000)),
        AdaBoostClassifier(random_state=seed),
        RandomForestClassifier(random_state=seed, n_jobs=1),
        HistGradientBoostingClassifier(random_state=seed, max_iter=100),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = [f1_score(truth, model.fit(x, y).predict(at), average="macro") for model in models]
    return float(np.mean(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--made-steps", type=int, help="of generators that are networks; default: their own")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--train-on-synthetic", action="store_true")
    given = parser.parse_args()
    if given.made_steps is not None:
        shorten(given.made_steps)
    for name in given.names:
        if given.train_on_synthetic:
            train_on_synthetic(name, given.data, given)
        elif given.gate:
            gate_table(name, rows_of(given.data, name), given)
        else:
            remedies_table(name, rows_of(given.data, name), given)


if __name__ == "__main__":
    main()
