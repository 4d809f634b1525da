"""What every training of a run shares: split rows, protocol, positive class, device."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Setup:
    """What every training of a run shares.

    Attributes:
        splits: Training, validation and test rows, with sentences that the user should read.
        protocol: How the training rows judge models.
        positive: Of two classes, the one that two-class figures are for; None for more classes and for regression.
        device: A torch device, or ``auto`` where each worker looks for its own.
    """

    splits: Splits
    protocol: Protocol
    positive: str | None
    device: str

    @property
    def judging_rows(self) -> Dataset:
        """The rows of which networks hold some out: the validation rows where there are any, else the training rows."""
        return self.splits.train if self.splits.val is None else self.splits.val

    def parts(self, seed: int) -> Parts:
        """(training rows, held-out rows) of each network; the seed decides the folds, a hold-out is always the same."""
        return split.parts(self.splits.train, self.protocol, seed)


def prepare_run(
    recipe: AnyRecipe,
    data: Splits,
    *,
    device: str = "auto",
    positive: str | None = None,
    test_share: float = TEST_SHARE,
    duplicate_groups: np.ndarray | None = None,
) -> Setup:
    """Split the rows and decide how they judge.

    Args:
        recipe: Its folds or hold-out are followed where it has any; its seed decides which rows are held out.
        data: Rows, with validation and test rows where the data came so.
        device: A torch device, or ``auto``.
        positive: Of two classes, the one that two-class figures are for; None: the rarer.
        test_share: Share held out for the test where `data` has none; 0 for no test.
        duplicate_groups: `duplicates.duplicate_groups` of the training rows, where it is known already.

    Raises:
        DataError: The rows, their split or the device cannot serve.
    """
    splits = separate(data, recipe, test_share, duplicate_groups)
    protocol = split.decide(splits.train, splits.val, folds=recipe.folds, holdout=recipe.holdout)
    splits = replace(splits, notes=(*splits.notes, *_too_few(splits.train)))
    return Setup(splits, protocol, positive_class(splits.train, positive), choose_device(device))


def separate(data: Splits, recipe: AnyRecipe, test_share: float, duplicate_groups: np.ndarray | None = None) -> Splits:
    """Training, validation and test rows, and notes on what was left out or kept together.

    Near-duplicates form groups where no groups were given, so that a row and its copy are on one side of every split.

    Raises:
        DataError: The rows are not what the recipe is for, or a part or class of them has none left.
    """
    _check(data, recipe)
    train, val, test, notes = data.train, data.val, data.test, list(data.notes)
    if train.group is None and (val is None or test is None):
        code = duplicates.duplicate_groups(train) if duplicate_groups is None else duplicate_groups
        repeated = len(code) - len(np.unique(code))
        if repeated:
            train = replace(train, group=code)
            notes.append(
                f"Rows that copy another row, or nearly so: {repeated}; each stays on one side of every split with its "
                "original."
            )
    notes += [note for part in (train, val) if part is not None for note in _weightless(part)]
    train, val = _with_weight(train), None if val is None else _with_weight(val).aligned(train.classes)
    if test is not None:
        test = test.aligned(train.classes)
    elif test_share:
        held = split.hold_out(train, test_share, recipe.seed, "test")
        train, test = train.take(~held), train.take(held)
    counts = train.class_counts
    if counts is not None and (counts == 0).any():
        absent = train.classes[int(counts.argmin())]
        raise DataError(
            f"Class {absent!r} has no row left to train on; give more rows of it (of weight above 0), or test rows "
            "with --test."
        )
    return Splits(train, val, test, tuple(notes))


def positive_class(train: Dataset, positive: str | None) -> str | None:
    """The class that two-class figures are for: the one that was asked for, or the rarer of two.

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


def _check(data: Splits, recipe: AnyRecipe) -> None:
    """What can be refused before anything is trained."""
    if recipe.kind != data.train.kind:
        raise DataError(
            f"The recipe is for data of kind {recipe.kind!r}, but {data.train.name} holds data of kind "
            f"{data.train.kind!r}."
        )
    if data.train.task == "classification" and names.metric(recipe.metric, data.train.classes).needs == "values":
        raise DataError(
            f"The metric {recipe.metric!r} judges numbers, but the target holds classes; choose another with --metric."
        )
    for part, what in ((data.train, "training"), (data.val, "validation"), (data.test, "test")):
        if part is not None and (part.y is None or not len(part)):
            raise DataError(f"{part.name} has no {what} rows with labels; give some.")


def _weightless(rows: Dataset) -> list[str]:
    nothing = int((rows.weights <= 0).sum())
    return [f"Rows of {rows.name} with a weight of 0, which are left out: {nothing}."] if nothing else []


def _with_weight(rows: Dataset) -> Dataset:
    """The rows of a weight above 0: one of weight 0 counts as if it were not there, for scales, folds and batches
    too."""
    nothing = rows.weights <= 0
    return rows.take(~nothing) if nothing.any() else rows


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


def _too_few(train: Dataset) -> list[str]:
    counts = [] if train.class_counts is None else train.class_counts.tolist()
    return [
        f"Class {label!r} has {count} training row{'s' if count > 1 else ''}: it is kept, but too small to judge."
        for label, count in zip(train.classes, counts, strict=True)
        if count < 3
    ]
