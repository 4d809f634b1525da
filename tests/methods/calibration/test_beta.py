"""Beta: the map by hand, the minimum of its penalized loss, and the paper's logistic regression where rows are many."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from rarebird.methods.calibration.beta import Beta, FittedBeta, log_odds_parts, log_odds_tensors

MAP = FittedBeta(a=(2.0, 1.0, 0.5), b=(0.25, 0.0, -1.0), c=(0.1, 0.7, -0.3), seen=(True, False, True))


def rows(n: int, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, n_classes))
    true = 0.6 * logits + 0.4 * np.arange(n_classes)
    return logits, (true + rng.gumbel(size=true.shape)).argmax(axis=1)


def test_the_map_is_by_hand_among_the_shown_classes() -> None:
    logits = np.array([[0.0, 5.0, 1.0], [3.0, -1.0, -2.0]], dtype=np.float32)
    z = logits[:, [0, 2]].astype(float)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    total = np.log(np.exp(z).sum(axis=1))
    expected = np.stack(
        [
            2 * np.log(p[:, 0]) - 0.25 * np.log(1 - p[:, 0]) + 0.1,
            logits[:, 1] - total + 0.7,
            0.5 * np.log(p[:, 1]) + np.log(1 - p[:, 1]) - 0.3,
        ],
        axis=1,
    )
    assert MAP(logits).dtype == np.float64
    np.testing.assert_allclose(MAP(logits), expected, atol=1e-6)
    exact = logits.astype(np.float64)
    np.testing.assert_allclose(MAP.on_tensors(torch.from_numpy(exact)).numpy(), MAP(exact), atol=1e-12)


def test_fewer_than_two_shown_classes_change_nothing_and_other_counts_are_refused() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(2, 3)
    one = MAP.model_copy(update={"seen": (False, False, True)})
    np.testing.assert_array_equal(one(logits), logits)
    assert one(logits).dtype == np.float64
    np.testing.assert_array_equal(one.on_tensors(torch.from_numpy(logits)).numpy(), logits)
    for short, given in (("a", "a=2, b=3, c=3"), ("b", "a=3, b=2, c=3"), ("c", "a=3, b=3, c=2")):
        with pytest.raises(ValueError, match=f"three numbers per class.*got classes=3, {given}"):
            MAP.model_copy(update={short: (1.0, 1.0)})(logits)
    with pytest.raises(ValueError, match="classes=2, a=3, b=3, c=3"):
        MAP(logits[:, :2])


def test_parts_of_the_odds_are_logarithms_of_p_and_the_rest_also_on_tensors() -> None:
    logits = np.random.default_rng(0).normal(size=(20, 4))
    p = np.exp(log_softmax(logits, axis=1))
    (own, rest), total = log_odds_parts(logits)
    np.testing.assert_allclose((own, rest), (np.log(p), np.log(1 - p)), atol=1e-12)
    np.testing.assert_allclose(total, np.log(np.exp(logits).sum(axis=1)), atol=1e-12)
    (own_t, rest_t), total_t = log_odds_tensors(torch.from_numpy(logits))
    for tensor, array in ((own_t, own), (rest_t, rest), (total_t, total)):
        np.testing.assert_allclose(tensor.numpy(), array, atol=1e-12)


@pytest.mark.parametrize(("n_classes", "prior_rows"), [(2, 10.0), (4, 3.0)])
def test_a_fit_minimizes_the_penalized_loss(n_classes: int, prior_rows: float) -> None:
    logits, y = rows(200, n_classes, 1)
    weight = np.random.default_rng(2).integers(0, 4, 200).astype(float)
    fitted = Beta(prior_rows=prior_rows).fit(logits, y, weight, None)
    (u, v), _ = log_odds_parts(logits)

    def loss(numbers: np.ndarray) -> float:
        a, b, c = numbers.reshape(3, n_classes)
        mapped = log_softmax(a * u - b * v + c, axis=1)
        pull = prior_rows * (((a - 1) ** 2).sum() + (b**2).sum()) + 0.5 * (c**2).sum()
        return float(-weight @ mapped[np.arange(200), y] + pull / 2)

    found = np.concatenate([fitted.a, fitted.b, fitted.c])
    best = minimize(loss, np.zeros(3 * n_classes), method="BFGS", options={"gtol": 1e-5})
    np.testing.assert_allclose(found, best.x, atol=2e-3)
    assert loss(found) <= best.fun + 1e-7
    assert np.abs(found - np.repeat([1.0, 0, 0], n_classes)).max() > 0.1
    copies = np.repeat(np.arange(200), weight.astype(int))
    repeated = Beta(prior_rows=prior_rows).fit(logits[copies], y[copies], np.ones(len(copies)), None)
    np.testing.assert_allclose(np.concatenate([repeated.a, repeated.b, repeated.c]), found, atol=1e-5)


def test_a_class_that_no_row_shows_keeps_its_odds_against_the_others_on_average() -> None:
    logits, y = rows(300, 2, 3)
    logits = np.insert(logits, 1, 0.3, axis=1)
    weight = np.random.default_rng(4).integers(0, 4, 300).astype(float)
    shown = np.array([0, 2])
    fitted = Beta().fit(logits, shown[y], weight, None)
    assert fitted.seen == (True, False, True)
    assert (fitted.a[1], fitted.b[1]) == (1, 0)
    # The mean logarithm of its odds against the others together.
    odds = [each[:, 1] - np.logaddexp(each[:, 0], each[:, 2]) for each in (logits, fitted(logits))]
    np.testing.assert_allclose(*(np.average(each, weights=weight) for each in odds))
    alone = Beta().fit(logits[:, shown], y, weight, None)
    np.testing.assert_allclose(np.array(fitted.a)[shown], alone.a)
    np.testing.assert_allclose(np.array(fitted.c)[shown], alone.c)
    one = Beta().fit(logits, np.full(300, 2), weight, None)
    assert (one.a, one.b, one.c, one.seen) == ((1, 1, 1), (0, 0, 0), (0, 0, 0), (False, False, True))
