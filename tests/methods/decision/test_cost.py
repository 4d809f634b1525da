"""Cost: the cheapest of all labelings, `balanced` and `argmax` as special cases, and costs that do not fit refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("text", ["", "true,ill\nwell,much\n", "true,ill\nill,1\nill,2\n", "true,ill\nill,1,2\n"])
def test_a_csv_file_without_costs_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"costs\.csv") as refused:
        read_costs(file)
    if "much" in text:
        assert "has the cost 'much' of the label 'ill' for 'well'; give a number" in str(refused.value)
    with pytest.raises(DataError, match="no costs that can be read"):
        read_costs(tmp_path / "none.csv")


def test_a_csv_file_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """A byte order mark, a corner with a comma in it, spaces, empty lines, and rows that end early."""
    file = tmp_path / "costs.csv"
    text = '\ufeff"true, below: label",krank, gesünder \r\n\r\nkrank,,10\r\n , ,\r\n gesünder ,2\r\n'
    file.write_bytes(text.encode())
    assert read_costs(file) == {"krank": {"gesünder": 10}, "gesünder": {"krank": 2}}


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1, 1e12])
def test_the_unit_of_costs_does_not_matter_also_at_ties_and_on_tensors(scale: float) -> None:
    prior = np.array([0.7, 0.25, 0.05])
    unequal = np.where(np.eye(3, dtype=bool), 0, 1 / prior[:, None])
    # Right labels cost something, too: at 10 to 1 both labels cost the same, and a mistake on the second costs more.
    paid = np.array([[5.0, 6.0], [10.0, 0.0]])
    rng = np.random.default_rng(3)
    for costs, tie in ((unequal, prior), (paid, np.array([10.0, 1.0]) / 11)):
        near = np.stack([tie * (1 + 1e-14), tie * (1 - 1e-14)])
        p = np.concatenate([rng.dirichlet(np.ones(len(tie)), size=200), tie[None], near])
        expected = cheapest(p, costs)
        assert expected[-3:].tolist() == [len(tie) - 1] * 3
        np.testing.assert_array_equal(cheapest(p, scale * costs), expected)
        fitted = FittedCost(costs=tuple(map(tuple, (scale * costs).tolist())))
        np.testing.assert_array_equal(fitted(p), expected)
        np.testing.assert_array_equal(fitted.on_tensors(torch.from_numpy(p)).numpy(), expected)
        # Exported networks give single precision.
        rows = p[:200].astype(np.float32)
        np.testing.assert_array_equal(fitted.on_tensors(torch.from_numpy(rows)).numpy(), fitted(rows))


@pytest.mark.parametrize(("positive", "code"), [("b", 1), ("c", 2), (None, 2)])
def test_a_column_multiplies_the_costs_of_the_positive_or_the_rarest_class(positive: str | None, code: int) -> None:
    p = np.array([[0.4, 0.3, 0.3]], dtype=np.float32)
    rows = DecisionRows(
        p, np.zeros(1, int), np.ones(1), lambda *_: 0.0, np.array([0.6, 0.3, 0.1]), ("a", "b", "c"), positive
    )
    value = Cost(costs={"*": {"*": 1}}, column="amount")
    fitted = value.fit(rows)
    assert (fitted.column, fitted.code) == ("amount", code)
    assert fitted(p, np.array([1.0])).tolist() == [0]
    assert fitted(p, np.array([1.4])).tolist() == [code]
    assert p.tolist() == np.float32([[0.4, 0.3, 0.3]]).tolist(), "probabilities are not changed"
    plain = Cost(costs={"*": {"*": 1}}).fit(rows)
    assert (plain.column, plain.code) == (None, None)
    assert plain(p, np.array([9.0])).tolist() == [0]
    # A class without training rows is not the rarest.
    absent = DecisionRows(p, np.zeros(1, int), np.ones(1), lambda *_: 0.0, np.array([0.6, 0.4, 0.0]))
    assert value.fit(absent).code == 1


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
