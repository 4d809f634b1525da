"""Names of remedies: what they change, which go together, and what is asked for that stands already."""

from __future__ import annotations

import pytest

from rarebird.comparison.remedies import clash, combines, freed, remedies, with_remedy
from rarebird.core.checks import DataError
from tests.comparison.made_rows import baseline, rows


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


def test_what_stands_in_a_list_and_is_asked_for_is_taken_out_of_the_baseline() -> None:
    base = baseline(regularization=["ema", "gradient_clipping"], loss="focal")
    without, out = freed(base, ["regularization=ema+loss=focal", "augmentation=mixup"])
    assert out == [("regularization", "ema")]
    assert without == base.updated(regularization=["gradient_clipping"])
    assert freed(base, ["augmentation=mixup"]) == (base, [])


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
