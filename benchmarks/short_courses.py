"""Which short course tells best how recipes will stand after a whole one: fewer rows, fewer passes, or a part of both.

    python benchmarks/short_courses.py [adult shuttle fashion_lt100] [--recipes 12] [--seed 0] [--data ../shared/data]

Recipes are drawn from the usual ranges around the default one. Each trains on the hold-out's training rows for a whole
course and for short ones at a quarter of its cost. Printed per short course: Spearman's correlation of its held-out
losses with those of the whole courses, and by how much the best whole course of the two that lead it is behind the best
of all, the mean over draws of six. No clock takes part.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from rarebird import readers
from rarebird.automl.contest import Contest
from rarebird.automl.ensemble_selection import Criterion
from rarebird.automl.entry import Entry
from rarebird.automl.local_search import BRACKET, WHOLE
from rarebird.automl.race import Race
from rarebird.data import split
from rarebird.data.dataset import Splits
from rarebird.experiment.setup import Ground, lay_ground
from rarebird.readers.options import ReadOptions
from rarebird.recipe.defaults import default_recipe
from rarebird.training.cross_fit import Parts
from rarebird.tuning.space import default_space

FILES = {
    "adult": "tables/adult.train.csv",
    "shuttle": "tables/shuttle.train.csv",
    "fashion_lt100": "images/fashion_lt100.npz",
}
# Passes of a whole course: what two cores can do here in minutes.
PASSES = {"adult": 20.0, "shuttle": 20.0, "fashion_lt100": 8.0}
# Share of the rows and of the passes, a quarter of the cost each.
COURSES = {"whole": (1.0, 1.0), "passes": (1.0, 0.25), "rows": (0.25, 1.0), "rows and passes": (0.5, 0.5)}
DRAWS = 500


@dataclass
class FewerRows(Ground):
    """A ground whose networks learn from a share of the rows of each class."""

    share: float = 1.0

    def parts(self, seed: int) -> Parts:
        """As the ground's, but for the rows that are learned from."""
        whole = super().parts(seed)
        if self.share == 1:
            return whole
        return [
            (fit[~split.hold_out(self.splits.train.take(fit), 1 - self.share, seed, "short")], held)
            for fit, held in whole
        ]


def losses(name: str, recipes: int, seed: int, data: Path) -> dict[str, np.ndarray]:
    train = readers.read(data / FILES[name], ReadOptions()).train
    base = default_recipe(train, seed=seed).updated(folds=0, epochs=PASSES[name])
    ground = lay_ground(base, Splits(train), "cpu", None, 0.2, np.arange(len(train)))
    base = base.updated(holdout=ground.protocol.holdout)
    criterion = Criterion.of(ground.judged, ground.splits.train.prior, base.metric)
    space, rng, found = default_space(base), np.random.default_rng(seed), {course: [] for course in COURSES}
    for number in range(recipes):
        recipe = space.draw(lambda name, where: where.sample(rng))
        row = []
        for course, (rows, passes) in COURSES.items():
            short = recipe.updated(epochs=PASSES[name] * passes)
            race = Race(Contest(FewerRows(**vars(ground), share=rows), criterion, seed), np.inf, lambda *told: False)
            came = race.run([Entry(f"{number} {course}", short, must=True)])
            found[course].append(came[0].loss if came else np.inf)
            row.append(f"{course} {found[course][-1]:.4f}")
        print(f"{name} {number}: {'  '.join(row)}", flush=True)
    return {course: np.array(values) for course, values in found.items()}


def regret(short: np.ndarray, whole: np.ndarray) -> float:
    """How far the best of the leaders of a short course is behind the best, over draws of a bracket."""
    rng, behind = np.random.default_rng(0), []
    for _ in range(DRAWS):
        bracket = rng.choice(len(whole), BRACKET, replace=False)
        leaders = bracket[np.argsort(short[bracket])[:WHOLE]]
        behind.append(whole[leaders].min() - whole[bracket].min())
    return float(np.mean(behind))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--recipes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    for name in arguments.names or list(FILES):
        start = time.monotonic()
        found = losses(name, arguments.recipes, arguments.seed, arguments.data)
        for course in [course for course in COURSES if course != "whole"]:
            rank = spearmanr(found[course], found["whole"]).statistic
            print(
                f"{name} {course}: rank correlation {rank:.2f}, behind {regret(found[course], found['whole']):.4f}",
                flush=True,
            )
        print(f"{name}: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
