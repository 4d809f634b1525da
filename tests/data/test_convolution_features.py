"""Features of random convolutions: the same for the same rows, and they see what a shrunken row has lost."""

from __future__ import annotations

import numpy as np
import pytest

from rarebird.data.convolution_features import convolution_features
from rarebird.data.dataset import Curves, Dataset, Pixels, Source


def dataset(kind: str, source: Source) -> Dataset:
    n = len(source)
    ids = np.array([str(row) for row in range(n)], dtype=object)
    return Dataset(kind, "classification", source, np.arange(n), np.zeros(n, np.int64), ("a",), ids)  # type: ignore[arg-type]


def pictures(n: int, seed: int, channels: int = 1, side: int = 28) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, channels, side, side)).astype(np.uint8)


def test_features_are_those_of_the_rows_alone() -> None:
    first, second = dataset("image", Pixels(pictures(9, 0, 3))), dataset("image", Pixels(pictures(5, 1, 3)))
    found, others = convolution_features(first, second)
    assert found.shape[0] == 9
    assert others.shape == (5, found.shape[1])
    again, _ = convolution_features(first, second)
    np.testing.assert_array_equal(again, found)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n", [3, 40, 64, 130])
def test_a_row_has_the_same_features_in_every_part(n: int) -> None:
    """Also where most pixels are equal, so that many responses lie on a threshold."""
    array = pictures(n, 0)
    array[array < 200] = 0
    rows = dataset("image", Pixels(array))
    first, second = convolution_features(rows, rows.take(np.arange(n)[::-1]))
    np.testing.assert_array_equal(first, second[::-1])


def test_blurred_pictures_are_told_apart() -> None:
    """The mean of 2 x 2 pixels is the same, the texture is not."""
    real = pictures(40, 0)
    blocks = real.reshape(40, 1, 14, 2, 14, 2).mean(axis=(3, 5))
    blurred = np.repeat(np.repeat(blocks, 2, axis=2), 2, axis=3).astype(np.uint8)
    one, other, rest = convolution_features(
        *(dataset("image", Pixels(array)) for array in (real, blurred, pictures(40, 1)))
    )
    spread = one.std(axis=0) + 1e-6
    assert np.abs((one.mean(axis=0) - other.mean(axis=0)) / spread).mean() > 1.5
    assert np.abs((one.mean(axis=0) - rest.mean(axis=0)) / spread).mean() < 0.3


@pytest.mark.parametrize("lengths", [(60, 60), (40, 60)])
def test_smooth_series_are_told_apart(lengths: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    waves = np.sin(np.linspace(0, 9, 60) + draw.uniform(0, 6, (40, 1)))[:, None]
    own = draw.integers(lengths[0], lengths[1] + 1, 40)
    beyond = np.arange(60) >= own[:, None, None]
    noisy, smooth = (
        np.where(beyond, np.nan, waves + scale * draw.normal(size=waves.shape)).astype(np.float32) for scale in (0.1, 0)
    )
    one, other = convolution_features(dataset("series", Curves(noisy, own)), dataset("series", Curves(smooth, own)))
    assert np.isfinite(one).all()
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() > 0.1


def test_series_of_other_padding_have_as_many_features() -> None:
    values = np.random.default_rng(0).normal(size=(6, 1, 30)).astype(np.float32)
    wide = np.pad(values, ((0, 0), (0, 0), (0, 9)), constant_values=np.nan)
    own = np.full(6, 30)
    one, other = convolution_features(dataset("series", Curves(values, own)), dataset("series", Curves(wide, own)))
    np.testing.assert_array_equal(one, other)


def test_large_pictures_and_tiny_ones_have_features() -> None:
    for side in (1, 3, 200):
        assert np.isfinite(convolution_features(dataset("image", Pixels(pictures(3, 0, 1, side))))[0]).all()


def test_tables_are_refused() -> None:
    rows = dataset("image", Pixels(pictures(2, 0)))
    with pytest.raises(ValueError, match="pictures or series"):
        convolution_features(dataset("table", rows.source))
