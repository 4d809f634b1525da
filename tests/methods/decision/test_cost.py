"""Cost: the cheapest of all labelings, `balanced` and `argmax` as special cases, and costs that do not fit refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.decision.balanced import above_prior
from rarebird.methods.decision.cost import Cost, FittedCost, cheapest, cost_matrix, read_costs
from rarebird.slots.decisions import DecisionRows

CLASSES = ("ill", "unsure", "well")


def test_equals_brute_force_over_all_labelings() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        p, costs = rng.dirichlet(np.ones(3), size=4), rng.normal(size=(3, 3))
        expected = p @ costs
        best = min(itertools.product(range(3), repeat=4), key=lambda labels: expected[range(4), labels].sum())
        assert tuple(cheapest(p, costs)) == best


def test_inverse_priors_give_the_balanced_decision_also_at_ties() -> None:
    prior = np.array([0.7, 0.25, 0.05])
    costs = np.where(np.eye(3, dtype=bool), 0, 1 / prior[:, None])
    p = np.concatenate([np.random.default_rng(0).dirichlet(np.ones(3), size=500), prior[None]])
    np.testing.assert_array_equal(cheapest(p, costs), above_prior(p, prior))


def test_equal_costs_give_argmax_and_benefits_are_negative_costs() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(4), size=100)
    np.testing.assert_array_equal(cheapest(p, 1 - np.eye(4)), p.argmax(axis=1))
    np.testing.assert_array_equal(cheapest(p, -np.eye(4)), p.argmax(axis=1))


def test_costs_are_stated_by_label_and_others_by_a_star() -> None:
    costs = cost_matrix({"ill": {"*": 10, "unsure": 2}, "*": {"*": 1}, "well": {"ill": 3, "well": -1}}, CLASSES)
    np.testing.assert_array_equal(costs, [[0, 2, 10], [1, 0, 1], [3, 1, -1]])
    # A cost for a label of other classes is not that of the right label.
    np.testing.assert_array_equal(cost_matrix({"*": {"*": 1, "ill": 5}}, CLASSES)[:, 0], [0, 5, 5])


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"sick": {"well": 1}}, "name the class 'sick', which does not exist"),
        ({"ill": {"wel": 1}}, "did you mean 'well'"),
        ({"ill": {"*": 1}}, "lack what it costs to label a row of 'unsure' as 'ill'"),
    ],
)
def test_costs_that_do_not_fit_the_classes_are_refused(costs: dict[str, dict[str, float]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Cost(costs=costs).check("macro_f1", CLASSES)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "dear"])
def test_costs_are_finite_numbers(bad: object) -> None:
    with pytest.raises(ValueError, match=r"cost cannot take costs\.ill\.well="):
        Cost(costs={"ill": {"well": bad}})


def test_a_csv_file_is_read_into_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text("true,ill,unsure,well\nill,,2,10\nunsure,1,0,1\nwell,1.5,1,\n", encoding="utf-8")
    value = Cost(costs=str(file))
    assert value.costs == {"ill": {"unsure": 2, "well": 10}, "unsure": {"ill": 1, "unsure": 0, "well": 1}} | {
        "well": {"ill": 1.5, "unsure": 1}
    }
    rows = DecisionRows(np.ones((1, 3)) / 3, np.zeros(1, int), np.ones(1), lambda *_: 0.0, np.ones(3) / 3, CLASSES)
    np.testing.assert_array_equal(value.fit(rows).matrix, [[0, 2, 10], [1, 0, 1], [1.5, 1, 0]])


@pytest.mark.parametrize("text", ["", "true,ill\nill,much\n", "true,ill\nill,1\nill,2\n", "true,ill\nill,1,2\n"])
def test_a_csv_file_without_costs_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"costs\.csv"):
        read_costs(file)
    with pytest.raises(DataError, match="no costs that can be read"):
        read_costs(tmp_path / "none.csv")


def test_other_class_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="a cost of each label for each class"):
        FittedCost(costs=((0, 1), (1, 0)))(np.ones((1, 3)) / 3)


def test_costs_of_each_row_multiply_those_of_one_class() -> None:
    rng = np.random.default_rng(2)
    p, amount = rng.dirichlet(np.ones(2), size=200), rng.uniform(0, 20, 200)
    value = Cost(costs={"ill": {"well": 1}, "well": {"ill": 2}}, column="amount")
    rows = DecisionRows(
        p, np.zeros(200, int), np.ones(200), lambda *_: 0.0, np.array([0.1, 0.9]), ("ill", "well"), "ill"
    )
    fitted = value.fit(rows)
    expected = [int(2 * well < amount[row] * ill) for row, (ill, well) in enumerate(p)]
    np.testing.assert_array_equal(fitted(p, amount) == 0, np.array(expected, dtype=bool))
    np.testing.assert_array_equal(fitted(p), fitted(p, np.ones(200)))
