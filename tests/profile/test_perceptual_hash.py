"""Near duplicates among pictures: the algebra of the descriptor, the search against brute force, then planted and real
copies."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from rarebird.data.dataset import Dataset, Pixels
from rarebird.profile import perceptual_hash
from rarebird.profile.perceptual_hash import near_pairs, picture_coefficients, unit, whitened


def data(pixels: np.ndarray) -> Dataset:
    n = len(pixels)
    return Dataset(
        "image", "classification", Pixels(pixels), np.arange(n), np.zeros(n, np.int64), ("a",), np.arange(n).astype(str)
    )


def scenes(n: int, side: int = 32, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth random pictures with the spectrum of photographs, (n, channels, side, side) uint8."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) + 1 / side
    spectrum = np.fft.fft2(rng.normal(size=(n, channels, side, side))) / frequency**1.5
    field = np.fft.ifft2(spectrum).real
    field = field / field.std(axis=(2, 3), keepdims=True)
    return np.clip(128 + 45 * field, 0, 255).astype(np.uint8)


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture[0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))[None]


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(picture[0])
    return np.asarray(
        image.resize((side, side), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    )[None]


def test_coefficients_are_those_of_another_library():
    pixels = scenes(5, 48)
    thumbnails = pixels.reshape(5, 16, 3, 16, 3).mean(axis=(2, 4)).astype(np.float64)
    expected = dctn(thumbnails, axes=(1, 2), norm="ortho").reshape(5, -1)
    expected[:, 0] = 0
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(picture_coefficients(data(pixels)), expected, atol=1e-5)


def test_brightness_contrast_and_pixel_type_have_no_part():
    pixels = scenes(4)
    plain = picture_coefficients(data(pixels))
    real = pixels.astype(np.float32) / 255
    np.testing.assert_allclose(picture_coefficients(data(real)), plain, atol=1e-5)
    np.testing.assert_allclose(picture_coefficients(data(np.float32(0.3) + np.float32(0.4) * real)), plain, atol=1e-5)
    np.testing.assert_allclose(picture_coefficients(data(np.repeat(pixels, 3, axis=1))), plain, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 40), (17, 16), (224, 100)])
def test_any_size_gives_unit_rows(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, height, width), dtype=np.uint8)
    lengths = np.linalg.norm(picture_coefficients(data(pixels)), axis=1)
    np.testing.assert_allclose(lengths, 0 if height * width == 1 else 1, atol=1e-5)


def test_flat_pictures_resemble_nothing():
    pixels = scenes(40)
    pixels[:10] = np.arange(0, 250, 25, dtype=np.uint8)[:, None, None, None]
    low, high = whitened(picture_coefficients(data(pixels)))
    assert not low[:10].any()
    assert not high[:10].any()
    np.testing.assert_allclose(np.linalg.norm(low[10:], axis=1), 1, atol=1e-5)
    assert len(near_pairs(low, high)) == 0


def test_search_is_the_definition(monkeypatch):
    rng = np.random.default_rng(3)
    low = rng.normal(size=(150, 12))
    low[100:] = low[:50] + 0.15 * rng.normal(size=(50, 12))
    low, high = unit(low), unit(rng.normal(size=(150, 6)) + 0.9)
    similarity = low @ low.T
    np.fill_diagonal(similarity, -1)
    limit = np.maximum(0.93, 1 - 0.2 * (1 - np.sort(similarity, axis=1)[:, -20]))
    both = (similarity >= limit[:, None]) & (similarity >= limit) & (high @ high.T >= 0.5)
    expected = np.argwhere(np.triu(both))
    assert 10 < len(expected) < 60
    for cells in (20_000_000, 1000):
        monkeypatch.setattr(perceptual_hash, "_BLOCK_CELLS", cells)
        found = near_pairs(low, high, ratio=0.2, least_high=0.5)
        assert np.array_equal(found[np.lexsort(found.T[::-1])], expected)


def test_a_cloud_of_look_alikes_has_no_pairs():
    rng = np.random.default_rng(0)
    cloud = unit(np.ones((500, 49)) + 0.1 * rng.normal(size=(500, 49)))
    assert (cloud @ cloud.T).min() > 0.93
    assert len(near_pairs(cloud, cloud)) == 0
    assert np.array_equal(
        near_pairs(np.concatenate([cloud, cloud[:1]]), np.concatenate([cloud, cloud[:1]])), [[0, 500]]
    )


def test_planted_copies_are_found_and_nothing_else():
    pixels = scenes(300)
    lit = np.clip(pixels[3].astype(float) * 0.8 + 25, 0, 255).astype(np.uint8)
    copies = np.stack([as_jpeg(pixels[0], 75), as_jpeg(pixels[1], 50), resized(pixels[2], 20), lit])
    found = near_pairs(*whitened(picture_coefficients(data(np.concatenate([pixels, copies])))))
    assert np.array_equal(found, [[i, 300 + i] for i in range(4)])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_have_no_pairs(n):
    assert near_pairs(*whitened(picture_coefficients(data(scenes(2)[:n])))).shape == (0, 2)


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "most"), [("pneumoniamnist", 0.0), ("fashion_lt100", 0.004)])
def test_look_alikes_of_real_sets_are_no_duplicates(shared_data, name, most):
    pixels = np.load(shared_data / "images" / f"{name}.npz")["train_images"][:, None]
    distinct = np.unique(picture_coefficients(data(pixels)), axis=0)
    found = near_pairs(*whitened(distinct))
    assert len(np.unique(found)) <= most * len(pixels)


@pytest.mark.real_data
def test_photographs_of_one_tile_are_found(shared_data):
    paths = sorted((shared_data / "images" / "magnetic_tile").glob("*/*.jpg"))
    pixels = np.stack(
        [np.asarray(Image.open(path).convert("L").resize((64, 64), Image.Resampling.BOX))[None] for path in paths]
    )
    # A session's photographs of one tile bear numbers close to one another.
    number = np.array([int(path.stem.rsplit("_", 1)[1]) for path in paths])
    order = np.argsort(number)
    session = np.empty(len(paths), np.int64)
    session[order] = np.cumsum(np.diff(number[order], prepend=number.min()) > 80)
    found = near_pairs(*whitened(picture_coefficients(data(pixels))))
    assert len(np.unique(found)) > 0.6 * len(pixels)
    assert (session[found[:, 0]] == session[found[:, 1]]).mean() > 0.85
