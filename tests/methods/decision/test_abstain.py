"""Abstain: the budget is kept, promised errors hold on new rows, and the labels are those of the other decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
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
