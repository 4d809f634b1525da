"""Synthetic rows in a search: the gate decides which generators compete, and a recipe with their rows ships only where
it is surely better; no rows is one of the choices."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rarebird.automl import synthetic_rows
from rarebird.automl.candidate import Candidate
from rarebird.automl.portfolio import PortfolioEntry
from rarebird.automl.synthetic_rows import LEAST_SECONDS, MOST_SHARE, RATIOS, TRIED, SyntheticRows
from rarebird.data.dataset import Dataset
from rarebird.experiment.setup import Setup
from rarebird.methods.synthesis import _gate
from rarebird.slots.gate_verdict import ClassVerdict, GateVerdict
from tests.automl.made_candidates import CRITERION, candidate, good
from tests.automl.made_runs import FOLDS, setup, trees

# Of a verdict.
SECONDS = 3.0


def judge(passing: set[str], seen: list[Dataset]) -> Any:
    def judged(method: Any, train: Dataset, codes: list[int], *rest: Any) -> GateVerdict:
        seen.append(train)
        passes = method.name in passing
        classes = tuple(
            ClassVerdict(label=train.classes[code], rows=20, passes=passes, reason="it is so") for code in codes
        )
        return GateVerdict(method=method.name, parts=3, classes=classes, seconds=SECONDS)

    return judged


def race(left: float = 100.0, finished: tuple[Candidate, ...] = ()) -> Any:
    context = SimpleNamespace(criterion=CRITERION)
    return SimpleNamespace(time_left=lambda: left, ended=False, finished=list(finished), context=context)


def leader(seconds: float = 1.0) -> Candidate:
    """Four trained models, as many as there are parts."""
    one = candidate("trees", good(1.5, 0), seconds=seconds)
    trained: Any = [None] * FOLDS
    return replace(one, models=replace(one.models, recipe=trees(steps=8, resampling="smote"), trained=trained))


def entries(
    of: Setup, passing: set[str], monkeypatch: pytest.MonkeyPatch, left: float = 100.0, seconds: float = 1.0
) -> tuple[list[PortfolioEntry], SyntheticRows, list[Dataset]]:
    seen: list[Dataset] = []
    monkeypatch.setattr(_gate, "judge", judge(passing, seen))
    rows = SyntheticRows(of, 0)
    return list(rows.entries(leader(seconds), race(left))), rows, seen


def test_generators_that_pass_compete_in_a_part_and_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    of = setup(trees())
    found, rows, seen = entries(of, {"mixture"}, monkeypatch)
    assert [entry.name for entry in found] == [f"trees, mixture rows to {ratio:g}" for ratio in RATIOS]
    assert rows.tried == len(RATIOS)
    assert [verdict.method for verdict in rows.verdicts] == list(TRIED["table"])
    for entry, ratio in zip(found, RATIOS, strict=True):
        assert entry.parent == "trees"
        assert entry.role == "synthetic"
        recipe: Any = entry.recipe
        assert (recipe.synthesis.name, recipe.synthesis.ratio, recipe.synthesis.classes) == ("mixture", ratio, ("yes",))
        assert recipe.resampling is None
        assert recipe.steps is None
    learned, held = of.parts(0)[0]
    for train in seen:
        assert set(train.ids) == set(of.splits.train.ids[learned])
        assert not set(train.ids) & set(of.splits.train.ids[held])


def test_nothing_competes_where_nothing_passes_or_time_is_short_or_rows_are_even(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = setup(trees())
    assert entries(of, set(), monkeypatch)[0] == []
    assert entries(of, {"mixture"}, monkeypatch, left=LEAST_SECONDS / 2)[2] == []
    assert entries(of, {"mixture"}, monkeypatch, left=np.inf)[2] == []
    even = of.splits.train.take(np.concatenate([np.flatnonzero(of.splits.train.codes == code)[:40] for code in (0, 1)]))
    assert entries(replace(of, splits=replace(of.splits, train=even)), {"mixture"}, monkeypatch)[2] == []
    monkeypatch.setattr(synthetic_rows, "MOST_ROWS", 50)
    assert entries(of, {"mixture"}, monkeypatch)[2] == []


def test_a_recipe_gets_the_time_of_its_leader_and_of_a_generator_for_each_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a fixed share, ten folds of a table of 235 rows were too late in a budget of a minute."""
    of = setup(trees())
    found, _, _ = entries(of, {"mixture"}, monkeypatch, left=30.0, seconds=6.0)
    needed = 6.0 + FOLDS * SECONDS / 3
    assert [entry.name for entry in found] == [f"trees, mixture rows to {ratio:g}" for ratio in RATIOS]
    assert all(needed < 30 * entry.share <= 30 * MOST_SHARE for entry in found)
    # A leader that took most of what is left: no verdict is asked for.
    assert entries(of, {"mixture"}, monkeypatch, left=30.0, seconds=15.0)[2] == []


def test_the_effect_is_that_of_the_best_recipe_with_new_rows_against_its_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = candidate("trees", good(1.5, 0))
    best, other = (
        replace(
            candidate(name, good(strength, 1)),
            parent="trees",
        )
        for name, strength in (("trees, mixture rows to 1", 3.0), ("trees, mixture rows to 0.3", 1.0))
    )
    best, other = (
        replace(one, models=replace(one.models, recipe=trees(steps=3, synthesis="mixture"))) for one in (best, other)
    )
    _, rows, _ = entries(setup(trees()), {"mixture"}, monkeypatch)
    result = SimpleNamespace(
        model_copy=lambda update: SimpleNamespace(**update, with_notes=lambda *notes: (update, notes))
    )
    update, notes = rows.with_result(result, race(finished=(plain, best, other)), [best.models])  # type: ignore[arg-type, misc]
    found = update["synthesis"]
    assert found.used
    assert found.effect.recipe == "trees"
    assert found.effect.loss_with == pytest.approx(best.loss)
    assert found.effect.difference == pytest.approx(best.loss - plain.loss)
    assert found.effect.low < found.effect.difference < found.effect.high
    assert any("The gate passes rows of 'yes' that mixture makes" in note for note in notes)
