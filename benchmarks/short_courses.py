"""Which short training predicts best how recipes rank after a full one: fewer rows, fewer passes, or some of both.

    python benchmarks/short_courses.py [adult shuttle fashion_lt100] [--recipes 12] [--passes 20] [--seed 0]
    [--data ../shared/data]

Recipes are drawn from the usual ranges around the default one. Each is trained on the hold-out's training rows in full,
and in three short ways that cost a quarter of it. Printed for each short way: Spearman's correlation of its held-out
losses with those of the full trainings; and the regret, by how much the better of its two leaders, trained in full, is
behind the best recipe of all, as a mean over random groups of six recipes. There is no deadline.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from rarebird import readers
from rarebird.automl.candidate import TrainingContext
from rarebird.automl.criterion import Criterion
from rarebird.automl.local_search import BRACKET, FULL
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.core.progress import silent
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.experiment.setup import Setup, prepare_run
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.training.cross_fit import Parts
from rarebird.tuning.space import default_space

FILES = {
    "adult": "tables/adult.train.csv",
    "shuttle": "tables/shuttle.train.csv",
    "fashion_lt100": "images/fashion_lt100.npz",
}
# Passes of a full training: what two cores can do in minutes.
PASSES = {"adult": 20.0, "shuttle": 20.0, "fashion_lt100": 8.0}
# Share of the rows and of the passes of each training; the short ones cost a quarter.
TRAININGS = {"full": (1.0, 1.0), "passes": (1.0, 0.25), "rows": (0.25, 1.0), "rows and passes": (0.5, 0.5)}
DRAWS = 500


@dataclass(frozen=True)
class FewerRows(Setup):
    """A setup whose networks learn from a share of the training rows of each class.

    Attributes:
        share: The share.
    """

    share: float = 1.0

    def parts(self, seed: int) -> Parts:
        """As for any setup, with fewer rows to learn from."""
        parts, train = super().parts(seed), self.splits.train
        if self.share == 1:
            return parts
        return [(fit[~split.hold_out(train.take(fit), 1 - self.share, seed, "short")], held) for fit, held in parts]


def losses(name: str, recipes: int, passes: float, seed: int, data: Path) -> dict[str, np.ndarray]:
    """Training -> ``(recipes,)`` held-out losses."""
    train = readers.read(data / FILES[name], ReadOptions()).train
    base = default_recipe(train, seed=seed).updated(folds=0, epochs=passes)
    # Every row is a group of its own: a search for copies would take longer than the trainings.
    setup = prepare_run(base, Splits(train), device="cpu", copies=None)
    base = base.updated(holdout=setup.protocol.holdout)
    criterion = Criterion.of(setup.scored_rows, setup.splits.train.prior, base.metric)
    space, rng = default_space(base), np.random.default_rng(seed)
    found: dict[str, list[float]] = {training: [] for training in TRAININGS}
    for number in range(recipes):
        recipe = space.draw(lambda _, where: where.sample(rng))
        row = []
        for training, (share_of_rows, share_of_passes) in TRAININGS.items():
            short = recipe.updated(epochs=passes * share_of_passes)
            fewer = FewerRows(**vars(setup), share=share_of_rows)
            with Race(TrainingContext(fewer, criterion, seed), np.inf, silent) as race:
                trained = race.run([PortfolioEntry(f"{number} {training}", short, must=True)])
            found[training].append(trained[0].loss if trained else np.inf)
            row.append(f"{training} {found[training][-1]:.4f}")
        print(f"{name} {number}: {'  '.join(row)}", flush=True)
    return {training: np.array(values) for training, values in found.items()}


def regret(short: np.ndarray, full: np.ndarray) -> float:
    """By how much the leaders of a short training are behind the best, as a mean over random groups of recipes."""
    rng, behind = np.random.default_rng(0), []
    for _ in range(DRAWS):
        group = rng.choice(len(full), min(BRACKET, len(full)), replace=False)
        leaders = group[np.argsort(short[group])[:FULL]]
        behind.append(full[leaders].min() - full[group].min())
    return float(np.mean(behind))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--recipes", type=int, default=12)
    parser.add_argument("--passes", type=float, help="of a full training over the rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    for name in arguments.names or list(FILES):
        start = time.monotonic()
        passes = arguments.passes or PASSES[name]
        found = losses(name, arguments.recipes, passes, arguments.seed, arguments.data)
        for training in [training for training in TRAININGS if training != "full"]:
            rank = spearmanr(found[training], found["full"]).statistic
            behind = regret(found[training], found["full"])
            print(f"{name} {training}: rank correlation {rank:.2f}, regret {behind:.4f}", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
