"""The sliders' counts: they are the confusion matrix at each cut-off, and no label ends the data of the script."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rarebird.evaluation.cut_offs import MOST_IN_MATRIX, cut_off_counts
from rarebird.evaluation.result import Result
from rarebird.metrics.confusion import confusion_matrix
from rarebird.report.sections.decision import decided, decision_values
from tests.report.made_results import contents


def matrix_at(cells: object, place: int, code: int, size: int) -> list[list[int]]:
    """The confusion matrix at a cut-off, as the page's script computes it."""
    found = np.zeros((size, size), dtype=int)
    for true, below, reached, n in cells:  # type: ignore[attr-defined]
        found[true, code if reached > place else below] += n
    return found.tolist()


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.choice(4, 500, p=[0.6, 0.25, 0.1, 0.05])
    logits = rng.normal(size=(500, 4)) + 1.5 * np.eye(4)[y]
    return y, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_of_two_classes_each_cut_off_is_a_cut_off_of_the_probability(rows: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = rows[0] % 2, np.stack([1 - rows[1][:, 1], rows[1][:, 1]], axis=1)
    found = cut_off_counts(y, p, lambda p: (p[:, 1] >= 0.3).astype(int), ["a", "b"], [1], 0.3)[0]
    assert found.cut_offs[found.own] == 0.3
    for place in (0, found.own, 90, len(found.cut_offs) - 1):
        labels = (p[:, 1] >= found.cut_offs[place]).astype(int)
        assert matrix_at(found.cells, place, 1, 2) == confusion_matrix(y, labels, 2).tolist()


def test_below_the_cut_off_the_decision_chooses_among_the_other_classes(rows: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = rows
    prior = np.array([0.6, 0.25, 0.1, 0.05])

    def balanced(q: np.ndarray) -> np.ndarray:
        codes: np.ndarray = (q / prior).argmax(axis=1)
        return codes

    found = cut_off_counts(y, p, balanced, ["a", "b", "c", "d"], [3], None)[0]
    others = np.where(np.arange(4) == 3, -1, p / prior).argmax(axis=1)
    never = confusion_matrix(y, others, 4)
    assert matrix_at(found.cells, len(found.cut_offs), 3, 4) == never.tolist()
    at = 80  # the middle: equal costs
    best = p[np.arange(500), others]
    labels = np.where(p[:, 3] / (p[:, 3] + best) >= found.cut_offs[at], 3, others)
    assert found.cut_offs[at] == 0.5
    assert matrix_at(found.cells, at, 3, 4) == confusion_matrix(y, labels, 4).tolist()


def test_rows_that_are_surely_of_a_class_have_a_label_below_any_cut_off() -> None:
    found = cut_off_counts(np.array([0, 1]), np.eye(2), lambda p: p.argmax(axis=1), ["a", "b"], [1], None)[0]
    assert sorted(found.cells) == [(0, 0, 0, 1), (1, 0, len(found.cut_offs), 1)]


def test_many_classes_have_a_matrix_of_one_class_against_the_others(results: dict[str, Result]) -> None:
    forty = results["forty"].test
    assert forty is not None
    assert len(forty.per_class) > MOST_IN_MATRIX
    one = forty.cut_offs[0]
    assert one.classes == ("", one.label)
    code = [row.label for row in forty.per_class].index(one.label)
    true, predicted = np.repeat(np.arange(40), 40) == code, np.tile(np.arange(40), 40) == code
    n = np.array(forty.confusion).ravel()
    expected = [[int(n[(true == a) & (predicted == b)].sum()) for b in (False, True)] for a in (False, True)]
    assert decided(forty, one) == expected


def test_no_label_can_end_the_data_of_the_script(results: dict[str, Result]) -> None:
    scores = results["three"].test
    assert scores is not None
    values = decision_values(contents(results["three"]), scores)
    assert values is not None
    assert not set("<>&") & set(values["json"])
    assert {one["name"] for one in json.loads(values["json"])["sliders"]} == set(results["three"].classes)


def test_no_row_is_in_the_counts(results: dict[str, Result]) -> None:
    """Counts are on a fixed grid: cut-offs are no probabilities of rows."""
    scores = results["forty"].test
    assert scores is not None
    assert len({one.cut_offs for one in scores.cut_offs}) == 1
