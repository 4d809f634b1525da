"""Raw rows: taking copies no picture, classes are realigned whatever the targets' form, and parts are joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rarebird.core.checks import DataError
from rarebird.data.concatenation import concat
from rarebird.data.dataset import Curves, Dataset, Frame, Pixels, Source, natural_order


def rows(
    y: np.ndarray, classes: tuple[str, ...] = ("a", "b", "c"), source: Source | None = None, **fields: object
) -> Dataset:
    n = len(y)
    source = source or Frame(pd.DataFrame({"x": np.arange(n)}))
    kind = {Frame: "table", Pixels: "image", Curves: "series"}[type(source)]
    return Dataset(kind, "classification", source, np.arange(n), y, classes, np.arange(n).astype(str), **fields)  # type: ignore[arg-type]


def test_taking_shares_the_source_and_takes_what_is_known_of_each_row() -> None:
    pixels = Pixels(np.zeros((6, 1, 8, 8), dtype=np.uint8))
    data = rows(
        np.array([0, 1, 2, 0, 1, 2]),
        source=pixels,
        weight=np.arange(6.0),
        group=np.array(list("uvwxyz")),
        time=np.arange(6),
    )
    part = data.take(np.array([4, 1, 1])).take(np.array([True, False, True]))
    assert part.source is pixels
    assert part.index.tolist() == [4, 1]
    assert part.codes.tolist() == [1, 1]
    assert part.weights.tolist() == [4, 1]
    assert part.group is not None
    assert part.group.tolist() == ["y", "v"]
    assert part.ids.tolist() == ["4", "1"]
    assert part.raw().shape == (2, 1, 8, 8)


def test_what_stays_together_is_joined_through_groups_and_copies() -> None:
    y = np.array([0, 1, 0, 1, 0, 1, 0])
    group, copies = np.array(list("aabbcde")), np.array([0, 1, 2, 3, 2, 5, 6])
    assert rows(y).together is None
    assert rows(y, group=group).together is group
    assert rows(y, copies=copies).together is copies
    # Rows 2 (group b) and 4 (group c) are copies, so that groups b and c are one; d and e stay apart.
    joined = rows(y, group=group, copies=copies).together
    assert joined is not None
    _, first = np.unique(joined, return_inverse=True)
    assert [sorted(np.flatnonzero(first == one).tolist()) for one in np.unique(first)] == [[0, 1], [2, 3, 4], [5], [6]]
    # A chain: each group shares one copy with the next, whatever the order of the labels.
    chain = np.random.default_rng(0).permutation(20)
    linked = rows(np.zeros(40, dtype=int), group=np.repeat(chain, 2), copies=np.roll(np.repeat(chain[::-1], 2), 1))
    assert linked.together is not None
    assert len(np.unique(linked.together)) == 1


def test_each_row_has_one_of_everything() -> None:
    with pytest.raises(ValueError, match="one weight per row"):
        rows(np.array([0, 1]), weight=np.ones(3))


def test_weighted_counts_are_those_of_repeated_rows() -> None:
    y, times = np.array([0, 1, 1, 2]), np.array([3, 1, 2, 5])
    weighted = rows(y, weight=times.astype(float)).weighted_counts
    np.testing.assert_array_equal(weighted, rows(np.repeat(y, times)).weighted_counts)
    np.testing.assert_array_equal(weighted, rows(np.eye(3)[y], weight=times.astype(float)).weighted_counts)
    np.testing.assert_allclose(rows(np.array([[0.2, 0.8, 0], [0.5, 0, 0.5]])).weighted_counts, [0.7, 0.8, 0.5])


def test_aligning_changes_codes_and_not_labels() -> None:
    data = rows(np.array([2, 0, 2]))
    there = data.aligned(["c", "z", "a", "b"])
    assert [there.classes[code] for code in there.codes] == ["c", "a", "c"]
    assert there.aligned(data.classes).codes.tolist() == [2, 0, 2]


def test_aligning_soft_targets_moves_their_columns() -> None:
    soft = np.array([[0.2, 0.0, 0.8], [0.9, 0.0, 0.1]])
    there = rows(soft).aligned(["c", "z", "a"])
    assert there.y is not None
    np.testing.assert_array_equal(there.y, [[0.8, 0, 0.2], [0.1, 0, 0.9]])
    with pytest.raises(DataError, match="rows of class 'c'"):
        rows(soft).aligned(["a", "b"])


def test_a_class_that_training_never_shows_is_refused_by_name() -> None:
    assert rows(np.array([0, 1])).aligned(["a", "b"]).classes == ("a", "b")
    with pytest.raises(DataError, match="rows of class 'c', which no training row has"):
        rows(np.array([0, 2])).aligned(["a", "b"])


def test_joined_parts_are_all_rows_in_order() -> None:
    one = rows(np.array([0, 1]), weight=np.array([2.0, 3.0]), group=np.array(["g", "h"]))
    two = rows(np.array([2]))
    both = concat([one.take(np.array([1, 0])), two])
    assert both.codes.tolist() == [1, 0, 2]
    assert both.weights.tolist() == [3, 2, 1]
    assert both.group is None
    assert both.raw()["x"].tolist() == [1, 0, 0]


def test_joined_series_are_padded_to_the_longest() -> None:
    short = rows(np.array([0]), source=Curves(np.ones((1, 1, 3), dtype=np.float32), np.array([3])))
    long = rows(np.array([1]), source=Curves(np.ones((1, 1, 5), dtype=np.float32), np.array([5])))
    values, lengths = concat([short, long]).raw()
    assert np.isnan(values[0, 0]).tolist() == [False, False, False, True, True]
    assert lengths.tolist() == [3, 5]


def test_regression_has_no_classes() -> None:
    data = replace(rows(np.array([0, 1])), task="regression", y=np.array([0.5, 2.0]), classes=())
    assert data.class_counts is None
    assert data.n_classes == 0
    with pytest.raises(ValueError, match="labelled rows of classes"):
        data.weighted_counts  # noqa: B018


def test_labels_are_sorted_as_people_sort_them() -> None:
    assert natural_order(["10", "9", "2", "9"]) == ["2", "9", "10"]
    assert natural_order(["b", "10", "a"]) == ["10", "a", "b"]
