"""`fit` as a search within a budget: a portfolio, then a search around its leader, then repeats, then an ensemble of what is best.

Everything is decided on held-out training rows; the test rows are judged once, by what ships.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from rarebird import experiment, fitting, run_folder
from rarebird.checks import DataError
from rarebird.clock import Clock
from rarebird.data.dataset import Dataset
from rarebird.ensemble import AnyRecipe, Ensemble
from rarebird.evaluation import label_files, label_issues
from rarebird.evaluation.label_review import Review
from rarebird.experiment import EARLY, RESERVE, RESERVE_SHARE, Ground, Outcome
from rarebird.member import DEFAULT_EPOCHS
from rarebird.networks import Team, bench_of
from rarebird.recipe import Recipe
from rarebird.result import Tried
from rarebird.search.candidate import Candidate
from rarebird.search.choosing import Chosen, Family, choose, families
from rarebird.search.contest import TOO_LATE, Contest
from rarebird.search.entry import Entry
from rarebird.search.portfolio import portfolio
from rarebird.search.race import Race, Workers
from rarebird.search.space import Space, default_space
from rarebird.search.trial_log import KEPT, TrialLog, is_unfinished
from rarebird.search.voting import Criterion, is_worse
from rarebird.training import measure
from rarebird.training.device import threads

# Share of the time until which recipes around the leader are searched; the rest repeats the best under other seeds.
SEARCH_SHARE = 0.5
# A search around the leader pays where so many recipes like it fit into its time.
FEWEST_TRIALS = 8
# Of a hold-out, so many recipes train on a short course of this cost, which is by this share of the rows and the rest by fewer passes
# (`benchmarks/short_courses.py`), and the best of them on a whole one.
BRACKET, SHORT, SHORT_ROWS, WHOLE = 6, 0.25, 0.5, 2
MOST_REPEATS = 5
# A searched recipe takes its leader's place where it is better by so many standard errors of the paired difference.
SURELY_BETTER = 1.0
SEED_STEP = 1_000
# Passes over its rows after which a second network of another seed gives more than a longer course of the first; and how many at most.
ENOUGH_PASSES, MOST_SEEDS = 35, 3
# Share of the time that is kept for the network that the others are distilled to.
STUDENT_SHARE = 0.3
ENSEMBLE_CALIBRATION = ("temperature",)

# A candidate on a cluster takes one CPU unless --threads says otherwise: networks for small data gain little from more.
CLUSTER_THREADS = 1
ONE = Workers()

Tell = Callable[[float, str], bool]


def fit(
    request: fitting.Request,
    clock: Clock,
    tell: Tell = lambda progress, what: False,
    *,
    references: bool = True,
    single: bool = False,
    resume: bool = False,
    workers: Workers = ONE,
) -> Outcome:
    """Carry out a request as a search; the outcome's result names the model and the report.

    Args:
        request: What is asked for, without a recipe file; settings hold for every candidate.
        clock: The budget.
        tell: Told of the progress; True from it ends the search early, keeping what there is.
        references: Whether boosted trees and random kernels compete.
        single: Whether what is best is distilled to one network.
        resume: Whether a search that was killed is gone on with, in its folder.
        workers: Where candidates train.

    Raises:
        DataError: The data or the folder cannot serve; nothing has been written.
    """
    _check_folder(request.out, resume)
    tell(0.0, "reading the data")
    base, data = fitting.opened(request)
    tell(0.0, "profiling the data")
    known = fitting.described(data)
    with threads(request.threads), ExitStack() as stack:
        ground = experiment.lay_ground(base, data, request.device, request.positive, experiment.TEST_SHARE, known.duplicate_groups)
        base = base.updated(folds=ground.protocol.folds, holdout=ground.protocol.holdout or None)
        log = TrialLog(request.out, base.seed, ground.splits.train, _identity(base, ground, known.fingerprint))
        stack.callback(log.close)
        search = stack.enter_context(Search(base, ground, clock, log, tell, single, workers, request.device))
        with experiment.timed(ground.timings, "search"):
            search.run(references)
        recipe, teams = search.shipped()
        ground.notes += search.notes()
        outcome = experiment.conclude(recipe, ground, teams, tell, clock)
        outcome.result.tried = search.tried()
    tell(1.0, "writing the report")
    issues = _label_issues(outcome, ground.judged)
    run_folder.write(request.out, outcome, known.fingerprint, known.profile, clock, kept=KEPT, beside=issues)
    return outcome


def is_asked_for(request: fitting.Request) -> bool:
    """Whether a request leaves the recipe open: it gives none, no steps, and settings of the run alone (threads, folds, image size)."""
    of_run = set(Recipe.run_fields) - {"steps", "batch_size"}
    settings = {setting.partition("=")[0].strip() for setting in request.settings}
    return request.recipe is None and request.steps is None and settings <= of_run


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
        self.base, self.ground, self.clock, self.log, self.single, self.workers = base, ground, clock, log, single, workers
        self.criterion = Criterion.of(ground.judged, ground.splits.train.prior, base.metric)
        self.begun = time.monotonic()
        known = clock.deadline(RESERVE + RESERVE_SHARE * (clock.budget or 0))
        deadline = np.inf if known is None else known
        if single and known is not None:
            deadline -= STUDENT_SHARE * (known - self.begun)
        contest = Contest(replace(ground, device=device) if workers.cluster else ground, self.criterion, base.seed, _threads(base, workers))
        self.race = Race(contest, deadline, tell, log, workers)
        self.searched: dict[str, int] = {}
        self.restored = 0
        # Whether a repeat had to be left out for want of time.
        self.skipped = False
        self.chosen: Chosen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.race.close()

    def run(self, references: bool) -> None:
        """The portfolio, the search, the repeats.

        Raises:
            DataError: No recipe could be trained.
        """
        measure.warm_up()
        self.race.go_on_with(self.log.restored(self.ground.device), self.log.left())
        self.restored = len(self.race.finished)
        entries = portfolio(self.ground.splits.train, self.base, references)
        alone = self._share_of_main(entries[0].recipe) if len(entries) == 1 else 1.0
        self.race.run(replace(entry, share=alone) if entry.share == 1 else entry for entry in entries)
        if self.race.best is None:
            late = self.race.left.get(entries[0].name) == TOO_LATE
            self.race.run([replace(entries[0] if late else _main(entries), must=True)])
        if self.race.best is None:
            raise DataError(f"No recipe could be trained. {' '.join(f'{name}: {why}.' for name, why in self.race.left.items())}")
        leader = self._best_network([one for one in self.race.finished if not one.settings])
        if leader is not None:
            self._around(leader)
        self.race.run(self._repeats())
        self.chosen = choose(families(self._standing(), self.criterion), self.criterion, self.race.contest.judges)

    def _share_of_main(self, recipe: Recipe) -> float:
        """Share of the time for a recipe that stands alone: several seeds of it where each sees its rows often enough, one where not."""
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
            _with_weight(one.team, share / len(family.candidates))
            for family, share in zip(self.chosen.families, self.chosen.shares, strict=True)
            for one in family.candidates
        ]
        if len(teams) == 1 and (not self.single or len(teams[0].trained) == 1):
            return teams[0].recipe, teams
        classes = self.ground.splits.train.task == "classification"
        recipe = Ensemble.of([(team.weight, team.recipe) for team in teams], ENSEMBLE_CALIBRATION if classes else ())
        # What holds for the run is the base recipe's, whoever comes first among the members.
        network = self._best_network(self._standing())
        learner = self.base if network is None else network.team.recipe.updated(steps=None, relaid=(), seed=self.base.seed)
        student = learner if self.single else None
        return recipe.updated(seed=self.base.seed, decision=self.base.decision, members=recipe.members, student=student), teams

    def notes(self) -> list[str]:
        """Sentences for the user: what was tried, and what ships."""
        assert self.chosen is not None
        ended = ["The search was ended early; what had been trained by then competed."] if self.race.ended else []
        stood = [f"The search was gone on with: {self.restored} trials stood in the folder."] if self.restored else []
        searched = f", {sum(self.searched.values())} searched recipes among them" if self.searched else ""
        if not ended and self.clock.budget is not None and self.clock.elapsed() < EARLY * self.clock.budget:
            enough = f"what ships was trained under up to {MOST_REPEATS} seeds, and more are not expected to help"
            ended = [f"The search ended before the budget: {'one training more had not ended in time' if self.skipped else enough}."]
        return [*stood, *ended, f"Recipes trained to the end: {len(self.race.finished)}{searched}. {self.chosen.why}"]

    def tried(self) -> list[Tried]:
        """Every family with its held-out loss beside the best one's, and every recipe that left early."""
        assert self.chosen is not None
        shares = {family.name: float(share) for family, share in zip(self.chosen.families, self.chosen.shares, strict=True)}
        known = sorted(families(self.race.finished, self.criterion), key=lambda family: float(np.nanmean(family.losses)))
        best = known[0].losses
        rows = [_tried(family, best, shares.get(family.name, 0.0)) for family in known]
        return rows + [Tried(name=name, why=why) for name, why in self.race.left.items()]

    @staticmethod
    def _best_network(known: Sequence[Candidate]) -> Candidate | None:
        """The best of some candidates that is no reference."""
        return min((one for one in known if not one.is_reference), key=lambda one: one.loss, default=None)

    def _around(self, leader: Candidate) -> None:
        """Search the usual ranges around the leader while there is time; nothing where too few trials would fit."""
        until = self.begun + SEARCH_SHARE * (self.race.deadline - self.begun)
        if time.monotonic() + FEWEST_TRIALS * leader.seconds / self.workers.processes > until or not np.isfinite(until):
            return
        space, name = _space(leader.team.recipe), f"{leader.name}, searched"
        self.searched[name] = self.log.proposed()
        if self.ground.protocol.folds:
            self.race.run(self._proposals(leader, space, name, until))
        else:
            self._halve(leader, space, name, until)
        self._let_go()

    def _proposals(self, leader: Candidate, space: Space, name: str, until: float) -> Iterator[Entry]:
        """Recipes around the leader, while there is time for one more."""
        while time.monotonic() + leader.seconds < until:
            self._let_go()
            yield self._proposal(space, name, 4 * leader.seconds)

    def _proposal(self, space: Space, name: str, seconds: float) -> Entry:
        self.searched[name] += 1
        own = f"{name} #{self.searched[name]}"
        recipe, values = self.log.propose(space, own)
        return Entry(own, recipe, self._share(seconds), settings=values)

    def _halve(self, leader: Candidate, space: Space, name: str, until: float) -> None:
        """Of a hold-out, which has one part: brackets of short courses, of which the best go on to a whole one."""
        bracket = leader.seconds * (BRACKET * SHORT + WHOLE) / self.workers.processes
        while time.monotonic() + bracket < until and not self.race.ended:
            proposals = {entry.name: entry for entry in (self._proposal(space, name, leader.seconds) for _ in range(BRACKET))}
            tried = self.race.run(_short(entry) for entry in proposals.values())
            best = sorted(tried, key=lambda one: one.loss)[:WHOLE]
            self.race.run(replace(proposals[one.name], share=self._share(4 * leader.seconds)) for one in best)
            self._let_go()

    def _share(self, seconds: float) -> float:
        """Seconds as a share of the time that is left."""
        return min(1.0, seconds / max(self.race.time_left(), 1e-9))

    def _repeats(self) -> Iterator[Entry]:
        """What would ship, under other seeds and with cross-fitting on other folds, while there is time for it."""
        for repeat in range(1, MOST_REPEATS):
            for family in choose(families(self._standing(), self.criterion), self.criterion, self.race.contest.judges).families:
                one = family.candidates[0]
                if one.seconds >= self.race.time_left():
                    self.skipped = True
                else:
                    # A course that was laid out is repeated as it is; what the clock changed of it is not.
                    again = one.team.recipe.updated(seed=self.base.seed + SEED_STEP * repeat, relaid=())
                    yield Entry(one.name, again, stays=True, is_reference=one.is_reference, settings=one.settings)

    def _standing(self) -> list[Candidate]:
        """The candidates that may ship: of all searched around one leader only the best, and only where it surely beats its leader."""
        plain = [one for one in self.race.finished if not one.settings]
        best = self._best_searched()
        if best is None:
            return plain
        rivals = families([one for one in plain if best.name.startswith(f"{one.name}, searched #")], self.criterion)
        # What was chosen among many on these rows looks better than it is.
        if rivals and not is_worse(rivals[0].losses, best.losses, SURELY_BETTER):
            return plain
        return [*plain, *(one for one in self.race.finished if one.name == best.name)]

    def _best_searched(self) -> Candidate | None:
        return min((one for one in self.race.finished if one.settings), key=lambda one: one.loss, default=None)

    def _let_go(self) -> None:
        """The networks of searched candidates that cannot ship any more, in memory and on disk."""
        best = self._best_searched()
        for one in self.race.finished:
            if one.settings and best is not None and one.name != best.name and one.team.trained:
                one.let_go()
                self.log.let_go(one)


