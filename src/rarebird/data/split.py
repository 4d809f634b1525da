"""How rows are split: the test rows, and the one place that chooses between cross-fitting and a hold-out.

Splits are stratified by class (by target quantiles for regression), keep groups together, and follow the order in time
where rows have a time. A class of one row is never held out, nor is a class whose rows would all be held out at once
(they form one group, or are the latest): its rows are trained on, and it is reported as too small to judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import DataError
from rarebird.core.rng import stream
from rarebird.data.dataset import Dataset

# Cross-fitting trains K networks. On tables and series this is cheap and gives much: an out-of-fold prediction for
# every training row, and an average of K networks. On pictures, where one training fills the budget, only small sets
# gain from it.
CROSS_FIT_ROWS = {"table": 20_000, "series": 20_000, "image": 500}
FEW_IN_SMALLEST_CLASS = {"table": 500, "series": 500, "image": 200}
FEW_ROWS = 500
_CROSS_FITTING = "each network is judged on the part of the rows that it was not trained on"


@dataclass(frozen=True)
class Protocol:
    """How models are judged while they are developed.

    Attributes:
        folds: Number of parts for cross-fitting; 0 for a hold-out.
        holdout: Share of the training rows that is held out if `folds` is 0; 0 if validation rows were given.
        reason: One sentence for the report.
    """

    folds: int
    holdout: float
    reason: str


def decide(
    train: Dataset, val: Dataset | None = None, *, folds: int | None = None, holdout: float | None = None
) -> Protocol:
    """The protocol for these training rows; `folds` or `holdout` decide it where they are given.

    Raises:
        DataError: There are fewer rows than folds, or one fold.
    """
    n = len(train)
    counts = train.class_counts
    smallest = n if counts is None else int(counts[counts > 0].min())
    if val is not None:
        return Protocol(0, 0.0, f"The {len(val)} given validation rows are the hold-out and never join training.")
    if folds:
        if not 2 <= folds <= n:
            raise DataError(
                f"Cross-fitting needs 2 folds or more, and at most one per training row ({n}), but got folds={folds}."
            )
        return Protocol(folds, 0.0, f"{folds}-fold cross-fitting, as the recipe asks: {_CROSS_FITTING}.")
    if holdout is not None:
        return Protocol(
            0, holdout, f"{holdout:.0%} of the training rows are held out, as the recipe asks, and never trained on."
        )
    few = smallest < FEW_IN_SMALLEST_CLASS[train.kind] or n < 5 * FEW_ROWS
    if few and folds is None and n <= CROSS_FIT_ROWS[train.kind] and train.time is None:
        folds = 10 if n < FEW_ROWS else 5
        folds = min(folds, n) if train.together is None else min(folds, len(np.unique(train.together)))
        if folds >= 2:
            few_rows = f"{n} rows" if counts is None else f"{n} rows, {smallest} in the smallest class"
            return Protocol(
                folds, 0.0, f"{folds}-fold cross-fitting, because rows are few ({few_rows}): {_CROSS_FITTING}."
            )
    share = 0.2 if n < 2_000 else 0.15 if n < 5_000 else 0.1
    order = "the latest in time" if train.time is not None else "stratified"
    return Protocol(0, share, f"{share:.0%} of the {n} training rows are held out ({order}) and never trained on.")


def parts(train: Dataset, protocol: Protocol, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, held-out rows) of each network; where validation rows were given, one network trains on all
    rows."""
    everything = np.arange(len(train))
    if protocol.folds:
        fold = fold_of(train, protocol.folds, seed)
        return [
            (everything[fold != place], everything[fold == place])
            for place in range(protocol.folds)
            if (fold == place).any()
        ]
    if not protocol.holdout:
        return [(everything, everything[:0])]
    held = hold_out(train, protocol.holdout, seed)
    return [(everything[~held], everything[held])]


def fold_of(train: Dataset, folds: int, seed: int) -> np.ndarray:
    """``(n,)`` int: the fold that holds each row out; -1 for rows that every fold trains on."""
    if train.together is None:
        return _dealt(_strata(train), folds, stream(seed, "folds"))
    return _keeping_classes(_grouped(_strata(train), train.together, folds, stream(seed, "folds")), train)


def halves(held: Dataset, seed: int) -> np.ndarray:
    """``(n,)`` 0 or 1: two stratified halves of held-out rows, each judged with what was fitted to the other; rows that
    cannot be held out belong to half 0."""
    half: np.ndarray = np.maximum(fold_of(held, 2, int(stream(seed, "halves").integers(2**31))), 0)
    return half


