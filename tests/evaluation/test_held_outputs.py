"""Raw outputs of held-out rows: one network's rows, also where it holds out no row or only the rows that it learned
from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rarebird.core.compute import Compute
from rarebird.data.dataset import Splits
from rarebird.evaluation import held_outputs
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
