"""Cross-validates several recipes on the same repeated splits.

Recipes are trained part by part in turn, so that after an early end each recipe has scores on the same parts. Early
stopping uses a hold-out taken from the network's own training rows, never the rows that score it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rarebird.comparison.course import Course
from rarebird.core.checks import DataError
from rarebird.core.compute import Compute
from rarebird.core.progress import Progress, silent
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.evaluation import held_outputs
from rarebird.evaluation.cross_validate import assess
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, Parts, cross_fit

BASELINE = "baseline"


class RepeatedCrossValidation:
    """Scores of recipes on the parts of repeated splits.

    Each repeat has its own parts and seed, the same for all recipes.

    Args:
        train: Training rows, without any test row.
        folds: Parts of a split.
        metrics: Names of the metrics to score.
        seed: The seed of the first repeat; each later repeat adds 1.
        positive: For two classes, the one that precision and recall are about.
        device: A torch device.
        elsewhere: Its rows of other sources are for recipes that join them, its unlabeled rows for those that learn
            from them; None: there are none.

    Attributes:
        course: How long recipes are trained; one with given steps keeps them.
        failed: Recipe name -> why it cannot be trained on these rows.
        laid_out: Recipe name -> recipe with its steps, as it was last trained.
        stopped: Whether the user ended the training.
        seconds: Recipe name -> seconds of its last training and prediction.
        scoring: Recipe name -> seconds to calibrate, decide and score one repeat.
        generators: Settings of a generator -> those with the steps that the time allows.
    """

    def __init__(
        self,
        train: Dataset,
        folds: int,
        metrics: Sequence[str],
        seed: int,
        positive: str | None = None,
        device: str = "cpu",
        elsewhere: Splits | None = None,
    ) -> None:
        self.train, self.folds, self.metrics, self.seed = train, folds, tuple(metrics), seed
        given = elsewhere or Splits(train)
        self.splits = Splits(train, outside=given.outside, unlabeled=given.unlabeled)
        self.positive, self.device = positive, device
        self.course = Course()
        self.failed: dict[str, str] = {}
        self.laid_out: dict[str, Recipe] = {}
        self.stopped = False
        self.seconds: dict[str, float] = {}
        self.scoring: dict[str, float] = {}
        self.generators: dict[Any, Any] = {}
        self._parts: dict[int, Parts] = {}
        self._scores: dict[str, dict[int, dict[str, np.ndarray]]] = {}

    def parts(self, repeat: int) -> Parts:
        """The parts of a repeat; after an early end, only those on which all recipes were trained."""
        if repeat not in self._parts:
            self._parts[repeat] = split.parts(
                self.train, split.decide(self.train, folds=self.folds), self.seed + repeat
            )
        return self._parts[repeat]

    @property
    def test_to_train(self) -> float:
        """Held-out rows of a part divided by its training rows, a mean over the parts: in the order of time, more than
        for parts of one size."""
        sizes = [(len(learned), len(held)) for learned, held in self.parts(0)]
        return float(np.mean([held / learned for learned, held in sizes])) if sizes else 1 / (self.folds - 1)

    def run(
        self, recipes: Mapping[str, Recipe], repeat: int, deadline: float | None = None, progress: Progress = silent
    ) -> bool:
        """Train and score recipes on one repeat.

        Args:
            recipes: Name -> recipe. The one named `BASELINE` must not fail.
            repeat: The number of the repeat, from 0.
            deadline: When all must be scored, on the scale of `time.monotonic`; a part that cannot end in time is not
                started.
            progress: Told of the share done and of what is being trained; True from it ends the repeat and keeps the
                parts that are done.

        Returns:
            Whether all parts were done. A repeat that ended early counts only if the baseline is among the recipes:
            then the parts that all recipes have are scored, and later recipes are trained on these parts alone.

        Raises:
            DataError: The baseline cannot be trained on these rows.
        """
        parts = self.parts(repeat)
        if deadline is not None:
            deadline -= sum(self.scoring.get(name, 0.0) for name in recipes)
        watch = _Watch(progress, deadline)
        trainings = {name: self._training(recipe, repeat, watch) for name, recipe in recipes.items()}
        done = 0
        while done < len(parts) and self._train_part(trainings, watch, repeat, done):
            done += 1
        self.stopped = self.stopped or watch.stopped
        whole = done == len(parts)
        if not whole and BASELINE not in recipes:
            return False
        self._parts[repeat] = parts[:done]
        for name, training in trainings.items():
            if done and name not in self.failed:
                self._score(name, training, repeat, done)
        return whole

    def values(self, name: str, metric: str, repeats: Sequence[int] | None = None) -> np.ndarray:
        """``(splits,)`` values of a recipe, repeat after repeat; None for `repeats`: all of them."""
        return _joined(
            [scores[metric] for repeat, scores in self._of(name).items() if repeats is None or repeat in repeats]
        )

    def differences(
        self, name: str, metric: str, other: str = BASELINE, repeats: Sequence[int] | None = None
    ) -> np.ndarray:
        """``(splits,)`` values of a recipe minus those of another one on the same splits."""
        others = self._of(other)
        both = [repeat for repeat in self._of(name) if repeat in others and (repeats is None or repeat in repeats)]
        return _joined([self._of(name)[repeat][metric] - others[repeat][metric] for repeat in both])

    def _of(self, name: str) -> dict[int, dict[str, np.ndarray]]:
        """Repeat -> metric -> values; empty for a recipe that failed."""
        return {} if name in self.failed else dict(sorted(self._scores.get(name, {}).items()))

    def planned(self, recipe: Recipe) -> Recipe:
        """The recipe with the steps of its generator that the time allows."""
        planned = self.generators.get(recipe.synthesis)
        return recipe if planned is None else recipe.updated(synthesis=planned)

    def _training(self, recipe: Recipe, repeat: int, watch: _Watch) -> _PartByPart:
        recipe = self.planned(recipe).updated(seed=self.seed + repeat, relaid=())
        compute = Compute(self.device, None, watch)
        models = cross_fit(recipe, self.splits, self.parts(repeat), compute, share=self.course.share, curve=False)
        return _PartByPart(models, self.train, self.device)

    def _train_part(self, trainings: Mapping[str, _PartByPart], watch: _Watch, repeat: int, part: int) -> bool:
        """Train the next part of each recipe; False where the user or the deadline ended it."""
        names = [name for name in trainings if name not in self.failed]
        if not watch.has_time_for(sum(self.seconds.get(name, 0.0) for name in names)):
            return False
        for number, name in enumerate(names):
            watch.share = (part + number / len(names)) / self.folds
            watch.what = f"repeat {repeat + 1}, part {part + 1} of {self.folds}, {name} ({number + 1} of {len(names)})"
            if watch():
                return False
            start = time.monotonic()
            try:
                whole = trainings[name].train_next()
            except DataError as error:
                self._fails(name, error)
                continue
            self.laid_out[name] = trainings[name].models.recipe.updated(relaid=())
            if not whole:
                return False
            self.seconds[name] = time.monotonic() - start
        return True

    def _score(self, name: str, training: _PartByPart, repeat: int, n_parts: int) -> None:
        start = time.monotonic()
        models, held = training.first(n_parts)
        try:
            found = assess(models, held, self.splits, self.positive)
        except DataError as error:
            self._fails(name, error)
            return
        scores = {metric: found.values(metric, self.train, self.positive) for metric in self.metrics}
        self._scores.setdefault(name, {})[repeat] = scores
        self.scoring[name] = time.monotonic() - start

    def _fails(self, name: str, error: DataError) -> None:
        if name == BASELINE:
            raise error
        self.failed[name] = str(error)


class _Watch:
    """Tells the user what is being trained, and the training whether it must end.

    Attributes:
        share, what: Told at each step.
        stopped: Whether the user ended the training.
    """

    def __init__(self, progress: Progress, deadline: float | None) -> None:
        self._progress, self._deadline = progress, deadline
        self.share, self.what, self.stopped = 0.0, "", False

    def __call__(self, share_of_recipe: float = 0.0, what: str = "") -> bool:
        """The callback of each recipe's own training, which knows nothing of the other recipes."""
        self.stopped = self._progress(self.share, self.what) or self.stopped
        return self.stopped or not self.has_time_for(0.0)

    def has_time_for(self, seconds: float) -> bool:
        """Whether work of this length ends before the deadline."""
        return self._deadline is None or time.monotonic() + seconds <= self._deadline


class _PartByPart:
    """One recipe's cross-fit on one repeat, and the raw outputs for the held-out rows of its parts so far.

    Args:
        models: All models so far, after each part.
        train: Training rows.
        device: A torch device.
    """

    def __init__(self, models: Iterator[CrossFit], train: Dataset, device: str) -> None:
        self._next, self._train, self._device = models, train, device
        self._held: list[HeldOut] = []
        self.models: CrossFit

    def train_next(self) -> bool:
        """Train the model of the next part, and predict the part's held-out rows; False where it was ended early."""
        self.models = next(self._next)
        if self.models.ended_by_user:
            return False
        self._held.append(held_outputs.predict_one(self.models, len(self._held), self._train, self._device))
        # Only its predictions are needed: the networks of all recipes of a repeat could fill a GPU.
        self.models.trained[-1].network.cpu()
        return True

    def first(self, n_parts: int) -> tuple[CrossFit, HeldOut]:
        """The models of the first `n_parts` parts, and their held-out outputs."""
        models = replace(self.models, trained=self.models.trained[:n_parts], held_rows=self.models.held_rows[:n_parts])
        return models, held_outputs.join(self._held[:n_parts])


def _joined(values: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(values) if values else np.zeros(0)
