"""The evidence for the order of the tables' portfolio and for the rule of the ensemble: each recipe, and each rule, on
outer splits of training files.

    python benchmarks/portfolio.py [NAME ...] [--splits 3] [--data ../shared/data]

Thirty percent of a training file are held out, and score each recipe and each rule once; the test files are not used.
There is no deadline, so that the figures do not depend on the machine's load. The rules: the best recipe alone
(`never`); the ensemble unless it is surely worse (what `fit` does); the ensemble only where it is surely better; always
the ensemble; and the simplest recipe that is within one standard error of the best.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird import readers
from rarebird.automl.candidate import TrainingContext
from rarebird.automl.criterion import Criterion, is_worse, loss
from rarebird.automl.ensemble_selection import Family, compare_fairly, families, select, weights
from rarebird.automl.portfolio import portfolio
from rarebird.automl.race import Race
from rarebird.core.clock import Clock
from rarebird.core.progress import silent
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.experiment.run import finish
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.ensemble import Ensemble

NAMES = ("ecoli", "glass", "haberman", "german", "oil-spill", "abalone")
FIGURES = ("balanced_accuracy", "average_precision", "log_loss", "expected_calibration_error")
OUTER = 0.3
# The portfolio's recipes, the simplest first.
SIMPLEST = (
    "linear",
    "ridge",
    "kernel ridge",
    "boosted trees, small",
    "mlp, one layer",
    "boosted trees",
    "extra trees",
    "mlp",
)


def scores(setup: Setup, shipped: Sequence[tuple[Family, float]]) -> list[float]:
    """Figures of an ensemble of families, given with their shares, on the outer rows."""
    fits = [replace(one.models, weight=share) for family, share in shipped for one in family.candidates]
    members = [(models.weight, models.recipe) for models in fits]
    recipe = fits[0].recipe if len(fits) == 1 else Ensemble.of(members, ["temperature"])
    found = finish(recipe, setup, fits, Clock(), silent, timings={}).result.test
    assert found is not None
    return [float(found.metrics[name].value or np.nan) for name in FIGURES]


def one_split(path: Path, seed: int) -> dict[str, list[float]]:
    rows = readers.read(path, ReadOptions()).train
    held = split.hold_out(rows, OUTER, 1_000 + seed, "test")
    train = rows.take(~held)
    base = default_recipe(train)
    setup = prepare_run(base, Splits(train, None, rows.take(held)), device="cpu")
    base = base.updated(folds=setup.protocol.folds, holdout=setup.protocol.holdout or None, threads=1)
    train = setup.splits.train
    criterion = Criterion.of(train, train.prior, base.metric)
    with Race(TrainingContext(setup, criterion, base.seed), np.inf, silent) as race:
        race.run(replace(entry, must=True) for entry in portfolio(train, base))
    known = families(race.finished, criterion)
    figures = {family.name: scores(setup, [(family, 1.0)]) for family in known}
    best, group = min(known, key=lambda family: loss(family.losses)), criterion.group
    able = [one.name for one in known if not is_worse(one.losses, best.losses, group, 1.0)]
    simplest = next(one for name in SIMPLEST if name in able for one in known if one.name == name)
    shares = weights([family.predicted for family in known], criterion)
    mixed = scores(setup, [(family, float(share)) for family, share in zip(known, shares, strict=True) if share > 0])
    alone, average = compare_fairly(known, criterion, race.context.parts)
    selection = select(known, criterion, race.context.parts)
    shipped = list(zip(selection.families, map(float, selection.shares), strict=True))
    return figures | {
        "RULE never": figures[best.name],
        "RULE simplest within one error": figures[simplest.name],
        "RULE where surely better": mixed if is_worse(alone, average, group) else figures[best.name],
        "RULE unless surely worse": scores(setup, shipped),
        "RULE always": mixed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    means: dict[str, list[np.ndarray]] = {}
    for name in arguments.names or NAMES:
        path = arguments.data / "tables" / f"{name}.train.csv"
        found = [one_split(path, seed) for seed in range(arguments.splits)]
        for key in found[0]:
            figures = np.mean([one[key] for one in found if key in one], axis=0)
            means.setdefault(key, []).append(figures)
            print(
                f"{name:<10} {key:<28} "
                + " ".join(f"{figure} {value:.4f}" for figure, value in zip(FIGURES, figures, strict=True)),
                flush=True,
            )
    for key, rows in means.items():
        print(
            f"{'mean':<10} {key:<28} "
            + " ".join(f"{figure} {value:.4f}" for figure, value in zip(FIGURES, np.mean(rows, axis=0), strict=True))
        )


if __name__ == "__main__":
    main()
