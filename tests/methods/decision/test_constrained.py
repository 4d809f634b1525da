"""Constrained: floors hold on new rows as often as promised, the best cut-off among those is taken, and what cannot be
promised is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.methods.decision._floors import Cuts, kept, promised
from rarebird.methods.decision.constrained import Constrained, FittedConstrained
from rarebird.slots.decisions import DecisionRows

CLASSES = ("ill", "well")


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A tenth of the rows is ill; probabilities are calibrated."""
    rng = np.random.default_rng(seed)
    ill = rng.random(n) < 0.1
    odds = np.exp(1.8 * rng.normal(1.8 * ill, 1) - 1.8**2 / 2) / 9
    p = odds / (1 + odds)
    return np.stack([p, 1 - p], axis=1), np.where(ill, 0, 1)


def fitted(value: Constrained, p: np.ndarray, y: np.ndarray, **more: Any) -> FittedConstrained:
    prior = np.bincount(y, minlength=p.shape[1]) / len(y)
    return value.fit(DecisionRows(p, y, np.ones(len(y)), lambda *_: 0.0, prior, more.pop("classes", CLASSES), **more))


def figures(labels: np.ndarray, y: np.ndarray) -> dict[str, float]:
    called, ill = labels == 0, y == 0
    return {
        "precision": float(ill[called].mean()) if called.any() else 1.0,
        "recall": float(called[ill].mean()),
        "specificity": float((~called)[~ill].mean()),
        "alerts": float(called.mean()),
    }


@pytest.mark.parametrize(
    "asked",
    [{"precision": 0.5}, {"recall": 0.8}, {"specificity": 0.9}, {"alerts": 80.0}, {"recall": 0.6, "alerts": 200.0}],
)
def test_floors_hold_on_new_rows_as_often_as_promised(asked: dict[str, float]) -> None:
    new, truth = drawn(200_000, 10**6)
    held, kept_all = [], []
    for seed in range(100):
        found = fitted(Constrained(**asked, confidence=0.9), *drawn(600, seed))
        reached = figures(found(new), truth)
        kept_all.append(all(one.is_kept for one in found.promises))
        levels = {one.figure: one.level for one in found.promises if one.level is not None}
        held.append(all((reached[name] <= it) == (name == "alerts") for name, it in levels.items()))
    assert np.mean(kept_all) > 0.3
    # Three standard errors below .9.
    assert np.mean(held) >= 0.81


def test_the_cut_off_is_the_best_of_those_that_keep_the_floor() -> None:
    p, y = drawn(2000, 0)
    cuts = Cuts.of(p[:, 0], y == 0, np.ones(len(y)), None)
    allowed = cuts.at[kept(cuts, "precision", 0.5, 0.1)]
    assert fitted(Constrained(precision=0.5), p, y).cut_off == allowed.min()
    allowed = cuts.at[kept(cuts, "recall", 0.8, 0.1)]
    assert fitted(Constrained(recall=0.8), p, y).cut_off == allowed.max()
    # Without confidence to pay for, more rows would be labelled.
    surer = fitted(Constrained(precision=0.5, confidence=0.99), p, y)
    assert surer.cut_off > fitted(Constrained(precision=0.5, confidence=0.6), p, y).cut_off


def test_f_beta_weighs_recall_by_beta() -> None:
    p, y = drawn(3000, 1)
    low, high = (fitted(Constrained(maximize=name), p, y) for name in ("f0.5", "f3"))
    assert low.cut_off > high.cut_off
    assert low.promises == ()


def test_what_cannot_be_promised_gets_the_nearest() -> None:
    p, y = drawn(150, 3)
    n_ill = int((y == 0).sum())
    (promise,) = fitted(Constrained(recall=0.95), p, y).promises
    assert not promise.is_kept
    # All rows of the class are above the cut-off: the true recall is below .1 ** (1 / n) with a probability of .1.
    assert promise.level == pytest.approx(0.1 ** (1 / n_ill))
    assert promise.rows == n_ill
    assert fitted(Constrained(recall=0.95), p, y)(p)[y == 0].max() == 0
    (promise,) = fitted(Constrained(precision=0.99), p, y).promises
    assert promise.level is not None
    assert 0 < promise.level < 0.99


def test_without_rows_of_the_class_nothing_is_promised() -> None:
    p, y = drawn(50, 0)
    found = fitted(Constrained(label="ill", recall=0.9), p[y == 1], y[y == 1])
    assert [one.level for one in found.promises] == [None]
    assert found(p).shape == (50,)


def test_of_many_classes_the_others_go_to_the_most_probable() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(3, size=3000, p=[0.6, 0.3, 0.1])
    p = rng.dirichlet(np.ones(3), size=3000) + 1.5 * np.eye(3)[y]
    p /= p.sum(axis=1, keepdims=True)
    found = fitted(Constrained(label="b", recall=0.9), p, y, classes=("a", "b", "c"))
    labels = found(p)
    np.testing.assert_array_equal(labels == 1, p[:, 1] >= found.cut_off)
    np.testing.assert_array_equal(labels[labels != 1], np.where(p[:, 0] >= p[:, 2], 0, 2)[labels != 1])
    rarest = fitted(Constrained(recall=0.9), p, y, classes=("a", "b", "c"))
    assert rarest.code == 2, "without a label, the rarest class"
    assert fitted(Constrained(recall=0.9), *drawn(500, 0), positive="well").code == 1


def test_rows_of_one_group_count_for_less() -> None:
    p, y = drawn(400, 0)
    copies = np.repeat(np.arange(400), 5)
    alone = fitted(Constrained(recall=0.8), p, y)
    grouped = fitted(Constrained(recall=0.8), p[copies], y[copies], group=copies)
    blind = fitted(Constrained(recall=0.8), p[copies], y[copies])
    assert blind.cut_off > alone.cut_off
    assert grouped.cut_off <= alone.cut_off


def test_a_precision_is_promised_at_starts_alone_and_at_least_where_it_is_kept() -> None:
    p, y = drawn(800, 5)
    cuts = Cuts.of(p[:, 0], y == 0, np.ones(len(y)), None)
    level = promised(cuts, "precision", 0.5, 0.1)
    starts = np.flatnonzero(np.isfinite(level))
    assert 1 < len(starts) <= 8
    assert (level[starts] >= 0.5).any()
    assert kept(cuts, "precision", 0.5, 0.1)[starts[level[starts] >= 0.5]].all()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"label": "sick", "recall": 0.9}, "names the class 'sick', which does not exist"),
        ({}, "needs a floor beside recall"),
        ({"recall": 0.9, "maximize": "recall"}, "needs a floor beside recall"),
        ({"precision": 0.9, "maximize": "precision"}, "needs a floor beside precision"),
    ],
)
def test_goals_without_a_class_or_a_floor_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Constrained(**asked).check("macro_f1", CLASSES)


@pytest.mark.parametrize(
    "asked", [{"recall": 1.5}, {"precision": 0}, {"alerts": -1}, {"confidence": 0.4}, {"maximize": "accuracy"}]
)
def test_floors_outside_their_range_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(asked))):
        Constrained(**asked)
