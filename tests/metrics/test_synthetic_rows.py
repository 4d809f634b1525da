"""Figures of new rows against held-out real ones: exact under equality, and the sanity checks that such figures must
pass (after Räisä, van Breugel and van der Schaar, ICML 2025): each fault is found by the figure that is meant for it,
and by no figure where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rarebird.metrics import near_rows
from rarebird.metrics.column_dependence import dependence, dependence_scores
from rarebird.metrics.synthetic_rows import (
    Figure,
    Sides,
    coverage,
    energy,
    judged,
    marginal,
    mean_difference,
    rank_share,
    tree_area,
)

N = 60


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sides(n: int = N, seed: int = 0) -> Sides:
    return Sides.of(np.arange(2 * n) >= n, np.zeros(2 * n), rng(seed))


def normal(n: int = N, d: int = 3, seed: int = 0) -> np.ndarray:
    return rng(seed).normal(size=(n, d))


def nearest(known: np.ndarray, points: np.ndarray) -> np.ndarray:
    found: np.ndarray = near_rows.distances(points, known).min(axis=1)
    return found


def figures(known: np.ndarray, held: np.ndarray, made: np.ndarray, seed: int = 0) -> dict[str, Figure]:
    """All figures of points."""
    points, both = np.concatenate([held, made]), sides(len(held), seed)
    covered = near_rows.distances(points, known) <= near_rows.radius(known)
    low, high = known.min(axis=0), known.max(axis=0)
    fold = np.tile(np.arange(5), len(points))[: len(points)]
    found = [
        tree_area(points, both, fold, rng(seed)),
        energy(points, both),
        dependence(points, both),
        marginal(points, both),
        coverage(covered, both),
        rank_share("nearness", nearest(known, points), both),
        mean_difference("outside", ((points < low) | (points > high)).any(axis=1).astype(float), both),
    ]
    return {figure.name: figure for figure in found}


def test_a_p_value_is_uniform_where_rows_are_alike() -> None:
    """Of 200 draws of equal sets, about 5 % have a p-value below 0.05, for each figure."""
    below: dict[str, int] = {}
    for seed in range(60):
        known, held, made = (normal(20, 2, 3 * seed + part) for part in range(3))
        for name, figure in figures(known, held, made, seed).items():
            below[name] = below.get(name, 0) + (figure.p_value < 0.1)
    # Of 60 draws, 6 are expected; 14 or more have a probability below 0.002.
    assert all(n < 14 for n in below.values()), below


def test_the_range_is_that_of_real_rows_and_the_smallest_p_value_that_of_the_changes() -> None:
    points = np.concatenate([normal(), normal(seed=1) + 5])
    found = energy(points, sides())
    assert found.p_value == pytest.approx(1 / 500)
    assert found.low < 0.01 < found.high < found.value


def test_equal_rows_are_nothing_unusual() -> None:
    points = np.ones((2 * N, 2))
    for figure in (energy(points, sides()), marginal(points, sides()), dependence(points, sides())):
        assert figure.p_value == 1
        assert figure.value == pytest.approx(0, abs=1e-6)


def test_rows_change_sides_within_their_part_only() -> None:
    is_made, part = np.arange(40) % 2 == 0, np.repeat([0, 1], [10, 30])
    changed = Sides.of(is_made, part, rng()).changed
    assert (changed[:, :10].sum(axis=1) == 5).all()
    assert (changed[:, 10:].sum(axis=1) == 15).all()
    assert len(np.unique(changed, axis=0)) > 400


def test_bad_may_be_small_or_both() -> None:
    statistic: Callable[[np.ndarray], np.ndarray] = lambda made: made[:, :N].sum(axis=1).astype(float)  # noqa: E731
    assert judged("x", statistic, sides(), "small").p_value < 0.01
    assert judged("x", statistic, sides(), "large").p_value == 1
    assert judged("x", statistic, sides(), "both").p_value < 0.01


FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "a shift of half a deviation in each column": (lambda rows: rows + 0.8, "energy"),
    "half the spread": (lambda rows: 0.4 * rows, "energy"),
    "twice the spread": (lambda rows: 2.0 * rows, "energy"),
    "one column scaled": (lambda rows: rows * [1, 1, 3], "marginal"),
    "one column shifted": (lambda rows: rows + [0, 0, 1], "marginal"),
    "half of the space": (lambda rows: np.abs(rows[:, :1]) * [1, 0, 0] + rows * [0, 1, 1], "coverage"),
    "a single point": (lambda rows: np.zeros_like(rows) + rows[:1], "coverage"),
    "a sphere of the same spread": (
        lambda rows: 3**0.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True),
        "tree_area",
    ),
    "outliers": (lambda rows: np.where(np.arange(len(rows))[:, None] % 5 == 0, 8 * rows, rows), "outside"),
    "whole numbers": (lambda rows: np.rint(rows), "marginal"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_figure(name: str) -> None:
    change, meant = FAULTS[name]
    n = 150 if meant == "tree_area" or name == "whole numbers" else N
    found = figures(normal(n), normal(n, seed=1), change(normal(n, seed=2)))
    assert found[meant].p_value < 0.02, found


def test_columns_that_lost_their_dependence_are_found_and_by_no_marginal_figure() -> None:
    first = rng().normal(size=(3, N, 1))
    noise = 0.4 * rng(5).normal(size=(3, N, 2))
    known, held, made = np.concatenate([first, first + noise], axis=2)
    shuffled = np.column_stack([rng(place).permutation(column) for place, column in enumerate(made.T)])
    found, honest = figures(known, held, shuffled), figures(known, held, made)
    assert found["dependence"].p_value == pytest.approx(1 / 500)
    assert found["marginal"].p_value > 0.05
    assert honest["dependence"].p_value > 0.05
    lost = [
        mean_difference("lost", -dependence_scores(known, np.concatenate([held, rows])), sides())
        for rows in (shuffled, made)
    ]
    assert 0.5 < lost[0].value < 1.7
    assert lost[0].p_value == pytest.approx(1 / 500)
    assert abs(lost[1].value) < 0.35
    assert lost[1].p_value > 0.05


def test_one_lost_pair_among_many_columns_is_found_on_few_rows() -> None:
    """Correlations by chance of the other columns of 27 known rows weigh nothing."""
    found = 0
    for seed in range(20):
        known, held, made = (normal(27, 8, 3 * seed + part) for part in range(3))
        for rows in (known, held):
            rows[:, 1] = 0.75 * rows[:, 0] + 0.66 * rows[:, 1]
        related = -dependence_scores(known, np.concatenate([held, made]))
        found += mean_difference("lost", related, sides(27)).p_value < 0.01
    assert found >= 10, found


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_copies_are_nearer_to_the_known_rows_than_real_rows_are(noise: float) -> None:
    known, held = normal(), normal(seed=1)
    made = known + noise * normal(seed=2)
    found = figures(known, held, made)
    assert found["nearness"].value > 0.7
    assert found["nearness"].p_value < 0.01
    assert found["energy"].p_value > 0.02


def test_rows_between_known_ones_are_nearer_and_rows_far_away_are_no_copies() -> None:
    known, held = normal(), normal(seed=1)
    between = (known + known[rng().permutation(N)]) / 2
    assert figures(known, held, between)["nearness"].value > 0.5
    assert figures(known, held, held + 20)["nearness"].p_value == 1


def test_the_trees_find_a_checkerboard_that_no_mean_shows() -> None:
    draws = rng().uniform(-1, 1, (3, 400, 2))
    known, held, made = draws
    checkered = made[(made[:, 0] > 0) == (made[:, 1] > 0)]
    held = held[: len(checkered)]
    found = figures(known, held, checkered)
    assert found["tree_area"].p_value < 1e-3
    assert found["tree_area"].value > 0.6
    assert found["marginal"].p_value > 0.01


def test_distances_of_equal_rows_are_zero_and_the_radius_is_that_of_the_fifth_neighbor() -> None:
    rows = np.array([[0.0], [1.0], [3.0], [6.0], [10.0], [15.0], [1e6]])
    assert (np.diag(near_rows.distances(rows, rows)) == 0).all()
    assert near_rows.radius(rows)[0] == pytest.approx(15)
    assert near_rows.radius(rows[:3])[0] == pytest.approx(3)
    assert near_rows.near(np.array([[0.0], [0.5], [9.0]]), 0.0) == pytest.approx(0.5)
    assert near_rows.near(rows[:1], 0.5) == 0
