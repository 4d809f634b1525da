"""The search of a `fit`: a portfolio, a search around its best recipe, repeats with other seeds, and the selection of
the final model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.automl.candidate import Candidate, TrainingContext
from rarebird.automl.criterion import Criterion, is_worse
from rarebird.automl.ensemble_selection import Selection, families, row_of, select
from rarebird.automl.held_out_figures import with_figures
from rarebird.automl.late_entry import train_late
from rarebird.automl.local_search import LocalSearch, best_searched, luck
from rarebird.automl.outside_rows import OutsideRows
from rarebird.automl.picture_variants import affordable
from rarebird.automl.portfolio import PortfolioEntry, portfolio, with_in_context, with_pretraining
from rarebird.automl.pretrained import NO_WEIGHTS, is_same_for_all_seeds, pretrained, without_weights
from rarebird.automl.race import Race
from rarebird.automl.synthetic_rows import SyntheticRows
from rarebird.automl.trial_log import TrialLog
from rarebird.core.checks import DataError
from rarebird.core.clock import Clock
from rarebird.core.progress import Progress
from rarebird.evaluation.search_history import Tried
from rarebird.executors.executor import Closing
from rarebird.executors.workers import ONE, Workers
from rarebird.experiment.setup import Setup, few_folds
from rarebird.recipe.ensemble import AnyRecipe, Ensemble
from rarebird.recipe.recipe import Recipe
from rarebird.training.cross_fit import CrossFit, trainer_of
from rarebird.training.timing import warm_up

# Local search runs until at least this share of the time is used; the rest retrains the best recipes with other seeds.
# If those repeats need less (their measured seconds times REPEATS_TAKE), the search continues.
SEARCH_SHARE, REPEATS_TAKE = 0.5, 1.5
MOST_REPEATS = 5
# Share of the remaining time for a network of series, where kernels are solved and trees grown: it adds to these, and
# what it learns in more time changes little.
SHARE_AFTER_KERNELS = 0.3
SEED_STEP = 1_000
# Above this number of passes over the rows, another seed helps more than longer training; at most MOST_SEEDS train.
ENOUGH_PASSES, MOST_SEEDS = 35, 3
# Share of the time that is reserved for the single network to which all candidates are distilled.
STUDENT_SHARE = 0.3
ENSEMBLE_CALIBRATION = ("temperature",)


@dataclass(frozen=True)
class SearchOptions:
    """What a search tries, and where.

    Attributes:
        references: Whether trees, random kernels and random patches compete.
        single: Distil the result into one network, and reserve time for training it.
        workers: Where candidates train.
    """

    references: bool = True
    single: bool = False
    workers: Workers = ONE


class Search(Closing):
    """A search, to be used as a ``with`` block.

    Args:
        base: The default recipe.
        setup: What all trainings share; its device may be ``auto`` on a cluster: each machine then chooses its own.
        clock: The budget.
        log: Records the trials; trials that it has already are not repeated.
        progress: Called with the share of the time and a description; if it returns True, the search ends.
        options: What the search tries, and where.
    """

    def __init__(
        self, base: Recipe, setup: Setup, clock: Clock, log: TrialLog, progress: Progress, options: SearchOptions
    ) -> None:
        self.given, self.weights, base = base, pretrained(base), without_weights(base, setup.splits.train)
        self.base, self.setup, self.clock, self.log, self.options = base, setup, clock, log, options
        self.criterion = Criterion.of(setup.scored_rows, setup.splits.train.prior, base.metric)
        self.begun = time.monotonic()
        end = clock.training_deadline()
        deadline = np.inf if end is None else end
        if options.single and end is not None:
            deadline -= STUDENT_SHARE * (end - self.begun)
        context = TrainingContext(setup, self.criterion, base.seed, _threads(base, options.workers))
        self.race = Race(context, deadline, progress, log, options.workers)
        self.local: LocalSearch | None = None
        self.restored = 0
        # Whether a repeat was left out because there was too little time.
        self.skipped = False
        self.selection: Selection | None = None
        self.outside = OutsideRows.of(base, setup)
        self.synthetic = SyntheticRows(setup, base.seed)

    def close(self) -> None:
        """End all trainings."""
        self.race.close()

    def run(self, device: str) -> None:
        """Run the portfolio, the local search and the repeats, and select the final model.

        Args:
            device: Where candidates of an earlier process are loaded.

        Raises:
            DataError: No recipe could be trained.
        """
        warm_up()
        self.race.resume(self.log.restored(device), self.log.left())
        self.restored = len(self.race.finished)
        entries = portfolio(self.setup.splits.train, self.base, self.options.references, self.weights)
        entries = with_pretraining(with_in_context(entries, self.given), self.setup.splits)
        self.race.run(self.outside.entries(self._with_shares(entries, device), self.race))
        if self.race.best is None:
            train_late(self.race, entries)
        if self.race.best is None:
            raise DataError(
                f"No recipe could be trained. {' '.join(f'{name}: {why}.' for name, why in self.race.left.items())}"
            )
        if self.weights is None:
            self.race.run(affordable(self.base, self.race))
        leader = self._leader()
        self.race.run(self.synthetic.entries(leader, self.race))
        self.local = LocalSearch(self.race, self.log, leader, self._search_ends())
        self.local.run()
        self.race.run(self._repeats())
        self.selection = self._selected()

    def shipped(self) -> tuple[AnyRecipe, list[CrossFit]]:
        """The recipe of the final model, and its networks."""
        assert self.selection is not None
        fits = [
            replace(one.models, weight=float(share / len(family.candidates)))
            for family, share in zip(self.selection.families, self.selection.shares, strict=True)
            for one in family.candidates
        ]
        if len(fits) == 1 and (not self.options.single or len(fits[0].trained) == 1):
            return fits[0].recipe, fits
        classes = self.setup.splits.train.task == "classification"
        members = [(models.weight, models.recipe) for models in fits]
        recipe = Ensemble.of(members, ENSEMBLE_CALIBRATION if classes else ())
        student = self._student() if self.options.single else None
        # Seed and decision of the run are those of the base recipe, whichever member comes first.
        return recipe.updated(
            seed=self.base.seed, decision=self.base.decision, members=recipe.members, student=student
        ), fits

    def notes(self) -> list[str]:
        """Sentences for the user: what was tried, and what the final model is."""
        assert self.selection is not None
        ended = (
            ["The search was ended early; the final model is made of the recipes trained by then."]
            if self.race.ended
            else []
        )
        resumed = [f"The search resumed with {self.restored} finished trials of its folder."] if self.restored else []
        local = self.local
        searched = (
            f", recipes searched around {local.leader.name}: {local.proposed}" if local and local.proposed else ""
        )
        if not ended and self.clock.ends_early():
            enough = f"the final model has up to {MOST_REPEATS} seeds, and more are not expected to help"
            why = "there was no time for one more training" if self.skipped else enough
            ended = [f"The search ended before the end of the budget, because {why}."]
        if self.race.most is not None:
            ended += few_folds(self.race.most, self.setup)
        trained = f"Recipes trained on all parts: {len(self.race.finished)}{searched}. {self.selection.why}"
        weightless = [NO_WEIGHTS] if self.base.kind == "image" and not self.weights else []
        return [*resumed, *self.log.notes, *ended, trained, *weightless]

    def tried(self) -> list[Tried]:
        """Every family with its held-out loss compared with that of the best, and every recipe that left."""
        selection = self.selection
        assert selection is not None
        shares = {family.name: float(share) for family, share in zip(selection.families, selection.shares, strict=True)}
        ranked = sorted(
            families(self.race.finished, self.criterion), key=lambda family: float(np.nanmean(family.losses))
        )
        best = ranked[0].losses
        rows = [row_of(family, best, self.criterion.group, shares.get(family.name, 0.0)) for family in ranked]
        rows = with_figures(rows, ranked, self.race.context, self.base)
        return rows + [Tried(name=name, why=why) for name, why in self.race.left.items()]

    def _with_shares(self, entries: Sequence[PortfolioEntry], device: str) -> Iterator[PortfolioEntry]:
        """The entries in turn; the default recipe gets its share of the time that is left when its turn comes."""
        *others, last = entries
        yield from others
        yield replace(last, share=self._share_of_default(last.recipe, device)) if last.role == "default" else last

    def _share_of_default(self, recipe: Recipe, device: str) -> float:
        """Share of the time for a default recipe after which no other comes: it leaves time for other seeds, if each of
        these still gets enough passes over the rows."""
        left = self.race.time_left()
        if self.base.kind == "series" and self.race.finished and not self.options.single:
            return SHARE_AFTER_KERNELS
        if self.setup.protocol.folds or self.options.single or not np.isfinite(left):
            return 1.0
        learned, _ = self.setup.parts(self.base.seed)[0]
        planned = trainer_of(recipe, self.setup.splits, learned, 0, device).plan(time.monotonic() + left, 1)
        passes = (planned.steps or 0) * planned.batch_size / max(len(learned), 1)
        return 1 / min(MOST_SEEDS, max(1, int(passes / ENOUGH_PASSES)))

    def _leader(self) -> Candidate:
        """The candidate to search around: the best one; with `single` the best network."""
        unsearched = [one for one in self.race.finished if one.parent is None]
        network = _best_network(unsearched) if self.options.single else None
        return network or min(unsearched, key=lambda one: one.loss)

    def _search_ends(self) -> float:
        """When the local search must end to leave time for the repeats, on the scale of `time.monotonic`."""
        deadline = self.race.deadline
        seconds = sum(family.candidates[0].seconds for family in self._selected().families)
        return max(
            self.begun + SEARCH_SHARE * (deadline - self.begun),
            deadline - REPEATS_TAKE * (MOST_REPEATS - 1) * seconds,
        )

    def _selected(self) -> Selection:
        """The final model if nothing more is trained."""
        return select(families(self._eligible(), self.criterion), self.criterion, self.race.context.parts)

    def _student(self) -> Recipe:
        """The recipe of the network to distil to: that of the best network, with open steps."""
        network = _best_network(self._eligible())
        if network is None:
            return self.base
        return network.models.recipe.reopened().updated(seed=self.base.seed)

    def _repeats(self) -> Iterator[PortfolioEntry]:
        """The selected recipes with other seeds (and so other folds), while there is time for them; none where only
        some folds are trained, as other folds hold out other rows."""
        if self.race.most is not None:
            self.skipped = True
            return
        for repeat in range(1, MOST_REPEATS):
            for family in self._selected().families:
                one = family.candidates[0]
                if not self._is_repeated(one):
                    continue
                if one.seconds >= self.race.time_left():
                    self.skipped = True
                else:
                    # A repeat has the same planned steps, without the changes that the clock made to them.
                    recipe = one.models.recipe.updated(seed=self.base.seed + SEED_STEP * repeat, relaid=())
                    entry = PortfolioEntry(one.name, recipe, stays=True, role="repeat", parent=one.parent)
                    yield replace(entry, is_reference=one.is_reference, settings=one.settings)

    def _is_repeated(self, one: Candidate) -> bool:
        """Whether other seeds may make the mean better. Solved kernels and patches hardly differ: on held-out rows of
        twelve sets of series the mean of two or three draws was no better than one, and takes as many times as long."""
        of_shapes = one.is_reference and self.base.kind != "table"
        return not of_shapes and not is_same_for_all_seeds(one.models.recipe)

    def _eligible(self) -> list[Candidate]:
        """The candidates for the final model: all unsearched ones, and the best searched recipe if it is surely better
        than its leader. Both are compared on the seeds that both were trained with: a mean over seeds is better than
        one training, and the best of several trainings looks better than it is."""
        unsearched = [one for one in self.race.finished if one.parent is None]
        best = best_searched(self.race.finished)
        if best is None:
            return unsearched
        searched = [one for one in self.race.finished if one.name == best.name]
        own = [one for one in unsearched if one.name == best.parent]
        common = {one.models.recipe.seed for one in own} & {one.models.recipe.seed for one in searched}
        rivals, leaders = (
            families([one for one in ones if one.models.recipe.seed in common], self.criterion)
            for ones in (searched, own)
        )
        # The best of many recipes looks better on these rows than it is.
        tried = self.log.proposed() + self.synthetic.tried
        if leaders and not is_worse(leaders[0].losses, rivals[0].losses, self.criterion.group, luck(tried)):
            return unsearched
        return [*unsearched, *searched]


def _best_network(candidates: Sequence[Candidate]) -> Candidate | None:
    """The best candidate that is not a reference; None if there is none."""
    return min((one for one in candidates if not one.is_reference), key=lambda one: one.loss, default=None)


def _threads(base: Recipe, workers: Workers) -> int | None:
    """CPU threads of a candidate; None: torch's present number."""
    return workers.threads(None) if workers.elsewhere and base.threads is None else base.threads
