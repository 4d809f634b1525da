"""Whether rows of other sources help: recipes are trained without and with them, until held-out rows decide.

Each entry of the portfolio is trained both ways, on the same parts with the same seed, until a pair differs by more
than its standard error. From then on, entries are trained the better way alone. What ships is chosen among all of them
on held-out rows, as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import is_worse, standard_error
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.data import prepare
from rarebird.evaluation.result import ExternalEffect, ExternalRows
from rarebird.experiment.joining import joining, shifts
from rarebird.experiment.setup import Setup
from rarebird.recipe.recipe import Recipe
from rarebird.slots.external_rows import SourceReport
from rarebird.training.cross_fit import CrossFit
from rarebird.training.joining import join

# Added to the name of a recipe that joins rows of other sources.
WITH = ", external rows"
# Standard errors by which one way must be better for the other one to be given up: a pair that differs less says that
# the choice matters little, and two trainings of every recipe would halve the recipes that a budget allows.
SURE = 1.0
# Standard errors to each side of a 95 % interval.
TWO_SIDED = 1.96


@dataclass(frozen=True)
class OutsideRows:
    """Rows of other sources in a search.

    Attributes:
        setup: It holds them.
        reports: What was found about each source, from the training rows of the first part; empty without sources.
    """

    setup: Setup
    reports: tuple[SourceReport, ...] = ()

    @classmethod
    def of(cls, base: Recipe, setup: Setup) -> OutsideRows:
        """Compare the sources with the training rows of the first part, as its trainings will do."""
        splits = setup.splits
        if not splits.outside:
            return cls(setup)
        learned, _ = setup.parts(base.seed)[0]
        own = splits.train.take(learned)
        prepared, _ = prepare.fit(own, base.seed)
        return cls(setup, join(joining(base, splits), own, splits.outside, prepared, 0).reports)

    @property
    def can_join(self) -> bool:
        """Whether some row of some source joins."""
        return any(report.joined for report in self.reports)

    def entries(self, entries: Iterator[PortfolioEntry], race: Race) -> Iterator[PortfolioEntry]:
        """The entries, each without and with the rows as long as that is open.

        Args:
            entries: Of the portfolio, in turn.
            race: It has the candidates that were trained so far.
        """
        for entry in entries:
            if not self.can_join:
                yield entry
                continue
            helps = self.helps(race)
            # Two trainings that may each take all of the time that is left share it.
            shared = replace(entry, share=entry.share / 2 if helps is None and entry.role == "default" else entry.share)
            if helps is not True:
                yield shared
            if helps is not False:
                recipe = joining(entry.recipe, self.setup.splits)
                yield replace(shared, name=entry.name + WITH, recipe=recipe)

    def helps(self, race: Race) -> bool | None:
        """Whether the rows help, by the last pair that differs by more than its error; None if none does."""
        group = race.context.criterion.group
        for without, joined in reversed(_pairs(race.finished)):
            if is_worse(without.losses, joined.losses, group, SURE):
                return True
            if is_worse(joined.losses, without.losses, group, SURE):
                return False
        return None

    def result(self, race: Race, shipped: Sequence[CrossFit], seed: int) -> ExternalRows | None:
        """What the report shows; None without sources.

        Args:
            race: It has all candidates.
            shipped: The networks of the final model by recipe.
            seed: Of the tests of shift.
        """
        if not self.reports:
            return None
        pairs = _pairs(race.finished)
        best = min(pairs, key=lambda pair: min(one.loss for one in pair), default=None)
        return ExternalRows(
            used=any(models.recipe.external is not None for models in shipped),
            sources=self.reports,
            shift=shifts(self.setup.splits, seed),
            effect=None if best is None else _effect(*best, race.context.criterion.group),
        )


def _pairs(finished: Sequence[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """The candidates that were trained both ways with the same seed, in the order in which they ended."""
    joined = {(one.name, one.models.recipe.seed): one for one in finished if one.name.endswith(WITH)}
    pairs = [(one, joined.get((one.name + WITH, one.models.recipe.seed))) for one in finished]
    return [(one, other) for one, other in pairs if other is not None]


def _effect(without: Candidate, joined: Candidate, group: np.ndarray | None) -> ExternalEffect:
    difference = joined.losses - without.losses
    mean, error = float(np.nanmean(difference)), standard_error(difference, group)
    return ExternalEffect(
        recipe=without.name,
        loss_without=without.loss,
        loss_with=joined.loss,
        difference=mean,
        low=mean - TWO_SIDED * error,
        high=mean + TWO_SIDED * error,
    )
