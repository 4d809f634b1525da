"""A target in disguise is found among honest columns, and the search sees no fold's own rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from rarebird.data.dataset import Dataset, Frame
from rarebird.profile import leaks
from rarebird.profile.leaks import column_score, suspicious_columns


def table(frame: pd.DataFrame, y: np.ndarray, n_classes: int = 0) -> Dataset:
    n = len(frame)
    task = "classification" if n_classes else "regression"
    return Dataset(
        "table", task, Frame(frame), np.arange(n), y, tuple(map(str, range(n_classes))), np.arange(n).astype(str)
    )  # type: ignore[arg-type]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def disguises(y: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    n = len(y)
    return pd.DataFrame(
        {
            "code": np.array(["no", "yes", "maybe"])[y],
            "shifted": y * 10 + rng.normal(size=n),
            "missing where not 0": np.where(y == 0, rng.normal(size=n), np.nan),
            "noise": rng.normal(size=n),
            "many words": [f"w{i}" for i in range(n)],
            "helpful": y + rng.normal(size=n),
            "flag": rng.random(n) < 0.5,
        }
    )


@pytest.mark.parametrize("rare", [5, 40])
def test_disguised_classes(rng, rare):
    y = (rng.permutation(3000) < rare).astype(np.int64)
    found = suspicious_columns(table(disguises(y, rng), y, 2))[0]
    assert {leak.column for leak in found} == {"code", "shifted", "missing where not 0"}
    assert all(leak.metric == "balanced_accuracy" and 0.98 <= leak.score <= 1 for leak in found)
    assert [leak.score for leak in found] == sorted((leak.score for leak in found), reverse=True)


def test_three_classes_need_all_three(rng):
    y = rng.integers(0, 3, 900)
    found = suspicious_columns(table(disguises(y, rng), y, 3))[0]
    assert {leak.column for leak in found} == {"code", "shifted"}


def test_disguised_values_also_where_the_target_is_skewed(rng):
    y = np.exp(2 * rng.normal(size=4000))
    frame = pd.DataFrame(
        {
            "in cents": np.round(y * 100),
            "log": -np.log(y),
            "noise": rng.normal(size=4000),
            "helpful": y + rng.normal(size=4000),
        }
    )
    found, _ = suspicious_columns(table(frame, y))
    assert {leak.column for leak in found} == {"in cents", "log"}
    assert {leak.metric for leak in found} == {"r2"}


def test_noise_scores_as_chance(rng):
    y = rng.integers(0, 2, 4000)
    fold = np.arange(4000) % 3
    frame = pd.DataFrame({"noise": rng.normal(size=4000), "words": [f"w{i}" for i in range(4000)]})
    data = table(frame, y, 2)
    assert abs(column_score(frame["noise"], data, fold) - 0.5) < 0.05
    # Each word is in one fold only: nothing is learned of it, where a score on its own rows would be perfect.
    assert column_score(frame["words"], data, fold) == 0


@pytest.mark.parametrize("rows_per_word", [1, 2])
def test_many_words_are_no_leak_for_values(rng, rows_per_word):
    """A score of the rows that the means of the words come from would be about 1, or .5 with two rows to a word."""
    y = rng.normal(size=1200)
    words = pd.Series([f"w{i}" for i in rng.permutation(np.arange(1200) // rows_per_word)])
    data = table(pd.DataFrame({"words": words, "noise": rng.normal(size=1200)}), y)
    fold = np.arange(1200) % 3
    assert column_score(words, data, fold) < 0.05
    assert suspicious_columns(data)[0] == []
    assert suspicious_columns(data, least=0.3)[0] == []
    # The mean of the other folds is the prediction for a word that they do not show.
    alone = leaks._out_of_fold_mean(np.arange(1200), y, fold)
    np.testing.assert_allclose(alone[fold == 1], y[fold != 1].mean())


def test_r2_is_that_of_another_library(rng):
    y, predicted = rng.normal(size=(2, 50))
    assert leaks._r2(y, predicted) == pytest.approx(r2_score(y, predicted))


def test_the_sample_keeps_rare_classes_whole(rng):
    y = np.repeat([0, 1, 2], [40_000, 3000, 20])
    rows = leaks._sample(table(pd.DataFrame({"x": np.zeros(len(y))}), y, 3), rng)
    assert len(np.unique(rows)) == leaks.SAMPLE_ROWS
    assert np.array_equal(np.bincount(y[rows]), [2490, 2490, 20])


@pytest.mark.parametrize("column", [np.full(60, np.nan), [None] * 60, np.full(60, 3.0), [np.inf, -np.inf] * 30])
def test_empty_and_constant_columns_are_not_suspicious(rng, column):
    y = rng.integers(0, 2, 60)
    assert suspicious_columns(table(pd.DataFrame({"c": column}), y, 2)) == ([], 0)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["adult", "mammography", "shuttle", "glass"])
def test_real_tables_have_none(shared_data, name):
    frame = pd.read_csv(shared_data / "tables" / f"{name}.train.csv")
    labels, y = np.unique(frame.pop("target").astype(str), return_inverse=True)
    assert suspicious_columns(table(frame, y, len(labels))) == ([], 0)


def test_columns_after_the_deadline_are_counted_and_not_searched() -> None:
    y = np.arange(60) % 2
    frame = pd.DataFrame({f"c{place}": y for place in range(5)})
    assert suspicious_columns(table(frame, y, 2), deadline=0.0) == ([], 5)
    assert len(suspicious_columns(table(frame, y, 2))[0]) == 5
