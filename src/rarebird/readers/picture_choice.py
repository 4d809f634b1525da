"""Which pictures are decoded where the time does not allow all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rarebird.readers.options import ReadOptions
from rarebird.readers.picture_listing import Listing
from rarebird.readers.picture_store import seconds_to_decode
from rarebird.readers.pictures import Shape

FEWEST = 20
"""Pictures of a class that stay, whatever the time."""
# The time may be overrun by this share rather than half of the pictures left out.
TOLERANCE = 0.1


def within_time(
    parts: Mapping[str, Listing], shape: Shape, options: ReadOptions, *, deep: bool
) -> tuple[dict[str, Listing], list[str]]:
    """The parts, or as many of their pictures as can be decoded before `options.deadline`, with a note.

    The time of a few pictures is measured. If all take too long, every class keeps the same share of its pictures (a
    half, a quarter, ...), but no fewer than FEWEST; where that changes the classes' frequencies, weights give them
    back. A longer time keeps the same pictures and more.

    Args:
        parts: Part -> pictures.
        shape: Channels, height and width to decode at.
        options: `deadline`, None for no limit.
        deep: Whether any picture has more than 8 bits.
    """
    n = sum(len(listing.files) for listing in parts.values())
    if options.deadline is None:
        return dict(parts), []
    draw = np.random.default_rng(0)
    files = [file for listing in parts.values() for file in listing.files]
    needed = n * seconds_to_decode([files[row] for row in draw.permutation(n)], shape, deep=deep)
    share = _share(needed, options.deadline - time.monotonic())
    if share == 1:
        return dict(parts), []
    chosen = {part: _thinned(listing, share, draw) for part, listing in parts.items()}
    kept = sum(len(listing.files) for listing in chosen.values())
    if kept == n:
        return dict(parts), []
    weighted = any(listing.weight is not parts[part].weight for part, listing in chosen.items())
    weights = ", weighted to the frequencies of the classes" if weighted else ""
    return chosen, [
        f"Decoding all {n} pictures takes about {_spoken(needed)}, more than the budget allows: {kept} of them, drawn "
        f"from each class, are used{weights}. A longer --budget uses more, and files of fewer pixels are read faster."
    ]


def _share(needed: float, seconds: float) -> float:
    """The largest of 1, 1/2, 1/4, ... whose pictures can be decoded in some seconds; the steps are coarse, so that a
    run that is resumed makes the same choice."""
    if needed <= (1 + TOLERANCE) * seconds:
        return 1.0
    halvings = math.ceil(math.log2(needed / ((1 + TOLERANCE) * max(seconds, 1e-3))))
    return 0.5 ** max(halvings, 1)


def _thinned(listing: Listing, share: float, draw: np.random.Generator) -> Listing:
    """A share of each class, FEWEST at least; classes that keep more than others get smaller weights."""
    n = len(listing.files)
    codes = listing.y if listing.y is not None and listing.task == "classification" else np.zeros(n, np.int64)
    order, kept, weight = draw.permutation(n), [], np.ones(n)
    for code in np.unique(codes):
        rows = order[codes[order] == code]
        k = max(round(share * len(rows)), min(len(rows), FEWEST))
        kept.append(rows[:k])
        weight[rows] = len(rows) / k
    chosen = np.sort(np.concatenate(kept))
    weight /= weight.max()  # rows of the common classes are one row each
    if weight[chosen].min() < 1 - 1 / FEWEST:
        own = 1.0 if listing.weight is None else listing.weight
        listing = replace(listing, weight=weight * own)
    return listing.take(chosen)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
