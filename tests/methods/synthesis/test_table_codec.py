"""Rows of a table as scores and codes: back they are of the training rows' values, decimals, gaps and categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

from rarebird.methods.synthesis._table_codec import MOST_CODES, TableCodec
from tests.contracts.test_resampling import table
from tests.methods.synthesis.made_classes import dataset


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def back_and_forth(frame: pd.DataFrame, y: np.ndarray | None = None) -> pd.DataFrame:
    rows = dataset(frame, np.zeros(len(frame), np.int64) if y is None else y)
    codec = TableCodec.fit(rows)
    encoded = codec.encode(rows, rng())
    return codec.decode(encoded.numbers, encoded.codes, rng()).frame


def test_rows_come_back_as_they_were() -> None:
    rows = table(weight=None)
    codec = TableCodec.fit(rows)
    encoded = codec.encode(rows, rng())
    back = codec.decode(encoded.numbers, encoded.codes, rng()).frame
    pd.testing.assert_frame_equal(back, rows.raw(), check_exact=False, rtol=1e-9)


def test_distinct_numbers_of_one_class_are_normal_scores_of_their_ranks() -> None:
    values = rng().normal(size=51) ** 3
    rows = dataset(pd.DataFrame({"a": values}), np.zeros(51, np.int64))
    scores = TableCodec.fit(rows).encode(rows, rng()).numbers[:, 0]
    np.testing.assert_allclose(scores, norm.ppf((rankdata(values) - 0.5) / 51), atol=1e-12)


def test_a_value_of_many_rows_comes_back_as_often_and_none_is_made_within_a_gap() -> None:
    """Half of the rows are 0, the rest between 5 and 6: scores of a normal distribution give the same."""
    values = np.concatenate([np.zeros(500), rng().uniform(5, 6, 500)])
    codec = TableCodec.fit(dataset(pd.DataFrame({"a": values}), np.zeros(1000, np.int64)))
    made = codec.decode(rng(1).normal(size=(4000, 1)), np.zeros((4000, 0), np.int64), rng()).frame["a"].to_numpy()
    assert (made == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert ((made > 0) & (made < 5)).mean() < 0.002
    assert made.max() <= values.max()


@pytest.mark.parametrize(("step", "digits"), [(0.5, 1), (0.05, 2), (0.01, 2), (0.001, 3)])
def test_decimals_stay(step: float, digits: int) -> None:
    values = np.round(rng().integers(0, 900, 400) * step, digits)
    codec = TableCodec.fit(dataset(pd.DataFrame({"a": values}), np.zeros(400, np.int64)))
    assert codec.steps["a"] == step
    made = codec.decode(rng(1).normal(size=(500, 1)), np.zeros((500, 0), np.int64), rng()).frame["a"].to_numpy()
    assert (made == np.round(np.rint(made / step) * step, digits)).all()
    assert len(np.unique(made)) > 100


def test_measurements_without_a_step_keep_their_digits() -> None:
    values = rng().normal(size=100)
    codec = TableCodec.fit(dataset(pd.DataFrame({"a": values}), np.zeros(100, np.int64)))
    assert codec.steps["a"] == 0


def test_constant_and_empty_columns_stay() -> None:
    frame = pd.DataFrame(
        {"one": np.full(30, 7), "none": np.full(30, np.nan), "text": ["x"] * 30, "a": rng().random(30)}
    )
    back = back_and_forth(frame)
    assert (back["one"] == 7).all()
    assert back["none"].isna().all()
    assert (back["text"] == "x").all()


def test_the_rarest_of_many_categories_share_a_code_and_come_back_by_their_rows() -> None:
    names = np.array([f"town {place}" for place in range(90)])
    frequent = np.repeat(names[:30], 20)
    rare = np.repeat(names[30:], np.where(np.arange(60) == 0, 1, 1))
    column = np.concatenate([frequent, rare])
    codec = TableCodec.fit(dataset(pd.DataFrame({"town": column}), np.zeros(len(column), np.int64)))
    assert codec.cardinalities == (MOST_CODES,)
    last = np.full((600, 1), MOST_CODES - 1)
    made = codec.decode(np.zeros((600, 0)), last, rng()).frame["town"]
    assert set(made) <= set(names[30:])
    assert made.nunique() > 40


def test_identifiers_are_new() -> None:
    frame = pd.DataFrame(
        {"id": np.arange(100, 150), "name": [f"p-{row:03d}x" for row in range(50)], "a": rng().random(50)}
    )
    back = back_and_forth(frame)
    assert not set(back["id"]) & set(frame["id"])
    assert back["id"].is_unique
    assert back["name"].is_unique
    assert not set(back["name"]) & set(frame["name"])


def test_rows_of_rare_classes_count_more_in_the_ranks() -> None:
    """100 rows of one class below 10 of another: a tenth of the ranks would be theirs, a quarter by square roots."""
    y = np.repeat([0, 1], [100, 10])
    values = np.concatenate([np.arange(100), 200 + np.arange(10)]).astype(float)
    rows = dataset(pd.DataFrame({"a": values}), y)
    scores = TableCodec.fit(rows).encode(rows, rng()).numbers[:, 0]
    assert norm.cdf(scores[100]) == pytest.approx(1 - 10**0.5 / (10 + 10**0.5) + 0.5 * 10**-0.5 / (10 + 10**0.5))
