"""Arrays of any library: what a mask hides is missing, short floats are read, what is no array is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarebird.core.checks import DataError
from rarebird.readers.python import from_arrays

X = np.arange(8.0).reshape(4, 2)
Y = [0, 1, 0, 1]


def test_what_a_mask_hides_is_missing() -> None:
    masked = np.ma.masked_array(X, mask=X > 5)
    np.testing.assert_array_equal(from_arrays(masked, Y).raw().to_numpy(), np.where(X > 5, np.nan, X))
    texts = np.ma.masked_array(np.array([["a"], ["b"], ["a"], ["c"]]), mask=[[0], [0], [0], [1]])
    assert from_arrays(texts, Y).raw()["x0"].isna().tolist() == [False, False, False, True]
    with pytest.raises(DataError, match="y is missing in row 2"):
        from_arrays(X, np.ma.masked_array(Y, mask=[0, 1, 0, 0]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats(dtype: torch.dtype) -> None:
    np.testing.assert_array_equal(from_arrays(torch.tensor(X).to(dtype), Y).raw().to_numpy(), X)


def test_long_floats() -> None:
    found = from_arrays(pd.DataFrame({"a": X[:, 0].astype(np.longdouble)}), Y).raw()
    assert found["a"].dtype == np.float64
    assert found["a"].tolist() == X[:, 0].tolist()


@pytest.mark.parametrize(
    ("given", "labels", "words"),
    [
        (torch.tensor(X).to_sparse(), Y, "X is a tensor of the layout torch.sparse_coo"),
        (X, dict(enumerate(Y)), "y is of the type dict"),
        (X, iter(Y), "y is of the type list_iterator"),
        (pd.DataFrame({"a": [object()] * 4}), Y, "holds values of type object"),
    ],
)
def test_what_is_no_array(given: Any, labels: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        from_arrays(given, labels)
