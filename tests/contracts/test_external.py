"""The contract of the slot `external`: weights between 0 and those of own rows, bounded in sum; the rows given are
untouched; and a source that does not fit is refused by a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rarebird.data import prepare
from rarebird.data.dataset import Curves, Dataset, Outside, Pixels
from rarebird.slots import methods
from rarebird.slots.external_rows import Joining
from tests.contracts.test_resampling import same_rows, table

CASES = [
    pytest.param(value, id=f"{name}-{place}")
    for name in methods.names("external")
    for place, value in enumerate(methods.load("external", name).examples())
]
every_method = pytest.mark.parametrize("method", CASES)


def pictures(n: int = 40, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    array = rng.integers(0, 120, (n, 1, 10, 10)).astype(np.uint8)
    array[y == 1, :, :5] += 100
    return Dataset("image", "classification", Pixels(array), np.arange(n), y, ("a", "b"), y.astype(str))


def series(n: int = 40, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    values = (rng.normal(size=(n, 2, 30)) + 2 * y[:, None, None]).astype(np.float32)
    lengths = rng.integers(20, 31, n)
    values[np.arange(30) >= lengths[:, None, None] + np.zeros((1, 2, 1), int)] = np.nan
    return Dataset("series", "classification", Curves(values, lengths), np.arange(n), y, ("a", "b"), y.astype(str))


def numbers(seed: int = 0) -> Dataset:
    rows = table((50, 40), weight=None, group=None)
    y = rows.raw()["number"].to_numpy() + np.random.default_rng(seed).normal(0, 0.1, 90)
    return Dataset("table", "regression", rows.source, rows.index, y, (), rows.ids)


KINDS = {"table": table, "pictures": pictures, "series": series, "numbers": numbers}


def joined(method: Any, train: Dataset, *sources: Dataset, seed: int = 0) -> list[Joining]:
    prepared, _ = prepare.fit(train)
    found: list[Joining] = method.fit(
        train, [Outside(rows, len(rows)) for rows in sources], prepared, np.random.default_rng(seed)
    )
    return found


@every_method
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_own_rows_at_most_and_the_report_counts_them(method: Any, kind: str) -> None:
    rows = KINDS[kind]()
    half = np.arange(len(rows)) % 2 == 0
    train, source = rows.take(half), rows.take(~half)
    (found,) = joined(method, train, source)
    assert found.weight.shape == (len(source),)
    assert np.isfinite(found.weight).all()
    assert (found.weight >= 0).all()
    assert found.report.refused == ""
    assert found.report.joined == (found.weight > 0).sum()
    assert sum(one.joined for one in found.report.classes) == found.report.joined
    assert [one.label for one in found.report.classes] == list(train.classes or ("",))
    assert found.report.weight == pytest.approx(found.weight.sum(), abs=0.01)


@every_method
def test_the_rows_given_are_untouched_and_the_draw_repeats(method: Any) -> None:
    train, source = table(), table((20, 20, 20))
    before = train.take(np.arange(len(train))), source.take(np.arange(len(source)))
    first, again = (joined(method, train, source)[0] for _ in range(2))
    assert same_rows(before[0], train)
    assert same_rows(before[1], source)
    np.testing.assert_array_equal(first.weight, again.weight)
    assert first.report == again.report


@every_method
def test_the_share_of_all_sources_is_bounded(method: Any) -> None:
    train = table(weight=None)
    sources = [table(tuple(30 * n for n in (60, 25, 9)), weight=None) for _ in range(2)]
    found = joined(method, train, *sources)
    total = sum(one.weight.sum() for one in found)
    assert 0 < total / (total + len(train)) <= method.share + 1e-9


@every_method
def test_a_source_of_no_row_one_row_or_one_class_is_no_error(method: Any) -> None:
    train = table()
    for rows in (np.arange(0), np.arange(1), np.flatnonzero(train.codes == 2)):
        (found,) = joined(method, train, train.take(rows))
        assert len(found.weight) == len(rows)
        assert found.report.refused or found.weight.sum() >= 0
    assert joined(method, train, train.take(np.arange(0)))[0].report.refused == "no row is left"


@every_method
def test_a_training_part_of_few_rows_is_no_error(method: Any) -> None:
    few = table((2, 1, 1))
    (found,) = joined(method, few, table())
    assert np.isfinite(found.weight).all()
