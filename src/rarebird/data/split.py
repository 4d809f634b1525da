"""How rows are split: the test rows, and the one place that chooses between cross-fitting and a hold-out.

Splits are stratified by class (by target quantiles for regression), keep groups together, and follow the order in time
where rows have a time (`rarebird.data.time_order`). A class of one row is never held out, nor is a class whose rows
would all be held out at once (they form one group, or are the latest): its rows are trained on, and it is reported as
too small to judge. A hold-out takes rows of a class only where `FEWEST_TRAINED` of its rows remain to train on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rarebird.core.checks import DataError, some
from rarebird.core.rng import stream
from rarebird.data import time_order
from rarebird.data.dataset import Dataset

# Cross-fitting trains K networks. On tables and series this is cheap and gives much: an out-of-fold prediction for
# every training row, and an average of K networks. On pictures, where one training fills the budget, only small sets
# gain from it.
CROSS_FIT_ROWS = {"table": 20_000, "series": 20_000, "image": 500}
FEW_IN_SMALLEST_CLASS = {"table": 500, "series": 500, "image": 200}
FEW_ROWS = 500
# Rows of a class that remain to train on where a hold-out takes others; a class of fewer rows only trains. Rows that
# are only watched while a network trains are worth less than rows to learn from, so that ten of a class give one.
FEWEST_TRAINED, FEWEST_BESIDE_WATCHED = 2, 9
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
        if train.time is not None:
            return Protocol(folds, 0.0, _chained(train, folds))
        return Protocol(folds, 0.0, f"{folds}-fold cross-fitting, as the recipe asks: {_CROSS_FITTING}.")
    if holdout is not None:
        return Protocol(
            0,
            holdout,
            f"{holdout:.0%} of the training rows are held out{'' if train.time is None else ' (the latest in time)'}, "
            f"as the recipe asks, and never trained on.{_exceptions(train, holdout)}",
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
    return Protocol(
        0,
        share,
        f"{share:.0%} of the {n} training rows are held out ({order}) and never trained on.{_exceptions(train, share)}",
    )


def parts(train: Dataset, protocol: Protocol, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, held-out rows) of each network; where validation rows were given, one network trains on all
    rows."""
    everything = np.arange(len(train))
    if protocol.folds and train.time is not None:
        chained = time_order.chain(train, protocol.folds, stream(seed, "cuts"))
        return [(everything[learned], everything[held]) for learned, held in chained]
    if protocol.folds:
        fold = fold_of(train, protocol.folds, seed)
        return [
            (everything[fold != place], everything[fold == place])
            for place in range(protocol.folds)
            if (fold == place).any()
        ]
    if not protocol.holdout:
        return [(everything, everything[:0])]
    learned, held = sides(train, protocol.holdout, seed)
    return [(everything[learned], everything[held])]


def fold_of(train: Dataset, folds: int, seed: int) -> np.ndarray:
    """``(n,)`` int: the fold that holds each row out, whatever its time; -1 for rows that every fold trains on."""
    if train.together is None:
        return _dealt(_strata(train), folds, stream(seed, "folds"))
    return _keeping_classes(_grouped(_strata(train), train.together, folds, stream(seed, "folds")), train)


def halves(held: Dataset, seed: int) -> np.ndarray:
    """``(n,)`` 0 or 1: two stratified halves of held-out rows, each judged with what was fitted to the other; rows that
    cannot be held out belong to half 0."""
    half: np.ndarray = np.maximum(fold_of(held, 2, int(stream(seed, "halves").integers(2**31))), 0)
    return half


def hold_out(train: Dataset, share: float, seed: int, name: str = "hold-out") -> np.ndarray:
    """``(n,)`` bool: the rows that are held out, as in `sides`."""
    return sides(train, share, seed, name)[1]


def sides(
    train: Dataset, share: float, seed: int, name: str = "hold-out", fewest: int = FEWEST_TRAINED
) -> tuple[np.ndarray, np.ndarray]:
    """The rows to train on and the rows that are held out, ``(n,)`` bool each.

    Held out are about `share` of each class, and at least one row where `fewest` rows of the class remain to train on;
    with a time, the latest rows. All others are trained on, except, with a time, those of groups that are held out.

    Raises:
        DataError: The groups leave nothing to hold out or nothing to train on.
    """
    if train.time is not None:
        return time_order.latest(train, share)
    held = _held(train, share, stream(seed, name), fewest if train.task == "classification" else 1)
    if not held.any():
        held = _held(train, share, stream(seed, name), 1)  # tiny classes only
    if not held.any() or held.all():
        raise DataError(
            f"{train.name} has too few rows or groups to hold any out; give test rows with --test, or more rows."
        )
    return ~held, held


