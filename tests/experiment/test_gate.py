"""A run asks the gate which classes its generator fills, records them, and reports the verdict; a replay asks nobody
again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Splits
from rarebird.experiment import gate
from rarebird.experiment.run import Outcome, run
from rarebird.methods.synthesis import _gate
from rarebird.recipe.recipe import Recipe
from rarebird.report.pages.run import render
from rarebird.report.sections.section import RunContents
from rarebird.slots.gate_verdict import ClassVerdict, GateFigure, GateVerdict
from tests.methods.synthesis.made_classes import ellipses
from tests.training.made_rows import recipe

ASKED: list[tuple[str, ...]] = []


def judge(passing: set[str]) -> Any:
    def judged(method: Any, train: Dataset, codes: list[int], compute: Compute, seed: int = 0) -> GateVerdict:
        ASKED.append(tuple(train.ids))
        figure = GateFigure(name="tree_area", value=0.7, low=0.4, high=0.6, p_value=0.001, fails=True)
        classes = tuple(
            ClassVerdict(label=label, rows=20, passes=label in passing, reason="so it is", figures=(figure,))
            for label in (train.classes[code] for code in codes)
        )
        return GateVerdict(method=method.name, parts=3, classes=classes)

    return judged


@pytest.fixture(autouse=True)
def _forget() -> None:
    ASKED.clear()


def fitted(chosen: Recipe, counts: tuple[int, ...] = (120, 40, 30)) -> Outcome:
    return run(chosen, Splits(ellipses(counts)), device="cpu", copies=None)


def filling(**settings: object) -> Recipe:
    return recipe(synthesis={"name": "mixture", **settings}, folds=2)


def test_only_classes_that_pass_are_filled_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gate, "judge", judge({"b"}))
    outcome = fitted(filling())
    assert outcome.recipe.synthesis.classes == ("b",)  # type: ignore[union-attr]
    (seen,) = ASKED
    assert outcome.splits.test is not None
    assert not set(seen) & set(outcome.splits.test.ids)
    assert len(seen) == pytest.approx(len(outcome.splits.train) / 2, abs=2)  # those of the first of two parts
    found = outcome.result.synthesis
    assert found is not None
    assert found.used
    assert [one.label for one in found.verdicts[0].classes] == ["c", "b"]
    notes = " ".join(outcome.result.notes)
    assert "The gate passes rows of 'b' that mixture makes" in notes
    assert "The gate rejects rows of 'c'" in notes


def test_a_recorded_recipe_asks_nobody_and_repeats_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gate, "judge", judge({"b"}))
    first = fitted(filling())
    again = fitted(first.recipe)  # type: ignore[arg-type]
    assert len(ASKED) == 1
    assert again.recipe == first.recipe
    assert first.test_rows is not None
    assert again.test_rows is not None
    np.testing.assert_array_equal(first.test_rows.outputs, again.test_rows.outputs)


def test_where_nothing_passes_the_model_is_that_of_real_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gate, "judge", judge(set()))
    outcome, plain = fitted(filling()), fitted(recipe(folds=2))
    assert outcome.result.synthesis is not None
    assert not outcome.result.synthesis.used
    assert outcome.test_rows is not None
    assert plain.test_rows is not None
    np.testing.assert_array_equal(outcome.test_rows.outputs, plain.test_rows.outputs)


def test_the_real_gate_decides_on_training_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, verdict = gate.judged(filling(), ellipses((80, 30, 4)), Compute(), 2)
    assert [one.label for one in verdict.classes] == ["b"]  # 4 rows cannot be judged, and the largest class lacks none
    assert chosen.synthesis.classes == verdict.passing


def test_the_report_shows_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gate, "judge", judge({"b"}))
    outcome = fitted(filling())
    page = render(RunContents(outcome.result, outcome.recipe.to_toml()))
    assert 'id="synthesis"' in page
    assert "Boosted trees tell new from real rows" in page
    assert "The model learned from such rows" in page
    assert 'id="synthesis"' not in render(RunContents(fitted(recipe(folds=2)).result, ""))
