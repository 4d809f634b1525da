"""Which remedies help on this data: each beside the same baseline, on the same splits with the same seeds, and what can be said of it.

Every remedy is one change of the baseline recipe. All are trained on the same parts of the training rows, repeated with other parts. Those
that gained something alone are combined, and each member of the best combination is left out of it once, on repeats of their own.
Differences are paired and judged by the corrected resampled t-test, all of them at once by Holm's method (`rarebird.evaluation.paired`).
The test rows take no part.

Networks get the steps that their recipes ask for, as `fit` would give them, and all the same number at most where time is short; a
reference has its own rounds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rarebird.checks import DataError
from rarebird.data.dataset import Dataset
from rarebird.evaluation import pace
from rarebird.evaluation.claims import Claim, gain, mean, rows_of
from rarebird.evaluation.combination import candidates, choose, left_out, most_sets
from rarebird.evaluation.comparison import Combination, Comparison
from rarebird.evaluation.remedy import joined, with_remedy
from rarebird.evaluation.repeats import BASELINE, Repeats, Tell
from rarebird.metrics import names
from rarebird.recipe import Recipe

# What is scored beside the metric that decides; and the recall of each class, where there are not more of them.
OF_CLASSES = (
    *("balanced_accuracy", "accuracy", "macro_f1", "matthews_corrcoef", "geometric_mean"),
    *("average_precision", "roc_auc", "log_loss", "brier_score", "expected_calibration_error"),
)
MOST_CLASSES = 30
LUCK = (
    "The combination was chosen on the splits that judged the remedies alone, and judged on other splits of the same rows: "
    "some of the luck of the choice remains, so that its difference may be a little too good."
)


def compare(
    baseline: Recipe,
    train: Dataset,
    wanted: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 3,
    metric: str | None = None,
    positive: str | None = None,
    deadline: float | None = None,
    device: str = "cpu",
    combine: bool = True,
    tell: Tell = lambda progress, what: False,
) -> Comparison:
    """Judge each remedy beside the baseline, and then the best combination of them.

    Args:
        baseline: The recipe without remedies.
        train: Training rows; no test row is among them.
        wanted: Remedies as `remedy.remedies` gives them.
        folds: Parts of a split.
        repeats: Splits with other parts and seeds; as many more judge the combination.
        metric: What decides; None: the recipe's.
        positive: Of two classes, the one that precision and recall speak of.
        deadline: When all should be done, on the scale of `time.monotonic`; where it is near, there are fewer repeats and steps. None: the
            recipe's own steps or epochs.
        device: A torch device.
        combine: Whether remedies that gained something alone are combined.
        tell: Told of the progress; True from it ends the comparison with the splits that are done.

    Raises:
        DataError: The baseline cannot be trained on these rows, or the metric does not judge their task.
    """
    metric, wanted = metric or baseline.metric, list(dict.fromkeys(wanted))
    if (names.metric(metric, train.classes).needs == "values") != (train.task == "regression"):
        raise DataError(f"The metric {metric!r} does not judge {train.task}; choose another with --metric.")
    trained = Repeats(train, folds, scored(train, metric), baseline.seed, positive, device)
    going = _Going(baseline, wanted, metric, trained, repeats, deadline, most_sets(wanted) if combine else (0, 0), tell)
    if deadline is not None:
        going.lay_out()
    going.judge_alone()
    if combine:
        going.choose()
        going.judge_together()
    return going.result()


def scored(train: Dataset, metric: str) -> tuple[str, ...]:
    """The metrics in which differences are told: the one that decides, those of the task, and the recall of each class."""
    if train.task == "regression":
        return tuple(dict.fromkeys([metric, *names.OF_VALUES]))
    recalls = [f"recall:{label}" for label in train.classes] if train.n_classes <= MOST_CLASSES else []
    return tuple(dict.fromkeys([metric, *OF_CLASSES, *recalls]))


@dataclass
class _Going:
    """A comparison under way.

    Attributes:
        trained: All trainings and their scores.
        repeats: How many there are to be; fewer where time is short.
        deadline: When all must be scored.
        later: Recipes that the choice of a combination and its judgment ask for at most.
        alone, together: Repeats that judged the remedies alone, and the combination.
        members: Of the best combination.
        notes: Sentences that the user should read.
        done: Recipes times repeats that are over.
    """

    baseline: Recipe
    wanted: Sequence[str]
    metric: str
    trained: Repeats
    repeats: int
    deadline: float | None
    later: tuple[int, int]
    tell: Tell
    alone: list[int] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0

    def lay_out(self) -> None:
        """Measure, and plan as many repeats and steps as the time allows."""
        self.baseline = pace.placed(self.baseline, self.trained, self._left())
        costs, self.trained.scoring = pace.measure(self._singles(), self.trained, self._left())
        fixed = self.baseline.steps is not None
        fewest = 1.0 if fixed else pace.FEWEST_OF_COURSE
        planned = pace.plan(costs, self.trained.scoring, self.trained.folds, self.repeats, self._share() * self._left(), fewest)
        if planned.repeats < self.repeats:
            self.notes.append(f"The time allows {planned.repeats} of {self.repeats} repeats; give more with --budget.")
            self.repeats = planned.repeats
        if planned.steps < costs[0].course and not fixed:
            self.trained.most_steps = planned.steps
            self.notes.append(f"The time allows each network {planned.steps} of the {costs[0].course} steps that the baseline asks for.")

    def judge_alone(self) -> None:
        """Train and score the baseline and each remedy, repeat by repeat."""
        self.alone = self._run(self._singles(), range(self.repeats), self._until(self._share()))
        self.done = self.repeats * (1 + len(self.wanted))

    def choose(self) -> None:
        """Combine greedily what gained something alone, on the splits that told so."""
        gains = {remedy: self._gain(remedy) for remedy in self.wanted}
        tried, judged = most_sets(candidates(gains))
        until = self._until(tried / max(tried + judged, 1))

        def gain_of(members: Sequence[str]) -> float | None:
            done = self._run({joined(members): self._recipe(*members)}, self.alone, until)
            return self._gain(joined(members)) if done == self.alone else None

        self.members = choose(gains, gain_of)
        self.done = self.repeats * (1 + len(self.wanted) + self.later[0])

    def judge_together(self) -> None:
        """The best combination, and it without each of its members, beside the baseline on repeats that had no part in choosing it."""
        if len(self.members) < 2:
            return
        sets = [self.members, *left_out(self.members).values()]
        recipes = {BASELINE: self.baseline, **{joined(members): self._recipe(*members) for members in sets}}
        self.together = self._run(recipes, range(self.repeats, 2 * self.repeats), self.deadline)

    def result(self) -> Comparison:
        """The rows of all remedies, and of the combination where there is one."""
        alone = [Claim(remedy, remedy, BASELINE, self.alone) for remedy in self.wanted]
        rows = rows_of([*alone, *self._claims_together()], self.trained, self.metric)
        together = rows[len(alone) :]
        splits = len(self.trained.values(BASELINE, self.metric, self.together))
        return Comparison(
            metric=self.metric,
            baseline=mean(self.trained, BASELINE, self.metric, self.alone),
            rows=rows[: len(alone)],
            splits=len(self.trained.values(BASELINE, self.metric, self.alone)),
            recipe=self.trained.laid_out.get(BASELINE, self.baseline).updated(seed=self.baseline.seed),
            baselines={metric: mean(self.trained, BASELINE, metric, self.alone) for metric in self.trained.metrics},
            combination=Combination(tuple(self.members), together[0], together[1:], splits) if together else None,
            folds=self.trained.folds,
            notes=(*self.notes, *self._ends()),
        )

    def _claims_together(self) -> list[Claim]:
        """What is claimed of the combination: that it differs from the baseline, and from itself without each member."""
        if not self.together:
            return []
        whole = joined(self.members)
        others = {member: joined(rest) for member, rest in left_out(self.members).items()}
        return [
            Claim(whole, whole, BASELINE, self.together),
            *(Claim(member, whole, rest, self.together) for member, rest in others.items()),
        ]

    def _ends(self) -> Iterator[str]:
        """Sentences on where it ended, and on how the combination was judged."""
        splits, asked = len(self.trained.values(BASELINE, self.metric, self.alone)), self.repeats * self.trained.folds
        if splits < asked:
            yield f"It ended early, {'on request' if self.trained.stopped else 'for want of time'}: after {splits} of {asked} splits."
        if self.together:
            yield LUCK
        elif len(self.members) > 1:
            yield f"No time was left to judge the combination {joined(self.members)} on splits of its own."

    def _singles(self) -> dict[str, Recipe]:
        return {BASELINE: self.baseline, **{remedy: self._recipe(remedy) for remedy in self.wanted}}

    def _recipe(self, *remedies: str) -> Recipe:
        """The baseline with some remedies; a reference that it lacks has its own rounds in place of a network's steps."""
        recipe = with_remedy(self.baseline, joined(remedies))
        return recipe.updated(steps=None) if recipe.reference is not None and self.baseline.reference is None else recipe

    def _gain(self, name: str) -> float:
        return gain(self.trained, name, self.metric, BASELINE, self.alone)

    def _run(self, recipes: Mapping[str, Recipe], repeats: Iterable[int], deadline: float | None) -> list[int]:
        """Train and score some recipes, and give the repeats that they have scores of."""
        units = self.repeats * (1 + len(self.wanted) + self.later[0] + self.later[1])
        scored = []
        for repeat in repeats:

            def told(share: float, what: str) -> bool:
                return self.tell(min((self.done + share * len(recipes)) / units, 1.0), what)

            if self.trained.stopped:
                break
            whole = self.trained.run(recipes, repeat, deadline, told)
            self.done += len(recipes)
            if whole or (BASELINE in recipes and self.trained.parts(repeat)):
                scored.append(repeat)
            if not whole:
                break
        return scored

    def _share(self) -> float:
        """Of the time, what the remedies alone may take."""
        alone = 1 + len(self.wanted)
        return alone / (alone + sum(self.later))

    def _left(self) -> float:
        """Seconds that are left."""
        return math.inf if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def _until(self, share: float) -> float | None:
        """When a share of what is left will have passed."""
        return None if self.deadline is None else time.monotonic() + share * self._left()
