"""Abstain: the budget is kept, promised errors hold on new rows, and the labels are those of the other decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.decision._floors import Cuts, kept, promised
from rarebird.methods.decision.abstain import Abstain, FittedAbstain
from rarebird.methods.decision.balanced import above_prior
from rarebird.slots.decisions import DecisionRows

CLASSES = ("a", "b", "c")


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 3)) - np.arange(3)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def fitted(value: Abstain, p: np.ndarray, y: np.ndarray, **more: Any) -> FittedAbstain:
    prior = np.bincount(y, minlength=3) / len(y)
    return value.fit(DecisionRows(p, y, np.ones(len(y)), lambda *_: 0.0, prior, CLASSES, **more))


def test_a_share_of_the_rows_is_left_the_least_sure_first() -> None:
    found = fitted(Abstain(share=0.2), *drawn(1000, 0))
    new, _ = drawn(5000, 1)
    left = found.abstains(new)
    assert left.mean() == pytest.approx(0.2, abs=0.03)
    assert new.max(axis=1)[left].max() < new.max(axis=1)[~left].min()
    np.testing.assert_array_equal(found(new), new.argmax(axis=1))


def test_labels_are_those_of_the_other_decision() -> None:
    p, y = drawn(500, 0)
    found = fitted(Abstain(share=0.2, labels="balanced"), p, y)
    np.testing.assert_array_equal(found(p), above_prior(p, np.bincount(y) / 500))
    costly = Abstain(share=0.2, labels={"name": "cost", "costs": {"a": {"*": 9}, "*": {"*": 1}}})
    assert (fitted(costly, p, y)(p) == 0).mean() > (p.argmax(axis=1) == 0).mean()
    assert fitted(costly, p, y).goal(CLASSES) == "the least expected cost"


@pytest.mark.parametrize("error", [0.1, {"a": 0.15, "c": 0.3}])
def test_promised_errors_hold_on_new_rows(error: Any) -> None:
    new, truth = drawn(100_000, 10**6)
    held = []
    for seed in range(60):
        found = fitted(Abstain(error=error), *drawn(700, seed))
        labels, left = found(new), found.abstains(new)
        for promise in found.promises:
            given = ~left if not promise.label else ~left & (labels == CLASSES.index(promise.label))
            held.append((labels != truth)[given].mean() <= promise.level if promise.level is not None else True)
    assert np.mean(held) >= 0.8


def test_all_rows_are_labelled_where_the_error_is_small_enough() -> None:
    y = np.arange(300) % 3
    p = 0.9 * np.eye(3)[y] + 0.1 / 3
    found = fitted(Abstain(error=0.1), p, y)
    assert not found.abstains(p).any()
    assert found.promises[0].is_kept


def test_an_error_that_cannot_be_promised_gets_the_nearest() -> None:
    (promise,) = fitted(Abstain(error=0.001), *drawn(200, 0)).promises
    assert promise.level is not None
    assert 0.001 < promise.level < 0.5


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "one of share"),
        ({"share": 0.1, "error": 0.1}, "one of share"),
        ({"error": 1.5}, "0 < error < 1"),
        ({"error": {"a": 0.0}}, "0 < error < 1"),
        ({"share": 0.1, "labels": "abstain"}, "another decision"),
        ({"share": 0.1, "labels": "argmix"}, "did you mean 'argmax'"),
    ],
)
def test_goals_that_cannot_be_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Abstain(**asked)


def test_unknown_classes_and_trivial_metrics_are_refused() -> None:
    with pytest.raises(DataError, match="names the class 'd'"):
        Abstain(error={"d": 0.1}).check("macro_f1", CLASSES)
    with pytest.raises(DataError, match="no goal for a decision"):
        Abstain(share=0.1, labels="threshold").check("recall:a", CLASSES)
    with pytest.raises(DataError, match="names the class 'd'"):
        Abstain(share=0.1, labels={"name": "constrained", "label": "d", "recall": 0.5}).check("macro_f1", CLASSES)
    for labels in ("argmax", {"name": "constrained", "label": "c", "recall": 0.5}):
        Abstain(error={"a": 0.1}, labels=labels).check("macro_f1", CLASSES)


def test_the_goal_is_that_of_the_labels_where_they_have_one() -> None:
    p, y = drawn(500, 3)
    assert fitted(Abstain(share=0.1), p, y).goal(CLASSES) == ""
    aimed = Abstain(share=0.1, labels={"name": "constrained", "label": "b", "recall": 0.5})
    assert fitted(aimed, p, y).goal(CLASSES) == "precision of “b” at a recall of 0.5 or more"


def test_a_row_is_left_below_the_cut_off_of_its_own_label() -> None:
    found = FittedAbstain(name="argmax", labels={}, cut_offs=(0.5, 0.8, 0.0))
    p = np.array([[0.5, 0.3, 0.2], [0.45, 0.3, 0.25], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
    np.testing.assert_allclose(found.certainty(p), [0, -0.05, -0.1, 0.4], atol=1e-12)
    assert found.abstains(p).tolist() == [False, True, True, False]
    with pytest.raises(ValueError, match="one cut-off per class"):
        found(p[:, :2])


@pytest.mark.parametrize(
    "value", [Abstain(share=0.3), Abstain(error=0.2), Abstain(error={"b": 0.35, "c": 0.4}, labels="balanced")]
)
def test_a_row_of_weight_k_is_k_rows_and_a_row_without_weight_is_none(value: Abstain) -> None:
    p, y = drawn(300, 4)
    times = np.random.default_rng(5).integers(0, 4, 300)
    copies = np.repeat(np.arange(300), times)
    prior = np.array([0.6, 0.3, 0.1])
    weighted = value.fit(DecisionRows(p, y, times.astype(float), lambda *_: 0.0, prior, CLASSES))
    repeated = value.fit(DecisionRows(p[copies], y[copies], np.ones(len(copies)), lambda *_: 0.0, prior, CLASSES))
    np.testing.assert_allclose(weighted.cut_offs, repeated.cut_offs, atol=1e-12)
    assert weighted.promises == repeated.promises
    assert any(weighted.cut_offs)
    unweighted = fitted(value, p, y)
    assert np.abs(np.subtract(unweighted.cut_offs, weighted.cut_offs)).max() > 1e-4


def test_without_rows_nothing_is_left_and_nothing_is_promised() -> None:
    p, y = drawn(20, 6)
    for value in (Abstain(share=0.3), Abstain(error=0.2)):
        found = value.fit(DecisionRows(p, y, np.zeros(20), lambda *_: 0.0, np.ones(3) / 3, CLASSES))
        assert found.cut_offs == (0, 0, 0)
        assert [(one.level, one.rows) for one in found.promises] == [(None, 0)] * (value.error is not None)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_cut_off_is_the_lowest_that_keeps_the_error_and_each_label_has_its_own(grouped: bool) -> None:
    p, y = drawn(900, 7)
    group = np.random.default_rng(8).integers(0, 300, 900) if grouped else None
    labels, sure = p.argmax(axis=1), p.max(axis=1)

    def cuts(rows: np.ndarray) -> Cuts:
        own = None if group is None else group[rows]
        return Cuts.of(sure[rows], (labels == y)[rows], np.ones(rows.sum()), own, with_all=True)

    everything = cuts(np.ones(900, dtype=bool))
    lowest = everything.at[kept(everything, "precision", 0.82, 0.1)].min()
    assert 0 < lowest < 1
    found = fitted(Abstain(error=0.18), p, y, group=group)
    assert found.cut_offs == (lowest,) * 3
    assert [(one.figure, one.label, one.asked, one.level, one.confidence, one.rows) for one in found.promises] == [
        ("error", "", 0.18, 0.18, 0.9, 900)
    ]
    # Of one label the error can be kept, of another none as low; the third is given whenever it is the label.
    found = fitted(Abstain(error={"c": 0.001, "a": 0.15}), p, y, group=group)
    of_a, of_c = cuts(labels == 0), cuts(labels == 2)
    level = promised(of_c, "precision", 0.999, 0.1)
    assert found.cut_offs == (of_a.at[kept(of_a, "precision", 0.85, 0.1)].min(), 0, of_c.at[level.argmax()])
    told = {one.label: (one.asked, one.level, one.rows) for one in found.promises}
    assert told["a"] == (0.15, 0.15, (labels == 0).sum())
    assert told["c"] == (0.001, pytest.approx(1 - level.max()), (labels == 2).sum())


def test_labels_that_are_always_wrong_promise_nothing_and_codes_name_classes_without_names() -> None:
    p = np.tile([0.5, 0.3, 0.2], (40, 1)) + 0.001 * np.arange(40)[:, None] * np.array([1, -1, 0])
    rows = DecisionRows(p, np.ones(40, int), np.ones(40), lambda *_: 0.0, np.ones(3) / 3)
    (promise,) = Abstain(error={"0": 0.2}).fit(rows).promises
    assert (promise.label, promise.level, promise.rows) == ("0", None, 40)
