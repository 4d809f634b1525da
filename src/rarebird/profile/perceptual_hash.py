"""Pictures that are copies of one another, by whitened DCT coefficients: pairs that are much more similar to each other
than to other pictures.

The DCT perceptual hash (Zauner, *Implementation and benchmarking of perceptual image hash functions*, 2010) keeps the
signs of the lowest DCT coefficients of a thumbnail. Here their values are kept: each picture's coefficients at unit
contrast, less the data's mean, divided by the data's standard deviation, so that what all pictures share (a chest, a
white background) no longer counts. Their cosine is the similarity.

A pair is a near duplicate if, for both of its rows,

- the similarity `r` of the low frequencies is at least `least`;
- ``1 - r <= ratio * (1 - r_20)``, where `r_20` is the similarity to the row's 20th nearest neighbour: a copy is much
  more similar than other similar pictures (the ratio test of Lowe, *Distinctive image features from scale-invariant
  keypoints*, 2004);
- the similarity of the high frequencies is at least `least_high`.

NOTE[DIFF]: values instead of signs, because a hash of signs takes fashion items, or chest X-rays, of one kind for
equal. Flipped, rotated or cropped copies are not found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.data.fingerprint import raw_chunks

_SIDE = 16
_LOW_FREQUENCY = 8.0
_NEIGHBOURS = 20
_REFERENCE_ROWS = 10_000
_LEAST_CONTRAST = 2 / 255
_BLOCK_CELLS = 20_000_000


def picture_coefficients(dataset: Dataset) -> np.ndarray:
    """``(n, 256)`` float32 DCT coefficients of the 16 x 16 gray thumbnails at unit contrast; zeros for flat
    pictures."""
    chunks = [_coefficients(pixels) for pixels in raw_chunks(dataset)]
    return np.concatenate(chunks) if chunks else np.zeros((0, _SIDE * _SIDE), np.float32)


def whitened(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit descriptors of low ``(n, 49)`` and high ``(n, 206)`` frequencies, whitened by the mean and standard
    deviation over the rows."""
    known = coefficients.any(axis=1)
    scaled = np.zeros_like(coefficients)
    if known.any():
        deviation = coefficients[known].std(axis=0)
        # A coefficient that hardly varies is noise; the floor keeps the division from amplifying it.
        floor = 1e-3 * deviation.max() + 1e-12
        scaled[known] = (coefficients[known] - coefficients[known].mean(axis=0)) / np.maximum(deviation, floor)
    frequency = np.hypot(*np.meshgrid(np.arange(_SIDE), np.arange(_SIDE))).ravel()
    return unit(scaled[:, (frequency > 0) & (frequency < _LOW_FREQUENCY)]), unit(scaled[:, frequency >= _LOW_FREQUENCY])


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def near_pairs(
    low: np.ndarray, high: np.ndarray, *, least: float = 0.93, ratio: float = 0.1, least_high: float = 0.6
) -> np.ndarray:
    """Pairs of rows that are near duplicates of one another, by exhaustive search in blocks.

    Args:
        low: ``(n, d)`` unit descriptors that the search compares.
        high: ``(n, e)`` unit descriptors that confirm a pair.
        least: Least similarity of `low`.
        ratio: How much nearer than the 20th neighbour a duplicate must be.
        least_high: Least similarity of `high`.

    Returns:
        ``(m, 2)`` int64, each pair once, the smaller row first. A row is in about 20 pairs at most, so that many
        similar pictures cannot make the result large.
    """
    rows = _candidates(low, least)
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    step = max(1, _BLOCK_CELLS // len(low))
    directed = np.concatenate(
        [_nearest(low, rows[start : start + step], least, ratio) for start in range(0, len(rows), step)]
    )
    # A pair counts if it passes the test from both of its rows: both directions must be there.
    pairs, times = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    pairs = np.asarray(pairs[times == 2], dtype=np.int64)
    similar = [_similarity(high, pairs[start : start + 65_536]) for start in range(0, len(pairs), 65_536)]
    confirmed = np.concatenate([*similar, np.zeros(0, np.float32)]) >= least_high
    return np.asarray(pairs[confirmed])


def _candidates(low: np.ndarray, least: float) -> np.ndarray:
    """Rows with at least one partner of similarity `least`; each pair is computed once, which halves the work."""
    n = len(low)
    chosen = np.zeros(n, bool)
    step = max(1, _BLOCK_CELLS // max(n, 1))
    for start in range(0, n, step):
        similar = low[start : start + step] @ low[start:].T >= least
        np.fill_diagonal(similar, False)
        rows, others = similar.any(axis=1), similar.any(axis=0)
        chosen[start : start + len(rows)] |= rows
        chosen[start:] |= others
    return np.flatnonzero(chosen)


def _nearest(low: np.ndarray, rows: np.ndarray, least: float, ratio: float) -> np.ndarray:
    """Directed pairs (one of `rows`, any other row) that are much more similar than the row's 20th neighbour."""
    similarity = low[rows] @ low.T
    similarity[np.arange(len(rows)), rows] = -1
    # The 20th neighbour is estimated from evenly spaced rows, 10,000 or more: partitioning is the expensive step.
    stride = max(1, len(low) // _REFERENCE_ROWS)
    place = max(1, min(_NEIGHBOURS, len(low) - 1) // stride)
    neighbour = np.partition(similarity[:, ::stride], -place, axis=1)[:, -place]
    limit = np.maximum(least, 1 - ratio * (1 - neighbour))
    places, others = np.nonzero(similarity >= limit[:, None])
    return np.stack([rows[places], others], axis=1)


def _similarity(rows: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    similarity: np.ndarray = (rows[pairs[:, 0]] * rows[pairs[:, 1]]).sum(axis=1)
    return similarity


def _coefficients(pixels: np.ndarray) -> np.ndarray:
    """Thumbnail and DCT in two small matrix products: ``(n, channels, height, width) -> (n, 256)``."""
    scale = 1 / 255 if pixels.dtype == np.uint8 else 1.0
    down, across = (_cosines(_SIDE) @ _areas(side, _SIDE) for side in pixels.shape[2:])
    coefficients = (down @ _gray(pixels) @ across.T).reshape(len(pixels), -1) * np.float32(scale)
    # The first coefficient is the brightness; the length of the rest is, by Parseval, the thumbnail's contrast.
    coefficients[:, 0] = 0
    contrast = np.linalg.norm(coefficients, axis=1, keepdims=True)
    return np.asarray(
        np.where(contrast >= _LEAST_CONTRAST * _SIDE, coefficients / np.maximum(contrast, 1e-12), 0), dtype=np.float32
    )


def _gray(pixels: np.ndarray) -> np.ndarray:
    channels = pixels.shape[1]
    weights: Sequence[float] = (0.299, 0.587, 0.114) if channels == 3 else (1 / channels,) * channels
    gray = np.zeros((len(pixels), *pixels.shape[2:]), np.float32)
    for channel, weight in enumerate(weights):
        gray += pixels[:, channel] * np.float32(weight)
    return gray


def _areas(side: int, parts: int) -> np.ndarray:
    """``(parts, side)`` weights of the mean over each of `parts` equal stretches of `side` pixels."""
    edges = np.linspace(0, side, parts + 1)
    pixel = np.arange(side)
    overlap = np.clip(np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)


def _cosines(side: int) -> np.ndarray:
    """``(side, side)`` orthonormal DCT-II."""
    order = np.arange(side)
    matrix = np.sqrt(2 / side) * np.cos(np.pi * (2 * order + 1) * order[:, None] / (2 * side))
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, dtype=np.float32)
