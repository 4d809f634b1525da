"""The strategy by size and kind of the space, samplers from seed and place alone, and the pruners."""

from __future__ import annotations

import optuna
import pytest

from rarebird.core.checks import DataError
from rarebird.tuning.space import Space
from rarebird.tuning.strategies import can_prune, check_pruner, choose, pruner, sampler

BASE = {"kind": "table", "network": {"name": "mlp"}, "optimizer": {"name": "adamw"}}
RATE = {"low": 1e-4, "high": 1e-2, "log": True}


def space(**changes: object) -> Space:
    return Space.of({**BASE, **changes})


@pytest.mark.parametrize(
    ("found", "trials", "expected"),
    [
        (space(loss={"choices": ["cross_entropy", "focal", "weighted"]}), None, "grid"),
        (space(loss={"choices": ["cross_entropy", "focal", "weighted"]}), 2, "tpe"),
        (space(optimizer={"name": "adamw", "learning_rate": RATE, "weight_decay": RATE}), 20, "gaussian_process"),
        (
            space(optimizer={"name": "adamw", "learning_rate": RATE}, loss={"choices": ["cross_entropy", "focal"]}),
            20,
            "tpe",
        ),
        (space(optimizer={"name": "adamw", "learning_rate": RATE}, batch_size={"low": 16, "high": 64}), 20, "tpe"),
    ],
    ids=["small", "fewer trials than points", "continuous", "mixed", "whole numbers"],
)
def test_auto_decides_by_size_and_kind_and_says_why(found: Space, trials: int | None, expected: str) -> None:
    strategy, why = choose("auto", found, trials)
    assert strategy == expected
    assert why.startswith(expected)


def test_a_strategy_that_is_asked_for_is_used_and_an_unknown_one_refused() -> None:
    assert choose("random", space(batch_size={"low": 16, "high": 64}), None)[0] == "random"
    with pytest.raises(DataError, match="did you mean 'gaussian_process'"):
        choose("gausian_process", space(batch_size={"low": 16, "high": 64}), None)


@pytest.mark.parametrize("strategy", ["random", "tpe", "gaussian_process"])
def test_a_sampler_depends_on_seed_and_place_alone(strategy: str) -> None:
    def proposed(seed: int, place: int) -> float:
        study = optuna.create_study(sampler=sampler(strategy, seed, place, startup=1))
        return study.ask().suggest_float("rate", 0.0, 1.0)

    assert proposed(0, 3) == proposed(0, 3)
    assert len({proposed(0, 3), proposed(0, 4), proposed(1, 3)}) == 3


def test_pruning_needs_three_parts_and_a_pruner() -> None:
    assert [can_prune("median", parts) for parts in (1, 2, 3)] == [False, False, True]
    assert not can_prune("none", 5)


def test_pruners_are_those_of_optuna_and_an_unknown_one_is_refused() -> None:
    kinds = {name: type(pruner(name)).__name__ for name in ("none", "median", "halving")}
    assert kinds == {"none": "NopPruner", "median": "MedianPruner", "halving": "SuccessiveHalvingPruner"}
    with pytest.raises(DataError, match="There is no pruner 'medain'; did you mean 'median'"):
        check_pruner("medain")
