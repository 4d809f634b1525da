"""Beta, isotonic and the choice among calibrations: each mends what it is for, and the rows choose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rarebird.methods.calibration.beta import Beta, log_odds_parts
from rarebird.methods.calibration.chosen import FIRST, Chosen
from rarebird.methods.calibration.class_scale_bias import FittedClassScaleBias
from rarebird.methods.calibration.isotonic import Isotonic
from rarebird.methods.calibration.temperature import FittedTemperature


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def log_loss(logits: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(softmax(logits)[np.arange(len(y)), y]).mean())


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated logits of two classes, and labels."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=n) - 1
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    return np.stack([np.zeros(n), z], axis=1), y


def bent(logits: np.ndarray) -> np.ndarray:
    """Log-odds that are too moderate above 0 alone, as no temperature and no bias mend."""
    z = logits[:, 1]
    return np.stack([np.zeros(len(z)), np.where(z > 0, 0.3 * z, z)], axis=1)


def stepped(logits: np.ndarray) -> np.ndarray:
    """Log-odds too far from 0 at both ends, and too near to it in the middle."""
    z = logits[:, 1]
    return np.stack([np.zeros(len(z)), np.sign(z) * z**2], axis=1)


@pytest.mark.parametrize(("method", "wrong"), [(Beta(), bent), (Isotonic(), bent), (Isotonic(), stepped)])
def test_mends_what_temperature_does_not(method: Any, wrong: Any) -> None:
    from rarebird.methods.calibration.temperature import Temperature

    (logits, y), (new, new_y) = drawn(6000, 0), drawn(20_000, 1)
    ones = np.ones(len(y))
    before, best = log_loss(wrong(new), new_y), log_loss(new, new_y)
    mended = log_loss(method.fit(wrong(logits), y, ones, None)(wrong(new)), new_y)
    scaled = log_loss(Temperature().fit(wrong(logits), y, ones, None)(wrong(new)), new_y)
    assert mended < best + 0.35 * (before - best)
    assert mended < scaled


def test_beta_of_two_classes_is_the_papers_map() -> None:
    logits, y = drawn(2000, 3)
    fitted = Beta().fit(bent(logits), y, np.ones(2000), None)
    mapped = fitted(bent(logits))
    p = softmax(bent(logits))[:, 1]
    design = np.stack([np.log(p), -np.log(1 - p), np.ones(len(p))], axis=1)
    odds = mapped[:, 1] - mapped[:, 0]
    coefficients, residual, *_ = np.linalg.lstsq(design, odds, rcond=None)
    assert residual[0] < 1e-16 * len(p) + 1e-8
    assert (coefficients[:2] > 0).all()


def test_isotonic_keeps_the_order_of_rows() -> None:
    logits, y = drawn(3000, 4)
    mapped = Isotonic().fit(stepped(logits), y, np.ones(3000), None)(stepped(logits))
    order = np.argsort(stepped(logits)[:, 1])
    assert (np.diff((mapped[:, 1] - mapped[:, 0])[order]) >= -1e-9).all()


def test_log_odds_are_exact_near_certainty() -> None:
    (u, v), total = log_odds_parts(np.array([[0.0, 500.0], [0.0, -500.0]]))
    np.testing.assert_allclose(u[:, 1], [0, -500], atol=1e-9)
    np.testing.assert_allclose(v[:, 1], [-500, 0], atol=1e-9)
    np.testing.assert_allclose(total, [500, 0], atol=1e-9)


@pytest.mark.parametrize(("wrong", "expected"), [(lambda z: 2 * z, "temperature"), (stepped, "isotonic")])
def test_the_rows_choose(wrong: Any, expected: str) -> None:
    logits, y = drawn(6000, 5)
    fitted = Chosen().fit(wrong(logits), y, np.ones(6000), None)
    assert fitted.steps[0][0] == expected


def test_few_rows_leave_no_choice() -> None:
    logits, y = drawn(500, 6)
    few = np.flatnonzero((y == 0) | (np.cumsum(y) <= 150))
    fitted = Chosen().fit(stepped(logits)[few], y[few], np.ones(len(few)), None)
    assert tuple(name for name, _ in fitted.steps) == FIRST
    # The steps act one after the other, in torch as well.
    (_, temperature), (_, scale_bias) = fitted.steps
    expected = FittedClassScaleBias(**scale_bias)(FittedTemperature(**temperature)(logits))
    np.testing.assert_allclose(fitted(logits), expected)
    np.testing.assert_allclose(fitted.on_tensors(torch.from_numpy(logits)).numpy(), expected)


def test_rows_without_weight_have_no_say() -> None:
    """Half of the rows need another map than the others: those with weight choose."""
    (plain, y), (other, other_y) = drawn(6000, 7), drawn(6000, 5)
    logits, labels = np.concatenate([plain, stepped(other)]), np.concatenate([y, other_y])
    fitted = Chosen().fit(logits, labels, (np.arange(12_000) >= 6000).astype(float), None)
    assert tuple(name for name, _ in fitted.steps) == ("isotonic",)
