"""The greedy choice of a combination, on gains that are written down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from rarebird.comparison.combination import MOST_MEMBERS, MOST_TRIED, candidates, choose, left_out, most_sets

ALONE = {
    "loss=focal": 0.03,
    "resampling=smote": 0.02,
    "loss=weighted": 0.025,
    "regularization=l2": 0.01,
    "augmentation=mixup": -0.01,
}


def test_candidates_gained_something_alone_the_largest_gain_first() -> None:
    gains = {**ALONE, "reference=boosted_trees": 0.5, "network=tabm": math.nan, "decision=argmax": 0.0}
    assert candidates(gains) == ["loss=focal", "loss=weighted", "resampling=smote", "regularization=l2"]


def test_members_are_added_where_the_mean_grows_and_no_slot_is_filled_twice() -> None:
    asked: list[tuple[str, ...]] = []

    def gain_of(members: Sequence[str]) -> float:
        asked.append(tuple(members))
        # smote spoils what focal gains, l2 adds to it.
        return 0.02 if "resampling=smote" in members else 0.035

    assert choose(ALONE, gain_of) == ["loss=focal", "regularization=l2"]
    assert asked == [("loss=focal", "resampling=smote"), ("loss=focal", "regularization=l2")]


def test_a_gain_must_grow_on_what_stands_and_not_on_the_first_alone() -> None:
    gains = {"a=1": 0.3, "b=1": 0.2, "c=1": 0.1}
    table = {("a=1", "b=1"): 0.5, ("a=1", "b=1", "c=1"): 0.4}
    assert choose(gains, lambda members: table[tuple(members)]) == ["a=1", "b=1"]
    assert choose(gains, lambda members: math.nan) == ["a=1"]


def test_without_gains_or_time_there_is_no_combination() -> None:
    assert choose({"loss=focal": -0.1, "loss=weighted": math.nan}, lambda members: 1.0) == []
    assert choose(ALONE, lambda members: None) == ["loss=focal"]


@pytest.mark.parametrize(
    ("grows", "tried", "members"), [(False, MOST_TRIED, 1), (True, MOST_MEMBERS - 1, MOST_MEMBERS)]
)
def test_trials_and_members_are_limited(grows: bool, tried: int, members: int) -> None:
    asked = []

    def gain_of(found: Sequence[str]) -> float:
        asked.append(found)
        return len(found) if grows else 0.0

    chosen = choose({f"augmentation={place}": 0.5 for place in range(20)}, gain_of)
    assert (len(asked), len(chosen)) == (tried, members)
    assert len(asked) <= most_sets([f"augmentation={place}" for place in range(20)])[0]


def test_each_member_is_left_out_once() -> None:
    assert left_out(["a", "b", "c"]) == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


def test_one_remedy_asks_for_no_combination() -> None:
    assert most_sets(["loss=focal"]) == most_sets(["loss=focal", "reference=boosted_trees"]) == (0, 0)
    assert most_sets(["loss=focal", "resampling=smote"]) == (1, 4)
