"""Recipes trained on the same parts of repeated splits, part after part in turn, so that an early end leaves pairs for
all of them.

Nothing looks on while a network trains but what is taken from its own training rows: early stopping gets a hold-out of
these, and the rows that judge it are never among them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rarebird.core.checks import DataError
from rarebird.data import split
from rarebird.data.dataset import Dataset
from rarebird.evaluation import cross_validate
from rarebird.evaluation.cross_validate import Part
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import Parts, bench_of

BASELINE = "baseline"

Tell = Callable[[float, str], bool]


class Repeats:
    """Scores of recipes on the parts of repeated splits; each repeat has parts and seeds of its own, the same for all
    recipes.

    Args:
        train: Training rows; no test row is among them.
        folds: Parts of a split.
        metrics: What is scored.
        seed: The first repeat's; the others count on from it.
        positive: Of two classes, the one that precision and recall speak of.
        device: A torch device.

    Attributes:
        most_steps: Of a network, where the time allows no more; None: as many as its recipe says.
        failed: Recipe -> why it cannot be trained on these rows.
        laid_out: Recipe -> with its steps, as it was last trained.
        stopped: Whether the user ended it.
        seconds: Recipe -> what its last training and prediction took.
        scoring: Recipe -> seconds to calibrate, decide and score a repeat of it.
    """

    def __init__(
        self,
        train: Dataset,
        folds: int,
        metrics: Sequence[str],
        seed: int,
        positive: str | None = None,
        device: str = "cpu",
    ) -> None:
        self.train, self.folds, self.metrics, self.seed = train, folds, tuple(metrics), seed
        self.positive, self.device = positive, device
        self.most_steps: int | None = None
        self.failed: dict[str, str] = {}
        self.laid_out: dict[str, Recipe] = {}
        self.stopped = False
        self.seconds: dict[str, float] = {}
        self.scoring: dict[str, float] = {}
        self._parts: dict[int, Parts] = {}
        self._scores: dict[str, dict[int, dict[str, np.ndarray]]] = {}

    def parts(self, repeat: int) -> Parts:
        """The parts of a repeat; after an early end, those that all recipes were trained on."""
        if repeat not in self._parts:
            self._parts[repeat] = split.parts(
                self.train, split.decide(self.train, folds=self.folds), self.seed + repeat
            )
        return self._parts[repeat]

    def run(
        self,
        recipes: Mapping[str, Recipe],
        repeat: int,
        deadline: float | None = None,
        tell: Tell = lambda progress, what: False,
    ) -> bool:
        """Train and score recipes on one repeat.

        Args:
            recipes: Name -> recipe; `BASELINE` is the one that may not fail.
            repeat: Which one.
            deadline: When all must be scored, on the scale of `time.monotonic`; a part that would come too late is not
                begun.
            tell: Told of the progress 0..1 and of what is trained; True from it ends all with the parts that are done.

        Returns:
            Whether all parts were done. Of a repeat that ended early, the parts that all recipes have are scored if the
            baseline is among them, and are all that later recipes are trained on; without the baseline nothing of it
            counts.

        Raises:
            DataError: The baseline cannot be trained on these rows.
        """
        parts = self.parts(repeat)
        deadline = None if deadline is None else deadline - sum(self.scoring.get(name, 0.0) for name in recipes)
        heard: list[dict[str, Part]] = []
        for place in range(len(parts)):
            given = self._part(recipes, repeat, place, deadline, tell)
            if given is None:
                break
            heard.append(given)
        if len(heard) < len(parts):
            if BASELINE not in recipes:
                return False
            self._parts[repeat] = parts[: len(heard)]
        for name, recipe in recipes.items():
            if heard and name not in self.failed:
                self._score(name, recipe, repeat, [given[name] for given in heard])
        return len(heard) == len(parts)

    def values(self, name: str, metric: str, repeats: Sequence[int] | None = None) -> np.ndarray:
        """``(splits,)`` values of a recipe, repeat after repeat, or those of some repeats."""
        return _joined(
            [scores[metric] for repeat, scores in self._of(name).items() if repeats is None or repeat in repeats]
        )

    def differences(
        self, name: str, metric: str, beside: str = BASELINE, repeats: Sequence[int] | None = None
    ) -> np.ndarray:
        """``(splits,)`` values of a recipe less those of another on the same splits."""
        others = self._of(beside)
        both = [repeat for repeat in self._of(name) if repeat in others and (repeats is None or repeat in repeats)]
        return _joined([self._of(name)[repeat][metric] - others[repeat][metric] for repeat in both])

    def _shortened(self, recipe: Recipe) -> Recipe:
        """A laid-out recipe with no more steps than the time allows; a reference has its own rounds."""
        assert recipe.steps is not None
        few = self.most_steps is not None and recipe.reference is None
        return recipe.updated(steps=min(recipe.steps, self.most_steps)) if few and self.most_steps else recipe

    def _of(self, name: str) -> dict[int, dict[str, np.ndarray]]:
        """Repeat -> metric -> values; of a recipe that failed, none."""
        return {} if name in self.failed else dict(sorted(self._scores.get(name, {}).items()))

    def _part(
        self, recipes: Mapping[str, Recipe], repeat: int, place: int, deadline: float | None, tell: Tell
    ) -> dict[str, Part] | None:
        """What each recipe's network gives for one part; None where time or the user ended it."""
        going = [name for name in recipes if name not in self.failed]
        if deadline is not None and time.monotonic() + sum(self.seconds.get(name, 0.0) for name in going) > deadline:
            return None
        given = {}
        for number, name in enumerate(going):
            where = f"repeat {repeat + 1}, part {place + 1} of {self.folds}, {name} ({number + 1} of {len(going)})"
            share = (place + number / len(going)) / self.folds

            def ends(share: float = share, where: str = where) -> bool:
                self.stopped = tell(share, where) or self.stopped
                return self.stopped or (deadline is not None and time.monotonic() > deadline)

            start = time.monotonic()
            try:
                part = self._trained(name, recipes[name], repeat, place, ends)
            except DataError as error:
                self._fails(name, error)
                continue
            if part is None:
                return None
            given[name] = part
            self.seconds[name] = time.monotonic() - start
        return given

    def _trained(self, name: str, recipe: Recipe, repeat: int, place: int, ends: Callable[[], bool]) -> Part | None:
        """One network's say on the rows of a part; None where it was ended."""
        if ends():
            return None
        fit, out = self.parts(repeat)[place]
        recipe = recipe.updated(seed=self.seed + repeat)
        bench = bench_of(recipe, self.train, fit, None, place, self.device)
        self.laid_out[name] = bench.recipe = self._shortened(bench.lay_out(None, self.folds))
        ended = False

        def look(progress: float) -> bool:
            nonlocal ended
            ended = ended or ends()
            return ended

        trained = bench.run(None, (), look)
        return None if ended else cross_validate.part_of(trained, self.train, out, self.device)

    def _score(self, name: str, recipe: Recipe, repeat: int, parts: Sequence[Part]) -> None:
        start = time.monotonic()
        try:
            judged = cross_validate.assess(recipe.updated(seed=self.seed + repeat), self.train, parts, self.positive)
        except DataError as error:
            self._fails(name, error)
            return
        scores = {metric: judged.values(metric, self.train, self.positive) for metric in self.metrics}
        self._scores.setdefault(name, {})[repeat] = scores
        self.scoring[name] = time.monotonic() - start

    def _fails(self, name: str, error: DataError) -> None:
        if name == BASELINE:
            raise error
        self.failed[name] = str(error)


def _joined(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(values) if values else np.zeros(0)
