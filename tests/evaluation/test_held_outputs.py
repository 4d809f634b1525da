"""Raw outputs of held-out rows: one network's rows, also where it holds out no row or only the rows that it learned
from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from rarebird.core.compute import Compute
from rarebird.data.dataset import Dataset, Frame, Splits
from rarebird.evaluation import held_outputs
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.training.cross_fit import CrossFit, cross_fit_all
from tests.training.made_rows import recipe, rows

TRAIN = rows(60)
ALL, NONE = np.arange(60), np.arange(0)


def trained() -> CrossFit:
    return cross_fit_all(recipe(), Splits(TRAIN), [(ALL, NONE)], Compute())


def test_a_network_that_holds_out_nothing_has_no_outputs() -> None:
    held = held_outputs.predict(trained(), TRAIN, "cpu")
    assert held.outputs.shape == (0, 2)
    assert len(held.rows) == len(held.y) == len(held.weight) == len(held.network) == 0


def test_leave_one_out_outputs_are_enough_without_other_held_out_rows() -> None:
    outputs = np.random.default_rng(0).normal(size=(60, 2))
    models = trained()
    models = replace(models, trained=[replace(models.trained[0], own_outputs=outputs)], held_rows=[ALL])
    held = held_outputs.predict(models, TRAIN, "cpu")
    np.testing.assert_array_equal(held.outputs, outputs)
    np.testing.assert_array_equal(held.rows, ALL)


def held(place: int, rows: list[int]) -> HeldOut:
    at = np.array(rows)
    return HeldOut(at, np.stack([at + 0.1, -at], axis=1), at % 2, at + 0.5, np.full(len(at), place))


def test_parts_are_joined_and_chosen_with_all_that_is_known_of_their_rows() -> None:
    both = held_outputs.join([held(0, [3, 1]), held(1, [8])])
    np.testing.assert_array_equal(both.rows, [3, 1, 8])
    np.testing.assert_array_equal(both.outputs, [[3.1, -3], [1.1, -1], [8.1, -8]])
    np.testing.assert_array_equal([both.y, both.weight, both.network], [[1, 1, 0], [3.5, 1.5, 8.5], [0, 0, 1]])
    some = both.where(np.array([False, True, True]))
    np.testing.assert_array_equal([some.rows, some.y, some.weight, some.network], [[1, 8], [1, 0], [1.5, 8.5], [0, 1]])
    np.testing.assert_array_equal(some.outputs, both.outputs[1:])


def test_rows_come_with_their_labels_and_weights_and_numbers_without_codes() -> None:
    data = replace(TRAIN, weight=np.arange(60) + 1.0)
    at, outputs = np.array([7, 2]), np.ones((2, 2))
    found = held_outputs.of_rows(data, at, outputs, 3)
    np.testing.assert_array_equal([found.rows, found.y], [at, TRAIN.codes[at]])
    np.testing.assert_array_equal([found.weight, found.network], [[8, 3], [3, 3]])
    assert found.outputs is outputs
    values = replace(TRAIN, task="regression", y=np.linspace(0, 1, 60), classes=())
    found = held_outputs.of_rows(values, at, outputs, 0)
    assert (found.y.tolist(), found.y.dtype) == ([0, 0], np.int64)


def test_members_share_the_weight_of_their_recipe() -> None:
    models = trained()
    twice = replace(models, trained=[*models.trained, *models.trained], held_rows=[ALL, NONE], weight=3.0)
    members = held_outputs.members_of(twice, 4)
    assert [(one.place, one.weight) for one in members] == [(4, 1.5), (4, 1.5)]
    assert members[0].network is models.trained[0].network
    assert held_outputs.members_of(replace(models, trained=[])) == []
    assert held_outputs.prior_factors(twice) == [models.trained[0].prior_factor] * 2
    predicted = held_outputs.predict(twice, TRAIN, "cpu", members)
    np.testing.assert_array_equal(predicted.rows, ALL)
    np.testing.assert_array_equal(predicted.network, 0)
    np.testing.assert_allclose(predicted.outputs, members[0].logits(TRAIN, "cpu"))
    second = held_outputs.predict_one(replace(twice, held_rows=[NONE, ALL]), 1, TRAIN, "cpu")
    np.testing.assert_array_equal(second.network, 1)
    np.testing.assert_allclose(second.outputs, predicted.outputs)


def test_classes_that_no_held_out_row_shows_are_named() -> None:
    def labelled(codes: list[int], weight: list[float] | None = None) -> Dataset:
        frame = Frame(pd.DataFrame({"a": np.zeros(len(codes))}))
        at = np.arange(len(codes))
        return Dataset(
            "table",
            "classification",
            frame,
            at,
            np.array(codes),
            tuple("abcdefgh"),
            at.astype(str),
            weight=None if weight is None else np.array(weight),
        )

    train = labelled([0, 1, 2, 3, 4, 5, 6])
    assert held_outputs.notes_on_unseen_classes(train, train) == []
    rest = ": their probabilities are the networks' own, not calibrated, and no validation figure tests them."
    for shown, named in (
        ([0, 1, 2, 3, 4, 6], "class 'f': its"),
        ([0, 1, 2, 3, 4], "classes 'f', 'g': their"),
        ([6, 0], "classes 'b', 'c', 'd', 'e', 'f': their"),
        ([6], "classes 'a', 'b', 'c', 'd', 'e' and 1 more: their"),
    ):
        expected = f"There is no held-out row of the {named}{rest.removeprefix(': their')}"
        assert held_outputs.notes_on_unseen_classes(labelled(shown), train) == [expected]
    # A row without weight shows nothing; a class that is not trained on is not asked for.
    light = labelled([0, 1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 1, 1])
    (note,) = held_outputs.notes_on_unseen_classes(light, train)
    assert note.startswith("There is no held-out row of the class 'd': its")
    assert held_outputs.notes_on_unseen_classes(light, light) == []
    values = replace(TRAIN, task="regression", y=np.linspace(0, 1, 60), classes=())
    assert held_outputs.notes_on_unseen_classes(values, values) == []


def test_values_are_in_the_targets_own_unit_and_logits_stay_what_they_are() -> None:
    """Of rows that no training saw, and of those that were left out one at a time."""
    raw, own = np.array([[0.5], [-1.0]]), np.array([[2.0]])
    prepared = SimpleNamespace(values=lambda given: 100 + 10 * given, spec=SimpleNamespace(n_outputs=1))
    member: Any = SimpleNamespace(prepared=prepared, logits=lambda rows, device: raw[: len(rows)])
    models: Any = SimpleNamespace(
        trained=[SimpleNamespace(own_outputs=own)],
        unseen_rows=lambda place: np.array([4, 7]),
        held_rows=[np.array([4, 7, 9])],
    )
    values = replace(TRAIN, task="regression", y=np.linspace(0, 1, 60), classes=())
    np.testing.assert_array_equal(held_outputs.outputs_of(member, values.take(np.arange(2)), "cpu"), [[105], [90]])
    found = held_outputs.predict_one(models, 0, values, "cpu", member)
    np.testing.assert_array_equal(found.outputs, [[105], [90], [120]])
    np.testing.assert_array_equal(found.rows, [4, 7, 9])
    assert held_outputs.predict_one(models, 0, TRAIN, "cpu", member).outputs.tolist() == [[0.5], [-1], [2]]
