"""What the over-samplers that make rows share: each class is filled up by rows between its own, and all rows that there
were stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rarebird.data.dataset import Dataset
from rarebird.methods.resampling._mixed_rows import MixedRows, drawn_pairs, mixed_rows, with_rows_between
from rarebird.methods.resampling._selection import class_codes
from rarebird.methods.resampling.random_over import lacking

# Of the rows, their class codes, the positions of one class and how many rows it lacks: the rows to start at, the
# neighbors of each of them ``(starts, k)``, and which start each new row has.
Choose = Callable[[MixedRows, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


def filled(
    train: Dataset, method: str, ratio: float, standardize: bool, rng: np.random.Generator, choose: Choose
) -> Dataset:
    """All rows in their order, and the new ones after them.

    Args:
        train: Training rows of classes.
        method: Its name, for refusals.
        ratio: Rows that each class gets, at least, as a share of the largest class's.
        standardize: Whether distances are of standardized numbers.
        rng: Where the draws come from.
        choose: Where new rows start, and towards which rows they may go.
    """
    codes = class_codes(train, method)
    wanted = lacking(codes, ratio)
    if not wanted.any():
        return train
    rows, drawn = mixed_rows(train, standardize), []
    for code in np.flatnonzero(wanted):
        starts, beside, chosen = choose(rows, codes, np.flatnonzero(codes == code), int(wanted[code]))
        drawn.append(drawn_pairs(rows, starts, beside, chosen, rng))
    return with_rows_between(rows, drawn)
