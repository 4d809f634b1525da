"""Grids: raw rows become cells and come back as they were, of their own type, size, length, gaps and bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rarebird.core.checks import DataError
from rarebird.data.dataset import Curves, Pixels
from rarebird.data.plain_features import plain_features
from rarebird.methods.synthesis._grids import GridRows, Templates, grid_rows, raw_rows
from tests.methods.synthesis.made_grids import dataset, pictures, series

DRAW = np.random.default_rng(0)


def returned(rows: GridRows, code: int = 0) -> Pixels | Curves:
    return raw_rows(rows.shape, rows.cells(np.arange(len(rows.codes))), rows.templates, code, DRAW)  # type: ignore[return-value]


@pytest.mark.parametrize("sides", [(28, 28), (30, 17), (64, 64), (1, 5), (9, 64)])
def test_pictures_come_back_bit_by_bit(sides: tuple[int, int]) -> None:
    train = pictures((3, 2), sides, channels=3)
    rows = grid_rows(train)
    assert rows.cells(np.arange(5)).shape[2:] == rows.shape.sides
    assert all(side % 2**rows.shape.halvings == 0 for side in rows.shape.sides)
    found = returned(rows)
    assert found.array.dtype == np.uint8
    np.testing.assert_array_equal(found.array, train.raw())


def test_pictures_of_more_bits_stay_floats_within_their_bounds() -> None:
    array = np.linspace(0, 1, 4 * 64, dtype=np.float32).reshape(4, 1, 8, 8)
    found = returned(grid_rows(dataset("image", Pixels(array), np.array([0, 0, 1, 1]))))
    assert found.array.dtype == np.float32
    np.testing.assert_allclose(found.array, array, atol=1e-6)


def test_large_pictures_are_made_small_and_come_back_large() -> None:
    across = np.linspace(0, 255, 130)[None, None, None].repeat(96, axis=2).repeat(2, axis=0).astype(np.uint8)
    rows = grid_rows(dataset("image", Pixels(across), np.array([0, 1])))
    assert max(rows.raw.shape[2:]) == 64
    found = returned(rows)
    assert found.array.shape == across.shape
    assert np.abs(found.array.astype(int) - across).max() <= 4


def test_series_of_one_length_come_back() -> None:
    train = series((4, 3))
    values, lengths = train.raw()
    found = returned(grid_rows(train))
    np.testing.assert_allclose(found.values, values, atol=1e-4)
    np.testing.assert_array_equal(found.values[:, 1], values[:, 1])
    np.testing.assert_array_equal(found.lengths, lengths)


def test_a_new_series_has_a_length_of_its_class() -> None:
    train = series((4, 3), unequal=True)
    rows = grid_rows(train)
    for code, length in ((0, 24), (1, 19)):
        found = returned(rows, code)
        assert set(found.lengths) == {length}
        assert np.isnan(found.values[:, :, length:]).all()
        assert np.isfinite(found.values[:, :, :length]).all()


def test_a_new_series_has_the_gaps_of_a_row_of_its_class() -> None:
    train = series((5, 4), gaps=0.2)
    real = np.isnan(train.raw()[0])
    found = np.isnan(returned(grid_rows(train), 1).values)
    own = {gaps.tobytes() for gaps in real[train.codes == 1]}
    assert {gaps.tobytes() for gaps in found} <= own


def test_values_never_leave_the_bounds_of_the_training_rows() -> None:
    train = series((4, 3))
    rows = grid_rows(train)
    values = train.raw()[0]
    found = raw_rows(rows.shape, 9 * rows.cells(np.arange(7)), rows.templates, 0, DRAW).values  # type: ignore[union-attr]
    for channel in range(2):
        assert found[:, channel].min() == pytest.approx(values[:, channel].min())
        assert found[:, channel].max() == pytest.approx(values[:, channel].max())


def test_series_that_are_standardized_row_by_row_come_back_so() -> None:
    """As most public archives store them: a new row with another mean would be told from real ones by that alone."""
    wave, other = (np.random.default_rng(seed).normal(size=(6, 30)).cumsum(axis=1) for seed in (0, 1))
    wave = (wave - wave.mean(axis=1, keepdims=True)) / wave.std(axis=1, ddof=1, keepdims=True)
    values = np.stack([np.round(wave, 6), other], axis=1).astype(np.float32)
    values[:, 0, 3] = np.nan
    known = np.delete(values[:, 0], 3, axis=1)
    values[:, 0] -= known.mean(axis=1, keepdims=True)
    values[:, 0] *= 0.98 / known.std(axis=1, keepdims=True)
    train = dataset("series", Curves(values, np.full(6, 30)), np.array([0, 0, 0, 1, 1, 1]))
    rows = grid_rows(train)
    found = raw_rows(rows.shape, 2 * rows.cells(np.arange(6)) + 1, rows.templates, 0, DRAW).values  # type: ignore[union-attr]
    np.testing.assert_allclose(np.nanmean(found[:, 0], axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(found[:, 0], axis=1), 0.98, atol=1e-5)
    assert np.ptp(found[:, 1].mean(axis=1)) > 0.5
    features = plain_features((train, replace(train, source=Curves(found, np.full(6, 30)))), None)  # type: ignore[arg-type]
    means, spreads = np.concatenate(features)[:, [-6, -4]].T
    assert np.ptp(means) == np.ptp(spreads) == 0  # rounding errors are no difference


def test_a_channel_that_never_changes_stays_so() -> None:
    values = np.stack([np.random.default_rng(0).normal(size=(4, 12)), np.full((4, 12), 7.0)], axis=1)
    rows = grid_rows(dataset("series", Curves(values.astype(np.float32), np.full(4, 12)), np.array([0, 0, 1, 1])))
    found = raw_rows(rows.shape, rows.cells(np.arange(4)) + 3, rows.templates, 0, DRAW).values  # type: ignore[union-attr]
    assert (found[:, 1] == 7).all()


def test_a_channel_without_a_value_keeps_its_gaps() -> None:
    values = np.random.default_rng(0).normal(size=(4, 2, 12)).astype(np.float32)
    values[:, 1] = np.nan
    found = returned(grid_rows(dataset("series", Curves(values, np.full(4, 12)), np.array([0, 0, 1, 1]))))
    assert np.isnan(found.values[:, 1]).all()
    assert np.isfinite(found.values[:, 0]).all()


def test_templates_of_other_series_are_refused() -> None:
    rows = grid_rows(series((4, 3), gaps=0.2))
    arrays = rows.templates.arrays()
    assert Templates.of_arrays(arrays, rows.shape, 2).gaps.any()
    for changed in (
        {"lengths": np.full(7, 25)},
        {"codes": np.full(7, 2)},
        {"gaps": np.zeros((7, 1, 24))},
        {"gaps": np.zeros((3, 2, 24))},
    ):
        with pytest.raises(DataError, match="lengths and gaps of the saved generator do not fit"):
            Templates.of_arrays(arrays | changed, rows.shape, 2)


def test_rows_are_only_read() -> None:
    train = pictures((3, 2))
    before = train.raw()
    rows = grid_rows(replace(train, weight=np.array([1.0, 2, 0, 1, 1])))
    rows.cells(np.arange(5)).add_(1)
    np.testing.assert_array_equal(train.raw(), before)
    np.testing.assert_array_equal(rows.counts, [1, 2, 0, 1, 1])
