"""Strategies by size and kind of the space, and samplers that depend on the seed and the trial's number alone."""

from __future__ import annotations

import pytest

from rarebird.core.checks import DataError
from rarebird.tuning.space import Space
from rarebird.tuning.strategies import choose

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
def test_auto_goes_by_size_and_kind_and_says_why(found: Space, trials: int | None, expected: str) -> None:
    strategy, why = choose("auto", found, trials)
    assert strategy == expected
    assert why.startswith(expected)


def test_a_strategy_that_is_asked_for_is_taken_and_an_unknown_one_refused() -> None:
    assert choose("random", space(batch_size={"low": 16, "high": 64}), None)[0] == "random"
    with pytest.raises(DataError, match="did you mean 'gaussian_process'"):
        choose("gausian_process", space(batch_size={"low": 16, "high": 64}), None)