def left_out(train: Dataset, learned: np.ndarray, held: np.ndarray) -> list[str]:
    """A sentence on the rows that are neither trained on nor held out, if there are any."""
    out = ~learned & ~held
    near = out & time_order.in_gap(train, held) if train.gap is not None else np.zeros(len(train), dtype=bool)
    sentences = []
    if near.any():
        sentences.append(
            f"{100 * near.mean():.3g}% of the {len(train)} rows are before the first held-out row by less than the "
            "gap; they are left out of training."
        )
    if (out & ~near).any():
        sentences.append(
            f"{100 * (out & ~near).mean():.3g}% of the {len(train)} rows are of groups (or copies) that also have rows "
            "among the latest; they are left out of training, so that no group is on both sides."
        )
    return sentences


def _held(train: Dataset, share: float, rng: np.random.Generator, fewest: int) -> np.ndarray:
    strata, held, group = _strata(train), np.zeros(len(train), dtype=bool), train.together
    if group is None:
        for rows in _rows_of(strata):
            held[rng.permutation(rows)[: max(0, min(max(1, round(share * len(rows))), len(rows) - fewest))]] = True
        return held
    fold = _keeping_classes(_grouped(strata, group, max(2, round(1 / share)), rng), train)
    held = np.asarray(fold == _nearest_to_share(fold, strata, share))
    for rows in _rows_of(strata) if train.task == "classification" else []:
        if held[rows].any() and (~held[rows]).sum() < fewest:
            held &= ~np.isin(group, group[rows[held[rows]]])
    return held


def _exceptions(train: Dataset, share: float) -> str:
    """What a hold-out does not take, or leaves out of training, as sentences after a space; empty if nothing."""
    if train.time is not None:
        learned, held = time_order.latest(train, share)
        sentences = [*left_out(train, learned, held), *_late(time_order.unseen(train, learned, held))]
        return "".join(f" {sentence}" for sentence in sentences)
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    tiny = [label for label, n in zip(train.classes, counts, strict=True) if 0 < n <= FEWEST_TRAINED]
    if not tiny:
        return ""
    give = "gives" if len(tiny) == 1 else "give"
    return (
        f" A class gives rows to it only where {FEWEST_TRAINED} of its rows remain to train on: {some(tiny)} {give} "
        "none."
    )


def _late(labels: Iterable[str]) -> list[str]:
    late = sorted(set(labels))
    return [f"No earlier row shows {some(late)}: such rows are trained on, whatever their time."] if late else []


def _chained(train: Dataset, folds: int) -> str:
    """The sentence on forward-chaining parts."""
    parts = time_order.chain(train, folds, stream(0, "cuts"))
    earlier = [~learned & (time_order.times(train) < time_order.times(train)[held].min()) for learned, held in parts]
    near = [time_order.in_gap(train, held) for _, held in parts]
    shares = [float((rows & ~gap).mean()) for rows, gap in zip(earlier, near, strict=True)]
    sentences = [
        f"{folds} parts in the order of time: each network is trained on rows that are earlier than the rows that "
        "judge it; the earliest rows are only trained on."
    ]
    if train.gap is not None:
        left = np.mean([float((rows & gap).mean()) for rows, gap in zip(earlier, near, strict=True)])
        sentences.append(
            f"About {left:.0%} of the rows are left out of a part's training, because they are earlier than its judged "
            "rows by less than the gap."
        )
    if any(shares):
        sentences.append(
            f"About {np.mean(shares):.0%} of the rows are left out of a part's training, because rows of their groups "
            "(or copies) are judged in it."
        )
    late = _late(label for learned, held in parts for label in time_order.unseen(train, learned, held))
    return " ".join([*sentences, *late])


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
    """`fold` with -1, never held out, for the whole groups of each class whose rows are all in one fold."""
    if data.task == "regression":
        return fold
    assert data.together is not None
    for rows in _rows_of(data.codes):
        if len(np.unique(fold[rows])) < 2:
            fold[np.isin(data.together, data.together[rows])] = -1
    return fold
