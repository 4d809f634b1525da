"""Which rows to label next: uncertain, of rare classes, apart from one another, and no copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rarebird.diagnostics.next_rows.acquisition import Pool, chosen, scored


def pool(probabilities: np.ndarray, counts: tuple[float, ...] = (50, 50), seed: int = 0) -> Pool:
    n, rng = len(probabilities), np.random.default_rng(seed)
    return Pool(
        probabilities,
        np.array(counts, float),
        rng.normal(size=(n, 3)),
        rng.normal(size=(30, 3)),
        np.arange(n),
        np.zeros(n, bool),
    )


def test_the_margin_is_that_under_equal_priors() -> None:
    """With nine tenths of one class, a row is uncertain at its natural prior."""
    found = scored(pool(np.array([[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]]), (90, 10)))
    assert found.margin == pytest.approx([1.0, 0.2, 0.0])
    assert found.entropy[0] == pytest.approx(1.0)


def test_rare_classes_raise_the_score_of_equally_uncertain_rows() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.98, 0.02, 0.0]])
    natural = probabilities * [1, 1, 0.1]
    found = scored(pool(natural / natural.sum(axis=1, keepdims=True), (50, 50, 5)))
    assert found.score[1] > found.score[0] > found.score[2]
    assert found.rare == pytest.approx([0, 0.45, 0])


def test_a_permutation_of_classes_changes_nothing() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 60)
    counts = np.array([40.0, 30, 20, 10])
    order = np.array([2, 0, 3, 1])
    one, two = pool(probabilities, tuple(counts)), pool(probabilities[:, order], tuple(counts[order]))
    np.testing.assert_allclose(scored(one).score, scored(two).score)
    np.testing.assert_array_equal(chosen(one, 10), chosen(two, 10))


def test_copies_of_labeled_rows_and_of_one_another_are_never_chosen() -> None:
    rows = pool(np.full((40, 2), 0.5))
    rows = replace(rows, copies=np.arange(40) // 4, is_known=np.arange(40) < 20)
    batch = chosen(rows, 30)
    assert len(batch) == 5
    assert (batch >= 20).all()
    assert len(np.unique(rows.copies[batch])) == 5


def test_a_batch_is_spread_over_the_pool() -> None:
    """Equally uncertain rows in four clusters: the first four rows chosen are of all four."""
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [30, 0], [0, 30], [30, 30.0]])
    features = np.repeat(centers, 50, axis=0) + rng.normal(0, 0.1, (200, 2))
    rows = replace(pool(np.full((200, 2), 0.5)), features=features, labeled=np.zeros((0, 2)))
    assert set(chosen(rows, 4) // 50) == {0, 1, 2, 3}


def test_numbers_are_chosen_where_models_disagree() -> None:
    predictions = np.array([[1.0, 1.0], [1.0, 3.0], [2.0, 2.5]])
    rows = replace(pool(predictions), counts=None, features=np.zeros((3, 1)), labeled=np.zeros((0, 1)))
    assert scored(rows).margin == pytest.approx([0, 1, 0.25])
    assert chosen(rows, 1).tolist() == [1]
    assert not len(chosen(replace(rows, is_known=np.ones(3, bool)), 2))
