"""Confident learning's mathematics: what is exact is found exactly, nothing is found among clean rows, and rarity alone
is no reason."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.diagnostics.label_issues.confident_learning import (
    agreement,
    confident_joint,
    contradicted,
    estimated_counts,
    indicated_classes,
    issues,
    thresholds,
)

Probabilities = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawn(n: int = 400, prior: tuple[float, ...] = (0.7, 0.2, 0.1), seed: int = 0) -> Probabilities:
    """Calibrated probabilities of an unsure network, labels drawn from them, and unequal weights."""
    rng = np.random.default_rng(seed)
    logits = np.log(prior) + rng.normal(scale=2.5, size=(n, len(prior)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(len(prior), p=row) for row in p])
    return p, y, rng.integers(1, 4, n).astype(float)


def counted(p: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which class each row indicates, and the estimated counts."""
    indicated = indicated_classes(p, y, thresholds(p, y, weight))
    return indicated, estimated_counts(confident_joint(indicated, y, weight, p.shape[1]), y, weight)


def test_a_perfect_network_finds_exactly_the_turned_labels() -> None:
    rng = np.random.default_rng(0)
    true = rng.choice(4, 500, p=[0.8, 0.1, 0.06, 0.04])
    y, turned = true.copy(), rng.choice(500, 25, replace=False)
    y[turned] = (true[turned] + rng.integers(1, 4, 25)) % 4
    indicated, counts = counted(np.eye(4)[true], y, np.ones(500))
    np.testing.assert_array_equal(indicated, true)
    expected = np.zeros((4, 4))
    np.add.at(expected, (y, true), 1)
    np.testing.assert_allclose(counts, expected)
    score = agreement(np.eye(4)[true], y, np.ones(500))
    assert set(np.argsort(score)[:25]) == set(turned)
    listed = issues(np.eye(4)[true], y, np.ones(500), thresholds(np.eye(4)[true], y, np.ones(500)), counts)
    np.testing.assert_array_equal(listed, y != true)


def test_thresholds_are_means_of_the_given_labels_probabilities() -> None:
    p = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.2, 0.8, 0.0]])
    found = thresholds(p, np.array([0, 0, 1]), np.array([1.0, 3.0, 1.0]))
    np.testing.assert_allclose(found, [0.6, 0.8, np.inf])


def test_counts_keep_the_classes_own_weight_and_scale_what_is_clear() -> None:
    p, y, weight = drawn()
    indicated, counts = counted(p, y, weight)
    assert (indicated == -1).any()
    np.testing.assert_allclose(counts.sum(axis=1), np.bincount(y, weights=weight))
    joint = confident_joint(indicated, y, weight, 3)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), joint / joint.sum(axis=1, keepdims=True))
    silent = estimated_counts(np.zeros((3, 3)), y, weight)
    np.testing.assert_allclose(silent, np.diag(np.bincount(y, weights=weight)))


def test_each_class_lists_as_many_rows_as_are_estimated_wrong_and_only_contradicted_ones() -> None:
    p, y, _ = drawn(2000)
    y = np.where(np.arange(2000) % 20 == 0, (y + 1) % 3, y)
    weight, threshold = np.ones(2000), thresholds(p, y, np.ones(2000))
    _, counts = counted(p, y, weight)
    listed, doubted = issues(p, y, weight, threshold, counts), contradicted(p, y, threshold)
    wrong = counts.sum(axis=1) - np.diag(counts)
    for code in range(3):
        mine = y == code
        assert listed[mine].sum() == min(round(wrong[code]), doubted[mine].sum())
        own = p[mine, code]
        assert own[listed[mine]].max() <= own[doubted[mine] & ~listed[mine]].min(initial=1)
    assert not (listed & ~doubted).any()
    assert not issues(p, y, weight, threshold, np.diag(np.bincount(y).astype(float))).any()


