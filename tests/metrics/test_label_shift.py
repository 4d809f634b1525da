"""Class frequencies of unlabeled rows: found again where only they changed."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.metrics.label_shift import black_box, em, mean_probabilities, separation

NATURAL, DEPLOYED = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])


def drawn(prior: np.ndarray, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows under `prior`, with exact probabilities under `NATURAL`."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=n, p=prior)
    x = rng.normal(1.8 * np.eye(3)[y])
    p = NATURAL * np.exp(1.8 * x)
    return p / p.sum(axis=1, keepdims=True), y


def test_both_find_the_frequencies_again() -> None:
    p, _ = drawn(DEPLOYED, 20_000, 0)
    np.testing.assert_allclose(em(p, NATURAL, np.ones(len(p))), DEPLOYED, atol=0.015)
    held, y = drawn(NATURAL, 20_000, 1)
    means = mean_probabilities(held, y, np.ones(len(y)))
    np.testing.assert_allclose(means.sum(axis=0), 1)
    np.testing.assert_allclose(black_box(means, p.mean(axis=0)), DEPLOYED, atol=0.02)


def test_em_is_the_largest_likelihood_and_weights_count_rows() -> None:
    p, _ = drawn(DEPLOYED, 300, 2)
    times = np.random.default_rng(0).integers(0, 4, 300)
    found = em(p, NATURAL, times.astype(float))
    np.testing.assert_allclose(found, em(np.repeat(p, times, axis=0), NATURAL, np.ones(times.sum())), atol=1e-6)

    def likelihood(prior: np.ndarray) -> float:
        return float(times @ np.log((p / NATURAL) @ prior))

    for seed in range(50):
        other = found + 0.01 * np.random.default_rng(seed).normal(size=3)
        other = np.abs(other) / np.abs(other).sum()
        assert likelihood(found) >= likelihood(other) - 1e-6


def test_replicates_are_estimated_one_by_one() -> None:
    p, _ = drawn(DEPLOYED, 200, 3)
    weights = np.random.default_rng(1).poisson(1, (200, 4)).astype(float)
    together = em(p, NATURAL, weights)
    for place in range(4):
        np.testing.assert_allclose(together[place], em(p, NATURAL, weights[:, place]), atol=1e-5)


def test_a_class_that_cannot_be_stays_at_zero() -> None:
    p = np.array([[0.5, 0.5, 0.0]] * 10)
    assert em(p, np.array([0.5, 0.5, 0.0]), np.ones(10))[2] == 0


def test_separation_is_1_for_certain_classes_and_0_for_equal_ones() -> None:
    assert separation(np.eye(3)) == pytest.approx(1)
    assert separation(np.tile(NATURAL[:, None], 3)) == pytest.approx(0, abs=1e-9)
