"""What a race keeps: nothing that it resumed is trained again, a short training is not shipped, and a candidate whose
loss is no number leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rarebird.automl import candidate as candidates
from rarebird.automl.candidate import Candidate, TrainingContext, TrialSpec
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.training.cross_fit import CrossFit
from tests.automl.made_runs import trees
from tests.automl.test_race import enter, race


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the recipes that were trained."""
    seeds: list[int] = []
    original = candidates.cross_fit

    def counted(recipe: Any, *args: Any, **more: Any) -> Iterator[CrossFit]:
        seeds.append(recipe.seed)
        return original(recipe, *args, **more)

    monkeypatch.setattr(candidates, "cross_fit", counted)
    return seeds


class Recorded:
    """A log that keeps names."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.dropped: list[str] = []

    def record(self, entry: PortfolioEntry, candidate: Candidate) -> None:
        self.kept.append(entry.name)

    def drop(self, entry: PortfolioEntry, why: str) -> None:
        self.dropped.append(entry.name)


def test_what_was_resumed_is_not_trained_again(trainings: list[int]) -> None:
    first = race()
    done = enter(first, "trees", trees(seed=5))
    assert done is not None
    assert trainings == [5]
    second = race()
    second.resume([done], {"lost": "it was surely worse"})
    entries = [
        PortfolioEntry("trees", trees(seed=5), 1.0),
        PortfolioEntry("lost", trees(seed=6), 1.0),
        PortfolioEntry("trees", trees(seed=7), 1.0),
    ]
    trained = second.run(entries)
    assert trainings == [5, 7]
    assert [one.models.recipe.seed for one in trained] == [7]
    assert [one.models.recipe.seed for one in second.finished] == [5, 7]
    assert second.finished[0] is done
    assert second.left == {"lost": "it was surely worse"}


def test_a_short_training_is_recorded_but_never_shipped(trainings: list[int]) -> None:
    one = race()
    one.log = log = Recorded()
    whole = enter(one, "trees", trees(seed=1))
    short = enter(one, "short", trees(seed=2), partial=True)
    assert short is not None
    assert trainings == [1, 2]
    assert one.finished == [whole]
    assert one.best is whole
    assert log.kept == ["trees", "short"]
    assert not one.is_known(PortfolioEntry("trees", trees(seed=1), 1.0, partial=True))


def test_a_candidate_whose_loss_is_no_number_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    original = candidates._assess

    def assessed(context: TrainingContext, spec: TrialSpec, models: CrossFit, begun: float) -> Candidate:
        found = original(context, spec, models, begun)
        return replace(found, losses=np.full_like(found.losses, np.nan)) if models.recipe.seed == 2 else found

    monkeypatch.setattr(candidates, "_assess", assessed)
    one = race()
    one.log = log = Recorded()
    assert enter(one, "whole", trees(seed=1)) is not None
    assert enter(one, "lost", trees(seed=2), role="portfolio") is None
    assert [found.name for found in one.finished] == ["whole"]
    assert (log.kept, log.dropped) == (["whole"], ["lost"])
    assert "no row that can be scored" in one.left["lost"]
