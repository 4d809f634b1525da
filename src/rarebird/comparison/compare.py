"""Which remedies help on this data: each one is compared with the same baseline, on the same splits with the same
seeds.

Every remedy is one change of the baseline recipe. All are trained on the same parts of the training rows, repeated with
other parts. Remedies that gained something alone are combined, and the best combination is compared with the baseline
and with itself without each member, on repeats of its own. Differences are paired and tested by the corrected resampled
t-test, all together by Holm's method (`rarebird.comparison.paired_test`). Test rows are never used.

Networks and references are trained for the steps or rounds that their recipes ask for, as in `fit`; where time is
short, each for the same share of them. Below a quarter no verdict is given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rarebird.comparison import planning
from rarebird.comparison.course import FEWEST_STEPS_SHARE, Course
from rarebird.comparison.remedies import candidates, choose, joined, left_out, most_recipes, with_remedy
from rarebird.comparison.repeated_splits import BASELINE, RepeatedCrossValidation
from rarebird.comparison.result import Combination, Comparison
from rarebird.comparison.verdicts import Contrast, gain, mean, rows_of, scored_metrics
from rarebird.core.compute import Compute
from rarebird.core.progress import part_of
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment.setup import positive_class
from rarebird.metrics import names
from rarebird.recipe.recipe import Recipe

LUCK = (
    "The combination was chosen on the splits that compared single remedies, and was scored on other splits of the "
    "same rows: some luck of the choice remains, so its difference may be a little too good."
)


@dataclass(frozen=True)
class ComparisonOptions:
    """How recipes are compared.

    Attributes:
        folds, repeats: Parts of a split; splits, each with other parts and seeds. The best combination gets new ones.
        metric: The metric that decides; None: the recipe's.
        positive: For two classes, the one that precision and recall are about; None: the rarer.
        combine: Whether remedies that gained something alone are combined.
        elsewhere: Its rows of other sources and unlabeled rows, for the remedies that use them; None: there are none.
    """

    folds: int = 5
    repeats: int = 3
    metric: str | None = None
    positive: str | None = None
    combine: bool = True
    elsewhere: Splits | None = None


def compare(
    baseline: Recipe,
    train: Dataset,
    wanted: Sequence[str],
    options: ComparisonOptions | None = None,
    compute: Compute | None = None,
) -> Comparison:
    """Compare each remedy with the baseline, and then the best combination of them.

    Args:
        baseline: The recipe without remedies.
        train, wanted: Training rows, without any test row; remedies as `remedies.remedies` gives them.
        options: Folds, repeats and metric; None: the defaults.
        compute: The device, the deadline for everything, and who is told of the progress; True from its `progress` ends
            the comparison with the splits that are done. Where the deadline is near, there are fewer repeats and steps;
            without one, each recipe is trained for its own steps or epochs. None: the CPU, without a deadline.

    Raises:
        DataError: The baseline cannot be trained on these rows, or metric or positive class do not fit them.
    """
    options, compute = options or ComparisonOptions(), compute or Compute()
    metric = options.metric or baseline.metric
    names.metric_for_task(metric, train.task, train.classes)
    options = replace(options, metric=metric, positive=positive_class(train, options.positive))
    running = _Running(baseline, train, list(dict.fromkeys(wanted)), metric, options, compute)
    running.train_for(planning.course_of_given_steps(baseline, running.validation))
    if compute.deadline is not None:
        running.plan()
    running.compare_single_remedies()
    if running.tries_combinations:
        running.choose_combination()
        running.compare_combination()
    running.use_time_left()
    return running.result()


class _Running:
    """A comparison while it runs, one step after the other, each with its share of the time.

    Attributes:
        validation: All trainings and their scores.
        single_repeats, combination_repeats: Numbers of the repeats that have scores of the single remedies, and of the
            combination.
        members: Of the best combination.
    """

    def __init__(
        self,
        baseline: Recipe,
        train: Dataset,
        wanted: Sequence[str],
        metric: str,
        options: ComparisonOptions,
        compute: Compute,
    ) -> None:
        self.baseline, self.wanted, self.metric, self.options, self.compute = baseline, wanted, metric, options, compute
        scored, seed, elsewhere = scored_metrics(train, metric), baseline.seed, options.elsewhere
        self.validation = RepeatedCrossValidation(
            train, options.folds, scored, seed, options.positive, compute.device, elsewhere
        )
        self.single_repeats: list[int] = []
        self.combination_repeats: list[int] = []
        self.members: list[str] = []
        self._start = time.monotonic()
        # The number of repeats that the time allows.
        self._repeats = options.repeats
        # The most recipes that the choice of a combination, and its comparison, can still ask for.
        self._to_choose, self._to_compare = most_recipes(wanted) if options.combine else (0, 0)
        # Recipes times repeats that are over, for the progress.
        self._done = 0

    def train_for(self, course: Course) -> None:
        """Train all recipes for this share of their steps; where it is too small for verdicts, try no combinations."""
        self.validation.course = course
        if not course.is_judged:
            self._to_choose = self._to_compare = 0

    def plan(self) -> None:
        """Measure how long trainings take, and decide how many repeats, and which share of all steps, the time allows.

        Where it allows no verdicts on single remedies, combinations are not tried.
        """
        self.compute.progress(0.0, "measuring how long trainings take")
        self.baseline = planning.with_fastest_placement(self.baseline, self.validation, self._seconds_left())
        costs = planning.measure(self._single_recipes(), self.validation, self._seconds_left())
        self.validation.scoring = {name: cost.score for name, cost in costs.items()}
        all_costs, folds, repeats = list(costs.values()), self.options.folds, self.options.repeats
        if self.baseline.steps is not None:
            self._repeats = planning.plan(all_costs, folds, repeats, self._seconds_for_single_remedies(), 1.0).repeats
            return
        planned = planning.plan(all_costs, folds, repeats, self._seconds_for_single_remedies())
        if planned.share < FEWEST_STEPS_SHARE:
            self._to_choose = self._to_compare = 0
            planned = planning.plan(all_costs, folds, repeats, self._seconds_for_single_remedies())
        self._repeats = planned.repeats
        if planned.share < 1:
            needed = planning.seconds_for_verdicts(all_costs, folds, repeats) + time.monotonic() - self._start
            self.train_for(Course(planned.share, costs[BASELINE].own_steps, needed))

    def compare_single_remedies(self) -> None:
        """Train and score the baseline and each remedy, repeat by repeat; the first repeat may take all of the time."""
        end_of_share = self._time_after(self._share_of_single_remedies())
        self.single_repeats = self._run(self._single_recipes(), range(1), self.compute.deadline)
        if self._first_repeat_is_whole():
            self.single_repeats += self._run(self._single_recipes(), range(1, self._repeats), end_of_share)
        self._done = self._repeats * (1 + len(self.wanted))

    @property
    def tries_combinations(self) -> bool:
        """Whether more than one remedy can be combined, and trainings are long enough to choose among them."""
        return self._to_compare > 0

    def choose_combination(self) -> None:
        """Combine remedies that gained something alone, on the same splits: each is added if the mean grows by it."""
        if not self._first_repeat_is_whole():
            return
        gains = {remedy: self._gain(remedy) for remedy in self.wanted}
        to_choose, to_compare = most_recipes(candidates(gains))
        end_of_share = self._time_after(to_choose / max(to_choose + to_compare, 1))

        def gain_of(members: Sequence[str]) -> float | None:
            done = self._run({joined(members): self._recipe(*members)}, self.single_repeats, end_of_share)
            return self._gain(joined(members)) if done == self.single_repeats else None

        self.members = choose(gains, gain_of)
        self._done = self._repeats * (1 + len(self.wanted) + self._to_choose)

    def compare_combination(self) -> None:
        """Train the baseline, the best combination, and the combination without each member, on repeats that were not
        used to choose it."""
        if len(self.members) < 2:
            return
        sets = [self.members, *left_out(self.members).values()]
        recipes = {BASELINE: self.baseline, **{joined(members): self._recipe(*members) for members in sets}}
        new = range(self._repeats, self._repeats + self.options.repeats)
        self.combination_repeats = self._run(recipes, new, self.compute.deadline)

    def use_time_left(self) -> None:
        """If repeats were given up for lack of time and no combination used the rest of it, run more of them."""
        if len(self.members) < 2 and self._first_repeat_is_whole():
            more = range(self.single_repeats[-1] + 1, self.options.repeats)
            self.single_repeats += self._run(self._single_recipes(), more, self.compute.deadline)

    def result(self) -> Comparison:
        """The rows of all remedies, and of the combination where there is one."""
        validation, metric, repeats = self.validation, self.metric, self.single_repeats
        single = [Contrast(remedy, remedy, BASELINE, repeats) for remedy in self.wanted]
        rows = rows_of([*single, *self._contrasts_of_combination()], validation, metric)
        of_single, of_combination = rows[: len(single)], rows[len(single) :]
        combination = None
        if of_combination:
            splits = len(validation.values(BASELINE, metric, self.combination_repeats))
            combination = Combination(tuple(self.members), of_combination[0], of_combination[1:], splits)
        return Comparison(
            metric=metric,
            baseline=mean(validation, BASELINE, metric, repeats),
            rows=of_single,
            splits=len(validation.values(BASELINE, metric, repeats)),
            recipe=validation.laid_out.get(BASELINE, self.baseline).updated(seed=self.baseline.seed),
            baselines={name: mean(validation, BASELINE, name, repeats) for name in validation.metrics},
            combination=combination,
            folds=self.options.folds,
            notes=self._notes(),
            course=self.validation.course,
        )

    def _contrasts_of_combination(self) -> list[Contrast]:
        """The combination against the baseline, and against itself without each member."""
        if not self.combination_repeats:
            return []
        whole, repeats = joined(self.members), self.combination_repeats
        without = {member: joined(others) for member, others in left_out(self.members).items()}
        members = [Contrast(member, whole, others, repeats) for member, others in without.items()]
        return [Contrast(whole, whole, BASELINE, repeats), *members]

    def _notes(self) -> list[str]:
        """How long recipes were trained, why the comparison ended before all splits were trained, and how the
        combination was scored."""
        notes = [self.validation.course.note] if self.validation.course.note else []
        options, stopped = self.options, self.validation.stopped
        done = len(self.validation.values(BASELINE, self.metric, self.single_repeats))
        asked = options.repeats * options.folds
        if done < asked:
            why, more = ("It was ended early", "") if stopped else ("Time was short", "; give more with --budget")
            notes.append(
                f"{why}: {done} of {asked} splits were trained ({options.repeats} repeats of {options.folds} parts)"
                f"{more}."
            )
        if self.combination_repeats:
            notes.append(LUCK)
        elif len(self.members) > 1:
            notes.append(f"No time was left to score the combination {joined(self.members)} on new splits.")
        return notes

    def _first_repeat_is_whole(self) -> bool:
        first = self.single_repeats[:1]
        return bool(first) and len(self.validation.values(BASELINE, self.metric, first)) == self.options.folds

    def _single_recipes(self) -> dict[str, Recipe]:
        return {BASELINE: self.baseline, **{remedy: self._recipe(remedy) for remedy in self.wanted}}

    def _recipe(self, *remedies: str) -> Recipe:
        """The baseline with some remedies; a remedy that is a reference has its own rounds, not a network's steps."""
        recipe = with_remedy(self.baseline, joined(remedies))
        is_new_reference = recipe.reference is not None and self.baseline.reference is None
        return recipe.updated(steps=None) if is_new_reference else recipe

    def _gain(self, name: str) -> float:
        return gain(self.validation, Contrast(name, name, BASELINE, self.single_repeats), self.metric)

    def _run(self, recipes: Mapping[str, Recipe], repeats: Iterable[int], deadline: float | None) -> list[int]:
        """Train and score some recipes, and give the numbers of the repeats for which they have scores."""
        units = self._repeats * (1 + len(self.wanted) + self._to_choose + self._to_compare)
        scored = []
        for repeat in repeats:
            if self.validation.stopped:
                break
            start = min(self._done / units, 1.0)
            progress = part_of(self.compute.progress, start, min(len(recipes) / units, 1.0 - start))
            whole = self.validation.run(recipes, repeat, deadline, progress)
            self._done += len(recipes)
            if whole or (BASELINE in recipes and self.validation.parts(repeat)):
                scored.append(repeat)
            if not whole:
                break
        return scored

    def _share_of_single_remedies(self) -> float:
        """Share of the budget for single remedies; combinations usually use at most half of their worst case."""
        single = 1 + len(self.wanted)
        return single / (single + (self._to_choose + self._to_compare) / 2)

    def _seconds_for_single_remedies(self) -> float:
        return self._share_of_single_remedies() * self._seconds_left()

    def _seconds_left(self) -> float:
        deadline = self.compute.deadline
        return math.inf if deadline is None else max(deadline - time.monotonic(), 0.0)

    def _time_after(self, share: float) -> float | None:
        """The moment when this share of the time that is left will have passed; None without a deadline."""
        return None if self.compute.deadline is None else time.monotonic() + share * self._seconds_left()
