"""Over-samplers and random under-sampling against imbalanced-learn and the papers' formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, BorderlineSMOTE
from scipy.stats import ks_2samp
from sklearn.neighbors import NearestNeighbors

from rarebird.data.dataset import Dataset, Frame
from rarebird.methods.resampling._neighbors import Points
from rarebird.methods.resampling.adasyn import Adasyn, in_proportion, share_of_other_classes
from rarebird.methods.resampling.borderline_smote import BorderlineSmote, in_danger
from rarebird.methods.resampling.random_over import RandomOver, drawn_evenly
from rarebird.methods.resampling.random_under import RandomUnder
from rarebird.methods.resampling.smote import Smote


def clouds(counts: tuple[int, ...] = (1500, 150), width: int = 4, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.normal(size=(len(y), width)) * np.arange(1, width + 1) + apart * y[:, None], y


def rows_of(frame: pd.DataFrame, y: np.ndarray) -> Dataset:
    classes = tuple(f"class {code}" for code in range(y.max() + 1))
    return Dataset(
        "table",
        "classification",
        Frame(frame),
        np.arange(len(y)),
        y,
        classes,
        np.arange(len(y)).astype(str).astype(object),
    )


def table(values: np.ndarray, y: np.ndarray) -> Dataset:
    return rows_of(pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])]), y)


def made(method: object, data: Dataset, seed: int = 0) -> np.ndarray:
    after = method(data, np.random.default_rng(seed))  # type: ignore[operator]
    return after.raw().to_numpy()[len(data) :]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Smote(standardize=False), SMOTE(random_state=0)),
        (BorderlineSmote(standardize=False), BorderlineSMOTE(random_state=0)),
        (Adasyn(standardize=False), ADASYN(random_state=0)),
    ],
    ids=["smote", "borderline_smote", "adasyn"],
)
def test_new_rows_are_distributed_as_those_of_imbalanced_learn(ours: object, theirs: object) -> None:
    values, y = clouds()
    mine, peer = made(ours, table(values, y)), theirs.fit_resample(values, y)[0][len(y) :]  # type: ignore[attr-defined]
    for direction in (*np.eye(4), np.ones(4), np.array([1, -1, 2, -0.5])):
        assert ks_2samp(mine @ direction, peer @ direction).pvalue > 0.001


def test_every_new_row_lies_between_a_row_and_one_of_its_neighbors() -> None:
    values, y = clouds((60, 20), width=2)
    own = values[y == 1]
    near = NearestNeighbors(n_neighbors=4).fit(own).kneighbors(own, return_distance=False)[:, 1:]
    starts, ends = np.repeat(own, 3, axis=0), own[near].reshape(-1, 2)
    new = made(Smote(neighbors=3, standardize=False), table(values, y))[:, None]
    length = np.linalg.norm(ends - starts, axis=1)
    detour = np.linalg.norm(new - starts, axis=2) + np.linalg.norm(new - ends, axis=2) - length
    assert len(new) == 40
    assert (detour.min(axis=1) < 1e-9).all()


def test_standardized_neighbors_do_not_depend_on_the_unit() -> None:
    values, y = clouds()
    scaled = values * np.array([1, 1024.0, 1, 1])
    np.testing.assert_allclose(
        made(Smote(), table(values, y)) * np.array([1, 1024.0, 1, 1]), made(Smote(), table(scaled, y))
    )


def test_categories_are_as_frequent_as_those_of_smotenc() -> None:
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], [1500, 250])
    frame = pd.DataFrame(
        {"x": rng.normal(size=1750), "z": rng.normal(size=1750), "c": rng.choice(list("abc"), 1750, p=[0.5, 0.3, 0.2])}
    )
    frame["x"] += 2 * (frame["c"] == "a")
    mine = Smote(standardize=False)(rows_of(frame, y), np.random.default_rng(0)).raw()[1750:]
    peer = SMOTENC(["c"], random_state=0).fit_resample(frame, y)[0][1750:]
    shares = [
        part["c"].value_counts(normalize=True).reindex(list("abc"), fill_value=0).to_numpy() for part in (mine, peer)
    ]
    # Ties are drawn there and go to the nearest neighbor here.
    np.testing.assert_allclose(*shares, atol=0.05)
    assert ks_2samp(mine["x"], peer["x"]).pvalue > 0.001


def test_rows_in_danger_are_those_of_imbalanced_learn() -> None:
    values, y = clouds()
    peer = BorderlineSMOTE(random_state=0)
    peer.fit_resample(values, y)
    own = np.flatnonzero(y == 1)
    danger = in_danger(Points(values, np.zeros((len(y), 0), dtype=np.int64)), y, own, 10)
    np.testing.assert_array_equal(own[danger], peer.in_danger_indices[1])


def test_without_danger_every_row_is_a_start() -> None:
    values, y = clouds((60, 20), apart=1000.0)
    np.testing.assert_array_equal(made(BorderlineSmote(), table(values, y)), made(Smote(), table(values, y)))
    assert len(made(Adasyn(), table(values, y))) == 40


def test_adasyn_starts_in_proportion_to_the_share_of_other_classes() -> None:
    values, y = clouds((300, 30))
    own = np.flatnonzero(y == 1)
    found = NearestNeighbors(n_neighbors=6).fit(values).kneighbors(values[own], return_distance=False)[:, 1:]
    share = share_of_other_classes(Points(values, np.zeros((len(y), 0), dtype=np.int64)), y, own, 5)
    np.testing.assert_allclose(share, (y[found] != 1).mean(axis=1))
    numbers = in_proportion(share, 270)
    assert numbers.sum() == 270
    assert (np.abs(numbers - 270 * share / share.sum()) < 1).all()
    assert in_proportion(np.full(10, 0.3), 3).sum() == 3
    assert in_proportion(np.zeros(4), 8).tolist() == [2, 2, 2, 2]


def test_draws_are_even() -> None:
    drawn = np.bincount(drawn_evenly(7, 24, np.random.default_rng(0)), minlength=7)
    assert drawn.sum() == 24
    assert set(drawn) == {3, 4}


def test_repeats_are_even_and_a_lone_row_is_repeated() -> None:
    values, y = clouds((40, 7, 1))
    after = RandomOver()(table(values, y), np.random.default_rng(0))
    assert after.class_counts is not None
    assert after.class_counts.tolist() == [40, 40, 40]
    times = np.bincount(after.index, minlength=48)
    assert set(times[y == 0]) == {1}
    assert set(times[y == 1]) == {5, 6}
    assert times[y == 2].tolist() == [40]


@pytest.mark.parametrize("method", [Smote(), BorderlineSmote(), Adasyn()], ids=lambda method: method.name)
def test_a_lone_row_is_repeated_as_it_is(method: object) -> None:
    values, y = clouds((40, 1))
    np.testing.assert_array_equal(made(method, table(values, y)), np.repeat(values[y == 1], 39, axis=0))


def test_under_sampling_keeps_order_and_draws_without_repeats() -> None:
    values, y = clouds((40, 20, 5))
    for ratio, counts in ((1, [5, 5, 5]), (3, [15, 15, 5]), (20, [40, 20, 5])):
        after = RandomUnder(ratio=ratio)(table(values, y), np.random.default_rng(0))
        assert (np.diff(after.index) > 0).all()
        assert after.class_counts is not None
        assert after.class_counts.tolist() == counts
