"""Constrained: floors hold on new rows as often as promised, the best cut-off among those is taken, and what cannot be
promised is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta

from rarebird.core.checks import DataError
from rarebird.methods.decision._floors import Cuts, kept, promised
from rarebird.methods.decision._offset_search import smooth
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
        (
            {"precision": 0.9, "maximize": "precision"},
            r"needs a floor beside precision, such as --set decision\.recall=",
        ),
        ({"recall": 0.9, "maximize": "recall"}, r"needs a floor beside recall, such as --set decision\.precision="),
        ({"maximize": "specificity"}, r"needs a floor beside specificity, such as --set decision\.precision="),
    ],
)
def test_goals_without_a_class_or_a_floor_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Constrained(**asked).check("macro_f1", CLASSES)


@pytest.mark.parametrize(
    "asked", [{"maximize": "f1"}, {"precision": 0.3}, {"recall": 0.3}, {"alerts": 50, "label": "ill"}]
)
def test_a_floor_of_another_figure_or_f_beta_is_a_goal(asked: dict[str, Any]) -> None:
    Constrained(**asked).check("macro_f1", CLASSES)


@pytest.mark.parametrize("other", ["recall", "specificity", "alerts"])
def test_two_floors_hold_together_at_half_the_error_each(other: str) -> None:
    p, y = drawn(3000, 6)
    floors = {"precision": 0.25, other: {"recall": 0.55, "specificity": 0.8, "alerts": 0.3}[other]}
    cuts = Cuts.of(p[:, 0], y == 0, np.ones(len(y)), None)
    both = np.logical_and.reduce([kept(cuts, name, floor, 0.1 / 2) for name, floor in floors.items()])
    alone = np.logical_and.reduce([kept(cuts, name, floor, 0.1) for name, floor in floors.items()])
    assert 0 < both.sum() < alone.sum()
    asked = {name: floor * 1000 if name == "alerts" else floor for name, floor in floors.items()}
    for maximize, best in (("recall", min), ("specificity", max), ("precision", max)):
        found = fitted(Constrained(**asked, maximize=maximize), p, y)  # type: ignore[arg-type]
        assert found.cut_off == best(cuts.at[both])
        assert {one.figure: (one.asked, one.level, one.is_kept) for one in found.promises} == {
            name: (floor, floor, True) for name, floor in floors.items()
        }


@pytest.mark.parametrize(
    "floors",
    [{"precision": 0.6, "recall": 0.7, "alerts": 0.25}, {"recall": 0.8, "alerts": 0.05}, {"specificity": 0.99}],
)
def test_floors_that_cannot_hold_together_get_the_cut_off_that_is_nearest_to_all(floors: dict[str, float]) -> None:
    p, y = drawn(700 if len(floors) > 1 else 80, 7)
    error = 0.1 / len(floors)
    cuts = Cuts.of(p[:, 0], y == 0, np.ones(len(y)), None)
    sure = {name: promised(cuts, name, floor, error) for name, floor in floors.items()}
    # Of alerts what is promised, and asked, is the share of rows without one.
    asked = {name: 1 - floor if name == "alerts" else floor for name, floor in floors.items()}
    lacks = np.array([sure[name] - asked[name] for name in floors])
    place = int(lacks.min(axis=0).argmax())
    held = {name: bool(kept(cuts, name, floor, error)[place]) for name, floor in floors.items()}
    assert not all(held.values())
    assert any(held.values()) == (len(floors) == 3)
    rule = {name: floor * 1000 if name == "alerts" else floor for name, floor in floors.items()}
    found = fitted(Constrained(**rule), p, y)  # type: ignore[arg-type]
    assert found.cut_off == cuts.at[place]
    reached = {name: 1 - sure[name][place] if name == "alerts" else sure[name][place] for name in floors}
    levels = {one.figure: one.level for one in found.promises}
    assert levels == pytest.approx({name: floors[name] if held[name] else reached[name] for name in floors})
    assert {one.label for one in found.promises} == {"ill"}
    assert {(one.confidence, one.rows) for one in found.promises} == {(0.9, int((y == 0).sum()))}


def test_of_a_class_that_is_never_above_a_cut_off_nothing_is_promised() -> None:
    """Its rows are the least probable: no cut-off but the last finds one."""
    p = np.linspace(0.9, 0.1, 30)
    found = fitted(Constrained(precision=0.9), np.stack([p, 1 - p], axis=1), (p > 0.1).astype(int))
    assert [one.level for one in found.promises] == [None]


def test_alerts_that_cannot_be_so_few_get_the_level_of_the_highest_cut_off() -> None:
    p, y = drawn(100, 8)
    found = fitted(Constrained(alerts=5), p, y)
    assert found.cut_off == np.sort(p[:, 0])[-2:].mean()
    # One of 100 rows is above: 1 - the share without an alert that 99 of 100 show (Clopper and Pearson).
    assert found.promises[0].level == pytest.approx(1 - beta.ppf(0.1, 99, 2))


@pytest.mark.parametrize("n", [1500, 2500])
@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_f_beta_is_the_largest_over_all_cut_offs(n: int, power: float) -> None:
    p, y = drawn(n, 9)
    distinct = np.unique(p[:, 0])[::-1]
    at = (distinct[1:] + distinct[:-1]) / 2
    hits, called = (np.array([part[p[:, 0] >= cut].sum() for cut in at]) for part in (y == 0, np.ones(n)))
    precision, recall = hits / called, hits / (y == 0).sum()
    with np.errstate(invalid="ignore"):
        value = np.nan_to_num((1 + power**2) * precision * recall / (power**2 * precision + recall))
    # Few cut-offs are averaged over their neighbors, on the scale of logarithms.
    value = smooth(value, np.log(at)) if n == 1500 else value
    assert fitted(Constrained(maximize=f"f{power}"), p, y).cut_off == at[value.argmax()]
    # A floor leaves some of them.
    allowed = np.flatnonzero(kept(Cuts.of(p[:, 0], y == 0, np.ones(n), None), "recall", 0.8, 0.1))
    floored = fitted(Constrained(maximize=f"f{power}", recall=0.8), p, y)
    assert floored.cut_off == at[allowed[value[allowed].argmax()]]


def test_a_row_at_the_cut_off_gets_the_label_and_nothing_is_changed() -> None:
    found = FittedConstrained(code=1, cut_off=0.25, maximized="recall", promises=())
    p = np.array([[0.7, 0.25, 0.05], [0.7, 0.24, 0.06], [0.1, 0.2, 0.7]])
    kept_rows = p.copy()
    assert found(p).tolist() == found.on_tensors(torch.from_numpy(p)).tolist() == [1, 0, 2]
    np.testing.assert_array_equal(p, kept_rows)


def test_a_row_of_weight_k_is_k_rows_and_a_row_without_weight_is_none() -> None:
    p, y = drawn(400, 10)
    times = np.random.default_rng(11).integers(0, 4, 400)
    copies = np.repeat(np.arange(400), times)
    for asked in ({"recall": 0.6, "alerts": 300}, {"precision": 0.4}, {"maximize": "f1"}):
        weighted = Constrained(**asked).fit(  # type: ignore[arg-type]
            DecisionRows(p, y, times.astype(float), lambda *_: 0.0, np.array([0.1, 0.9]), CLASSES)
        )
        assert weighted == fitted(Constrained(**asked), p[copies], y[copies])  # type: ignore[arg-type]


def test_rows_that_show_no_cut_off_leave_the_prior() -> None:
    p, y = drawn(60, 12)
    prior = np.array([0.2, 0.8])
    alike = np.tile([0.4, 0.6], (60, 1))
    ones = np.ones(60)
    for rows, weight in (
        (DecisionRows(p, np.zeros(60, int), ones, lambda *_: 0.0, prior, CLASSES), 60),
        (DecisionRows(p, np.ones(60, int), ones, lambda *_: 0.0, prior, CLASSES), 0),
        (DecisionRows(p, y, (y == 0).astype(float), lambda *_: 0.0, prior, CLASSES), (y == 0).sum()),
        (DecisionRows(p, y, (y == 1).astype(float), lambda *_: 0.0, prior, CLASSES), 0),
        (DecisionRows(alike, y, ones, lambda *_: 0.0, prior, CLASSES), (y == 0).sum()),
    ):
        found = Constrained(recall=0.5, alerts=100).fit(rows)
        assert found.cut_off == 0.2
        assert [(one.figure, one.asked, one.level, one.rows) for one in found.promises] == [
            ("recall", 0.5, None, weight),
            ("alerts", 0.1, None, weight),
        ]


def test_the_class_is_the_named_the_positive_or_the_rarest_with_rows() -> None:
    p = np.full((1, 3), 1 / 3)
    prior, classes = np.array([0.7, 0.0, 0.3]), ("a", "b", "c")
    for label, positive, names, code in (
        ("b", "a", classes, 1),
        (None, "a", classes, 0),
        (None, None, classes, 2),
        (None, None, (), 2),
        ("b", None, (), 2),
    ):
        rows = DecisionRows(p, np.zeros(1, int), np.ones(1), lambda *_: 0.0, prior, names, positive)
        found = Constrained(label=label, recall=0.5).fit(rows)
        assert (found.code, found.promises[0].label) == (code, names[code] if names else str(code))


@pytest.mark.parametrize(
    ("asked", "goal"),
    [
        ({"maximize": "f2"}, "f2 of “ill”"),
        ({"precision": 0.3}, "recall of “ill” at a precision of 0.3 or more"),
        (
            {"recall": 0.5, "alerts": 62.5},
            "precision of “ill” at a recall of 0.5 or more and 62.5 alerts per 1000 rows or fewer",
        ),
    ],
)
def test_the_goal_is_a_sentence(asked: dict[str, Any], goal: str) -> None:
    assert fitted(Constrained(**asked), *drawn(300, 0)).goal(CLASSES) == goal


@pytest.mark.parametrize(
    "asked", [{"recall": 1.5}, {"precision": 0}, {"alerts": -1}, {"confidence": 0.4}, {"maximize": "accuracy"}]
)
def test_floors_outside_their_range_are_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(asked))):
        Constrained(**asked)
