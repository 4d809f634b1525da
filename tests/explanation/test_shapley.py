"""Shapley values and exact contributions: all orders of a few columns, LightGBM's own numbers, exact sums."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from rarebird.explanation.attention_shares import attention_shares
from rarebird.explanation.explain import Effort, Explainer
from rarebird.explanation.features import Features
from rarebird.explanation.players import Players
from rarebird.explanation.shapley import shapley
from rarebird.explanation.shipped import ShippedOutput
from rarebird.explanation.tree_contributions import tree_contributions
from rarebird.model.model import Model
from tests.explanation import planted


@pytest.fixture(scope="module")
def trees() -> Model:
    return planted.model_of(planted.table(), network="mlp", reference="boosted_trees", steps=15)


def test_many_orders_give_the_mean_over_all_orders(trees: Model) -> None:
    data = planted.table()
    shipped = ShippedOutput(trees)
    row, other = (shipped.inputs(data.take(np.array([place]))) for place in (0, 1))
    features, code = Features(shipped), np.array([1])
    exact = np.zeros(4)
    for order in permutations(range(4)):
        keep = np.zeros((5, 4), dtype=bool)
        for step, place in enumerate(order):
            keep[step + 1 :, place] = True
        import torch

        wide = [{name: part.repeat(5, 1) for name, part in x.items()} for x in row]
        against = [{name: part.repeat(5, 1) for name, part in x.items()} for x in other]
        mixed = [
            features.mixed(place, x, b, torch.from_numpy(keep))
            for place, (x, b) in enumerate(zip(wide, against, strict=True))
        ]
        outputs = shipped.of_inputs(mixed, shipped.codes(np.ones(5)))
        exact[list(order)] += np.diff(outputs) / 24
    found = shapley(shipped, row, other, code, np.random.default_rng(0), 200)
    np.testing.assert_allclose(found.values[0], exact, atol=0.05 * np.abs(exact).max())
    np.testing.assert_allclose(found.errors, 0, atol=1e-9)


@pytest.mark.parametrize("kind", ["image", "series"])
def test_amounts_of_parts_add_up_for_every_kind(kind: str) -> None:
    data = planted.pictures(24) if kind == "image" else planted.series(24)
    model = planted.model_of(data, network={"name": "cnn", "width": 4, "dense": 8}, steps=1)
    explainer = Explainer(model, data, effort=Effort(background=3, orders=2))
    found = explainer.explain(data.take(np.arange(3)), data.codes[:3], "shapley")
    np.testing.assert_allclose(found.errors, 0, atol=1e-9)
    assert (
        found.values.shape[1:] == explainer.shipped.inputs(data)[0]["pixels" if kind == "image" else "values"].shape[1:]
    )


@pytest.mark.parametrize("kind", ["table", "image", "series"])
def test_every_feature_has_one_part(kind: str) -> None:
    data = {"table": planted.table, "image": planted.pictures, "series": planted.series}[kind](24)
    features = Features(ShippedOutput(planted.model_of(data, network="linear", steps=1)))
    players = Players(features)
    assert set(players.owner.flatten().tolist()) == set(range(players.count))


def test_exact_contributions_of_one_model_are_those_of_lightgbm_times_the_slope() -> None:
    data = planted.table()
    model = planted.model_of(data, network="mlp", reference="boosted_trees", steps=15, folds=0, holdout=0.3)
    shipped = ShippedOutput(model)
    each, codes = shipped.inputs(data), np.ones(len(data), dtype=np.int64)
    found = tree_contributions(shipped, each, codes)
    booster = model.members[0].network.booster  # type: ignore[union-attr]
    from rarebird.methods.reference.boosted_trees import cells

    own = booster.predict(cells(each[0]), pred_contrib=True)
    # Columns: numbers in the order of the table (noise, plant, four of the date), then the category.
    by_column = np.stack([own[:, 0], own[:, 1], own[:, 6], own[:, 2:6].sum(axis=1)], axis=1)
    slope = (found.values[:, 1] @ by_column[:, 1]) / (by_column[:, 1] @ by_column[:, 1])
    np.testing.assert_allclose(found.values, slope * by_column, atol=1e-8)
    np.testing.assert_allclose(found.errors, 0, atol=1e-9)


def test_exact_contributions_of_several_models_add_up(trees: Model) -> None:
    data = planted.table()
    shipped = ShippedOutput(trees)
    assert len(trees.members) == 2
    found = tree_contributions(shipped, shipped.inputs(data), data.codes)
    np.testing.assert_allclose(found.errors, 0, atol=1e-6)
    assert (np.abs(found.values).mean(axis=0).argmax()) == found.names.index("plant")


@pytest.mark.parametrize("pooling", ["attention", "mean"])
@pytest.mark.parametrize("kind", ["table", "image", "series"])
def test_attention_is_a_share_of_each_place(kind: str, pooling: str) -> None:
    data = {"table": planted.table, "image": planted.pictures, "series": planted.series}[kind](24)
    settings = {"name": "transformer", "depth": 2, "heads": 1, "most_tokens": 8, "pooling": pooling}
    model = planted.model_of(data, network=settings, steps=1)
    shipped = ShippedOutput(model)
    found = attention_shares(shipped, shipped.inputs(data.take(np.arange(6))), data.codes[:6])
    assert (found.values >= 0).all()
    np.testing.assert_allclose(found.values.reshape(6, -1).sum(axis=1), 1, rtol=1e-5)
    if kind == "series":
        lengths = data.raw()[1][:6]
        beyond = np.arange(found.values.shape[2]) >= lengths[:, None]
        assert (found.values[:, 0][beyond] == 0).all()