def _label_issues(outcome: Outcome, judged: Dataset) -> Callable[[Path], object]:
    """Writes the held-out rows whose given label is improbable, where there are some; the result gets a note on them."""
    probabilities = outcome.out_of_fold
    if judged.task == "regression" or probabilities is None:
        return lambda building: None
    try:
        found = label_issues.find(judged, probabilities)
    except DataError:  # no class has rows enough to judge its labels by
        return lambda building: None
    if not found.issues:
        return lambda building: None
    looked = int(found.judged.sum())
    every = "" if looked == len(judged) == outcome.result.n_train else " `rarebird label-issues` looks through all training rows."
    outcome.result.notes.append(
        f"Of {looked} held-out rows {len(found.issues)} bear a label that is improbable; they are shown in {label_files.PAGE}.{every}"
    )
    return lambda building: label_files.write(Review(judged, found, probabilities, outcome.recipe), building)


def _main(entries: Sequence[Entry]) -> Entry:
    """The default recipe among the entries."""
    return next(entry for entry in entries if entry.share == 1)


def _check_folder(folder: Path, resume: bool) -> None:
    """A new search needs a free folder; one that is gone on with needs its trials.

    Raises:
        DataError: The folder cannot serve.
    """
    standing = is_unfinished(folder)
    if standing and not resume:
        raise DataError(f"{folder} holds a search that did not end; go on with --resume, or give another folder with --out.")
    if resume and not standing:
        raise DataError(f"{folder} holds no search to go on with; leave out --resume, or give the search's folder with --out.")
    run_folder.check_free(folder, kept=KEPT)


