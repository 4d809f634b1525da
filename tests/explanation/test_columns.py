"""Importance in groups of correlated columns, effects of columns, deletion curves, chosen rows, agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import rarebird as rb
from rarebird.data.dataset import Frame
from rarebird.explanation import chosen_rows, deletion
from rarebird.explanation.agreement import agreement
from rarebird.explanation.column_groups import associations, column_groups
from rarebird.explanation.effects import column_effects
from rarebird.explanation.explain import Explainer
from rarebird.explanation.permutation_importance import permutation_importance
from rarebird.explanation.shipped import ShippedOutput
from rarebird.model.model import Model
from tests.explanation import planted


@pytest.fixture(scope="module")
def model() -> Model:
    return planted.model_of(planted.table(240), network={"name": "mlp", "width": 16, "depth": 1}, steps=40)


def test_copies_of_a_column_are_one_group() -> None:
    rng = np.random.default_rng(0)
    a, city = rng.normal(size=300), rng.choice(["x", "y", "z"], 300)
    frame = pd.DataFrame(
        {
            "a": a,
            "turned": -np.exp(a) + rng.normal(0, 0.01, 300),
            "free": rng.normal(size=300),
            "city": city,
            "code": np.char.upper(city),
            "level": np.select([city == "x", city == "y"], [0.0, 5.0], 9.0) + rng.normal(0, 0.1, 300),
            "many": np.arange(300).astype(str),
        }
    )
    assert column_groups(frame) == [["a", "turned"], ["free"], ["city", "code", "level"], ["many"]]
    strength = associations(frame)
    assert np.allclose(strength, strength.T)
    assert ((strength >= 0) & (strength <= 1)).all()


def test_the_plant_is_the_most_important_column(model: Model) -> None:
    found = permutation_importance(ShippedOutput(model), planted.table(240), np.random.default_rng(0))
    assert found[0].columns == ("plant",)
    assert found[0].low > 10 * max(abs(one.increase) for one in found[1:])
    assert all(one.low <= one.increase <= one.high for one in found)
    noise = next(one for one in found if one.columns == ("ward",))
    assert noise.low < 0.01


def test_the_effect_rises_with_the_plant_and_the_truth_of_a_line_is_found(model: Model) -> None:
    data = planted.table(240)
    plant, ward = column_effects(ShippedOutput(model), data, 1, ["plant", "day", "ward"])
    assert plant.effect[-1] - plant.effect[0] > 2
    assert sorted(ward.places) == ["a", "b", "c"]
    assert np.abs(ward.effect).max() < 1
    made = planted.regression(200)
    line = planted.model_of(made, network="linear", steps=400)
    shipped = ShippedOutput(line)
    effect = column_effects(shipped, made, 0, ["a"])[0]
    changed = made.raw().assign(a=effect.places[-1])
    low = made.raw().assign(a=effect.places[0])
    ends = [
        shipped.of_inputs(shipped.inputs(replace(made, source=Frame(one))), shipped.codes(np.zeros(200)))
        for one in (changed, low)
    ]
    # Of a model without interactions, accumulated effects are the difference itself.
    assert effect.effect[-1] - effect.effect[0] == pytest.approx((ends[0] - ends[1]).mean(), rel=1e-4)


def test_deleting_what_matters_beats_a_random_order(model: Model) -> None:
    data = planted.table(240)
    rare = data.take(np.flatnonzero(data.codes == 1)[:20])
    explainer, codes = Explainer(model, data), np.ones(20, dtype=np.int64)
    amounts = explainer.explain(rare, codes, explainer.main_method())
    each = explainer.shipped.inputs(rare)
    best = explainer.deletion_curve(each, codes, deletion.order_of(amounts))
    rng = np.random.default_rng(0)
    mixed = explainer.deletion_curve(each, codes, np.stack([rng.permutation(4) for _ in range(20)]))
    np.testing.assert_allclose(best[:, 0], amounts.explained, rtol=1e-5)
    np.testing.assert_allclose(best[:, -1], mixed[:, -1], rtol=1e-5)
    assert deletion.area(best).mean() < deletion.area(mixed).mean() - 0.5


def test_rows_are_chosen_by_what_the_model_says_of_them() -> None:
    truth = np.array([1, 1, 1, 1, 0, 0])
    p = np.array([0.9, 0.6, 0.7, 0.2, 0.8, 0.1])
    labels = (p > 0.5).astype(np.int64)
    found = chosen_rows.of_class(1, truth, labels, np.stack([1 - p, p], axis=1), 1)
    assert [(one.row, one.why) for one in found] == [
        (0, "typical"),
        (1, "hardest"),
        (3, "wrongly named"),
        (4, "mistaken for it"),
    ]
    assert chosen_rows.rare_first(np.array([5, 0, 2]), 5) == [2, 0]


def test_the_same_model_agrees_with_itself_and_another_less(model: Model) -> None:
    data = planted.table(240)
    same = agreement(model, model, data, data, most=6)
    assert [one.label for one in same] == list(planted.CLASSES)
    assert all(one.rows == 6 and one.correlation == pytest.approx(1) for one in same)
    # Labels that the plant does not decide.
    other = planted.model_of(replace(data, y=np.random.default_rng(1).permutation(data.codes)), network="linear")
    assert all(one.correlation < 0.8 for one in agreement(model, other, data, data, most=6) if one.correlation)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label": "rar"}, "The model knows no class 'rar'; did you mean 'rare'?"),
        ({"method": "grad_cams"}, "There is no method 'grad_cams' of explanation; did you mean 'grad_cam'?"),
        ({"method": "grad_cam"}, "cannot explain this model"),
        ({"method": "tree_shap"}, "not all of it are boosted trees"),
        ({"output": "logit"}, "There is no `output` 'logit'"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(model: Model, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(rb.DataError) as refused:
        rb.explain(model, planted.table(20), **options)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_missing_values_are_a_category_of_their_own(dtype: str) -> None:
    missing = pd.Series(["u", None, "u", None, "v", None] * 5).astype(dtype)
    rank = missing.isna().to_numpy(dtype=float)
    found = associations(pd.DataFrame({"a": rank, "b": missing, "c": missing}))
    assert np.isfinite(found).all()
    assert found[1, 0] > 0.9
