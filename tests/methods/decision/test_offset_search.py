"""The search of offsets, each step against a slow and obvious one: all candidates tried one by one, weighted."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.methods.decision._offset_search import BANDWIDTH, SHARES, OffsetSearch, _candidates, smooth

CODES = np.array([0, 2, 5])


def weighted_recall(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    """A metric that knows classes by their codes: recalls count by code + 1."""
    shares = [(code + 1) * weight[(y == code) & (predicted == code)].sum() / weight[y == code].sum() for code in CODES]
    return float(sum(shares))


def rows(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-probabilities, positions of the true classes, and weights that are not one."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 3)
    log_p = np.log(rng.dirichlet(np.ones(3), size=n) + 0.5 * np.eye(3)[y])
    return log_p, y, rng.uniform(0.2, 3, size=n)


def search(n_candidates: int = 12) -> tuple[OffsetSearch, np.ndarray]:
    log_p, y, weight = rows()
    return OffsetSearch(log_p, y, weighted_recall, CODES, n_candidates), weight


def slow_value(offsets: np.ndarray, weight: np.ndarray) -> float:
    log_p, y, _ = rows()
    return weighted_recall(CODES[y], CODES[(log_p + offsets).argmax(axis=1)], weight)


def test_a_value_is_the_metric_of_the_weighted_labels_by_their_codes() -> None:
    found, weight = search()
    for offsets in (np.zeros(3), np.array([0.5, -1.0, 0.3]), np.array([3.0, 0.0, 0.0])):
        assert found.value(offsets, weight) == pytest.approx(slow_value(offsets, weight))


def test_an_undefined_value_is_the_worst() -> None:
    log_p, y, weight = rows()
    undefined = OffsetSearch(log_p, y, lambda *rows: float("nan"), CODES)
    assert undefined.value(np.zeros(3), weight) == -np.inf


def test_a_cell_of_rounding_errors_is_no_row() -> None:
    """Labels that nothing but 1e-14 of the weight bears are not shown to the metric."""
    seen = []

    def metric(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
        seen.append(sorted(zip(y.tolist(), predicted.tolist(), weight.tolist(), strict=True)))
        return 0.0

    OffsetSearch(np.zeros((1, 2)), np.zeros(1, dtype=int), metric, np.array([3, 7]))._metric(
        np.array([[2.0, 1e-14], [0.5, 0.0]])
    )
    assert seen == [[(3, 3, 2.0), (7, 3, 0.5)]]


def test_the_power_is_the_mean_of_the_best_shares() -> None:
    found, weight = search()
    balanced = np.array([0.2, 1.0, 2.5])
    values = np.array([slow_value(share * balanced, weight) for share in SHARES])
    best = SHARES[np.isclose(values, values.max(), atol=1e-12)]
    assert found.power(balanced, weight) == pytest.approx(best.mean())
    assert found.power(np.zeros(3), weight) == pytest.approx(0.5)
    assert (SHARES[0], SHARES[-1], len(SHARES)) == (0, 1, 9)


def test_candidates_lie_between_the_edges_of_rows_and_beyond_both_ends() -> None:
    edge, own = np.array([3.0, -1.0, 0.5, 2.0, 7.0]), np.array([True, True, False, False, False])
    np.testing.assert_allclose(_candidates(edge, own, 100), [-2, -0.25, 1.25, 2.5, 5, 8])
    # Few are taken in equal numbers from both: the ends of the own rows, and of the others.
    np.testing.assert_allclose(_candidates(edge, own, 4), [-2, -0.25, 1.75, 5, 8])
    np.testing.assert_allclose(_candidates(edge, np.ones(5, dtype=bool), 4), [-2, 3, 8])
    np.testing.assert_allclose(_candidates(edge, np.zeros(5, dtype=bool), 4), [-2, 3, 8])


def testsmoothing_is_a_mean_over_neighbors_and_an_undefined_value_is_the_worst() -> None:
    candidates, values = np.array([0.0, 0.5, 2.0, 2.2, 5.0]), np.array([1.0, 3.0, -2.0, np.nan, 4.0])
    low, high = np.quantile(candidates, [0.16, 0.84])
    width = BANDWIDTH * (high - low) / 2
    filled = [1.0, 3.0, -2.0, -2.0, 4.0]
    expected = []
    for at in candidates:
        kernel = [np.exp(-((at - other) ** 2) / (2 * width**2)) for other in candidates]
        expected.append(sum(k * value for k, value in zip(kernel, filled, strict=True)) / sum(kernel))
    np.testing.assert_allclose(smooth(np.where(np.isnan(values), -np.inf, values), candidates), expected)
    # Values above 0 alone: an undefined one counts as 0. All candidates alike: nothing to smooth.
    np.testing.assert_allclose(smooth(np.array([-np.inf, 1.0]), np.array([0.0, 1e9])), [0, 1], atol=0.3)
    np.testing.assert_allclose(smooth(np.array([2.0, 4.0]), np.array([1.0, 1.0])), [3, 3])


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_best_offset_is_that_of_all_candidates_tried_one_by_one(code: int) -> None:
    found, weight = search()
    log_p, y, _ = rows()
    offsets = np.array([0.3, -0.2, 0.1])
    others = np.delete(log_p + offsets, code, axis=1).max(axis=1)
    edge = others - log_p[:, code]
    candidates = _candidates(edge, y == code, 12)
    values = smooth(
        np.array([slow_value(np.where(np.arange(3) == code, at, offsets), weight) for at in candidates]), candidates
    )
    tied = candidates[values >= values.max() - 1e-12]
    middle = (tied[(len(tied) - 1) // 2] + tied[len(tied) // 2]) / 2
    assert found._best(offsets, code, weight) == pytest.approx(middle)


def test_of_equally_good_offsets_the_middle_is_taken() -> None:
    """Any offset serves a metric that is always the same: the middle of the candidates, counted from both ends."""
    log_p, y, weight = rows()
    for n, codes in ((12, 12), (13, 12)):
        even = OffsetSearch(log_p, y, lambda *rows: 1.0, CODES, n)
        edge = np.delete(log_p, 1, axis=1).max(axis=1) - log_p[:, 1]
        candidates = _candidates(edge, y == 1, codes)
        half = len(candidates) // 2
        expected = candidates[half] if len(candidates) % 2 else candidates[half - 1 : half + 1].mean()
        assert even._best(np.zeros(3), 1, weight) == pytest.approx(expected)


def test_a_climb_sets_one_class_after_the_other_until_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    found, weight = search()
    calls: list[int] = []

    def towards_two(offsets: np.ndarray, code: int, weight: np.ndarray) -> float:
        calls.append(code)
        return float(min(offsets[code] + 1, 2))

    monkeypatch.setattr(found, "_best", towards_two)
    start = np.array([0.0, 1.0, 5.0])
    np.testing.assert_array_equal(found.climb(start, weight, [2, 0], 1), [1, 1, 2])
    np.testing.assert_array_equal(start, [0, 1, 5])
    assert calls == [2, 0]
    np.testing.assert_array_equal(found.climb(start, weight, [2, 0], 10), [2, 1, 2])
    assert calls == [2, 0] * (1 + 3)
