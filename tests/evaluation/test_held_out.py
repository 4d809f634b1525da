"""Calibration and decision on held-out outputs: each row by its own network, natural probabilities in any case."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarebird.data.dataset import Dataset, Frame
from rarebird.evaluation.cut_off import cut_off
from rarebird.evaluation.cut_offs import cut_off_counts
from rarebird.evaluation.decision_scores import decision_score
from rarebird.evaluation.held_out import (
    apply_chains,
    calibrate,
    calibrate_mean,
    cross_predict,
    decide,
    merged,
    scores,
    scores_of_labels,
    scores_of_outputs,
)
from rarebird.evaluation.held_outputs import HeldOut
from rarebird.evaluation.intervals import ClassPredictions
from rarebird.evaluation.scoring import score, score_regression
from rarebird.model.chain import apply_to_mean, probabilities
from rarebird.model.held_out_rows import HeldOutRows
from rarebird.recipe.recipe import Recipe
from rarebird.slots.decisions import FittedDecision


def recipe(*calibration: str, **changes: object) -> Recipe:
    return Recipe(**({"kind": "table", "network": "mlp", "calibration": list(calibration)} | changes))


def held_out(n: int = 4000, members: int = 2, factor: np.ndarray | None = None, seed: int = 0) -> HeldOut:
    """Logits of perfect networks, whose prior was multiplied by `factor`: log of the true posterior plus log factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (n, 3)) + np.log([0.7, 0.25, 0.05])
    posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((n, 1)) > posterior.cumsum(axis=1)).sum(axis=1)
    bent = logits if factor is None else logits + np.log(factor)
    return HeldOut(np.arange(n), bent, y, np.ones(n), np.arange(n) % members)


FACTORS = (np.array([0.2, 0.3, 2.0]), np.array([1.0, 4.0, 2.0]))


def bent_by(factors: tuple[np.ndarray, ...]) -> tuple[HeldOut, np.ndarray]:
    """Held-out logits bent by each network's own factor, and the true posterior."""
    straight = held_out(members=len(factors))
    shift = np.log(np.array(factors))[straight.network]
    bent = replace(straight, outputs=straight.outputs + shift)
    return bent, probabilities(straight.outputs, [])


def test_each_networks_own_factor_is_taken_out_of_its_own_rows() -> None:
    held, truth = bent_by(FACTORS)
    chains = calibrate(recipe("prior_correction"), held, FACTORS)
    np.testing.assert_allclose(apply_chains(held, chains), truth, atol=1e-12)


def test_probabilities_are_natural_though_the_recipe_corrects_nothing() -> None:
    held, truth = bent_by(FACTORS)
    for calibration in ((), ("temperature",)):
        chains = calibrate(recipe(*calibration), held, FACTORS)
        assert [name for name, _ in chains[0]] == ["prior_correction", *calibration]
        np.testing.assert_allclose(apply_chains(held, chains).mean(axis=0), truth.mean(axis=0), atol=0.01)


def test_nothing_is_added_where_no_prior_was_bent() -> None:
    held, truth = bent_by((np.ones(3), np.full(3, 5.0)))
    chains = calibrate(recipe(), held, (np.ones(3), np.full(3, 5.0)))
    assert chains == [[], []]
    np.testing.assert_allclose(apply_chains(held, chains), truth)


def test_an_unknown_prior_is_corrected_by_a_fit_on_the_rows() -> None:
    held, _ = bent_by((FACTORS[0],) * 2)
    chains = calibrate(recipe("prior_correction", "temperature"), held, (None, None))
    assert [name for name, _ in chains[0]] == ["class_scale_bias", "temperature"]
    observed = np.bincount(held.y, minlength=3) / len(held.y)
    np.testing.assert_allclose(apply_chains(held, chains).mean(axis=0), observed, atol=0.005)


