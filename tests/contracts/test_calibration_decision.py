"""The contract of calibrations and decisions: frozen values that JSON holds, blind to the order of classes, harmless
where all is well."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from rarebird.slots import methods
from rarebird.slots.decisions import DecisionOnTensors, DecisionRows


def cases(slot: str) -> Any:
    values = [
        (name, place, value)
        for name in methods.names(slot)
        for place, value in enumerate(methods.load(slot, name).examples())
    ]
    return pytest.mark.parametrize(slot, [pytest.param(value, id=f"{name}-{place}") for name, place, value in values])


every_calibration, every_decision = cases("calibration"), cases("decision")


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def toy(n: int = 4000, n_classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated logits, classes drawn from their probabilities, and weights."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, n_classes)) - 1.0 * np.arange(n_classes)
    y = (softmax(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits, y, np.ones(n)


def balanced_accuracy(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    return float(
        np.mean([np.average(predicted[y == code] == code, weights=weight[y == code]) for code in np.unique(y)])
    )


def log_loss(logits: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(softmax(logits)[np.arange(len(y)), y]).mean())


def prior_of(y: np.ndarray, n_classes: int = 3) -> np.ndarray:
    return np.bincount(y, minlength=n_classes) / len(y)


def labels_in(order: np.ndarray) -> tuple[str, ...]:
    """The classes "0", "1", ... in another order."""
    return tuple(str(code) for code in order)


def same_after_json(method: Any, fitted: Any, x: np.ndarray) -> None:
    again = method.fitted(**json.loads(json.dumps(fitted.model_dump(mode="json"), allow_nan=False)))
    assert again == fitted
    np.testing.assert_array_equal(again(x), fitted(x))
    with pytest.raises(ValidationError):
        method.fitted(**fitted.model_dump(), no_such_field=1)
    for field in type(fitted).model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(fitted, field, getattr(fitted, field))


@every_calibration
def test_calibration_round_trips_through_json(calibration: Any) -> None:
    logits, y, weight = toy(300)
    same_after_json(calibration, calibration.fit(2 * logits, y, weight, np.array([0.5, 1.5, 4.0])), logits)


@every_calibration
def test_calibration_leaves_calibrated_logits_as_they_are(calibration: Any) -> None:
    logits, y, weight = toy(40_000)
    fitted = calibration.fit(logits, y, weight, np.ones(3))
    # The error of two numbers per class, learned from these many rows.
    np.testing.assert_allclose(softmax(fitted(logits)), softmax(logits), atol=0.04)


@every_calibration
def test_calibration_changes_nothing_without_rows(calibration: Any) -> None:
    logits, y, weight = toy(10)
    fitted = calibration.fit(logits[:0], y[:0], weight[:0], None)
    np.testing.assert_allclose(softmax(fitted(logits)), softmax(logits), atol=1e-6)


@every_calibration
@pytest.mark.parametrize("n", [1, 5, 20])
def test_calibration_of_few_and_separable_rows_stays_near(calibration: Any, n: int) -> None:
    # All rows are right: without a prior, any scale would be made larger still.
    y = np.arange(n) % 3
    fitted = calibration.fit(4 * np.eye(3)[y], y, np.ones(n), None)
    calibrated = fitted(4 * np.eye(3))
    assert np.isfinite(calibrated).all()
    assert softmax(calibrated).max() < 0.9999


@every_calibration
def test_calibration_is_blind_to_the_order_of_classes(calibration: Any) -> None:
    logits, y, weight = toy(500)
    order = np.array([2, 0, 1])
    factor = np.array([0.5, 2.0, 3.0])
    fitted = calibration.fit(1.5 * logits, y, weight, factor)
    permuted = calibration.fit(1.5 * logits[:, order], np.argsort(order)[y], weight, factor[order])
    np.testing.assert_allclose(softmax(permuted(logits[:, order])), softmax(fitted(logits))[:, order], atol=1e-4)


@every_calibration
def test_calibration_does_not_see_the_scale_of_weights_nor_change_its_inputs(calibration: Any) -> None:
    logits, y, _ = toy(500)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    kept = logits.copy()
    small, large = (calibration.fit(2 * logits, y, scale * weight, None)(logits) for scale in (0.01, 100))
    np.testing.assert_allclose(small, large, atol=1e-4)
    np.testing.assert_array_equal(logits, kept)


@every_calibration
def test_calibration_takes_a_row_of_weight_k_as_k_copies_of_it(calibration: Any) -> None:
    """And a row of weight 0 as none."""
    logits, y, _ = toy(600)
    times = np.random.default_rng(0).integers(0, 4, len(y))
    copies = np.repeat(np.arange(len(y)), times)
    weighted = calibration.fit(2 * logits, y, times.astype(float), None)
    repeated = calibration.fit(2 * logits[copies], y[copies], np.ones(len(copies)), None)
    np.testing.assert_allclose(softmax(weighted(logits)), softmax(repeated(logits)), atol=1e-4)


@every_calibration
def test_calibration_serves_float32_and_far_logits(calibration: Any) -> None:
    logits, y, weight = toy(200)
    fitted = calibration.fit((100 * logits).astype(np.float32), y, weight, None)
    assert np.isfinite(fitted((100 * logits).astype(np.float32))).all()


@pytest.mark.parametrize("name", ["temperature", "class_scale_bias"])
def test_learned_calibration_helps_an_overconfident_network(name: str) -> None:
    logits, y, weight = toy(2000)
    new, new_y, _ = toy(4000, seed=1)
    fitted: Any = methods.load("calibration", name)().fit(2.5 * logits, y, weight, None)  # type: ignore[attr-defined]
    assert log_loss(fitted(2.5 * new), new_y) < log_loss(new, new_y) + 0.005 < log_loss(2.5 * new, new_y)


@every_decision
def test_decision_round_trips_through_json(decision: Any) -> None:
    logits, y, weight = toy(300)
    p = softmax(logits)
    same_after_json(decision, decision.fit(DecisionRows(p, y, weight, balanced_accuracy, prior_of(y))), p)


@every_decision
def test_decision_gives_codes_and_changes_no_input(decision: Any) -> None:
    logits, y, weight = toy(300)
    p = softmax(logits)
    kept = p.copy()
    codes = decision.fit(DecisionRows(p, y, weight, balanced_accuracy, prior_of(y)))(p)
    np.testing.assert_array_equal(p, kept)
    assert codes.shape == (300,)
    assert np.issubdtype(codes.dtype, np.integer)
    assert set(codes) <= {0, 1, 2}


@every_decision
@pytest.mark.parametrize("n_classes", [2, 3])
def test_decision_is_blind_to_the_order_of_classes(decision: Any, n_classes: int) -> None:
    logits, y, weight = toy(400, n_classes)
    p, prior = softmax(logits), prior_of(y, n_classes)
    order = np.roll(np.arange(n_classes), 1)
    codes = decision.fit(DecisionRows(p, y, weight, balanced_accuracy, prior, labels_in(np.arange(n_classes))))(p)
    turned = DecisionRows(p[:, order], np.argsort(order)[y], weight, balanced_accuracy, prior[order], labels_in(order))
    permuted = decision.fit(turned)(p[:, order])
    np.testing.assert_array_equal(order[permuted], codes)


@every_decision
def test_decision_takes_what_is_certain(decision: Any) -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    p = 0.97 * np.eye(3)[y] + 0.01
    np.testing.assert_array_equal(decision.fit(DecisionRows(p, y, np.ones(100), balanced_accuracy, prior_of(y)))(p), y)


@every_decision
def test_decision_works_without_rows_and_without_a_class(decision: Any) -> None:
    logits, y, weight = toy(50)
    p = softmax(logits)
    decision.fit(DecisionRows(p[:0], y[:0], weight[:0], balanced_accuracy, np.array([0.7, 0.3, 0.0])))
    kept = y < 2
    fitted = decision.fit(DecisionRows(p[kept], y[kept], weight[kept], balanced_accuracy, np.array([0.7, 0.3, 0.0])))
    assert fitted(p).shape == (50,)


@every_decision
def test_decision_takes_a_row_of_weight_k_as_k_copies_of_it(decision: Any) -> None:
    """And a row of weight 0 as none."""
    logits, y, _ = toy(200)
    p, times = softmax(logits), np.random.default_rng(0).integers(0, 4, len(y))
    copies = np.repeat(np.arange(len(y)), times)
    prior = prior_of(y[copies])
    weighted = decision.fit(DecisionRows(p, y, times.astype(float), balanced_accuracy, prior))
    repeated = decision.fit(DecisionRows(p[copies], y[copies], np.ones(len(copies)), balanced_accuracy, prior))
    np.testing.assert_array_equal(weighted(p), repeated(p))


@every_decision
def test_same_rows_same_decision(decision: Any) -> None:
    logits, y, weight = toy(200)
    p = softmax(logits)
    first, again = (decision.fit(DecisionRows(p, y, weight, balanced_accuracy, prior_of(y))) for _ in range(2))
    assert first == again


@every_calibration
@pytest.mark.parametrize("shown", [(0, 1, 2), (2, 0), (1,)])
def test_calibration_on_tensors_is_the_same_map(calibration: Any, shown: tuple[int, ...]) -> None:
    """Also where held-out rows show some of the classes alone, and in the single precision of exported networks."""
    logits, y, weight = toy(500)
    used = np.isin(y, shown)
    fitted = calibration.fit(2 * logits[used], y[used], weight[used], np.array([0.5, 1.5, 4.0]))
    mapped = fitted.on_tensors(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(softmax(mapped), softmax(fitted(logits)), atol=1e-12)
    single = fitted.on_tensors(torch.from_numpy(logits.astype(np.float32))).numpy()
    np.testing.assert_allclose(softmax(single), softmax(mapped), atol=1e-5)


@every_calibration
def test_calibration_of_two_classes_on_tensors_is_the_same_map(calibration: Any) -> None:
    logits, y, weight = toy(300, 2)
    fitted = calibration.fit(2 * logits, y, weight, np.array([0.5, 4.0]))
    mapped = fitted.on_tensors(torch.from_numpy(logits)).numpy()
    assert np.abs(softmax(mapped) - softmax(logits)).max() > 1e-3
    np.testing.assert_allclose(softmax(mapped), softmax(fitted(logits)), atol=1e-12)


@every_decision
def test_decision_on_tensors_is_the_same_decision(decision: Any) -> None:
    logits, y, weight = toy(500)
    p = softmax(logits)
    fitted = decision.fit(DecisionRows(p, y, weight, balanced_accuracy, prior_of(y)))
    if isinstance(fitted, DecisionOnTensors):
        for rows in (p, p.astype(np.float32), np.tile(prior_of(y), (3, 1)), np.eye(3)):
            np.testing.assert_array_equal(fitted.on_tensors(torch.from_numpy(rows)).numpy(), fitted(rows))
