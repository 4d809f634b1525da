"""Integrated gradients: captum gives the same numbers; sums, lines between categories, and randomized weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from rarebird.explanation.agreement import rank_correlations
from rarebird.explanation.explain import Effort, Explainer
from rarebird.explanation.features import taken_of_all
from rarebird.explanation.integrated_gradients import between_categories, integrated_gradients, is_differentiable
from rarebird.explanation.shipped import ShippedOutput
from rarebird.model.model import Model
from tests.explanation import planted

STEPS = 20


@pytest.fixture(scope="module")
def of_pictures() -> Model:
    return planted.model_of(
        planted.pictures(), network={"name": "cnn", "width": 4, "dense": 16, "dropout": 0.0}, steps=25
    )


@pytest.fixture(scope="module")
def of_table() -> Model:
    return planted.model_of(planted.table(), network={"name": "mlp", "width": 16, "depth": 1}, steps=40)


def test_captum_gives_the_same_numbers_for_the_whole_model(of_pictures: Model) -> None:
    data = planted.pictures()
    shipped = ShippedOutput(of_pictures)
    rows, background = shipped.inputs(data.take(np.arange(4))), shipped.inputs(data.take(np.array([7])))
    codes = np.array([1, 0, 0, 1])
    found = integrated_gradients(shipped, rows, background, codes, STEPS, STEPS)

    def output(pixels: Tensor, wanted: Tensor) -> Tensor:
        each = [shipped.member_logits(place, {"pixels": pixels}) for place in range(len(of_pictures.members))]
        return shipped.of_logits(each, wanted)

    pixels, baseline = rows[0]["pixels"], background[0]["pixels"].expand(4, -1, -1, -1)
    referee = IntegratedGradients(output).attribute(
        pixels,
        baseline,
        additional_forward_args=(torch.from_numpy(codes),),
        n_steps=STEPS,
        method="riemann_middle",
    )
    np.testing.assert_allclose(found.values, referee.numpy(), rtol=1e-3, atol=2e-5)
    np.testing.assert_allclose(found.values.reshape(4, -1).sum(1), found.explained - found.base, rtol=0.1, atol=0.1)


def test_the_points_are_tripled_until_the_amounts_add_up(of_table: Model) -> None:
    data = planted.table()
    shipped = ShippedOutput(of_table)
    rows, background = shipped.inputs(data.take(np.arange(6))), shipped.inputs(data.take(np.arange(20, 24)))
    few = integrated_gradients(shipped, rows, background, data.codes[:6], 1, 1)
    many = integrated_gradients(shipped, rows, background, data.codes[:6], 1, 256)
    assert many.relative_errors.max() < 0.03 < few.relative_errors.max()
    tripled = integrated_gradients(shipped, rows, background, data.codes[:6], 5, 15)
    at_once = integrated_gradients(shipped, rows, background, data.codes[:6], 15, 15)
    refined = integrated_gradients(shipped, rows, background, data.codes[:6], 5, 5).relative_errors > 0.03
    assert refined.any()
    np.testing.assert_allclose(tripled.values[refined], at_once.values[refined], rtol=1e-4, atol=1e-5)


def test_a_category_moves_between_its_embeddings(of_table: Model) -> None:
    """At share 0 the network answers for the background's categories, at share 1 for the row's own."""
    data = planted.table()
    shipped = ShippedOutput(of_table)
    rows, other = (shipped.inputs(data.take(np.arange(start, start + 5)))[0] for start in (0, 30))
    network = of_table.members[0].network
    for share, codes in ((0.0, other), (1.0, rows)):
        with between_categories(network, other, rows, torch.full((5,), share)):
            moved = network(rows)
        expected = network({**rows, "categories": codes["categories"]})
        torch.testing.assert_close(moved, expected)
    assert not torch.equal(rows["categories"], other["categories"])


def test_what_has_no_gradient_is_known() -> None:
    data, table = planted.series(24), planted.table()
    cases = {
        True: planted.model_of(data, network={"name": "rnn", "width": 4}, steps=1),
        False: planted.model_of(data, network={"name": "random_kernels", "groups": 2, "kernels": 2}, steps=1),
    }
    for expected, model in cases.items():
        shipped = ShippedOutput(model)
        assert is_differentiable(shipped, shipped.inputs(data)) is expected
    trees = ShippedOutput(planted.model_of(table, network="mlp", reference="extra_trees", steps=3))
    assert not is_differentiable(trees, trees.inputs(table))


def test_frozen_patches_are_explained_by_their_gradient() -> None:
    """The solved head's output adds up from the pixels, also where a patch is found nowhere (a root's slope at 0)."""
    data = planted.pictures()
    pixels = data.source.array  # type: ignore[union-attr]
    pixels[:, :, 8:] = 40  # even regions
    model = planted.model_of(data, network={"name": "random_patches", "patches": 8, "side": 3}, head="ridge")
    explainer = Explainer(model, data, effort=Effort(background=4, steps=16, most_steps=150))
    assert explainer.main_method() == "integrated_gradients"
    rare = data.take(np.flatnonzero(data.codes == 1)[:6])
    amounts = explainer.explain(rare, np.ones(6, dtype=np.int64), "integrated_gradients")
    assert amounts.relative_errors.max() < 0.05
    size = np.abs(amounts.values).sum(axis=1)
    assert (size[:, :4, :4].sum(axis=(1, 2)) > 4 * 16 / 256 * size.sum(axis=(1, 2))).all()


def test_amounts_find_the_plant_and_change_with_the_weights(of_pictures: Model) -> None:
    """The sanity check of Adebayo et al. (2018): an explanation that does not change when the weights are drawn anew
    explains the picture, not the model."""
    data = planted.pictures()
    rare = data.take(np.flatnonzero(data.codes == 1)[:8])
    codes, effort = np.ones(8, dtype=np.int64), Effort(background=4, most_steps=32)
    before = Explainer(of_pictures, data, effort=effort).explain(rare, codes, "integrated_gradients")
    size = np.abs(before.values).sum(axis=1)
    assert (size[:, :4, :4].sum(axis=(1, 2)) > 4 * 16 / 256 * size.sum(axis=(1, 2))).all()
    states = [{name: part.clone() for name, part in one.network.state_dict().items()} for one in of_pictures.members]
    generator = torch.Generator().manual_seed(0)
    try:
        for member in of_pictures.members:
            for parameter in member.network.parameters():
                parameter.data = parameter.data.std().nan_to_num(0.1) * torch.randn(
                    parameter.shape, generator=generator
                )
        after = Explainer(of_pictures, data, effort=effort).explain(rare, codes, "integrated_gradients")
    finally:
        for member, state in zip(of_pictures.members, states, strict=True):
            member.network.load_state_dict(state)
    again = Explainer(of_pictures, data, effort=effort).explain(rare, codes, "integrated_gradients")
    assert np.abs(rank_correlations(before, after)).mean() < 0.3
    np.testing.assert_allclose(rank_correlations(before, again), 1)


def test_a_row_does_not_depend_on_the_rows_beside_it(of_table: Model) -> None:
    data = planted.table()
    shipped = ShippedOutput(of_table)
    rows, background = shipped.inputs(data.take(np.arange(5))), shipped.inputs(data.take(np.arange(20, 23)))
    together = integrated_gradients(shipped, rows, background, data.codes[:5])
    alone = integrated_gradients(shipped, taken_of_all(rows, np.array([3])), background, data.codes[3:4])
    np.testing.assert_allclose(alone.values[0], together.values[3], rtol=1e-4, atol=1e-6)
