"""Recipe: round trips through TOML, --set in all its forms, and refusals with the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarebird.core.checks import DataError
from rarebird.recipe.recipe import Recipe
from rarebird.recipe.stage_plans import Stage
from rarebird.recipe.text import _parse_value
from rarebird.slots.methods import names

NETWORK = names("network", "image")[0]


def recipe(**fields: Any) -> Recipe:
    return Recipe(**{"kind": "image", "network": NETWORK} | fields)


def test_round_trip_of_a_full_recipe() -> None:
    full = recipe(
        seed=7,
        steps=1200,
        epochs=2.5,
        channels_last=True,
        metric="recall:肺炎",
        loss={"name": "weighted", "class_weight": {"正常": 1.0, 'a "quoted"\\label\n': 2.5, "\x7f": 1e-7, "": 1e20}},
        augmentation=["rotate", {"name": "noise", "strength": 0.2}],
        regularization=["ema", {"name": "early_stopping", "metric": "损失"}],
        calibration=["prior_correction", "temperature"],
        stages=[
            {"share": 3},
            {
                "trainable": "head",
                "overrides": {"loss": "logit_adjusted", "batch_sampling": {"name": "class_balanced"}},
            },
        ],
    )
    again = Recipe.from_toml(full.to_toml())
    assert again == full
    assert again.to_toml() == full.to_toml()
    assert Recipe(**full.plain()) == full


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.floats(1e-300, 1e300), min_size=1, max_size=4), st.text(max_size=12))
def test_any_label_and_number_survives_toml(class_weight: dict[str, float], metric: str) -> None:
    full = recipe(metric=metric, loss={"name": "weighted", "class_weight": class_weight})
    assert Recipe.from_toml(full.to_toml()) == full


def test_fields_that_are_not_set_are_not_written() -> None:
    text = recipe().to_toml()
    assert "steps" not in text
    assert "resampling" not in text
    assert "[loss]" in text


def test_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "配方.toml"
    path.write_text(recipe(metric="macro_f1").to_toml(), encoding="utf-8")
    assert Recipe.read(path) == recipe(metric="macro_f1")
    path.write_bytes(b"\xff\xfe")
    for wrong in (path, tmp_path / "none.toml"):
        with pytest.raises(DataError, match="cannot be read"):
            Recipe.read(wrong)
    path.write_text("kind = ", encoding="utf-8")
    with pytest.raises(DataError, match="is no valid TOML"):
        Recipe.read(path)


@pytest.mark.parametrize(
    ("assignments", "fields"),
    [
        (["loss=focal"], {"loss": "focal"}),
        (["loss=focal", "loss.gamma=3"], {"loss": {"name": "focal", "gamma": 3}}),
        (["loss={name=focal,gamma=3}"], {"loss": {"name": "focal", "gamma": 3}}),
        (["loss=focal", "loss.alpha=balanced", "loss.alpha=none"], {"loss": "focal"}),
        (["augmentation=[rotate,noise]"], {"augmentation": ["rotate", "noise"]}),
        (["augmentation=rotate"], {"augmentation": ["rotate"]}),
        (
            ["augmentation=[rotate, noise]", "augmentation.rotate.degrees=5"],
            {"augmentation": [{"name": "rotate", "degrees": 5}, "noise"]},
        ),
        (
            ["augmentation=[rotate,noise]", "augmentation.0.degrees=5"],
            {"augmentation": [{"name": "rotate", "degrees": 5}, "noise"]},
        ),
        (
            ["augmentation=[{name=rotate, degrees=5}, noise]"],
            {"augmentation": [{"name": "rotate", "degrees": 5}, "noise"]},
        ),
        (["augmentation=[rotate]", "augmentation=none"], {}),
        (
            ["loss=weighted", "loss.class_weight={猫=1, 狗=2.5}"],
            {"loss": {"name": "weighted", "class_weight": {"猫": 1, "狗": 2.5}}},
        ),
        (
            ["loss=weighted", 'loss.class_weight={"0": 1, "1": 2}'],
            {"loss": {"name": "weighted", "class_weight": {"0": 1, "1": 2}}},
        ),
        (
            ["loss={name=weighted,class_weight={猫=1}}", "loss.class_weight.猫=3"],
            {"loss": {"name": "weighted", "class_weight": {"猫": 3}}},
        ),
        (
            ["stages=[{share=3},{overrides={loss=weighted}}]"],
            {"stages": [Stage(share=3), Stage(overrides={"loss": {"name": "weighted"}})]},
        ),
        (
            ["stages.0.share=2", "stages.0.overrides.loss=focal"],
            {"stages": [Stage(share=2, overrides={"loss": "focal"})]},
        ),
        (["steps=100", "steps=none", "seed=3"], {"seed": 3}),
        (
            ["metric=recall:猫", "channels_last=true", "epochs=2.5"],
            {"metric": "recall:猫", "channels_last": True, "epochs": 2.5},
        ),
        (["optimizer.learning_rate=1e-4"], {"optimizer": {"name": "adamw", "learning_rate": 1e-4}}),
    ],
)
def test_set_forms(assignments: list[str], fields: dict[str, Any]) -> None:
    assert recipe().with_settings(assignments) == recipe(**fields)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lss=focal", "The recipe has no key 'lss'; did you mean 'loss'?"),
        ("loss=focl", "loss has no method 'focl'; did you mean 'focal'?"),
        ("optimizer.learning_rat=1", "adamw has no setting 'learning_rat'; did you mean 'learning_rate'?"),
        ("optimizer.learning_rate=-1", "`learning_rate > 0` must hold for adamw, but got learning_rate=-1."),
        (
            "augmentation.rotate.degrees=5",
            "'augmentation.rotate.degrees' addresses no entry of augmentation; there are none.",
        ),
        ("resampling.k=3", "resampling holds no method, so 'resampling.k' cannot be set; set resampling=NAME first."),
        ("stages=[]", "stages"),
        ("stages=[{overrides={los=focal}}]", "a stage cannot override 'los'; did you mean 'loss'?"),
        ("stages=[{overrides={loss={name=focal,gama=1}}}]", "focal has no setting 'gama'; did you mean 'gamma'?"),
        ("kind=tabel", "`kind is 'image', 'table' or 'series'` must hold for recipe, but got kind='tabel'."),
        ("loss", "--set takes KEY=VALUE, but got 'loss'."),
        ("=3", "--set takes KEY=VALUE, but got '=3'."),
        ("loss=none", "loss takes a method's name or a table with `name`, but got None."),
        ("seed=-1", "`seed >= 0` must hold for recipe, but got seed=-1."),
    ],
)
def test_refusals_are_one_sentence(assignment: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        recipe().with_settings([assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_for_another_kind_is_refused() -> None:
    tables = sorted(set(names("network", "table")) - set(names("network", "image")))
    fields = {"network": tables[0]} if tables else {"augmentation": ["cell_noise"]}
    with pytest.raises(DataError, match="does not serve data of kind 'image'"):
        recipe(**fields)


def test_unknown_and_odd_keys_of_a_file_are_refused() -> None:
    for key in ("self", "los"):
        with pytest.raises(DataError, match=f"recipe has no setting '{key}'"):
            Recipe.from_toml(f'kind = "image"\nnetwork = "{NETWORK}"\n{key} = 1\n')


def test_a_changed_copy_is_validated_and_the_recipe_stays() -> None:
    first = recipe()
    assert first.updated(steps=5).steps == 5
    assert first.steps is None
    with pytest.raises(DataError, match="steps >= 1"):
        first.updated(steps=0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("word", "word"),
        ("None", None),
        ("", None),
        ("[a,[b,1],{c=d}]", ["a", ["b", 1], {"c": "d"}]),
        ("[]", []),
        ("[猫, 狗]", ["猫", "狗"]),
        ("a=b", "a=b"),
    ],
)
def test_values_of_set(text: str, value: object) -> None:
    assert _parse_value(text) == value
