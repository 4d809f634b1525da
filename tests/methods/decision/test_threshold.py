"""Threshold: near the best cut-off of any metric on new rows, nearer than the luckiest cut-off of few rows; and
fast."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score

from rarebird.methods.decision import threshold as module
from rarebird.methods.decision._offset_search import OffsetSearch
from rarebird.methods.decision.balanced import above_prior
from rarebird.methods.decision.threshold import (
    EVALUATIONS,
    FittedThreshold,
    Threshold,
    _fitted_offsets,
    best_offsets,
    logs,
    merged,
    never_chosen,
)
from rarebird.slots.decisions import DecisionRows


def table(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> np.ndarray:
    k = int(max(y.max(), predicted.max())) + 1
    return np.bincount(y * k + predicted, weight, k * k).reshape(k, k)


def macro_f1(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    cells = table(y, predicted, weight)
    both = cells.sum(axis=0) + cells.sum(axis=1)
    return float((2 * np.diag(cells)[both > 0] / both[both > 0]).mean())


def accuracy(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average(y == predicted, weights=weight))


def rare_f1(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
    hit, called, there = (weight[mask].sum() for mask in ((y == 1) & (predicted == 1), predicted == 1, y == 1))
    return float(2 * hit / (called + there)) if called + there else 0.0


def two_classes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One row in eleven is rare; probabilities are calibrated."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 1 / 11).astype(int)
    odds = np.exp(1.5 * rng.normal(1.5 * y, 1) - 1.5**2 / 2) / 10
    p = odds / (1 + odds)
    return np.stack([1 - p, p], axis=1), y


def many_classes(n: int, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, n_classes)) - 3 * np.arange(n_classes) / n_classes
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def prior(y: np.ndarray, n_classes: int) -> np.ndarray:
    return np.bincount(y, minlength=n_classes) / len(y)


def test_confusions_of_all_candidates_equal_predicting_one_by_one() -> None:
    p, y = many_classes(200, 4, 0)
    weight = np.random.default_rng(1).random(200)
    log_p, offsets, candidates = np.log(p), np.array([0.1, -0.2, 0.0, 0.3]), np.array([-1.0, 0.0, 0.7, 2.0])
    others = log_p + offsets
    others[:, 2] = -np.inf
    edge, rival = others.max(axis=1) - log_p[:, 2], others.argmax(axis=1)
    fast = OffsetSearch(log_p, y, accuracy, np.arange(4), 10)._confusions(edge, rival, 2, candidates, weight)
    assert len(fast) == 4
    for cells, offset in zip(fast, candidates, strict=True):
        offsets[2] = offset
        np.testing.assert_allclose(
            cells, np.bincount(y * 4 + (log_p + offsets).argmax(axis=1), weight, 16).reshape(4, 4), atol=1e-12
        )


def test_f1_of_the_rare_class_is_near_the_best_threshold_on_new_rows() -> None:
    p, y = two_classes(5000, 0)
    new, new_y = two_classes(100_000, 1)
    fitted = Threshold().fit(DecisionRows(p, y, np.ones(5000), rare_f1, prior(y, 2)))
    best = max(f1_score(new_y, new[:, 1] > cut) for cut in np.linspace(0.05, 0.8, 31))
    assert f1_score(new_y, fitted(new)) > best - 0.01


def test_is_less_lucky_and_more_right_than_the_best_cut_off_of_few_rows() -> None:
    new, new_y = two_classes(20_000, 99)
    ours, luckiest = [], []
    for seed in range(12):
        p, y = two_classes(200, seed)
        ours.append(f1_score(new_y, Threshold().fit(DecisionRows(p, y, np.ones(200), rare_f1, prior(y, 2)))(new)))
        cuts = np.unique(p[:, 1])
        cut = cuts[np.argmax([rare_f1(y, (p[:, 1] >= c).astype(int), np.ones(200)) for c in cuts])]
        luckiest.append(f1_score(new_y, new[:, 1] >= cut))
    assert np.mean(ours) > np.mean(luckiest)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_finds_what_theory_gives_for_accuracy_and_balanced_accuracy(n_classes: int) -> None:
    p, y = many_classes(4000, n_classes, 0)
    new, new_y = many_classes(40_000, n_classes, 1)
    ones = np.ones(4000)

    def recall(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
        cells = table(y, predicted, weight)
        return float((np.diag(cells) / np.maximum(cells.sum(axis=1), 1e-12))[cells.sum(axis=1) > 0].mean())

    for metric, ideal in ((accuracy, new.argmax(axis=1)), (recall, above_prior(new, prior(y, n_classes)))):
        found = Threshold().fit(DecisionRows(p, y, ones, metric, prior(y, n_classes)))(new)
        assert metric(new_y, found, np.ones(40_000)) > metric(new_y, ideal, np.ones(40_000)) - 0.01
    assert recall(new_y, found, np.ones(40_000)) == pytest.approx(balanced_accuracy_score(new_y, found))


def test_undoes_probabilities_that_favor_a_class() -> None:
    p, y = many_classes(3000, 4, 0)
    bent = p * np.array([1, 1, 1, 30.0])
    bent /= bent.sum(axis=1, keepdims=True)
    found = Threshold().fit(DecisionRows(bent, y, np.ones(3000), macro_f1, prior(y, 4)))(bent)
    assert macro_f1(y, found, np.ones(3000)) > macro_f1(y, bent.argmax(axis=1), np.ones(3000)) + 0.05


def test_scale_of_weights_that_compare_rows_does_not_matter_and_weights_do() -> None:
    p, y = two_classes(2000, 0)
    weight = np.where(y == 1, 10.5, 1.0)
    heavy, scaled, plain = (
        Threshold().fit(DecisionRows(p, y, w, accuracy, prior(y, 2))) for w in (weight, 0.01 * weight, np.ones(2000))
    )
    np.testing.assert_allclose(heavy.offsets, scaled.offsets)
    assert heavy.offsets[1] > plain.offsets[1] + 1


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_row_of_weight_k_cuts_as_k_copies_of_it(n_classes: int) -> None:
    p, y = many_classes(60, n_classes, 0)
    times = np.random.default_rng(1).integers(0, 9, 60)
    weighted = Threshold().fit(DecisionRows(p, y, times.astype(float), macro_f1, prior(y, n_classes)))
    copies = np.repeat(np.arange(60), times)
    repeated = Threshold().fit(DecisionRows(p[copies], y[copies], np.ones(len(copies)), macro_f1, prior(y, n_classes)))
    np.testing.assert_allclose(weighted.offsets, repeated.offsets, atol=1e-9)
    unweighted = Threshold().fit(DecisionRows(p, y, np.ones(60), macro_f1, prior(y, n_classes)))
    assert np.abs(np.subtract(unweighted.offsets, weighted.offsets)).max() > 0.01


def test_a_class_without_training_rows_is_never_chosen() -> None:
    """Even where its probability is nearly 1, and where argmax serves the metric best."""
    p, y = many_classes(300, 3, 0)
    p = np.column_stack([p, np.zeros(300)])
    for metric in (accuracy, macro_f1):
        fitted = Threshold().fit(DecisionRows(p, y, np.ones(300), metric, prior(y, 4)))
        certain = np.array([[1e-12, 1e-12, 1e-12, 1.0], [0.2, 0.2, 0.2, 0.4]])
        assert (fitted(certain) < 3).all()
        assert (fitted(np.vstack([p, certain])) < 3).all()


@pytest.mark.parametrize(("n", "n_classes"), [(20_000, 2), (3000, 10), (60, 3)])
def test_a_metric_is_evaluated_some_thousand_times_on_any_number_of_rows(n: int, n_classes: int) -> None:
    """And on no more than a cell for each pair of classes."""
    p, y = many_classes(n, n_classes, 0)
    sizes: list[int] = []

    def counted(y: np.ndarray, predicted: np.ndarray, weight: np.ndarray) -> float:
        sizes.append(len(y))
        return macro_f1(y, predicted, weight)

    fitted = Threshold().fit(DecisionRows(p, y, np.ones(n), counted, prior(y, n_classes)))
    assert 2000 < len(sizes) < 1.3 * EVALUATIONS
    assert max(sizes) <= n_classes**2
    assert sum(fitted.offsets) == pytest.approx(0, abs=1e-9)


def test_copies_become_one_row_in_the_order_of_their_first_appearance() -> None:
    log_p = np.array([[5.0, 1.0], [2.0, 2.0], [5.0, 1.0], [5.0, 1.0], [0.0, 3.0], [4.0, 4.0]])
    y, rows = np.array([1, 0, 1, 0, 0, 1]), np.array([1.0, 2.0, 4.0, 8.0, 0.5, 0.0])
    merged_p, merged_y, merged_rows = merged(log_p, y, rows)
    np.testing.assert_array_equal(merged_p, log_p[[0, 1, 3, 4]])
    assert (merged_y.tolist(), merged_rows.tolist()) == ([1, 0, 0, 0], [5, 2, 8, 0.5])


def test_logarithms_are_exact_and_bounded() -> None:
    found = logs(np.array([[0.25, 0.0, 1e-30]], dtype=np.float32))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[np.log(0.25), np.log(1e-12), np.log(1e-12)]])


def test_a_class_that_is_never_chosen_lies_below_all_probabilities() -> None:
    offsets = np.array([0.5, -2.0, 3.0])
    found = never_chosen(offsets, np.array([False, False, True]))
    np.testing.assert_allclose(found, [0.5, -2.0, -2 + 2 * np.log(1e-12)])
    assert never_chosen(offsets, np.zeros(3, dtype=bool)) is offsets
    assert never_chosen(offsets, np.ones(3, dtype=bool)) is offsets


class Searched:
    """A search that finds given offsets from each start, and a power by the weights; it records what it is asked."""

    def __init__(self, climbed: np.ndarray, n_classes: int) -> None:
        rng = np.random.default_rng(0)
        self.log_p, self.y, self.n_classes = rng.normal(size=(12, n_classes)), np.arange(12) % n_classes, n_classes
        self.climbed, self.n_candidates = climbed, 0
        self.starts: list[np.ndarray] = []
        self.orders: list[list[int]] = []
        self.rounds: list[int] = []
        self.weights: list[np.ndarray] = []

    def value(self, at: np.ndarray, weight: np.ndarray) -> float:
        return float(-np.abs(at).sum())

    def power(self, balanced: np.ndarray, weight: np.ndarray) -> float:
        return float(weight.sum() / 100)

    def climb(self, start: np.ndarray, weight: np.ndarray, order: list[int], rounds: int) -> np.ndarray:
        self.starts.append(start)
        self.weights.append(weight)
        self.orders.append(order)
        self.rounds.append(rounds)
        return start if rounds > 1 or len(self.starts) <= 2 else self.climbed


@pytest.mark.parametrize(
    ("n_classes", "repeats", "rounds", "candidates"), [(2, 32, 1, 128), (3, 16, 3, 128), (20, 8, 3, 35)]
)
def test_offsets_are_pulled_towards_a_power_of_the_prior_by_the_rows_of_their_class(
    n_classes: int, repeats: int, rounds: int, candidates: int
) -> None:
    rng = np.random.default_rng(1)
    climbed, balanced, prior = rng.normal(size=n_classes), 1 + rng.random(n_classes), rng.random(n_classes)
    asked = Searched(climbed, n_classes)
    weight = rng.uniform(0.5, 9, size=12)
    offsets, share = _fitted_offsets(asked, weight, balanced, prior)  # type: ignore[arg-type]
    # Two climbs on the rows, from argmax and from balanced; then one from the better for each draw of weights.
    assert len(asked.starts) == 2 + repeats
    np.testing.assert_array_equal(asked.starts[:2], [np.zeros(n_classes), balanced])
    assert all(np.array_equal(start, np.zeros(n_classes)) for start in asked.starts[2:])
    assert asked.rounds == [rounds] * 2 + [1] * repeats
    order = [1] if n_classes == 2 else sorted(range(n_classes), key=lambda k: (prior[k], asked.log_p[:, k].sum()))
    assert all(one == order for one in asked.orders)
    assert asked.n_candidates == candidates
    assert all(np.array_equal(one, weight) for one in asked.weights[:2])
    draws = np.array(asked.weights[2:])
    assert len(np.unique(draws, axis=0)) == repeats
    np.testing.assert_allclose(draws.mean(axis=0), weight, rtol=1.5)
    np.testing.assert_allclose(draws.mean(), weight.mean(), rtol=0.3)
    # By hand, for each class: n / (n + 10) of what was found, the rest of the anchor; both with mean 0 over the rows.
    assert share == pytest.approx(np.mean(draws.sum(axis=1)) / 100)
    rows = np.bincount(asked.y, weight, n_classes)
    anchor = share * balanced
    for k in range(n_classes):
        found, own = climbed[k] - climbed @ rows / rows.sum(), anchor[k] - anchor @ rows / rows.sum()
        assert offsets[k] == pytest.approx(anchor[k] + rows[k] / (rows[k] + 10) * (found - own))


def test_without_rows_of_two_classes_the_middle_of_argmax_and_balanced_decides() -> None:
    prior = np.array([0.7, 0.2, 0.1, 0.0])
    nothing = best_offsets(np.zeros((3, 4)), np.array([0, 1, 2]), np.zeros(3), accuracy, prior)
    np.testing.assert_array_equal(nothing, np.zeros(4))
    np.testing.assert_array_equal(
        best_offsets(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), accuracy, prior), nothing
    )
    for weight in (np.array([1.0, 0.0, 0.0]), np.array([0.0, 3.0, 0.0])):
        one = best_offsets(np.zeros((3, 4)), np.array([0, 1, 2]), weight, accuracy, prior)
        np.testing.assert_allclose(one[:3], -0.5 * np.log(prior[:3]))
        assert one[3] == pytest.approx(one[:3].min() + 2 * np.log(1e-12))


def test_a_class_that_no_row_shows_has_the_power_of_the_prior_that_the_others_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, np.ndarray] = {}

    def fitted(
        search: OffsetSearch, weight: np.ndarray, balanced: np.ndarray, prior: np.ndarray
    ) -> tuple[np.ndarray, float]:
        seen.update(log_p=search.log_p, y=search.y, codes=search.codes, weight=weight, balanced=balanced, prior=prior)
        return np.array([10.0, 20.0]), 0.25

    monkeypatch.setattr(module, "_fitted_offsets", fitted)
    log_p, prior = np.arange(16.0).reshape(4, 4), np.array([0.5, 0.3, 0.15, 0.05])
    found = best_offsets(log_p, np.array([0, 2, 1, 2]), np.array([1.0, 2.0, 0.0, 4.0]), accuracy, prior)
    np.testing.assert_allclose(found, [10, -0.25 * np.log(0.3), 20, -0.25 * np.log(0.05)])
    np.testing.assert_array_equal(seen["log_p"], log_p[[0, 1, 3]][:, [0, 2]])
    assert (seen["y"].tolist(), seen["codes"].tolist(), seen["weight"].tolist()) == ([0, 1, 1], [0, 2], [1, 2, 4])
    np.testing.assert_allclose(seen["balanced"], -np.log([0.5, 0.15]))
    np.testing.assert_allclose(seen["prior"], [0.5, 0.15])


@pytest.mark.parametrize("sizes", [(4, 5, 5), (5, 4, 5), (5, 5, 4)])
def test_rows_and_offsets_of_other_numbers_are_refused(sizes: tuple[int, int, int]) -> None:
    p, y, weight = (
        part[:size] for part, size in zip((np.ones((5, 2)) / 2, np.arange(5) % 2, np.ones(5)), sizes, strict=True)
    )
    given = "got rows={}, y={}, weight={}".format(*sizes)
    with pytest.raises(ValueError, match=f"one label and weight per row.*{given}"):
        Threshold().fit(DecisionRows(p, y, weight, accuracy, np.ones(2) / 2))
    with pytest.raises(ValueError, match=r"one offset per class.*got classes=2, offsets=3"):
        FittedThreshold(offsets=(0.0, 1.0, 2.0))(p)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_on_tensors_of_any_precision_it_is_the_same_decision(precision: type) -> None:
    """Also where a probability is 0, whose logarithm is bounded."""
    p = np.concatenate([many_classes(200, 3, 0)[0], np.eye(3), [[0, 0.5, 0.5]]]).astype(precision)
    for offsets in ((0.3, -0.7, 0.4), (28.0, -14.0, -14.0), (27.0, -13.5, -13.5)):
        found = FittedThreshold(offsets=offsets)
        np.testing.assert_array_equal(found.on_tensors(torch.from_numpy(p)).numpy(), found(p))
    # log(1e-12) is -27.6: an offset that is 42 higher makes up for it, and one that is 20 higher does not.
    assert FittedThreshold(offsets=(28.0, -14.0, -14.0))(p)[-3:].tolist() == [0, 0, 0]
    assert FittedThreshold(offsets=(14.0, -6.0, -8.0))(p)[-3:].tolist() == [1, 2, 1]