def test_permuting_the_classes_permutes_the_result() -> None:
    p, y, weight = drawn()
    order = np.array([2, 0, 1])
    place = np.argsort(order)
    indicated, counts = counted(p, y, weight)
    other, permuted = counted(p[:, order], place[y], weight)
    np.testing.assert_array_equal(other, np.where(indicated < 0, -1, place[indicated]))
    np.testing.assert_allclose(permuted, counts[np.ix_(order, order)])
    np.testing.assert_allclose(agreement(p[:, order], place[y], weight), agreement(p, y, weight))


def test_a_weight_counts_as_so_many_rows() -> None:
    p, y, weight = drawn()
    times = weight.astype(int)
    often, repeated = np.repeat(p, times, axis=0), np.repeat(y, times)
    indicated, counts = counted(p, y, weight)
    again, repeated_counts = counted(often, repeated, np.ones(len(repeated)))
    np.testing.assert_array_equal(again, np.repeat(indicated, times))
    np.testing.assert_allclose(repeated_counts, counts)
    np.testing.assert_allclose(
        agreement(often, repeated, np.ones(len(repeated))), np.repeat(agreement(p, y, weight), times)
    )
    np.testing.assert_allclose(agreement(p, y, weight / 1000), agreement(p, y, weight))


def test_nothing_is_found_among_clean_confident_rows() -> None:
    rng = np.random.default_rng(1)
    y = rng.choice(3, 300, p=[0.9, 0.07, 0.03])
    sure = rng.uniform(0.7, 1, 300)
    p = np.where(np.eye(3)[y] > 0, sure[:, None], (1 - sure[:, None]) / 2)
    indicated, counts = counted(p, y, np.ones(300))
    assert set(np.unique(indicated[indicated != y])) <= {-1}
    assert not issues(p, y, np.ones(300), thresholds(p, y, np.ones(300)), counts).any()
    np.testing.assert_allclose(counts, np.diag(np.bincount(y)))


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_network_that_knows_nothing_doubts_no_label(noise: float) -> None:
    rng = np.random.default_rng(2)
    y = (np.arange(1000) < 30).astype(int)
    rare = 0.03 * np.exp(rng.normal(scale=noise, size=1000))
    indicated, _ = counted(np.stack([1 - rare, rare], axis=1), y, np.ones(1000))
    assert not ((indicated >= 0) & (indicated != y)).any()


def test_rare_rows_are_doubted_by_evidence_and_not_by_rarity() -> None:
    # 40 rare rows of moderate probability, as a skewed prior gives them, two of them with a prediction that is sure of
    # the other class.
    rare = np.r_[np.full(38, 0.3), np.full(2, 1e-4), np.full(960, 1e-3)]
    y = (np.arange(1000) < 40).astype(int)
    p = np.stack([1 - rare, rare], axis=1)
    indicated, counts = counted(p, y, np.ones(1000))
    assert np.flatnonzero((indicated >= 0) & (indicated != y)).tolist() == [38, 39]
    assert counts[1, 0] == pytest.approx(2)
    # The same low probability is less suspicious for a label that is rare than for one that is frequent.
    p[:, 1], p[:, 0] = 0.3, 0.7
    p[500] = [0.3, 0.7]
    score = agreement(p, y, np.ones(1000))
    assert score[500] == score.min()
    assert score[500] < score[0]


def test_scores_lie_in_0_to_1_and_fall_with_the_labels_probability() -> None:
    p, y, weight = drawn()
    score = agreement(p, y, weight)
    assert ((score >= 0) & (score <= 1)).all()
    for code in range(3):
        mine = y == code
        order = np.argsort(p[mine, code])
        assert (np.diff(score[mine][order]) >= 0).all()
    even = agreement(p, np.arange(400) % 2, np.ones(400))
    np.testing.assert_allclose(even, p[np.arange(400), np.arange(400) % 2])
    assert np.isfinite(agreement(np.eye(2)[[1, 0, 0]], np.zeros(3, dtype=int), np.ones(3))).all()
