"""What every training of a run shares: split rows, protocol, positive class, device."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from rarebird.core.checks import DataError, nearest
from rarebird.core.version import VERSION
from rarebird.data import split
from rarebird.data.dataset import Dataset, Splits
from rarebird.data.split import Protocol
from rarebird.metrics import names
from rarebird.profile import duplicates
from rarebird.recipe.ensemble import AnyRecipe
from rarebird.training.cross_fit import Parts
from rarebird.training.device import choose_device

TEST_SHARE = 0.2


@dataclass
class Ground:
    """What every training of a run stands on.

    Attributes:
        splits: Training, validation and test rows.
        protocol: How the training rows judge models.
        positive: Of two classes, the one that two-class figures speak of.
        notes: Sentences that the user should read.
        timings: Seconds of each part of the way.
    """

    splits: Splits
    protocol: Protocol
    positive: str | None
    device: str
    notes: list[str]
    timings: dict[str, float]

    @property
    def judged(self) -> Dataset:
        """The rows of which networks hold some out: the validation rows where there are any, else the training rows."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def parts(self, seed: int) -> Parts:
        """(training rows, held-out rows) of each network. The seed decides the folds; a hold-out is the same for
        all."""
        return split.parts(self.splits.train, self.protocol, seed)


def lay_ground(
    recipe: AnyRecipe,
    data: Splits,
    device: str,
    positive: str | None,
    test_share: float,
    duplicate_groups: np.ndarray | None,
) -> Ground:
    """Split the rows and decide how they judge; arguments as in `run`."""
    timings: dict[str, float] = {}
    notes = list(data.notes)
    with timed(timings, "split"):
        splits = separate(data, recipe, test_share, notes, duplicate_groups)
        positive = _positive(splits.train, positive)
        protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
        notes += _too_few(splits.train)
    return Ground(splits, protocol, positive, choose_device(device), notes, timings)


def separate(
    data: Splits, recipe: AnyRecipe, test_share: float, notes: list[str], duplicate_groups: np.ndarray | None = None
) -> Splits:
    """Training, validation and test rows; near-duplicates form groups where no groups were given, so that they do not
    straddle.

    Raises:
        DataError: The rows are not what the recipe is for, or a part or class of them has none left.
    """
    _check(data, recipe)
    train, val, test = data.train, data.val, data.test
    if train.group is None and (val is None or test is None):
        code = duplicates.duplicate_groups(train) if duplicate_groups is None else duplicate_groups
        repeated = len(code) - len(np.unique(code))
        if repeated:
            train = replace(train, group=code)
            notes.append(
                f"Rows that copy another row, or nearly so: {repeated}; each stays on one side of every split with its original."
            )
    train, val = _counting(train, notes), None if val is None else _counting(val, notes).aligned(train.classes)
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share:
        held = split.hold_out(train, test_share, recipe.seed, "test")
        train, test = train.take(~held), train.take(held)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(
            f"Class {absent!r} has no row left to train on; give more rows of it (of weight above 0), or test rows with --test."
        )
    return Splits(train, val, test, data.notes)


def _check(data: Splits, recipe: AnyRecipe) -> None:
    """What can be refused before anything is trained."""
    if recipe.kind != data.train.kind:
        raise DataError(
            f"The recipe is for data of kind {recipe.kind!r}, but {data.train.name} holds data of kind {data.train.kind!r}."
        )
    if data.train.task == "classification" and names.metric(recipe.metric, data.train.classes).needs == "values":
        raise DataError(
            f"The metric {recipe.metric!r} judges numbers, but the target holds classes; choose another with --metric."
        )
    for part, what in ((data.train, "training"), (data.val, "validation"), (data.test, "test")):
        if part is not None and (part.y is None or not len(part)):
            raise DataError(f"{part.name} has no {what} rows with labels; give some.")


def _counting(rows: Dataset, notes: list[str]) -> Dataset:
    """The rows of a weight above 0: one of weight 0 counts as if it were not there, for scales, folds and batches
    too."""
    nothing = rows.weights <= 0
    if not nothing.any():
        return rows
    notes.append(f"Rows of {rows.name} with a weight of 0, which are left out: {int(nothing.sum())}.")
    return rows.take(~nothing)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import platform

    import sklearn

    return {
        "rarebird": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _positive(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures speak of.

    Raises:
        DataError: No such class.
    """
    if train.task == "regression":
        return None
    if positive is not None and positive not in train.classes:
        raise DataError(f"There is no class {positive!r} to take as positive; {nearest(positive, train.classes)}")
    counts = train.class_counts
    assert counts is not None
    return positive if positive is not None or train.n_classes > 2 else train.classes[int(counts.argmin())]


def _too_few(train: Dataset) -> list[str]:
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return [
        f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
        for label, count in zip(train.classes, counts, strict=True)
        if count < 3
    ]


@contextmanager
def timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Puts the seconds of a block into `timings` under a name."""
    start = time.monotonic()
    yield
    timings[name] = round(time.monotonic() - start, 3)
