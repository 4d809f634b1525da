"""Synthetic rows in a search: the gate judges each generator once, and the best recipe so far is trained with the rows
of those that pass, a part and all of what the rare classes lack. No rows are one of the choices: a recipe with them is
used if it is surely better on held-out rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rarebird.automl.candidate import Candidate
from rarebird.automl.criterion import standard_error
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.race import Race
from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset
from rarebird.evaluation.result import ExternalEffect, Result
from rarebird.experiment import gate
from rarebird.experiment.setup import Setup
from rarebird.methods.synthesis import _gate
from rarebird.profile.applicable import facts_of
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods
from rarebird.slots.gate_verdict import GateVerdict
from rarebird.training.cross_fit import CrossFit
from rarebird.training.synthesis import SHARE

# Generators that are tried, in this order, those that are quick and good on few rows first.
TRIED = {"table": ("tree_flow", "mixture"), "series": ("vae",), "image": ("vae",)}
# How far rare classes are filled, as a share of the largest.
RATIOS = (0.3, 1.0)
# More rows than this need no new ones; with less time, too little is left for what they could add.
MOST_ROWS, LEAST_SECONDS = 20_000, 15.0
# Of the time that is left: for all verdicts, and at most for a recipe with new rows.
GATE_SHARE, MOST_SHARE = 0.15, 0.6
# A recipe with new rows gets this many times what the recipe without them and the generators of all parts took: it
# learns from more rows.
LONGER = 1.5
# Standard errors to each side of a 95 % interval.
TWO_SIDED = 1.96


@dataclass
class SyntheticRows:
    """Generators in a search.

    Attributes:
        setup: What all trainings share.
        seed: Of the search.
        verdicts: Of the gate, one for each generator that was judged.
        tried: Recipes with new rows: the best of many looks better than it is.
    """

    setup: Setup
    seed: int
    verdicts: list[GateVerdict] = field(default_factory=list)
    tried: int = 0

    def entries(self, leader: Candidate, race: Race) -> Iterator[PortfolioEntry]:
        """Recipes of the leader with the rows of generators that pass the gate; none where rows are many or even, or
        the time is short."""
        if not self._is_worth_it(race):
            return
        recipe = leader.models.recipe.updated(steps=None, relaid=(), resampling=None)
        known = [name for name in TRIED[recipe.kind] if name in methods.names("synthesis", recipe.kind)]
        for name in known:
            if self._share(leader, race) > MOST_SHARE:
                return
            passing = self._passing(recipe, name, GATE_SHARE * race.time_left() / len(known))
            if passing is None:
                continue
            for ratio in RATIOS:
                self.tried += 1
                filled: Any = passing.model_copy(update={"ratio": ratio})
                yield PortfolioEntry(
                    f"{leader.name}, {name} rows to {ratio:g}",
                    recipe.updated(synthesis=filled),
                    min(self._share(leader, race, self.verdicts[-1].seconds), MOST_SHARE),
                    is_reference=leader.is_reference,
                    role="synthetic",
                    parent=leader.name,
                    settings={"synthesis": name, "ratio": ratio},
                )

    def with_result(self, result: Result, race: Race, shipped: Sequence[CrossFit]) -> Result:
        """The result with what was found.

        Args:
            result: Of the run.
            race: It has all candidates.
            shipped: The networks of the final model by recipe.
        """
        used = any(models.recipe.synthesis is not None for models in shipped)
        return gate.with_synthesis(result, self.verdicts, used, _effect(race))

    def _is_worth_it(self, race: Race) -> bool:
        train = self.setup.splits.train
        if train.task != "classification" or len(train) > MOST_ROWS:
            return False
        left = race.time_left()
        return facts_of(train).skewed and np.isfinite(left) and left >= LEAST_SECONDS and not race.ended

    def _share(self, leader: Candidate, race: Race, gate_seconds: float = 0.0) -> float:
        """The time that a recipe of the leader with new rows needs, as a share of what is left.

        Args:
            leader: Its recipe gets new rows.
            race: Of the search.
            gate_seconds: Of the generator's verdict, for which it learned once for each of the gate's parts.
        """
        # A solved head judges itself without folds; with new rows it is trained part by part.
        each = leader.seconds / max(len(leader.models.trained), 1) + gate_seconds / _gate.PARTS
        return LONGER * each * len(self.setup.parts(self.seed)) / max(race.time_left(), 1e-9)

    def _passing(self, recipe: Recipe, name: str, seconds: float) -> Any:
        """The generator's settings with the classes that pass; None if none does."""
        method: Any = methods.build("synthesis", {"name": name})
        deadline = time.monotonic() + seconds * (_gate.PARTS + 1) / (_gate.PARTS * SHARE)
        compute = Compute(_device(self.setup.device), deadline)
        judged, verdict = gate.judged(recipe.updated(synthesis=method), self._seen(), compute, 1)
        self.verdicts.append(verdict)
        passing: Any = judged.synthesis
        return passing if passing.classes else None

    def _seen(self) -> Dataset:
        """The training rows of the first part: those that judge it stay unseen."""
        learned, _ = self.setup.parts(self.seed)[0]
        return self.setup.splits.train.take(learned)


def _device(device: str) -> str:
    """The machine's own where workers choose theirs."""
    return "cpu" if device == "auto" else device


def _effect(race: Race) -> ExternalEffect | None:
    """The best recipe with synthetic rows against the same one without; None where none was trained."""
    with_rows = [one for one in race.finished if one.parent is not None and one.models.recipe.synthesis is not None]
    best = min(with_rows, key=lambda one: one.loss, default=None)
    leader = next((one for one in race.finished if best is not None and one.name == best.parent), None)
    if best is None or leader is None:
        return None
    difference = best.losses - leader.losses
    mean, error = float(np.nanmean(difference)), standard_error(difference, race.context.criterion.group)
    return ExternalEffect(
        recipe=leader.name,
        loss_without=leader.loss,
        loss_with=best.loss,
        difference=mean,
        low=mean - TWO_SIDED * error,
        high=mean + TWO_SIDED * error,
    )
