"""Nearest rows: scikit-learn's on numbers, one-hot coordinates on mixed rows, whatever the number type, ties and hard
scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from rarebird.methods.resampling import _neighbors
from rarebird.methods.resampling._neighbors import Points, nearest

SHORT = [torch.bfloat16, torch.float32, torch.float64]


def numbers(values: np.ndarray) -> Points:
    return Points(values, np.zeros((len(values), 0), dtype=np.int64))


def coordinates(points: Points) -> np.ndarray:
    """Numbers, and categories on axes of their own, so that two different ones lie `penalty` apart."""
    axes = [np.eye(code.max() + 1)[code] * points.penalty * 0.5**0.5 for code in points.codes.T]
    return np.concatenate([points.numbers, *axes], axis=1)


def distances(points: Points, of: np.ndarray, found: np.ndarray) -> np.ndarray:
    at = coordinates(points)
    return np.linalg.norm(at[of][:, None] - at[found], axis=2)


def expected(points: Points, of: np.ndarray, among: np.ndarray, k: int) -> np.ndarray:
    """``(m, k)`` the smallest distances to other rows, by all of them."""
    at = coordinates(points)
    far = np.linalg.norm(at[of][:, None] - at[among][None], axis=2)
    far[of[:, None] == among] = np.inf
    return np.sort(far, axis=1)[:, :k]


@pytest.fixture(params=SHORT, ids=lambda dtype: str(dtype).removeprefix("torch."))
def screened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every search is screened in one number type before it is exact."""
    passes = [("cpu", request.param), ("cpu", torch.float64)]
    monkeypatch.setattr(_neighbors, "_passes", lambda distances: passes)


@pytest.mark.usefixtures("screened")
@pytest.mark.parametrize(("n", "width"), [(30, 3), (1000, 30), (4500, 8)])
def test_numbers_have_the_neighbors_of_scikit_learn(n: int, width: int) -> None:
    values = np.random.default_rng(n).standard_normal((n, width))
    of = np.arange(0, n, 7)
    theirs = NearestNeighbors(n_neighbors=6).fit(values).kneighbors(values[of], return_distance=False)[:, 1:]
    np.testing.assert_array_equal(nearest(numbers(values), of, np.arange(n), 5), theirs)


@pytest.mark.usefixtures("screened")
def test_mixed_rows_have_the_neighbors_of_their_coordinates() -> None:
    rng = np.random.default_rng(1)
    codes = np.stack([rng.integers(0, 3, 2500), rng.integers(0, 150, 2500)], axis=1)
    points = Points(rng.standard_normal((2500, 4)), codes, penalty=0.7)
    of, among = np.arange(200), np.arange(2500)
    np.testing.assert_allclose(
        distances(points, of, nearest(points, of, among, 7)), expected(points, of, among, 7), rtol=1e-9
    )


@pytest.mark.usefixtures("screened")
@pytest.mark.parametrize("case", ["ties", "twins", "far cluster", "outlier", "categories alone"])
def test_hard_rows_are_exact(case: str) -> None:
    rng = np.random.default_rng(2)
    values, codes = rng.standard_normal((2500, 5)), np.zeros((2500, 0), dtype=np.int64)
    if case == "ties":
        values = rng.integers(0, 3, (2500, 5)).astype(float)
    elif case == "twins":
        values = np.repeat(values[:100], 25, axis=0)
    elif case == "far cluster":
        values[:400] = 1e4 + 1e-3 * values[:400]
    elif case == "outlier":
        values[0] = 1e8
    else:
        values, codes = np.zeros((2500, 0)), rng.integers(0, 4, (2500, 6))
    points = Points(values, codes)
    of, among = np.arange(150), np.arange(2500)
    np.testing.assert_allclose(
        distances(points, of, nearest(points, of, among, 5)), expected(points, of, among, 5), rtol=1e-6, atol=1e-12
    )


@pytest.mark.usefixtures("screened")
def test_no_row_is_its_own_neighbor_even_with_twins() -> None:
    points = numbers(np.zeros((40, 3)))
    found = nearest(points, np.arange(40), np.arange(40), 3)
    assert (found != np.arange(40)[:, None]).all()
    assert all(len(set(row)) == 3 for row in found)


def test_neighbors_are_sought_where_asked() -> None:
    points = numbers(np.array([[0.0], [1.0], [2.1], [3.3], [10.0]]))
    np.testing.assert_array_equal(nearest(points, np.array([0]), np.array([0, 3, 4]), 2), [[3, 4]])
    np.testing.assert_array_equal(nearest(points, np.array([0, 2]), np.array([3, 4]), 2), [[3, 4], [3, 4]])


def test_fewer_rows_than_neighbors_give_all_there_are() -> None:
    points = numbers(np.array([[0.0], [1.0], [3.0]]))
    every = np.arange(3)
    np.testing.assert_array_equal(nearest(points, every, every, 5), [[1, 2], [0, 2], [1, 0]])
    assert nearest(points, every[:1], every[:1], 5).shape == (1, 0)
    assert nearest(points, every[:0], every, 2).shape == (0, 2)


def test_chunks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = numbers(np.random.default_rng(3).standard_normal((3000, 6)))
    every, threads = np.arange(3000), torch.get_num_threads()
    whole = nearest(points, every, every, 4)
    for name, value in {
        "MOST_ROWS": 100,
        "GROUPS": 16,
        "PRODUCT_BYTES": 4000,
        "MEASURED_BYTES": 9000,
        "KEPT_BYTES": 0,
    }.items():
        monkeypatch.setattr(_neighbors, name, value)
    torch.set_num_threads(2)
    try:
        np.testing.assert_array_equal(nearest(points, every, every, 4), whole)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
