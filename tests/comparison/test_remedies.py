"""Names of remedies: what they change, which go together, and what the baseline has already; and the greedy choice of a
combination, on gains that are written down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from rarebird.comparison.remedies import (
    MOST_MEMBERS,
    MOST_TRIED,
    candidates,
    choose,
    clash,
    combines,
    left_out,
    most_recipes,
    remedies,
    with_remedy,
    without_wanted,
)
from rarebird.core.checks import DataError
from rarebird.slots import methods
from tests.comparison.made_rows import baseline, rows

ALONE = {
    "loss=focal": 0.03,
    "resampling=smote": 0.02,
    "loss=weighted": 0.025,
    "regularization=l2": 0.01,
    "augmentation=mixup": -0.01,
}


def test_remedies_are_found_by_name_and_all_are_those_that_apply() -> None:
    train = rows()
    assert remedies("focal,loss=weighted,smote+focal", train, baseline()) == [
        "loss=focal",
        "loss=weighted",
        "resampling=smote+loss=focal",
    ]
    found = remedies("all", train, baseline(loss="focal"))
    assert {"resampling=smote", "loss=weighted", "batch_sampling=class_balanced", "regularization=l2"} <= set(found)
    assert {"network=tabm", "reference=boosted_trees"} <= set(found)
    assert "loss=focal" not in found
    assert "augmentation=feature_smote" not in found
    assert "reference=in_context" not in found, "only the user can name its checkpoint"
    assert "transfer=self_supervised" not in found
    assert "transfer=self_supervised" in remedies("all", train, baseline(), unlabeled=True)
    assert remedies("self_supervised", train, baseline()) == ["transfer=self_supervised"]
    assert not any("synthesis" in remedy for remedy in found)
    generators = remedies("synthesis", train, baseline())
    assert generators == [f"synthesis={name}" for name in methods.names("synthesis", "table")]
    assert remedies("resampling, synthesis=mixture", train, baseline())[-1] == "synthesis=mixture"
    with pytest.raises(DataError, match="There is no remedy 'focall' for this data; did you mean 'focal'"):
        remedies("focall", train, baseline())


def test_all_and_names_go_together_and_each_remedy_is_asked_for_once() -> None:
    found = remedies("smote+focal, all, focal,loss=focal", rows(), baseline())
    assert found[0] == "resampling=smote+loss=focal"
    assert found.count("loss=focal") == 1


def test_two_methods_of_one_slot_cannot_go_together() -> None:
    with pytest.raises(
        DataError, match="loss=focal and loss=weighted cannot go together, because they fill the same slot"
    ):
        remedies("focal+weighted", rows(), baseline())
    assert remedies("mixup+cell_noise", rows(), baseline()) == ["augmentation=mixup+augmentation=cell_noise"]


def test_a_remedy_changes_one_thing() -> None:
    base = baseline(regularization=["ema"])
    assert with_remedy(base, "loss=focal") == base.updated(loss="focal")
    assert [type(one).name for one in with_remedy(base, "regularization=l1").regularization] == ["ema", "l1"]
    both = with_remedy(base, "resampling=smote+loss=focal")
    assert (type(both.resampling).name, type(both.loss).name) == ("smote", "focal")
    trees = with_remedy(base, "reference=boosted_trees")
    assert type(trees.reference).name == "boosted_trees"
    assert with_remedy(trees, "network=tabm").reference is None


def test_a_remedy_that_a_list_of_the_baseline_holds_is_taken_out_of_it() -> None:
    base = baseline(regularization=["ema", "gradient_clipping"], loss="focal")
    without, out = without_wanted(base, ["regularization=ema+loss=focal", "augmentation=mixup"])
    assert out == [("regularization", "ema")]
    assert without == base.updated(regularization=["gradient_clipping"])
    assert without_wanted(base, ["augmentation=mixup"]) == (base, [])


@pytest.mark.parametrize(
    ("one", "other", "clashes"),
    [
        ("loss=focal", "loss=weighted", True),
        ("loss=focal", "resampling=smote", False),
        ("augmentation=mixup", "augmentation=noise", False),
        ("augmentation=mixup", "augmentation=mixup+loss=focal", True),
        ("resampling=smote+loss=focal", "loss=weighted", True),
        ("regularization=l2", "regularization=l2", True),
    ],
)
def test_single_slots_clash_and_lists_do_not(one: str, other: str, clashes: bool) -> None:
    assert clash(one, other) == clash(other, one) == clashes


def test_a_reference_is_never_part_of_a_combination() -> None:
    assert combines("network=tabm+loss=focal")
    assert not combines("reference=boosted_trees")


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


def test_a_member_must_add_to_all_members_before_it() -> None:
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
    assert len(asked) <= most_recipes([f"augmentation={place}" for place in range(20)])[0]


def test_each_member_is_left_out_once() -> None:
    assert left_out(["a", "b", "c"]) == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


def test_one_remedy_asks_for_no_combination() -> None:
    assert most_recipes(["loss=focal"]) == most_recipes(["loss=focal", "reference=boosted_trees"]) == (0, 0)
    assert most_recipes(["loss=focal", "resampling=smote"]) == (1, 4)
