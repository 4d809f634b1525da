"""Where a recipe holds a penalty's strength: what is varied, what stays, and what is refused in one sentence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.diagnostics.regularization_path.penalty import Penalty, penalties, penalty_of
from rarebird.recipe.recipe import Recipe
from rarebird.slots import methods


def recipe(**changes: object) -> Recipe:
    plain: dict[str, object] = {"kind": "table", "network": "mlp", "regularization": ["ema"]}
    return Recipe(**(plain | changes))


def strengths_of(changed: Recipe) -> dict[str, float]:
    return {
        type(one).name: getattr(one, getattr(one, "strength_field", ""), math.nan) for one in changed.regularization
    }


@pytest.mark.parametrize("name", penalties("table"))
def test_every_strength_of_the_grid_makes_a_recipe_that_is_otherwise_the_same(name: str) -> None:
    base = recipe()
    penalty = penalty_of(name, base)
    grid = penalty.grid(5)
    assert len(grid) == 5
    assert (grid[0], grid[-1]) == pytest.approx((penalty.span.low, penalty.span.high))
    steps = np.diff(np.log(grid)) if penalty.span.log else np.diff(grid)
    np.testing.assert_allclose(steps, steps[0], rtol=0.01)
    for strength in grid:
        changed = penalty.at(base, strength)
        added = [] if penalty.slot == "optimizer" else [f"regularization=[ema,{name}]"]
        assert changed == base.with_settings([*added, f"{penalty.key}={strength}"])
        assert Recipe.from_toml(changed.to_toml()) == changed


def test_every_method_that_names_a_strength_has_it_and_a_range_for_it() -> None:
    assert {"l1", "l2", "elastic_net", "dropout", "label_smoothing", "stochastic_depth"} <= set(penalties("table"))
    for name in penalties("image"):
        method = methods.load("regularization", name)
        assert method.strength_field in method.ranges()  # type: ignore[attr-defined]


def test_l2_is_the_optimizers_own_decay_so_that_nothing_pulls_beside_it() -> None:
    base = recipe(optimizer={"name": "adamw", "learning_rate": 0.003, "weight_decay": 0.2})
    penalty = penalty_of("l2", base)
    assert (penalty.key, penalty.label) == ("optimizer.weight_decay", "weight decay of adamw (l2)")
    changed = penalty.at(base, 0.5)
    assert changed.optimizer.settings() == base.optimizer.settings() | {"weight_decay": 0.5}
    assert changed.regularization == base.regularization


def test_where_the_recipe_holds_l2_its_own_strength_is_varied_and_the_optimizers_decay_is_none() -> None:
    base = recipe(regularization=[{"name": "l2", "strength": 0.3, "decoupled": False}, "ema"])
    penalty = penalty_of("l2", base)
    assert (penalty.key, penalty.label) == ("regularization.l2.strength", "strength of l2")
    changed = penalty.at(base, 0.05)
    assert changed.regularization[0].settings() == {"name": "l2", "strength": 0.05, "decoupled": False}
    assert changed.optimizer.settings()["weight_decay"] == 0


def test_a_penalty_that_the_recipe_holds_keeps_its_place_and_other_settings() -> None:
    base = recipe(regularization=[{"name": "elastic_net", "l1_share": 0.8}, "ema"])
    changed = penalty_of("elastic_net", base).at(base, 0.02)
    assert changed.regularization[0].settings() == {"name": "elastic_net", "strength": 0.02, "l1_share": 0.8}
    assert list(strengths_of(changed)) == ["elastic_net", "ema"]
    assert changed.optimizer == base.optimizer
    added = penalty_of("dropout", base).at(base, 0.25)
    assert strengths_of(added)["dropout"] == 0.25
    assert list(strengths_of(added)) == ["elastic_net", "ema", "dropout"]


def test_the_path_can_go_on_by_its_own_step_on_a_logarithmic_scale_alone() -> None:
    assert penalty_of("l1", recipe()).further([0.1, 1.0]) == [10.0]
    assert penalty_of("l1", recipe()).further([0.25, 0.5, 1.0]) == [2.0, 4.0]
    assert penalty_of("l1", recipe()).further([1.0]) == []
    assert penalty_of("dropout", recipe()).further([0.1, 0.2]) == []


def test_ends_may_be_given_from_weak_to_strong() -> None:
    l1 = penalty_of("l1", recipe())
    assert l1.grid(3, 0.01, 1) == [0.01, 0.1, 1.0]
    assert penalty_of("dropout", recipe()).grid(3, 0, 0.5) == [0.0, 0.25, 0.5]
    for low, high in ((1.0, 0.1), (0.1, 0.1), (0.1, math.nan), (0.1, math.inf)):
        with pytest.raises(DataError, match="--low must be below --high"):
            l1.grid(3, low, high)
    with pytest.raises(DataError, match="strength of l1 is tried on a logarithmic scale, so --low must be above 0"):
        l1.grid(3, 0.0, 1.0)


def test_what_cannot_be_varied_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match="There is no penalty 'elastik'; did you mean 'elastic_net'"):
        penalty_of("elastik", recipe())
    with pytest.raises(
        DataError, match="'early_stopping' has no strength to draw a path of; choose one of dropout, elastic_net, l1"
    ):
        penalty_of("early_stopping", recipe())
    with pytest.raises(DataError, match="'boosted_trees' has no network that a penalty acts on"):
        penalty_of("l1", recipe(reference="boosted_trees"))
    with pytest.raises(DataError, match="A stage of the recipe has an optimizer and weight decay of its own"):
        penalty_of("l2", recipe(stages=[{"share": 1}, {"overrides": {"optimizer": "sgd"}}]))
    with pytest.raises(DataError, match="rate < 1"):
        penalty_of("dropout", recipe()).at(recipe(), 1.5)
    assert isinstance(penalty_of("l1", recipe(stages=[{"overrides": {"optimizer": "sgd"}}])), Penalty)
