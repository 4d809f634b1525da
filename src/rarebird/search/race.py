"""Train candidates one after the other until the time is up; those that are surely worse leave early.

A candidate trains on the first part of the rows, then on half of the parts, then on all. After each rung it is compared with the best one
so far on the very same held-out rows, and leaves where it is worse by more than twice the standard error of the paired difference: racing
(Maron and Moore, "Hoeffding races", NeurIPS 1993) on the rungs of successive halving (Jamieson and Talwalkar, "Non-stochastic best arm
identification and hyperparameter optimization", AISTATS 2016). Nothing is trained twice: the networks of a rung stay for the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from rarebird.checks import DataError
from rarebird.data.split import fold_of, halves
from rarebird.experiment import Ground
from rarebird.member import Trained
from rarebird.networks import SCORING, Team, held_rows, train_networks
from rarebird.recipe import Recipe
from rarebird.search.candidate import Candidate, judged
from rarebird.search.voting import Criterion, is_worse, loss

# A course that is cut below this share of its length says little of a recipe, so that it is not begun.
ENOUGH = 0.6
# Seconds below which nothing new is begun.
LEAST_SECONDS = 0.5
# Standard errors of the paired difference beyond which a candidate leaves before it is through.
LEAVES = 2.0


@dataclass
class Race:
    """Candidates on one ground within one deadline.

    Attributes:
        ground: What the run stands on.
        criterion: What selection looks at.
        seed: Of the splits.
        deadline: When training must have ended, on the scale of `time.monotonic`; judging the test rows is taken off as it adds up.
            Infinite: no limit, and nothing is measured, so that a race repeats.
        tell: Told of the progress 0..1 and of what is being done; True from it ends the race.
        record: Given every finished candidate at once, so that nothing is lost.
        finished: Candidates that went through all parts.
        left: Name -> why a candidate was not tried, or left.
        ended: Whether the user ended the race.
    """

    ground: Ground
    criterion: Criterion
    seed: int
    deadline: float
    tell: Callable[[float, str], bool]
    record: Callable[[Candidate], None] = lambda candidate: None
    finished: list[Candidate] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def __post_init__(self) -> None:
        self.begun = time.monotonic()
        self.judges = judges_of(self.ground, self.seed)

    @property
    def best(self) -> Candidate | None:
        """The finished candidate of least loss."""
        return min(self.finished, key=lambda one: one.loss, default=None)

    def time_left(self) -> float:
        """Seconds for training, without those that the judging of the test rows by the finished candidates will take."""
        test = 0 if self.ground.splits.test is None else len(self.ground.splits.test)
        judging = test * (sum(one.per_row for one in self.finished) + SCORING * max(self.ground.splits.train.n_classes, 1))
        return self.deadline - time.monotonic() - judging

    def enter(
        self,
        name: str,
        recipe: Recipe,
        share: float = 1.0,
        *,
        must: bool = False,
        stays: bool = False,
        partial: bool = False,
        is_reference: bool = False,
        settings: dict[str, object] | None = None,
    ) -> Candidate | None:
        """Train a candidate on all parts; None where there is no time for it, it leaves early, or these rows cannot serve it.

        Args:
            name: What it is called.
            recipe: What to train.
            share: Of the time that is left, how much it may take at most.
            must: Whether it is trained however little time there is.
            stays: Whether it goes through all parts even where it is worse; what must be trained stays too.
            partial: Whether this is a short course that is only to be compared with others of its kind; it does not finish the race.
            is_reference: Whether it is no network.
            settings: What a search chose for it.
        """
        seconds = share * self.time_left()
        if self.ended or (seconds < LEAST_SECONDS and not must):
            return None
        start = time.monotonic()
        deadline = start + max(seconds, LEAST_SECONDS) if np.isfinite(seconds) else None
        try:
            team = self._train(name, recipe, deadline, must, stays or must)
        except DataError as error:
            if must:
                raise
            self.left[name] = str(error)
            return None
        if not team.trained or (team.ended_by_user and self.finished):
            return None
        candidate = judged(name, team, self.ground, self.criterion, self.judges, start, is_reference)
        candidate.settings = settings or {}
        if not np.isfinite(candidate.loss):
            self.left[name] = "it predicted nothing that can be judged"
            return None
        if not partial:
            self.finished.append(candidate)
        self.record(candidate)
        return candidate

    def _train(self, name: str, recipe: Recipe, deadline: float | None, must: bool, stays: bool) -> Team:
        """A network per part, rung by rung."""
        parts = self.ground.parts(recipe.seed if self.ground.protocol.folds else self.seed)
        team = Team(recipe, [], [])
        for low, high in rungs(len(parts)):

            def report(progress: float, what: str, low: int = low, high: int = high) -> bool:
                self.ended = self.tell(self._progress(), f"{name}: {what}") or self.ended
                return self.ended

            chunk, sharing = parts[low:high], len(parts) - low
            laid, trained, stopped = train_networks(
                team.recipe,
                self.ground.splits,
                chunk,
                deadline,
                self.ground.device,
                report,
                first=low,
                sharing=sharing,
                enough=0.0 if must else ENOUGH,
            )
            if not trained:
                self.left[name] = "there was too little time for it"
                return Team(recipe, [], [])
            team = _joined(team, laid, trained, held_rows(self.ground.splits, chunk), stopped)
            if stopped:
                break
            if high < len(parts) and not stays and self._is_beaten(team):
                self.left[name] = f"it was surely worse than {self.best.name if self.best else ''} after {high} of {len(parts)} parts"
                return Team(recipe, [], [])
        return _recorded(team)

    def _is_beaten(self, team: Team) -> bool:
        """Whether a team is surely worse than the best candidate on the rows that it has held out so far."""
        best = self.best
        if best is None:
            return False
        so_far = judged("", team, self.ground, self.criterion, self.judges, 0.0, False)
        return is_worse(so_far.losses, best.losses, LEAVES) and so_far.loss > loss(np.where(so_far.rows, best.losses, np.nan))

    def _progress(self) -> float:
        now = time.monotonic()
        return min(1.0, (now - self.begun) / max(self.deadline - self.begun, 1e-9))


def rungs(parts: int) -> list[tuple[int, int]]:
    """First and last part of each rung: one part, half of them, all."""
    ends = sorted({1, (parts + 1) // 2, parts})
    return list(zip([0, *ends[:-1]], ends, strict=True))


def judges_of(ground: Ground, seed: int) -> np.ndarray:
    """``(n,)`` parts of the rows that judge, for calibrations that are fitted on the others: the folds, or two halves of a hold-out."""
    rows, folds = ground.judged, ground.protocol.folds
    if folds:
        fold: np.ndarray = np.maximum(fold_of(rows, folds, seed), 0)
        return fold
    held = np.concatenate(held_rows(ground.splits, ground.parts(seed)))
    half = np.zeros(len(rows), dtype=np.int64)
    half[held] = halves(rows.take(held), seed)
    return half


def _joined(team: Team, laid: Recipe, trained: list[Trained], held: list[np.ndarray], stopped: bool) -> Team:
    # What the clock changed belongs to networks that are trained; those of the next rung have their own courses.
    return Team(laid.updated(relaid=()), [*team.trained, *trained], [*team.held_rows, *held[: len(trained)]], 1.0, stopped)


def _recorded(team: Team) -> Team:
    """A team whose recipe says what the clock changed, so that it can be replayed."""
    relaid = tuple(tuple(one.changes) for one in team.trained)
    return replace(team, recipe=team.recipe.updated(relaid=relaid if any(relaid) or team.ended_by_user else ()))