def hold_out(train: Dataset, share: float, seed: int, name: str = "hold-out") -> np.ndarray:
    """``(n,)`` bool: the rows that are held out: about `share` of each class, and at least one row of each class that
    has two or more.

    Raises:
        DataError: The groups leave nothing to hold out or nothing to train on.
    """
    if train.time is not None:
        return _latest(train, share)
    strata, rng = _strata(train), stream(seed, name)
    held = np.zeros(len(train), dtype=bool)
    if train.together is not None:
        fold = _keeping_classes(_grouped(strata, train.together, max(2, round(1 / share)), rng), train)
        held = fold == _nearest_to_share(fold, strata, share)
    else:
        for rows in _rows_of(strata):
            if len(rows) >= 2:
                held[rng.permutation(rows)[: max(1, round(share * len(rows)))]] = True
    if not held.any() or held.all():
        raise DataError(
            f"{train.name} has too few rows or groups to hold any out; give test rows with --test, or more rows."
        )
    return held


def _strata(data: Dataset) -> np.ndarray:
    """Class codes, or for regression the decile of the target; with few rows there are fewer strata, so that each has
    about ten rows."""
    if data.task == "classification":
        return data.codes
    assert data.y is not None
    n_strata = int(np.clip(len(data) // 10, 1, 10))
    edges = np.quantile(data.y, np.linspace(0, 1, n_strata + 1)[1:-1])
    return np.searchsorted(edges, data.y)


def _rows_of(strata: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def _dealt(strata: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Folds by dealing the rows of each class in turn; a class starts where the last one ended, so that folds have
    about the same size."""
    fold, start = np.full(len(strata), -1), 0
    for rows in _rows_of(strata):
        if len(rows) >= 2:
            fold[rng.permutation(rows)] = (start + np.arange(len(rows))) % folds
            start += len(rows)
    return fold


def _grouped(strata: np.ndarray, group: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Folds of whole groups, the largest first; each goes where it leaves the classes most evenly spread (as in
    scikit-learn's StratifiedGroupKFold)."""
    _, stratum = np.unique(strata, return_inverse=True)
    _, code = np.unique(group, return_inverse=True)
    counts = np.zeros((code.max() + 1, stratum.max() + 1))
    np.add.at(counts, (code, stratum), 1)
    total = counts.sum(axis=0)
    filled = np.zeros((folds, counts.shape[1]))
    place = np.zeros(len(counts), dtype=np.int64)
    shuffled = rng.permutation(len(counts))
    for one in shuffled[np.argsort(-counts[shuffled].max(axis=1), kind="stable")]:
        with_it = (filled + counts[one]) / total
        base = filled / total
        # The spread over folds if fold f took the group: sum of squares is enough, the sums are the same for each f.
        cost = (with_it**2 - base**2).sum(axis=1) + 1e-9 * filled.sum(axis=1)
        place[one] = int(cost.argmin())
        filled[place[one]] += counts[one]
    return place[code]


def _nearest_to_share(fold: np.ndarray, strata: np.ndarray, share: float) -> int:
    """The fold whose share of each stratum is nearest to `share`, the first of about equal ones; -2 if no fold has
    rows."""
    folds = int(fold.max()) + 1
    shares = np.array([np.bincount(fold[rows] + 1, minlength=folds + 1)[1:] / len(rows) for rows in _rows_of(strata)])
    # Groups are dealt largest first, so that the first fold may be one large group.
    distance = np.where(shares.any(axis=0), np.abs(shares - share).mean(axis=0).round(1), np.inf)
    return int(distance.argmin()) if folds else -2


def _keeping_classes(fold: np.ndarray, data: Dataset) -> np.ndarray:
    """`fold` with -1, never held out, for the rows (or whole groups) of each class whose rows are all in one fold."""
    if data.task == "regression":
        return fold
    group = np.arange(len(data)) if data.together is None else data.together
    for rows in _rows_of(data.codes):
        if len(np.unique(fold[rows])) < 2:
            fold[np.isin(group, group[rows])] = -1
    return fold


def _latest(data: Dataset, share: float) -> np.ndarray:
    """The latest rows; rows of the same time stay together, and no group is split."""
    assert data.time is not None
    cut = np.sort(data.time)[int(np.floor((1 - share) * len(data)))]
    held: np.ndarray = data.time >= cut
    if data.together is not None:
        held = np.isin(data.together, data.together[held])
    if held.all():
        raise DataError(
            f"The time column of {data.name} leaves no earlier rows to train on; give rows of other times, or leave "
            "out --time."
        )
    held = _keeping_classes(held.astype(np.int64), data) == 1
    if not held.any():
        raise DataError(
            f"The latest rows of {data.name} are the only ones of their classes; give test rows with --test, or leave "
            "out --time."
        )
    return held