def test_calibrations_of_all_rows_are_shared_and_get_the_output_of_those_before() -> None:
    held, _ = bent_by(FACTORS)
    sharp = replace(held, outputs=3 * held.outputs)
    cubed = [factor**3 for factor in FACTORS]
    one, two = calibrate(recipe("prior_correction", "temperature"), sharp, cubed)
    assert one[0] != two[0]
    assert one[1] == two[1]
    assert one[1][1].temperature == pytest.approx(3, rel=0.1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("calibration", [(), ("prior_correction", "temperature", "class_scale_bias")])
@pytest.mark.parametrize("decision", ["argmax", "balanced", "threshold"])
@pytest.mark.parametrize("rows", [1, 2])
def test_one_or_two_rows_of_one_class_serve(calibration: tuple[str, ...], decision: str, rows: int) -> None:
    chosen = recipe(*calibration, decision=decision, metric="macro_f1")
    held = HeldOut(
        np.arange(rows),
        np.array([[2.0, -1.0, 0.5]] * rows),
        np.zeros(rows, dtype=np.int64),
        np.ones(rows),
        np.zeros(rows, dtype=np.int64),
    )
    prior = np.array([0.5, 0.3, 0.2])
    chains = calibrate(chosen, held, [np.array([1.0, 1.0, 3.0])])
    p = apply_chains(held, chains)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    _, decided = decide(chosen, HeldOutRows(p, held.y, held.weight), prior, ("a", "b", "c"), None)
    assert set(decided(p)) <= {0, 1, 2}


def test_a_network_without_held_out_rows_still_has_its_chain() -> None:
    held = held_out(members=1)
    chains = calibrate(recipe("prior_correction", "temperature"), held, (np.ones(3), FACTORS[0]))
    assert [len(chain) for chain in chains] == [2, 2]
    assert apply_chains(held, chains).shape == (4000, 3)


def test_weights_decide_as_repeated_rows_do() -> None:
    rng = np.random.default_rng(1)
    base, times = held_out(300, members=1), rng.integers(1, 5, 300)
    weighted = replace(base, weight=times.astype(float))
    chosen = recipe("temperature", decision="threshold", metric="macro_f1")
    chains = calibrate(chosen, weighted, [np.ones(3)])
    repeated = base.where(np.repeat(np.arange(300), times))
    again = calibrate(chosen, repeated, [np.ones(3)])
    assert chains[0][0][1].temperature == pytest.approx(again[0][0][1].temperature, rel=1e-6)  # type: ignore[attr-defined]
    prior, classes = np.bincount(repeated.y, minlength=3) / len(repeated.y), ("a", "b", "c")
    p, p_again = apply_chains(weighted, chains), apply_chains(repeated, again)
    decided, decided_again = (
        decide(chosen, HeldOutRows(each, rows.y, rows.weight), prior, classes, None)[1]
        for each, rows in ((p, weighted), (p_again, repeated))
    )
    np.testing.assert_allclose(decided.offsets, decided_again.offsets, atol=1e-6)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(decided(p), decided_again(p))


def test_weights_judge_as_repeated_rows_do() -> None:
    """Each part by the calibrations and the threshold of the others; and an ensemble's recalibration."""
    rng = np.random.default_rng(2)
    base, times = held_out(300, members=1), rng.integers(1, 5, 300)
    weighted, copies = replace(base, weight=times.astype(float)), np.repeat(np.arange(300), times)
    chosen = recipe("temperature", "class_scale_bias", decision="threshold", metric="macro_f1")
    parts = rng.integers(0, 3, 300)

    def fit_decision(rows: HeldOut, p: np.ndarray) -> FittedDecision:
        prior = np.bincount(rows.y, rows.weight, 3) / rows.weight.sum()
        return decide(chosen, HeldOutRows(p, rows.y, rows.weight), prior, ("a", "b", "c"), None)[1]

    judged = cross_predict(chosen, weighted, [np.ones(3)], parts, fit_decision)
    again = cross_predict(chosen, base.where(copies), [np.ones(3)], parts[copies], fit_decision)
    np.testing.assert_allclose(judged.outputs[copies], again.outputs, atol=1e-5)
    assert judged.labels is not None
    assert again.labels is not None
    np.testing.assert_array_equal(judged.labels[copies], again.labels)
    frame = Frame(pd.DataFrame({"a": np.zeros(300)}))
    ids = np.arange(300).astype(str)
    rows = Dataset("table", "classification", frame, np.arange(300), base.y, ("a", "b", "c"), ids, weighted.weight)
    mean = apply_chains(base, [[]])
    chains = [
        calibrate_mean(chosen, mean, rows),
        calibrate_mean(chosen, mean[copies], replace(rows.take(copies), weight=None)),
    ]
    np.testing.assert_allclose(*(apply_to_mean(mean, chain) for chain in chains), atol=1e-5)


def test_a_metric_of_probabilities_is_served_by_the_balanced_decision() -> None:
    held = held_out(members=1)
    prior = np.bincount(held.y, minlength=3) / len(held.y)
    name, decided = decide(
        recipe(metric="roc_auc", decision="balanced"),
        HeldOutRows(apply_chains(held, [[]]), held.y, held.weight),
        prior,
        ("a", "b", "c"),
        None,
    )
    assert name == "balanced"
    p = apply_chains(held, [[]])
    np.testing.assert_array_equal(decided(p), (p / prior).argmax(axis=1))


def test_cross_predictions_are_fitted_on_all_other_parts() -> None:
    """By hand: the rows of a part get the calibrations and the decision of the other parts' rows."""
    held = held_out(600, members=3)
    chosen = recipe("temperature", "class_scale_bias", decision="threshold", metric="macro_f1")
    prior = np.bincount(held.y, minlength=3) / 600

    def decided_by(others: HeldOut, known: np.ndarray) -> FittedDecision:
        return decide(chosen, HeldOutRows(known, others.y, others.weight), prior, ("a", "b", "c"), None)[1]

    found = cross_predict(chosen, held, [np.ones(3)] * 3, held.network, decided_by)
    assert found.labels is not None
    for part in range(3):
        mine = held.network == part
        others = held.where(~mine)
        chains = calibrate(chosen, others, [np.ones(3)] * 3)
        expected = probabilities(held.outputs[mine], chains[part])
        np.testing.assert_array_equal(found.outputs[mine], expected)
        decision = decided_by(others, apply_chains(others, chains))
        np.testing.assert_array_equal(found.labels[mine], decision(expected))
    assert found.labels.dtype == np.int64
    assert not np.array_equal(found.outputs, apply_chains(held, calibrate(chosen, held, [np.ones(3)] * 3)))


def test_without_a_decision_there_are_no_labels_and_one_part_is_fitted_on_itself() -> None:
    held = held_out(300, members=1)
    found = cross_predict(recipe("temperature"), held, [np.ones(3)], np.zeros(300, dtype=np.int64))
    assert found.labels is None
    chains = calibrate(recipe("temperature"), held, [np.ones(3)])
    np.testing.assert_array_equal(found.outputs, apply_chains(held, chains))


def test_scores_of_rows_are_those_of_all_that_is_known_of_them() -> None:
    """Weights, groups, the positive class (here the commoner one), the labels and the seed all reach the scores."""
    rng = np.random.default_rng(0)
    y = (rng.random(120) < 0.3).astype(np.int64)
    outputs = rng.dirichlet([2, 2], size=120)
    weight, group = rng.uniform(0.2, 3, size=120), rng.integers(15, size=120)
    data = Dataset(
        "table",
        "classification",
        Frame(pd.DataFrame({"x": np.arange(120)})),
        np.arange(120),
        y,
        ("no", "yes"),
        np.arange(120).astype(str),
        weight=weight,
        group=group,
    )
    asked: list[Dataset] = []

    def decide(given: np.ndarray, rows: Dataset) -> np.ndarray:
        asked.append(rows)
        return (given[:, 1] > 0.35).astype(np.int64)

    model: Any = SimpleNamespace(
        recipe=recipe(seed=5),
        positive="no",
        classes=data.classes,
        decision=None,
        labels=decide,
        multiples=lambda rows: None,
    )
    found = scores_of_outputs(model, data, outputs)
    labels = (outputs[:, 1] > 0.35).astype(np.int64)
    known = {"weight": weight, "group": group, "positive": 0, "seed": 5}
    assert found == score(y, outputs, labels, data.classes, **known)
    assert asked == [data], "a decision by costs of each row needs the rows"
    for name, other in {"weight": None, "group": None, "positive": 1, "seed": 6}.items():
        assert found != score(y, outputs, labels, data.classes, **{**known, name: other}), name
    numbers = replace(data, task="regression", y=rng.normal(size=120), classes=())
    assert numbers.y is not None
    expected = score_regression(numbers.y, outputs[:, 0], weight=weight, group=group, seed=5)
    assert scores_of_outputs(model, numbers, outputs[:, :1]) == expected
    for name in ("weight", "group"):
        changed = {"weight": weight, "group": group, "seed": 5, name: None}
        assert score_regression(numbers.y, outputs[:, 0], **changed) != expected, name


def test_scores_of_a_model_are_those_of_its_own_outputs() -> None:
    y = np.array([0, 1, 1, 0, 1, 1])
    frame = Frame(pd.DataFrame({"x": np.arange(6.0)}))
    data = Dataset("table", "classification", frame, np.arange(6), y, ("no", "yes"), np.arange(6).astype(str))
    outputs = np.random.default_rng(0).dirichlet([1, 1], size=6)
    given: list[Dataset] = []

    def predict(rows: Dataset) -> np.ndarray:
        given.append(rows)
        return outputs

    model: Any = SimpleNamespace(
        recipe=recipe(seed=2),
        positive="yes",
        classes=data.classes,
        decision=None,
        outputs=predict,
        labels=lambda p, rows: (p[:, 1] > 0.7).astype(np.int64),
        multiples=lambda rows: None,
    )
    assert scores(model, data) == scores_of_outputs(model, data, outputs)
    assert given == [data]


def test_a_mean_of_certain_members_is_calibrated_to_finite_numbers() -> None:
    y = np.arange(12) % 3
    frame = Frame(pd.DataFrame({"x": np.arange(12.0)}))
    data = Dataset("table", "classification", frame, np.arange(12), y, ("a", "b", "c"), np.arange(12).astype(str))
    mean = np.eye(3)[np.where(np.arange(12) < 9, y, 0)]
    chain = calibrate_mean(recipe("temperature", "class_scale_bias"), mean, data)
    assert [name for name, _ in chain] == ["temperature", "class_scale_bias"]
    assert np.isfinite(apply_to_mean(mean, chain)).all()
    alone = calibrate_mean(recipe("class_scale_bias"), apply_to_mean(mean, chain[:1]), data)
    assert chain[1] == alone[0]


def test_an_unknown_prior_of_one_network_replaces_the_correction_of_all_once() -> None:
    held, _ = bent_by((FACTORS[0],) * 2)
    chains = calibrate(recipe("prior_correction", "class_scale_bias", "temperature"), held, (None, FACTORS[0]))
    assert [[name for name, _ in chain] for chain in chains] == [["class_scale_bias", "temperature"]] * 2
    assert chains[0] == chains[1]


def test_rows_beside_the_held_out_ones_get_the_fit_of_their_part() -> None:
    held = held_out(300, members=3)
    target = held_out(50, members=3, seed=9)
    parts = np.arange(50) % 3
    chosen = recipe("temperature")
    found = cross_predict(chosen, held, [np.ones(3)] * 3, held.network, target=(target, parts))
    assert found.outputs.shape == (50, 3)
    for part in range(3):
        chains = calibrate(chosen, held.where(held.network != part), [np.ones(3)] * 3)
        mine = parts == part
        np.testing.assert_array_equal(found.outputs[mine], apply_chains(target.where(mine), chains))


def test_the_decision_serves_the_metric_of_one_class_and_of_the_positive_class() -> None:
    """F1 of a class names it more often than argmax; that of the positive class depends on which one that is."""
    held = held_out(400, members=1)
    p, prior = apply_chains(held, [[]]), np.bincount(held.y, minlength=3) / 400
    chosen = recipe(decision="threshold", metric="f1:c")
    _, decided = decide(chosen, HeldOutRows(p, held.y, held.weight), prior, ("a", "b", "c"), None)
    assert (decided(p) == 2).mean() > (p.argmax(axis=1) == 2).mean()
    two = p[:, :2] / p[:, :2].sum(axis=1, keepdims=True)
    kept = held.y < 2
    chosen = recipe(decision="threshold", metric="f1")
    yes, no = (
        decide(
            chosen,
            HeldOutRows(two[kept], held.y[kept], held.weight[kept]),
            prior[:2] / prior[:2].sum(),
            ("a", "b"),
            positive,
        )[1]
        for positive in ("b", "a")
    )
    assert (yes(two) == 1).mean() > (no(two) == 1).mean() + 0.05


@pytest.mark.parametrize(
    ("rows", "classes", "parts", "left"),
    [(5_000, 2, 10, 10), (1_600, 200, 10, 6), (20_000, 200, 10, 2), (900, 9, 1, 1)],
)
def test_parts_are_merged_where_their_fits_would_be_long(rows: int, classes: int, parts: int, left: int) -> None:
    """200 classes of 20,000 rows: 16 fits of calibrations took 33 s of a budget of 20 s."""
    part = np.arange(rows) % parts * 2  # numbers with gaps
    fewer = merged(part, classes)
    assert len(np.unique(fewer)) == left
    # A part stays whole.
    assert all(len(np.unique(fewer[part == one])) == 1 for one in np.unique(part))


def test_scores_of_labels_have_what_the_decision_reaches() -> None:
    rng = np.random.default_rng(3)
    y, outputs = rng.integers(0, 2, 40), rng.dirichlet([1, 1], size=40)
    weight, group, multiple = rng.uniform(0.5, 2, 40), np.arange(40) // 2, rng.uniform(1, 3, 40)
    rows = HeldOutRows(outputs, y, weight)
    costly = recipe(decision={"name": "cost", "costs": {"no": {"yes": 5.0}, "yes": {"no": 1.0}}})
    decision = decide(costly, rows, np.array([0.5, 0.5]), ("no", "yes"), "yes")
    labels = decision[1](outputs)
    model: Any = SimpleNamespace(
        recipe=costly, positive="yes", classes=("no", "yes"), decision=decision, labels=decision[1]
    )
    found = scores_of_labels(model, y, outputs, labels, weight, group, multiple)
    scored = ClassPredictions(y, outputs, labels, weight, group, 1)
    assert found.decision == decision_score(scored, decision[1], model.classes, multiple)
    assert found.decision is not None
    assert found.cut_offs == cut_off_counts(y, outputs, decision[1], model.classes, [1], cut_off(model))
    plain = score(y, outputs, labels, model.classes, weight=weight, group=group, positive=1, seed=costly.seed)
    assert found.metrics == plain.metrics
