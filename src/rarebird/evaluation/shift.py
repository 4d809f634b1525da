"""Do test rows come from where the training rows come from? A two-sample test of each class's features.

A classifier two-sample test (Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017): half of the rows
of a class teach a linear classifier to tell test rows from training rows, and it ranks the other half; then the halves
change places. If both come from one source, the ranks are random: the p-value is that of Mann and Whitney's test, exact
on few rows, and needs no permutations. The p-value of a class is twice the smaller of its two halves', and over the
classes it is corrected by Holm's method, so that any false alarm has a probability of at most 5 %, also on few rows.
Rows of one group, and copies, count as one. In 300 simulations of each of four settings (12 to 200 rows of a class, 4
to 40 columns, with and without groups) it gave a false alarm in 2 to 3 %.

The training rows are those that are trained on. Where many of them copied a test row and were left out, the two sets
differ by that alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rarebird.core import rng
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.plain_features import plain_features
from rarebird.data.prepare import Prepared
from rarebird.evaluation.result import ClassShift
from rarebird.metrics.multiple_tests import holm_adjusted
from rarebird.metrics.two_sample import Sample, two_sample_test

# Rows of a class that are looked at, in each of the two sets.
MOST_ROWS = 500
# Fewer units (rows or groups) of a class in one of the sets cannot give a small p-value.
FEWEST = 6


def shift_of_given_rows(splits: Splits, prepared: Prepared, seed: int) -> tuple[ClassShift, ...]:
    """The test of given test rows; none for test rows that were split off the training rows.

    Arguments as for `shifted_classes`.
    """
    if splits.test is None or splits.test.source is splits.train.source:
        return ()
    return shifted_classes(splits.train, splits.test, prepared, seed)


def shifted_classes(
    train: Dataset, test: Dataset, prepared: Prepared, seed: int, absent: Sequence[str] = ()
) -> tuple[ClassShift, ...]:
    """The test of each class that has enough rows in both sets; for regression, one test of all rows.

    Args:
        train: Training rows.
        test: Test rows, with the classes of the training rows.
        prepared: It names the columns of a table that the model uses.
        seed: Decides which half a row belongs to.
        absent: Columns that are not compared.
    """
    found: list[tuple[str, float, float]] = []
    for code, label in enumerate(train.classes or ("",)):
        chosen = [_chosen(part, code if train.classes else None, seed) for part in (train, test)]
        if min(_n_units(part) for part in chosen) < FEWEST:
            continue
        features = plain_features((chosen[0], chosen[1]), prepared, absent)
        samples = [Sample(values, _units(part)) for values, part in zip(features, chosen, strict=True)]
        p_value, auc = two_sample_test(samples[0], samples[1], rng.stream(seed, "shift", code))
        found.append((label, p_value, auc))
    adjusted = holm_adjusted([p_value for _, p_value, _ in found])
    return tuple(
        ClassShift(label=label, p_value=float(value), auc=auc)
        for (label, _, auc), value in zip(found, adjusted, strict=True)
    )


def _chosen(data: Dataset, code: int | None, seed: int) -> Dataset:
    """The rows of a class, at most `MOST_ROWS` of them."""
    rows = np.arange(len(data)) if code is None else np.flatnonzero(data.codes == code)
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.stream(seed, "shift rows").choice(rows, MOST_ROWS, replace=False))
    return data.take(rows)


def _units(data: Dataset) -> np.ndarray:
    """``(n,)`` int: equal for rows of one group and for copies, which are not independent."""
    together = data.together
    if together is None:
        return np.arange(len(data))
    return np.asarray(np.unique(together, return_inverse=True)[1])


def _n_units(data: Dataset) -> int:
    return len(np.unique(_units(data)))