def _identity(base: Recipe, ground: Ground, data: str) -> dict[str, Any]:
    """What must be the same for candidates of two processes to be comparable."""
    rows = {"training rows": len(ground.splits.train), "validation rows": 0 if ground.splits.val is None else len(ground.splits.val)}
    return {"data": data, **rows, "metric": base.metric, "seed": base.seed, "default recipe": base.to_toml()}


def _threads(base: Recipe, workers: Workers) -> int | None:
    """CPU threads of a candidate: all of them, its part where several share this machine, and one on a cluster."""
    if not workers.elsewhere or base.threads is not None:
        return base.threads
    return CLUSTER_THREADS if workers.cluster else max(1, torch.get_num_threads() // workers.processes)


def _short(entry: Entry) -> Entry:
    """A recipe's course on some of the rows, in fewer passes."""
    passes = SHORT / SHORT_ROWS * (entry.recipe.epochs or DEFAULT_EPOCHS)
    return replace(entry, recipe=entry.recipe.updated(epochs=passes), partial=True, rows=SHORT_ROWS)


def _space(recipe: Recipe) -> Space:
    """The usual ranges around a recipe; its course is laid out anew."""
    return default_space(recipe.updated(steps=None, relaid=()))


def _with_weight(team: Team, weight: float) -> Team:
    return Team(team.recipe, team.trained, team.held_rows, float(weight), team.ended_by_user)


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
