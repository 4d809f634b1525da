"""Ensembles of recipes: round trips through TOML, changes that reach the members, and refusals with the nearest
name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.core.checks import DataError
from rarebird.recipe import ensemble
from rarebird.recipe.ensemble import Ensemble, Weighted
from rarebird.recipe.recipe import Recipe

PLAIN: dict[str, Any] = {"kind": "table", "network": "mlp"}


def two(**fields: Any) -> Ensemble:
    members = [
        {**PLAIN, "seed": 7, "steps": 10},
        {**PLAIN, "seed": 1007, "steps": 20, "reference": "boosted_trees", "weight": 0.25},
    ]
    return Ensemble(**{"kind": "table", "seed": 7, "members": members} | fields)


def test_everything_survives_toml() -> None:
    full = {
        **PLAIN,
        "seed": 3,
        "steps": 30,
        "relaid": [[[10, 25], [20, 40]], []],
        "metric": "recall:肺炎",
        "network": {"name": "mlp", "width": 8, "dropout": 0.1},
        "loss": {
            "name": "weighted",
            "class_weight": {"正常": 1.0, 'a "quoted"\\label\n': 2.5, "\x7f": 1e-7, "": 1e20, "a.b = [1]": 1},
        },
        "calibration": ["prior_correction", {"name": "temperature", "prior_rows": 0.5}],
        "regularization": ["ema", {"name": "early_stopping", "metric": "损失"}],
        "stages": [
            {"share": 3},
            {"trainable": "head", "overrides": {"loss": "focal", "batch_sampling": {"name": "class_balanced"}}},
        ],
        "weight": 1 / 3,
    }
    trees = {**PLAIN, "reference": {"name": "boosted_trees", "leaves": 4}, "weight": 1e-300}
    whole = two(members=[full, trees], metric="recall:a\tb]", calibration=["temperature"], decision="threshold")
    again = ensemble.of_toml(whole.to_toml())
    assert isinstance(again, Ensemble)
    assert again == whole
    assert again.to_toml() == whole.to_toml()
    assert again.members[0].weight == 1 / 3
    assert ensemble.of_plain(whole.plain()) == whole


@settings(max_examples=25, deadline=None)
@given(
    st.text(max_size=12),
    st.dictionaries(st.text(max_size=8), st.floats(1e-300, 1e300), min_size=1, max_size=3),
    st.floats(1e-300, 1e300),
)
def test_any_text_and_number_survives_toml(metric: str, class_weight: dict[str, float], weight: float) -> None:
    loss = {"name": "weighted", "class_weight": class_weight}
    whole = two(metric=metric, members=[{**PLAIN, "loss": loss, "metric": metric, "weight": weight}])
    assert ensemble.of_toml(whole.to_toml()) == whole


def test_a_written_recipe_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "配方.toml"
    for written in (Recipe(**PLAIN, metric="macro_f1"), two()):
        path.write_text(written.to_toml(), encoding="utf-8")
        found = ensemble.read(path)
        assert type(found) is type(written)
        assert found == written
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        ensemble.read(path)
    path.write_text("members = [", encoding="utf-8")
    with pytest.raises(DataError, match="no valid TOML"):
        ensemble.read(path)


def test_a_new_seed_moves_every_member_along() -> None:
    moved = two().updated(seed=20)
    assert (moved.seed, [member.seed for member in moved.members]) == (20, [20, 1020])
    assert [member.updated(seed=0) for member in moved.members] == [member.updated(seed=0) for member in two().members]
    assert moved.updated(seed=7) == two()


def test_a_given_student_keeps_its_seed() -> None:
    student = Recipe(**PLAIN, seed=3)
    assert two().updated(seed=20, student=student).student == student
    moved = two(student=student).updated(seed=20).student
    assert moved is not None
    assert moved.seed == 3 + 20 - two().seed


def test_a_seed_below_a_members_distance_stays_allowed() -> None:
    early = two(seed=7, members=[{**PLAIN, "seed": 2}])
    assert early.updated(seed=0).members[0].seed == 0


@pytest.mark.parametrize("change", [{"folds": 4}, {"holdout": 0.3}, {"metric": "accuracy"}, {"image_size": 32}])
def test_run_settings_are_changed_in_all_members(change: dict[str, Any]) -> None:
    (name, value), changed = next(iter(change.items())), two().updated(**change)
    assert getattr(changed, name) == value
    assert [getattr(member, name) for member in changed.members] == [value, value]
    assert [member.weight for member in changed.members] == [1.0, 0.25]


def test_fields_of_recipes_are_changed_in_the_members() -> None:
    changed = two().updated(steps=5, relaid=())
    assert [member.steps for member in changed.members] == [5, 5]
    assert [member.seed for member in changed.members] == [7, 1007]


def test_the_mean_has_its_own_calibration_and_decision() -> None:
    changed = two().updated(calibration=["temperature"], decision="argmax")
    assert [type(method).name for method in changed.calibration] == ["temperature"]
    assert type(changed.decision).name == "argmax"
    assert changed.members == two().members


def test_an_unknown_change_is_refused() -> None:
    with pytest.raises(DataError, match="no setting 'setps'"):
        two().updated(setps=5)


def test_settings_address_a_member_by_its_place() -> None:
    changed = two().with_settings(
        ["members.1.loss=focal", "members.1.loss.gamma=3", "members.0.weight=2", "decision=argmax", "folds=3"]
    )
    assert changed.members[1].loss.settings() == {"name": "focal", "gamma": 3.0}
    assert changed.members[0].loss == two().members[0].loss
    assert [member.weight for member in changed.members] == [2.0, 0.25]
    assert (type(changed.decision).name, changed.folds) == ("argmax", 3)


def test_members_are_given_with_and_without_their_weights() -> None:
    recipes = [Recipe(**PLAIN, seed=4, metric="accuracy", folds=3), Recipe(**PLAIN, loss="focal")]
    whole = Ensemble.of([(0.75, recipes[0]), (0.25, recipes[1])], ["temperature"])
    assert ensemble.members(whole) == [(0.75, recipes[0]), (0.25, recipes[1])]
    assert all(type(recipe) is Recipe for _, recipe in ensemble.members(whole))
    assert (whole.seed, whole.metric, whole.folds) == (4, "accuracy", 3)
    assert all(isinstance(member, Weighted) for member in whole.members)
    assert ensemble.members(recipes[0]) == [(1.0, recipes[0])]


def test_members_of_another_kind_are_refused() -> None:
    with pytest.raises(DataError, match="for data of kind 'table', but one of its members is for 'series'"):
        two(members=[PLAIN, {"kind": "series", "network": "rnn"}])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sead": 1}, "no setting 'sead'; did you mean 'seed'"),
        ({"network": "mlp"}, "no setting 'network'"),
        ({"members": []}, "members"),
        ({"members": ["mlp"]}, "members.0"),
        ({"members": [{**PLAIN, "weight": 0}]}, "members.0: `weight > 0` must hold"),
        ({"members": [{**PLAIN, "weight": float("inf")}]}, "members.0: .*finite"),
        (
            {"members": [PLAIN, {**PLAIN, "netwrk": "mlp"}]},
            "^members.1: recipe has no setting 'netwrk'; did you mean 'network'",
        ),
        ({"members": [{**PLAIN, "loss": "fokal"}]}, "^members.0: .*loss has no method 'fokal'; did you mean 'focal'"),
        ({"calibration": ["temprature"]}, "did you mean 'temperature'"),
        ({"decision": "argmix"}, "did you mean 'argmax'"),
        ({"seed": -1}, "seed >= 0"),
    ],
)
def test_values_that_break_a_rule_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        two(**changes)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps=5", "no key 'steps'"),
        ("member.0.loss=focal", "no key 'member'; did you mean 'members'"),
        ("members.2.loss=focal", "addresses no entry of members"),
        ("members.0=focal", "addresses no entry of members"),
        ("members.0.los=focal", "did you mean 'loss'"),
    ],
)
def test_settings_that_address_nothing_are_refused(setting: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        two().with_settings([setting])


def test_a_student_goes_along_and_has_no_folds() -> None:
    changed = two(student={"kind": "table", "network": "linear", "seed": 7}).updated(seed=9, steps=5, folds=4)
    assert changed.student is not None
    assert (changed.student.seed, changed.student.steps, changed.student.folds) == (9, 5, None)


def test_a_student_of_another_kind_is_refused() -> None:
    with pytest.raises(DataError, match="is for 'image'"):
        two(student={"kind": "image", "network": "resnet"})
