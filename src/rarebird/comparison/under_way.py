"""A comparison under way: remedies alone, the choice of a combination, its judgment on other splits, each in its share
of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rarebird.comparison import planning
from rarebird.comparison.combination import candidates, choose, left_out, most_sets
from rarebird.comparison.remedies import joined, with_remedy
from rarebird.comparison.repeated_splits import BASELINE, Repeats, Tell
from rarebird.comparison.verdicts import gain
from rarebird.recipe.recipe import Recipe


@dataclass
class UnderWay:
    """A comparison under way.

    Attributes:
        trained: All trainings and their scores.
        asked: How many repeats are asked for.
        repeats: How many are planned; fewer where time is short.
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
    asked: int
    deadline: float | None
    later: tuple[int, int]
    tell: Tell
    alone: list[int] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    repeats: int = field(init=False)

    def __post_init__(self) -> None:
        self.repeats = self.asked

    def lay_out(self) -> None:
        """Measure, and plan as many repeats and steps as the time allows."""
        self.tell(0.0, "measuring how long trainings take")
        self.baseline = planning.placed(self.baseline, self.trained, self._left())
        costs = planning.measure(self._singles(), self.trained, self._left())
        self.trained.scoring = {name: cost.score for name, cost in costs.items()}
        fixed, course = self.baseline.steps is not None, costs[BASELINE].course
        fewest = 1.0 if fixed else planning.FEWEST_OF_COURSE
        planned = planning.plan(
            list(costs.values()), self.trained.folds, self.asked, self._share() * self._left(), fewest
        )
        self.repeats = planned.repeats
        if planned.steps < course and not fixed:
            self.trained.most_steps = planned.steps
            few = "; after full trainings the differences may be others" if planned.steps < fewest * course else ""
            self.notes.append(
                f"The time allows each network {planned.steps} of the {course} steps that the baseline asks for{few}."
            )

    def judge_alone(self) -> None:
        """Train and score the baseline and each remedy, repeat by repeat; the first repeat may take all of the time."""
        until = self._until(self._share())
        self.alone = self._run(self._singles(), range(1), self.deadline)
        if self._first_is_whole():
            self.alone += self._run(self._singles(), range(1, self.repeats), until)
        self.done = self.repeats * (1 + len(self.wanted))

    def choose(self) -> None:
        """Combine greedily what gained something alone, on the splits that told so."""
        if not self._first_is_whole():
            return
        gains = {remedy: self._gain(remedy) for remedy in self.wanted}
        tried, judged = most_sets(candidates(gains))
        until = self._until(tried / max(tried + judged, 1))

        def gain_of(members: Sequence[str]) -> float | None:
            done = self._run({joined(members): self._recipe(*members)}, self.alone, until)
            return self._gain(joined(members)) if done == self.alone else None

        self.members = choose(gains, gain_of)
        self.done = self.repeats * (1 + len(self.wanted) + self.later[0])

    def judge_together(self) -> None:
        """The best combination, and it without each of its members, beside the baseline on repeats that had no part in
        choosing it."""
        if len(self.members) < 2:
            return
        sets = [self.members, *left_out(self.members).values()]
        recipes = {BASELINE: self.baseline, **{joined(members): self._recipe(*members) for members in sets}}
        self.together = self._run(recipes, range(self.repeats, self.repeats + self.asked), self.deadline)

    def go_on(self) -> None:
        """Where time was short and no combination asked for it, more of the repeats."""
        if len(self.members) < 2 and self._first_is_whole():
            self.alone += self._run(self._singles(), range(self.alone[-1] + 1, self.asked), self.deadline)

    def _first_is_whole(self) -> bool:
        return (
            bool(self.alone) and len(self.trained.values(BASELINE, self.metric, self.alone[:1])) == self.trained.folds
        )

    def _singles(self) -> dict[str, Recipe]:
        return {BASELINE: self.baseline, **{remedy: self._recipe(remedy) for remedy in self.wanted}}

    def _recipe(self, *remedies: str) -> Recipe:
        """The baseline with some remedies; a reference that it lacks has its own rounds in place of a network's
        steps."""
        recipe = with_remedy(self.baseline, joined(remedies))
        return (
            recipe.updated(steps=None) if recipe.reference is not None and self.baseline.reference is None else recipe
        )

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
        """Of the time, what the remedies alone may take: a combination seldom asks for more than half of what it
        might."""
        alone = 1 + len(self.wanted)
        return alone / (alone + sum(self.later) / 2)

    def _left(self) -> float:
        """Seconds that are left."""
        return math.inf if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def _until(self, share: float) -> float | None:
        """When a share of what is left will have passed."""
        return None if self.deadline is None else time.monotonic() + share * self._left()
