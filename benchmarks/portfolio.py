"""The evidence behind the portfolio of tables and the rule of the ensemble: each recipe, and each rule, on outer splits
of training files.

    python benchmarks/portfolio.py [NAME ...] [--splits 3] [--data ../shared/data]

Thirty percent of a training file are held out and judged once per recipe and rule; the test files have no part. Without
a deadline, so that the figures do not depend on the machine's load. Rules: the best recipe alone (`never`), the
ensemble wherever it is not surely worse (what `fit` does), the ensemble only where it is surely better, and always; and
the simplest recipe that is within one standard error of the best.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rarebird import readers
from rarebird.automl.choosing import Family, choose, families, tried_fairly
from rarebird.automl.contest import Contest
from rarebird.automl.ensemble_selection import Criterion, is_worse, loss, weights
from rarebird.automl.portfolio import portfolio
from rarebird.automl.race import Race
from rarebird.core.clock import Clock
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.evaluation.result import Scores
from rarebird.experiment.run import conclude
from rarebird.experiment.setup import Ground, lay_ground
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.recipe.ensemble import Ensemble
from rarebird.training.cross_fit import Team

NAMES = ("ecoli", "glass", "haberman", "german", "oil-spill", "abalone")
FIGURES = ("balanced_accuracy", "average_precision", "log_loss", "expected_calibration_error")
OUTER = 0.3
# The portfolio's recipes, those first that have least to learn with.
SIMPLEST = ("linear", "boosted trees, small", "mlp, one layer", "boosted trees", "extra trees", "mlp")


def quiet(progress: float, what: str) -> bool:
    return False


def judged(ground: Ground, chosen: Sequence[tuple[Family, float]]) -> list[float]:
    """Figures of families with their shares on the outer rows."""
    teams = [
        Team(one.team.recipe, one.team.trained, one.team.held_rows, share)
        for family, share in chosen
        for one in family.candidates
    ]
    members = [(team.weight, team.recipe) for team in teams]
    recipe = teams[0].recipe if len(teams) == 1 else Ensemble.of(members, ["temperature"])
    scores: Scores | None = conclude(recipe, ground, teams, quiet, Clock()).result.test
    assert scores is not None
    return [float(scores.metrics[name].value or np.nan) for name in FIGURES]


def one_split(path: Path, seed: int) -> dict[str, list[float]]:
    rows = readers.read(path, ReadOptions()).train
    held = split.hold_out(rows, OUTER, 1_000 + seed, "test")
    train = rows.take(~held)
    base = default_recipe(train)
    ground = lay_ground(base, Splits(train, None, rows.take(held)), "cpu", None, 0, None)
    base = base.updated(folds=ground.protocol.folds, holdout=ground.protocol.holdout or None, threads=1)
    train = ground.splits.train
    criterion = Criterion.of(train, train.weighted_counts / train.weighted_counts.sum(), base.metric)
    race = Race(Contest(ground, criterion, base.seed), np.inf, quiet)
    race.run(replace(entry, must=True) for entry in portfolio(train, base))
    known = families(race.finished, criterion)
    figures = {family.name: judged(ground, [(family, 1.0)]) for family in known}
    best = min(known, key=lambda family: loss(family.losses))
    simplest = next(
        one for name in SIMPLEST for one in known if one.name == name and not is_worse(one.losses, best.losses, 1.0)
    )
    shares = weights([family.predicted for family in known], criterion)
    mixed = judged(ground, [(family, float(share)) for family, share in zip(known, shares, strict=True) if share > 0])
    alone, average = tried_fairly(known, criterion, race.contest.judges)
    chosen = choose(known, criterion, race.contest.judges)
    return figures | {
        "RULE never": figures[best.name],
        "RULE simplest within one error": figures[simplest.name],
        "RULE where surely better": mixed if is_worse(alone, average) else figures[best.name],
        "RULE unless surely worse": judged(ground, list(zip(chosen.families, map(float, chosen.shares), strict=True))),
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
