"""The search of a `fit` from inside: a portfolio, a search around its best network, repeats, and what ships of all that
was trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.choosing import Chosen, Family, choose, families
from rarebird.automl.contest import TOO_LATE, Contest
from rarebird.automl.ensemble_selection import Criterion, is_worse
from rarebird.automl.entry import Entry
from rarebird.automl.local_search import Around, best_searched, luck, prefix
from rarebird.automl.portfolio import portfolio
from rarebird.automl.race import Race
from rarebird.automl.trial_log import TrialLog
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.evaluation.result import Tried
from rarebird.executors.workers import ONE, Workers
from rarebird.experiment.run import EARLY, RESERVE, RESERVE_SHARE
from rarebird.experiment.setup import Ground
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.training import timing
from rarebird.training.cross_fit import Team, bench_of

# Share of the time until which recipes around the leader are searched at least; the rest repeats the best under other
# seeds. Where the repeats need less than the rest, by their own seconds times this, the search goes on.
SEARCH_SHARE, REPEATS_TAKE = 0.5, 1.5
MOST_REPEATS = 5
SEED_STEP = 1_000
# Passes over its rows after which a second network of another seed gives more than a longer course of the first; and
# how many at most.
ENOUGH_PASSES, MOST_SEEDS = 35, 3
# Share of the time that is kept for the network that the others are distilled to.
STUDENT_SHARE = 0.3
ENSEMBLE_CALIBRATION = ("temperature",)

Tell = Callable[[float, str], bool]


class Search:
    """A search under way, to be used as a ``with`` block.

    Args:
        base: The default recipe.
        ground: What the run stands on.
        clock: The budget.
        log: Where trials are recorded; what stands there already is gone on with.
        tell: Told of the progress.
        single: Whether what ships is one network, for whose training time is kept.
        workers: Where candidates train.
        device: What was asked for; on a cluster ``auto`` is left to each machine.
    """

    def __init__(
        self,
        base: Recipe,
        ground: Ground,
        clock: Clock,
        log: TrialLog,
        tell: Tell,
        single: bool = False,
        workers: Workers = ONE,
        device: str = "auto",
    ) -> None:
        self.base, self.ground, self.clock, self.log, self.single = base, ground, clock, log, single
        self.criterion = Criterion.of(ground.judged, ground.splits.train.prior, base.metric)
        self.begun = time.monotonic()
        known = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0))
        deadline = np.inf if known is None else known
        if single and known is not None:
            deadline -= STUDENT_SHARE * (known - self.begun)
        contest = Contest(
            replace(ground, device=device) if workers.cluster else ground,
            self.criterion,
            base.seed,
            _threads(base, workers),
        )
        self.race = Race(contest, deadline, tell, log, workers)
        self.around: Around | None = None
        self.restored = 0
        # Whether a repeat had to be left out for want of time.
        self.skipped = False
        self.chosen: Chosen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.race.close()

    def run(self, references: bool) -> None:
        """The portfolio, the search, the repeats.

        Raises:
            DataError: No recipe could be trained.
        """
        timing.warm_up()
        self.race.go_on_with(self.log.restored(self.ground.device), self.log.left())
        self.restored = len(self.race.finished)
        entries = portfolio(self.ground.splits.train, self.base, references)
        alone = self._share_of_main(entries[0].recipe) if len(entries) == 1 else 1.0
        self.race.run(replace(entry, share=alone) if entry.share == 1 else entry for entry in entries)
        if self.race.best is None:
            late = self.race.left.get(entries[0].name) == TOO_LATE
            self.race.run([replace(entries[0] if late else _main(entries), must=True)])
        if self.race.best is None:
            raise DataError(
                f"No recipe could be trained. {' '.join(f'{name}: {why}.' for name, why in self.race.left.items())}"
            )
        self.around = Around(self.race, self.log, self._leader(), self._search_ends())
        self.around.run()
        self.race.run(self._repeats())
        self.chosen = self._choice()

    def _share_of_main(self, recipe: Recipe) -> float:
        """Share of the time for a recipe that stands alone: several seeds of it where each sees its rows often enough,
        one where not."""
        left = self.race.time_left()
        if self.ground.protocol.folds or self.single or not np.isfinite(left):
            return 1.0
        fit, _ = self.ground.parts(self.base.seed)[0]
        bench = bench_of(recipe, self.ground.splits.train, fit, None, 0, self.ground.device)
        laid = bench.lay_out(time.monotonic() + left, 1)
        passes = (laid.steps or 0) * laid.batch_size / max(len(fit), 1)
        return 1 / min(MOST_SEEDS, max(1, int(passes / ENOUGH_PASSES)))

    def shipped(self) -> tuple[AnyRecipe, list[Team]]:
        """The recipe of what ships, and its networks."""
        assert self.chosen is not None
        teams = [
            replace(one.team, weight=float(share / len(family.candidates)))
            for family, share in zip(self.chosen.families, self.chosen.shares, strict=True)
            for one in family.candidates
        ]
        if len(teams) == 1 and (not self.single or len(teams[0].trained) == 1):
            return teams[0].recipe, teams
        classes = self.ground.splits.train.task == "classification"
        recipe = Ensemble.of([(team.weight, team.recipe) for team in teams], ENSEMBLE_CALIBRATION if classes else ())
        # What holds for the run is the base recipe's, whoever comes first among the members.
        network = self._best_network(self._standing())
        learner = (
            self.base if network is None else network.team.recipe.updated(steps=None, relaid=(), seed=self.base.seed)
        )
        student = learner if self.single else None
        return recipe.updated(
            seed=self.base.seed, decision=self.base.decision, members=recipe.members, student=student
        ), teams

    def notes(self) -> list[str]:
        """Sentences for the user: what was tried, and what ships."""
        assert self.chosen is not None
        ended = ["The search was ended early; what had been trained by then competed."] if self.race.ended else []
        stood = [f"The search was gone on with: {self.restored} trials stood in the folder."] if self.restored else []
        around = self.around
        searched = (
            f", recipes searched around {around.leader.name}: {around.number}" if around and around.number else ""
        )
        if not ended and self.clock.budget is not None and self.clock.elapsed() < EARLY * self.clock.budget:
            enough = f"what ships was trained under up to {MOST_REPEATS} seeds, and more are not expected to help"
            ended = [
                f"The search ended before the budget: {'one training more had not ended in time' if self.skipped else enough}."
            ]
        return [*stood, *ended, f"Recipes trained to the end: {len(self.race.finished)}{searched}. {self.chosen.why}"]

    def tried(self) -> list[Tried]:
        """Every family with its held-out loss beside the best one's, and every recipe that left early."""
        assert self.chosen is not None
        shares = {
            family.name: float(share) for family, share in zip(self.chosen.families, self.chosen.shares, strict=True)
        }
        known = sorted(
            families(self.race.finished, self.criterion), key=lambda family: float(np.nanmean(family.losses))
        )
        best = known[0].losses
        rows = [_tried(family, best, shares.get(family.name, 0.0)) for family in known]
        return rows + [Tried(name=name, why=why) for name, why in self.race.left.items()]

    def _leader(self) -> Candidate:
        """The candidate that is searched around: the best, or the best network where one network shall ship."""
        known = [one for one in self.race.finished if not one.settings]
        return (self._best_network(known) if self.single else None) or min(known, key=lambda one: one.loss)

    def _search_ends(self) -> float:
        """When the search has to leave what remains to the repeats, on the scale of `time.monotonic`."""
        deadline = self.race.deadline
        seconds = sum(family.candidates[0].seconds for family in self._choice().families)
        return max(
            self.begun + SEARCH_SHARE * (deadline - self.begun), deadline - REPEATS_TAKE * (MOST_REPEATS - 1) * seconds
        )

    def _choice(self) -> Chosen:
        """What would ship if nothing more were trained."""
        return choose(families(self._standing(), self.criterion), self.criterion, self.race.contest.judges)

    @staticmethod
    def _best_network(known: Sequence[Candidate]) -> Candidate | None:
        """The best of some candidates that is no reference."""
        return min((one for one in known if not one.is_reference), key=lambda one: one.loss, default=None)

    def _repeats(self) -> Iterator[Entry]:
        """What would ship, under other seeds and with cross-fitting on other folds, while there is time for it."""
        for repeat in range(1, MOST_REPEATS):
            for family in self._choice().families:
                one = family.candidates[0]
                if one.seconds >= self.race.time_left():
                    self.skipped = True
                else:
                    # A course that was laid out is repeated as it is; what the clock changed of it is not.
                    again = one.team.recipe.updated(seed=self.base.seed + SEED_STEP * repeat, relaid=())
                    yield Entry(one.name, again, stays=True, is_reference=one.is_reference, settings=one.settings)

    def _standing(self) -> list[Candidate]:
        """The candidates that may ship: of all searched around one leader only the best, and only where it surely beats
        its leader."""
        plain = [one for one in self.race.finished if not one.settings]
        best = best_searched(self.race.finished)
        if best is None:
            return plain
        rivals = families([one for one in plain if best.name.startswith(prefix(one))], self.criterion)
        # What was chosen among many on these rows looks better than it is.
        tried = self.log.proposed()
        if rivals and not is_worse(rivals[0].losses, best.losses, luck(tried)):
            return plain
        return [*plain, *(one for one in self.race.finished if one.name == best.name)]


def _main(entries: Sequence[Entry]) -> Entry:
    """The default recipe among the entries."""
    return next(entry for entry in entries if entry.share == 1)


def _threads(base: Recipe, workers: Workers) -> int | None:
    """CPU threads of a candidate, where its recipe does not say; None for all of them."""
    return workers.threads(None) if workers.elsewhere and base.threads is None else base.threads


def _tried(family: Family, best: np.ndarray, share: float) -> Tried:
    difference = family.losses - best
    known = difference[np.isfinite(difference)]
    error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else 0.0
    return Tried(
        name=family.name,
        loss=float(np.nanmean(family.losses)),
        behind=float(known.mean()) if len(known) else None,
        error=error,
        share=share,
        runs=len(family.candidates),
        seconds=round(sum(one.seconds for one in family.candidates), 2),
        is_reference=family.candidates[0].is_reference,
    )
